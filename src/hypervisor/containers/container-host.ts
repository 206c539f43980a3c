// Containers, as SWsoft's Virtuozzo had them: one kernel on the bare machine, and on it userlands that do not see each
// other. There is no hypervisor and no exit; who has the processor is read from the kernel's own word for it. Starting and
// stopping is what an administrator does: commands on the machine's first serial port, where its own shell listens.
import { type Image, ImageError } from '../../images/image.ts';
import type { GuestBoard } from '../../machine/devices/board.ts';
import type { Screen } from '../../machine/devices/screen.ts';
import type { Pc } from '../../machine/pc.ts';
import { Channel, Kind, Life, Switch } from '../../trace/events.ts';
import type { DomainState } from '../domain.ts';
import type { GuestView } from '../guest-view.ts';
import { NativeHost } from '../native/native-host.ts';
import type { LoopEnd } from '../run-loop.ts';
import type { BootOptions, TechniqueInfo } from '../technique.ts';
import { CONTAINER_FREE, SharedKernel } from './shared-kernel.ts';

export const CONTAINER: TechniqueInfo = { name: 'container', kernelRing: 0, nonRoot: false };
/** Containers on one machine: it has four serial ports, and the first is its own. */
export const MOST_CONTAINERS = 3;
/** Processes that a container may have. */
const PROCESSES = 8;
/** The machine's own: no domain. */
const MACHINE = -1;
/** Cycles between two looks at what has become of the containers. */
const LOOK_EVERY = 200_000;

/** One container's part of the machine: its serial port; screen, keyboard and mouse are the machine's. */
class Terminal implements GuestBoard {
  private seen = 0;
  constructor(
    private readonly host: ContainerHost,
    readonly number: number,
  ) {}
  private get board() {
    return this.host.pc.board;
  }
  get serial() {
    return this.board.serials[this.number];
  }
  get state() {
    return this.board.state;
  }
  get debug() {
    return this.board.debug;
  }
  keys(scancodes: ArrayLike<number>): void {
    this.board.keys(scancodes);
  }
  mouse(dx: number, dy: number, buttons: number): void {
    this.board.mouse(dx, dy, buttons);
  }
  serialInput(bytes: ArrayLike<number>): number {
    return this.board.serialInput(bytes, this.number);
  }
  takeSerial(): number[] {
    return this.serial.drain();
  }
  takeDebug(): number[] {
    return [];
  }
  screen(): Screen {
    return this.board.screen();
  }
  changedScreen(): Screen | null {
    const { version, screen } = this.host.latestScreen();
    if (version === this.seen) return null;
    this.seen = version;
    return screen;
  }
}

class Container implements GuestView {
  readonly technique = CONTAINER;
  state: DomainState = 'running';
  ending = '';
  consoleOutput = '';
  readonly consoleInput: number[] = [];
  /** The kernel has begun it. */
  begun = false;
  instructions = 0;
  readonly board: Terminal;
  constructor(
    host: ContainerHost,
    readonly id: number,
    readonly name: string,
    readonly number: number,
  ) {
    this.board = new Terminal(host, number);
  }
}

export class ContainerHost {
  private readonly machine: NativeHost;
  private readonly kernel: SharedKernel;
  private readonly containers = new Map<number, Container>();
  /** The domain by number of container. */
  private readonly domains: number[] = [];
  /** What the administrator has yet to type. */
  private commands: number[] = [];
  private current = 0;
  /** Instructions of the processor when the current container got it. */
  private countedTo = 0;
  private screen: { version: number; screen: Screen | null } = { version: 0, screen: null };

  /** Boots the shared kernel. Throws ImageError when the image is not one that has containers. */
  constructor(
    readonly pc: Pc,
    private readonly image: Image,
    options: BootOptions,
  ) {
    const { recorder, board, cpu } = pc;
    this.machine = new NativeHost(pc, MACHINE, image.name, image, options);
    const kernel = image.kind === 'disk' || image.kind === 'rom' ? null : SharedKernel.find(pc.memory);
    if (!kernel) throw ownKernel(image.name);
    this.kernel = kernel;
    board.serials.forEach((port, number) => {
      port.onTransmit = (byte) =>
        recorder.recordFor(this.domainOf(number), Kind.output, 0, byte, Channel.serial);
    });
    recorder.attribute = (eip) => this.attribute(eip);
    this.machine.onHalt = () => this.switchTo(0, cpu.eip);
  }

  private domainOf(number: number): number {
    return this.domains[number] ?? MACHINE;
  }

  guest(id: number): GuestView | undefined {
    return this.containers.get(id);
  }
  get alive(): boolean {
    return this.machine.guest.state === 'running';
  }
  /** The guest whose instructions come next, or -1. */
  get running(): number {
    return this.domainOf(this.kernel.current);
  }

