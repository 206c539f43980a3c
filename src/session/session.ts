// A session: a scenario brought to life. Boot, run, pause, step, input; deterministic: everything that comes from
// outside enters here, at a named cycle.
import type { Assembly } from '../assembler/assemble.ts';
import { OutOfMemory } from '../hypervisor/frames.ts';
import type { GuestView } from '../hypervisor/guest-view.ts';
import type { LoopEnd } from '../hypervisor/run-loop.ts';
import type { BootOptions, Enlightenment, Paging, TechniqueName } from '../hypervisor/technique.ts';
import { needsFirmware } from '../images/image.ts';
import { Stop } from '../machine/cpu/cpu.ts';
import { Kind } from '../trace/events.ts';
import { drivesOf } from './drives.ts';
import { type Engine, Host } from './host.ts';
import { type BuiltGuest, buildGuest, type GuestLibrary, type GuestSource } from './library.ts';
import type { Scenario, ScenarioDomain } from './scenario.ts';
import { ScenarioError } from './scenario-error.ts';
import { SessionDomain } from './session-domain.ts';

/** What to boot, as far as it differs from before. */
export interface BootChange {
  technique?: TechniqueName;
  paging?: Paging;
  enlightenments?: Enlightenment[];
  source?: GuestSource;
  /** Another guest of the library's, under the name of the one that was there. */
  guest?: string;
  /** Another guest than the scenario's: its name on the page, and its memory. */
  name?: string;
  memoryMiB?: number;
}
export type BootResult = { ok: true } | { ok: false; message: string; diagnostics: Assembly['diagnostics'] };
/** One external input: replayed at the same cycle it gives the same run. */
export interface Input {
  cycle: number;
  domain: number;
  /** `mouse`: movement right, movement up, buttons held. */
  kind: 'text' | 'keys' | 'mouse';
  codes: number[];
}

/** What scenario.ts sets aside for the hypervisor. */
const HYPERVISOR_MIB = 4;
/** What a reboot takes, in seconds: a machine that starts over needs its time, and a guest that does nothing else leaves it to the others. */
const REBOOT_SECONDS = 0.1;

export class Session {
  readonly host: Host;
  readonly domains: SessionDomain[];
  readonly inputs: Input[] = [];
  /** Boot modules (initrd) for every guest that is booted from now on. */
  modules: BootOptions['modules'] = [];

  /** Does not boot. Throws RangeError for an impossible processor or memory size. */
  constructor(
    readonly scenario: Scenario,
    private readonly library: GuestLibrary,
    engine: Engine = 'auto',
  ) {
    this.host = new Host(scenario, engine);
    this.domains = scenario.domains.map((config, id) => new SessionDomain(id, config));
  }

  get now(): number {
    return this.host.now;
  }

  view(id: number): GuestView | undefined {
    return this.host.guest(id);
  }

  /** Boots every domain of the scenario. Throws ScenarioError with the first reason why one cannot. */
  bootAll(): void {
    for (const domain of this.domains) {
      const result = this.boot(domain.id);
      if (result.ok) continue;
      const { name, guest } = domain.config;
      const named = [name, guest].some((word) => result.message.startsWith(`${word}:`));
      throw new ScenarioError(named ? result.message : `${name}: ${result.message}`);
    }
  }

  /** Boots a domain (again) while the others go on. When it cannot be built, nothing changes. */
  boot(id: number, request: BootChange = {}): BootResult {
    const domain = this.domains[id];
    const guest = request.name ?? request.guest ?? domain.config.guest;
    const brought = request.source ?? (guest === domain.config.guest ? domain.source : null);
    const source = brought ?? this.library.find(guest);
    if (!source) return refuse(`there is no guest "${guest}"`);
    const technique = request.technique ?? domain.technique;
    if (technique === 'native' && this.domains.length > 1)
      return refuse('a guest on the bare machine owns all of it: only one can run there');
    const others = this.domains.filter((other) => other !== domain && !other.stopped);
    if (others.some((other) => (other.technique === 'container') !== (technique === 'container')))
      return refuse(
        'containers share one kernel that owns the whole machine: either all guests are containers, or none is',
      );
    const before = domain.config;
    const config = {
      ...before,
      name: request.name ?? before.name,
      guest,
      memoryMiB: request.memoryMiB ?? before.memoryMiB,
      paging: request.paging ?? before.paging,
      enlightenments: request.enlightenments ?? before.enlightenments,
      // What the scenario types into its guest is not meant for another.
      input: request.name === undefined ? before.input : '',
    };
    let built: BuiltGuest;
    try {
      built = buildGuest(source, this.library, guest);
    } catch (error) {
      return refuse((error as Error).message);
    }
    if (!built.image) {
      const first = built.diagnostics.find((d) => d.severity === 'error')!;
      return {
        ok: false,
        message: `${first.file}:${first.line}:${first.column}: ${first.message}`,
        diagnostics: built.diagnostics,
      };
    }
    const result = this.start(domain, built, technique, config);
    if (result.ok) domain.source = brought;
    return result;
  }

  private start(
    domain: SessionDomain,
    built: NonNullable<SessionDomain['built']>,
    technique: TechniqueName,
    config: ScenarioDomain,
  ): BootResult {
    const before = {
      built: domain.built,
      technique: domain.technique,
      config: domain.config,
      drives: domain.drives,
    };
    domain.config = config;
    try {
      domain.drives = drivesOf(built.image, config.disks, this.library);
      this.bootHost(domain, built, technique);
    } catch (error) {
      domain.config = before.config;
      domain.drives = before.drives;
      // The old guest had to make room; it comes back as it would after a reboot.
      if (before.built && !domain.stopped) this.bootAgain(domain, before.built, before.technique);
      const { message } = error as Error;
      return refuse(
        error instanceof OutOfMemory
          ? `${config.memoryMiB} MiB for ${config.name} are more than this host has left (${message})`
          : message,
      );
    }
    domain.built = built;
    domain.technique = technique;
    domain.stopped = false;
    domain.rebootAt = Infinity;
    domain.failure = '';
    domain.text = '';
    domain.printed = 0;
    domain.debugText = '';
    domain.pendingInput = [];
    this.typeAtBoot(domain);
    return { ok: true };
  }

  /** What the scenario types into a guest that has just been started. */
  private typeAtBoot(domain: SessionDomain): void {
    if (domain.config.input)
      this.input(
        domain.id,
        [...domain.config.input].map((c) => c.charCodeAt(0) & 0xff),
      );
  }

  private bootHost(
    domain: SessionDomain,
    built: NonNullable<SessionDomain['built']>,
    technique: TechniqueName,
  ): void {
    this.host.boot({
      id: domain.id,
      name: domain.config.name,
      technique,
      memoryBytes: this.memoryFor(domain, technique) * 2 ** 20,
      image: built.image,
      options: {
        commandLine: domain.config.commandLine,
        paging: domain.config.paging,
        enlightenments: domain.config.enlightenments,
        modules: this.modules,
        drives: domain.drives,
        network: domain.config.network,
        vcpus: domain.config.vcpus,
        firmware: needsFirmware(built.image) ? this.library.firmware?.() : undefined,
      },
    });
  }

  /** A guest that had the bare machine to itself leaves the hypervisor its share when it is run under one. */
  private memoryFor({ config }: SessionDomain, technique: TechniqueName): number {
    if (technique === 'native') return config.memoryMiB;
    return Math.max(1, Math.min(config.memoryMiB, this.scenario.memoryMiB - HYPERVISOR_MIB));
  }

  /** Takes the guest of a domain away. */
  stop(id: number): void {
    this.host.destroy(id);
    this.domains[id].stopped = true;
    this.domains[id].rebootAt = Infinity;
  }

  /** Runs until `until` (cycles), or until `stopRequested` says so after an event. Guests that asked for a reboot get it. */
  run(until: number, stopRequested?: () => boolean): LoopEnd {
    for (;;) {
      this.offerInput();
      const next = this.nextReboot();
      // A guest that ends is looked at there and then, wherever the budget of this call ends.
      let end = this.host.run(Math.min(until, next), stopRequested);
      this.collectOutput();
      this.noteReboots();
      const reboot = this.nextReboot();
      if (end === 'idle' && reboot !== Infinity) {
        this.host.passTime(Math.min(until, reboot));
        end = 'budget';
      }
      this.rebootWhoWaited();
      // Addresses are linear: another guest may come by the same number.
      if (end === 'breakpoint' && !this.stoppedWhereAsked()) continue;
      if (end === 'breakpoint' || stopRequested?.()) return end;
      if (end === 'idle') return end;
      if (this.now >= until) return 'budget';
    }
  }

  /** Sets the breakpoints of one guest, as linear addresses. */
  setBreakpoints(id: number, addresses: Iterable<number>): void {
    this.domains[id].breakpoints = new Set(addresses);
    const all = this.host.pc.cpu.breakpoints;
    all.clear();
    for (const domain of this.domains) for (const address of domain.breakpoints) all.add(address);
    this.host.placeBreakpoints();
  }