  /** Starts a container for a domain. Throws ImageError when the image is another kernel, or there is no place. */
  start(id: number, name: string, image: Image, memoryBytes: number): void {
    if (!sameImage(image, this.image)) throw ownKernel(image.name);
    const numbers = [1, 2, 3].filter((number) => this.domains[number] === undefined);
    // One that is still ending is taken only when there is no other: `vz start` waits for it.
    const number = numbers.find((n) => this.kernel.stateOf(n) === CONTAINER_FREE) ?? numbers[0];
    if (number === undefined)
      throw new ImageError(`${name}: this machine has terminals for ${MOST_CONTAINERS} containers`);
    this.domains[number] = id;
    this.containers.set(id, new Container(this, id, name, number));
    this.type(`vz start ${number} ${PROCESSES} ${memoryBytes >>> 12}\r`);
    const { recorder } = this.pc;
    recorder.recordFor(id, Kind.domain, 0, Life.booted);
  }

  /** Ends a domain's container, and forgets it. */
  stop(id: number): void {
    const container = this.containers.get(id);
    if (!container) return;
    if (this.alive && container.begun && container.state === 'running')
      this.type(`vz stop ${container.number}\r`);
    this.containers.delete(id);
    delete this.domains[container.number];
    const { recorder } = this.pc;
    recorder.recordFor(id, Kind.domain, 0, Life.destroyed);
  }

  private type(command: string): void {
    this.commands.push(...[...command].map((c) => c.charCodeAt(0)));
    this.offer();
  }

  private offer(): void {
    const { board } = this.pc;
    if (this.commands.length) this.commands.splice(0, board.serialInput(this.commands));
  }

  run(until: number, stopRequested?: () => boolean): LoopEnd {
    for (;;) {
      this.offer();
      const next = Math.min(until, this.pc.cpu.cycles + LOOK_EVERY);
      const end = this.machine.run(next, stopRequested);
      this.look();
      if (end !== 'budget' || this.pc.cpu.cycles >= until) return end;
    }
  }

  stepInstruction(): LoopEnd {
    this.offer();
    const end = this.machine.stepInstruction();
    this.look();
    return end;
  }

  /** What has become of the containers. */
  private look(): void {
    const { guest } = this.machine;
    for (const container of this.containers.values()) {
      if (container.state !== 'running') continue;
      const free = this.kernel.stateOf(container.number) === CONTAINER_FREE;
      if (!this.alive) this.end(container, `the machine under it is gone: ${guest.ending}`);
      else if (!free) container.begun = true;
      else if (container.begun) this.end(container, 'its init has ended, and all its processes with it');
    }
  }

  private end(container: Container, reason: string): void {
    container.state = 'halted';
    container.ending = reason;
    const { recorder, cpu } = this.pc;
    recorder.recordFor(container.id, Kind.domain, cpu.eip, Life.halted);
  }

  private attribute(eip: number): number {
    const { current } = this.kernel;
    if (current !== this.current) this.switchTo(current, eip);
    return this.domainOf(current);
  }

  /** Another container has the processor, or (0) none: a switch of processes, which the kernel did itself. */
  private switchTo(number: number, eip: number): void {
    const { recorder } = this.pc;
    this.count();
    const from = this.domainOf(this.current);
    const to = this.domainOf(number);
    this.current = number;
    if (from === to) return;
    const wantedOn = number !== 0 && this.kernel.preempted;
    if (from !== MACHINE && !wantedOn) recorder.recordFor(from, Kind.idle, eip, 0);
    recorder.recordFor(
      MACHINE,
      Kind.schedule,
      eip,
      from,
      to,
      from === MACHINE ? Switch.woken : wantedOn ? Switch.sliceEnd : Switch.blocked,
    );
  }

  private count(): void {
    const { instructions } = this.pc.cpu;
    const container = this.containers.get(this.domainOf(this.current));
    if (container) container.instructions += instructions - this.countedTo;
    this.countedTo = instructions;
  }

  /** Instructions that a domain's container has run, the kernel's in its name included. */
  instructionsOf(id: number): number {
    this.count();
    return this.containers.get(id)?.instructions ?? 0;
  }

  /** The machine's screen, with a number that grows when it has changed. */
  latestScreen(): { version: number; screen: Screen | null } {
    const screen = this.pc.board.changedScreen();
    if (screen) this.screen = { version: this.screen.version + 1, screen };
    return this.screen;
  }
}

function ownKernel(name: string): ImageError {
  return new ImageError(
    `${name}: brings its own kernel, and a container has none: all containers share the one kernel that runs on the machine. Run it by a technique that virtualizes the processor`,
  );
}

function sameImage(a: Image, b: Image): boolean {
  if (a === b) return true;
  return (
    a.segments.length === b.segments.length &&
    a.segments.every((segment, n) => {
      const other = b.segments[n];
      return (
        segment.address === other.address &&
        segment.data.length === other.data.length &&
        segment.data.every((byte, at) => byte === other.data[at])
      );
    })
  );
}