  private stoppedWhereAsked(): boolean {
    return this.domains.some(
      ({ id, breakpoints }) => this.host.isRunning(id) && breakpoints.has(this.host.linear(id)),
    );
  }

  private nextReboot(): number {
    return this.domains.reduce((first, domain) => Math.min(first, domain.rebootAt), Infinity);
  }

  private noteReboots(): void {
    const delay = Math.round(REBOOT_SECONDS * this.host.pc.cost.clockHz);
    for (const domain of this.domains) {
      if (domain.rebootAt !== Infinity || !domain.built) continue;
      if (this.view(domain.id)?.state === 'rebooting') domain.rebootAt = this.now + delay;
    }
  }

  private rebootWhoWaited(): void {
    for (const domain of this.domains) {
      if (domain.rebootAt > this.now || !domain.built) continue;
      this.bootAgain(domain, domain.built, domain.technique);
    }
  }

  /** Boots what has been booted before. Should that be impossible now (no memory left), the domain stays empty and says why. */
  private bootAgain(
    domain: SessionDomain,
    built: NonNullable<SessionDomain['built']>,
    technique: TechniqueName,
  ): void {
    domain.rebootAt = Infinity;
    try {
      this.bootHost(domain, built, technique);
      this.typeAtBoot(domain);
    } catch (error) {
      domain.stopped = true;
      domain.failure = `could not be booted again: ${(error as Error).message}`;
    }
  }

  /** One instruction of whatever guest is due. */
  stepInstruction(): LoopEnd {
    this.offerInput();
    const end = this.host.stepInstruction();
    this.collectOutput();
    this.noteReboots();
    if (end === 'idle' && this.nextReboot() !== Infinity) this.host.passTime(this.nextReboot());
    this.rebootWhoWaited();
    return end;
  }

  /** Until the next event is in the trace. @param kind only an event of this kind counts */
  stepEvent(kind?: number, limit = 500_000_000): LoopEnd {
    const { recorder } = this.host;
    let found = false;
    recorder.notify = () => {
      if (kind !== undefined && recorder.get(recorder.next - 1)!.kind !== kind) return;
      found = true;
      this.host.pc.cpu.stop = Stop.requested;
    };
    try {
      return this.run(this.now + limit, () => found);
    } finally {
      recorder.notify = null;
      // An event of the hypervisor asked a processor to stop that was not running a guest.
      if (this.host.pc.cpu.stop === Stop.requested) this.host.pc.cpu.stop = Stop.none;
    }
  }

  /** Until the next world switch. */
  stepSwitch(): LoopEnd {
    return this.stepEvent(Kind.schedule);
  }

  /** Set-1 scan codes for the guest's PS/2 keyboard. */
  keys(id: number, codes: number[]): void {
    const board = this.view(id)?.board;
    if (!board) return;
    this.inputs.push({ cycle: this.now, domain: id, kind: 'keys', codes });
    board.keys(codes);
  }

  /** Movement of the PS/2 mouse (counts right and up) and the buttons held (bit 0 left, 1 right, 2 middle). */
  mouse(id: number, dx: number, dy: number, buttons: number): void {
    const board = this.view(id)?.board;
    if (!board) return;
    this.inputs.push({ cycle: this.now, domain: id, kind: 'mouse', codes: [dx, dy, buttons] });
    board.mouse(dx, dy, buttons);
  }

  /** Characters for its serial port, or its Xen console. */
  input(id: number, codes: number[]): void {
    const domain = this.domains[id];
    if (!domain) return;
    this.inputs.push({ cycle: this.now, domain: id, kind: 'text', codes });
    domain.pendingInput = domain.pendingInput.concat(codes);
    this.offerInput();
  }

  private offerInput(): void {
    for (const domain of this.domains) {
      if (!domain.pendingInput.length) continue;
      const view = this.view(domain.id);
      if (!view) domain.pendingInput = [];
      else if (view.board) domain.pendingInput.splice(0, view.board.serialInput(domain.pendingInput));
      else for (const code of domain.pendingInput.splice(0)) view.consoleInput.push(code);
    }
  }

  private collectOutput(): void {
    for (const domain of this.domains) {
      const view = this.view(domain.id);
      if (!view) continue;
      const { board, consoleOutput } = view;
      view.consoleOutput = '';
      domain.hear(consoleOutput, board?.takeSerial() ?? [], board?.takeDebug() ?? []);
    }
  }
}

function refuse(message: string): { ok: false; message: string; diagnostics: [] } {
  return { ok: false, message, diagnostics: [] };
}
