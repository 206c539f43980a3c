// One simulated server of a session: a PC, and either a hypervisor with its run loop or one guest on the bare machine.
import { costModel } from '../cost/processors.ts';
import type { ContainerHost } from '../hypervisor/containers/container-host.ts';
import type { GuestView } from '../hypervisor/guest-view.ts';
import { HardwareAssisted } from '../hypervisor/hardware-assisted/hardware-assisted.ts';
import { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { NativeHost } from '../hypervisor/native/native-host.ts';
import { Paravirtualization } from '../hypervisor/paravirtualization/paravirtualization.ts';
import { type LoopEnd, RunLoop } from '../hypervisor/run-loop.ts';
import {
  type BootOptions,
  isBare,
  TECHNIQUES,
  type Technique,
  type TechniqueInfo,
  type TechniqueName,
} from '../hypervisor/technique.ts';
import { xenServices } from '../hypervisor/xen/services.ts';
import type { Image } from '../images/image.ts';
import type { Cpu } from '../machine/cpu/cpu.ts';
import { getFlags } from '../machine/cpu/flags.ts';
import { peek } from '../machine/cpu/paging.ts';
import { Pc } from '../machine/pc.ts';
import { Kind, Life } from '../trace/events.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Scenario } from './scenario.ts';

/** Power-on date of every host: the day Xen 3.0 was released. Fixed, so that runs are equal. */
const START_DATE = '2005-12-05T10:00:00';

/** A machine with containers has a serial port for itself and one for each of them. */
const CONTAINER_TERMINALS = 4;

/** D/B in the access rights of a code segment (SegmentRegister.access). */
const CODE_32 = 0x4000;

export interface BootRequest {
  id: number;
  name: string;
  technique: TechniqueName;
  memoryBytes: number;
  image: Image;
  options: BootOptions;
}

/** Machines without a hypervisor, when a program has provided them; the opening page does not. */
export const optionalMachines: {
  native?: (pc: Pc, request: BootRequest) => NativeHost;
  containers?: (pc: Pc, image: Image, options: BootOptions) => ContainerHost;
} = {};

/** Techniques that a program provides when it wants them; the opening page does not. */
export const optionalTechniques: Partial<Record<TechniqueName, (hypervisor: Hypervisor) => Technique>> = {};

/** Techniques that hosts can use now. */
export function techniquesHere(): TechniqueName[] {
  return TECHNIQUES.filter(
    (name) =>
      BUILT_IN.includes(name) ||
      optionalTechniques[name] ||
      (name === 'container' && optionalMachines.containers),
  );
}
const BUILT_IN: readonly TechniqueName[] = ['native', 'paravirtualization', 'vt-x'];

/** How guest code is run: `auto` compiles what is hot, where WebAssembly is allowed. */
export const ENGINES = ['auto', 'interpreter'] as const;
export type Engine = (typeof ENGINES)[number];

export class Host {
  readonly recorder: Recorder;
  pc: Pc;
  /** Null while a guest has the bare machine, and before the first one. */
  hypervisor: Hypervisor | null = null;
  private loop: RunLoop | null = null;
  private native: NativeHost | null = null;
  private containers: ContainerHost | null = null;
  private techniques = new Map<TechniqueName, Technique>();

  /** @param engine `interpreter`: no guest code is compiled. Nothing that can be seen depends on it but speed */
  constructor(
    readonly scenario: Scenario,
    readonly engine: Engine = 'auto',
  ) {
    this.recorder = new Recorder();
    this.pc = this.powerOn();
  }

  private powerOn(drives: BootOptions['drives'] = [], serialPorts = 1): Pc {
    const cost = costModel(this.scenario.processor, this.scenario.clockHz);
    this.pc = new Pc(cost, this.recorder, this.scenario.memoryMiB * 2 ** 20, {
      startDate: START_DATE,
      drives,
      serialPorts,
      apic: this.scenario.apic,
      processors: this.scenario.processors,
    });
    for (const cpu of this.pc.processors.all) cpu.compiledAllowed = this.engine !== 'interpreter';
    return this.pc;
  }

  get now(): number {
    return this.pc.cpu.cycles;
  }
  /** Cycles in which nobody had work to do. */
  get idleCycles(): number {
    return this.pc.idleCycles;
  }
  get inGuest(): boolean {
    return this.loop ? this.loop.inGuest : true;
  }

  guest(id: number): GuestView | undefined {
    if (this.native?.guest.id === id) return this.native.guest;
    return this.containers?.guest(id) ?? this.hypervisor?.domains.get(id);
  }

  /** Instructions that a guest has run since it was booted. */
  instructionsOf(id: number): number {
    if (this.native?.guest.id === id) return this.pc.cpu.instructions - this.bootInstructions;
    if (this.containers) return this.containers.instructionsOf(id);
    return this.hypervisor?.domains.get(id)?.vcpus.reduce((sum, vcpu) => sum + vcpu.instructions, 0) ?? 0;
  }
  private bootInstructions = 0;

  /** Machine address behind a guest-linear one, or -1. */
  translate(id: number, linear: number): number {
    if (this.native?.guest.id === id || this.containers?.guest(id)) return peek(this.pc.cpu, linear);
    const domain = this.hypervisor?.domains.get(id);
    return domain ? domain.technique.translate(domain.vcpus[0], linear) : -1;
  }

  /** Up to `length` bytes of guest-linear memory; shorter when a page is missing. */
  readGuest(id: number, linear: number, length: number): Uint8Array {
    const bytes: number[] = [];
    for (let n = 0; n < length; n++) {
      const machine = this.translate(id, (linear + n) >>> 0);
      if (machine < 0) break;
      bytes.push(this.pc.memory.read8(machine));
    }
    return Uint8Array.from(bytes);
  }

  /** A guest's registers by name: the processor's own while the guest has it, else as they were when it left. */
  registers(id: number): Record<string, number> {
    const domain = this.hypervisor?.domains.get(id);
    if (!domain) return cpuRegisters(this.pc.cpu);
    const saved = domain.technique.registers(domain.vcpus[0]);
    const running = this.loop?.inGuest && this.hypervisor?.current?.domain.id === id;
    if (!running) return saved;
    const believed = domain.technique.position?.(domain.vcpus[0])?.registers;
    return { ...saved, ...cpuRegisters(this.pc.cpu), ...believed };
  }

  /** Where a guest stands: its next instruction, or the one that made it leave. */
  eip(id: number): number {
    const vcpu = this.hypervisor?.domains.get(id)?.vcpus[0];
    if (vcpu && !this.isRunning(id)) return vcpu.eip;
    return (vcpu?.domain.technique.position?.(vcpu)?.eip ?? this.pc.cpu.eip) >>> 0;
  }

  /** Linear address of where a guest stands: in real mode its code segment has a base. */
  linear(id: number): number {
    const { cpu } = this.pc;
    if (!this.isRunning(id)) return this.eip(id);
    const vcpu = this.hypervisor?.domains.get(id)?.vcpus[0];
    return vcpu?.domain.technique.position?.(vcpu)?.linear ?? (cpu.segments[1].base + cpu.eip) >>> 0;
  }

  /** Tells the techniques that the processor has other breakpoints now. */
  placeBreakpoints(): void {
    for (const { technique, vcpus } of this.hypervisor?.domains.values() ?? [])
      technique.placeBreakpoints?.(vcpus[0]);
  }

  /** Size of the code that a guest is in: the D bit of its code segment, or real mode. */
  codeBits(id: number): 16 | 32 {
    if (this.isRunning(id)) return this.pc.cpu.segments[1].access & CODE_32 ? 32 : 16;
    const { CR0 } = this.guest(id) ? this.registers(id) : {};
    return CR0 !== undefined && !(CR0 & 1) ? 16 : 32;
  }

  /** True when the processor stands in this guest: the next instruction is one of its own. */
  isRunning(id: number): boolean {
    if (this.containers) return this.containers.running === id;
    return this.native
      ? this.native.guest.id === id
      : this.inGuest && this.hypervisor?.current?.domain.id === id;
  }

  techniqueInfo(name: TechniqueName): TechniqueInfo {
    if (isBare(name)) return { name, kernelRing: 0, nonRoot: false };
    return this.technique(name);
  }

  private underHypervisor(): Hypervisor {
    if (!this.hypervisor) {
      this.native = null;
      this.containers = null;
      this.hypervisor = new Hypervisor(this.pc);
      this.loop = new RunLoop(this.hypervisor);
    }
    return this.hypervisor;
  }

  private technique(name: TechniqueName): Technique {
    const hypervisor = this.underHypervisor();
    const known = this.techniques.get(name);
    if (known) return known;
    const technique = this.newTechnique(name, hypervisor);
    this.techniques.set(name, technique);
    return technique;
  }

  private newTechnique(name: TechniqueName, hypervisor: Hypervisor): Technique {
    switch (name) {
      case 'paravirtualization':
        return new Paravirtualization(hypervisor);
      case 'vt-x':
        return new HardwareAssisted(hypervisor);
      default: {
        const made = optionalTechniques[name]?.(hypervisor);
        if (!made) throw new Error(`${name}: this technique is not available here`);
        return made;
      }
    }
  }

  /** Boots a guest (again). Throws ImageError or OutOfMemory; the other guests go on either way. */
  boot(request: BootRequest): void {
    this.destroy(request.id);
    this.recorder.resetCounts(request.id);
    if (request.technique === 'native') {
      this.restart(request.options.drives);
      this.bootInstructions = this.pc.cpu.instructions;
      const { native } = optionalMachines;
      if (!native) throw new Error('native: this technique is not available here');
      this.native = native(this.pc, request);
      return;
    }
    if (request.technique === 'container') return this.bootContainer(request);
    if (this.native || this.containers) this.restart();
    this.underHypervisor().createDomain({
      ...request,
      drives: request.options.drives,
      technique: this.technique(request.technique),
    });
  }

  /** The first container brings the kernel that all share; the others find it running. */
  private bootContainer({ id, name, image, options, memoryBytes }: BootRequest): void {
    if (!this.containers?.alive) {
      const { containers } = optionalMachines;
      if (!containers) throw new Error('container: this technique is not available here');
      this.restart(undefined, CONTAINER_TERMINALS);
      try {
        this.containers = containers(this.pc, image, { ...options, modules: [] });
      } catch (error) {
        this.restart();
        throw error;
      }
    }
    this.containers.start(id, name, image, memoryBytes);
  }

  /** The machine is switched off and on: time goes on, memory is empty. */
  private restart(drives?: BootOptions['drives'], serialPorts = 1): void {
    const { cycles, instructions } = this.pc.cpu;
    this.hypervisor = null;
    this.loop = null;
    this.native = null;
    this.containers = null;
    this.recorder.attribute = null;
    this.techniques = new Map();
    this.powerOn(drives, serialPorts);
    this.pc.cpu.cycles = cycles;
    this.pc.cpu.instructions = instructions;
    this.recorder.domain = -1;
  }

  /** Takes a guest away. */
  destroy(id: number): void {
    if (this.native?.guest.id === id) {
      this.recorder.recordFor(id, Kind.domain, 0, Life.destroyed);
      this.restart();
      return;
    }
    if (this.containers) return this.containers.stop(id);
    if (!this.hypervisor?.domains.has(id)) return;
    if (this.hypervisor.current?.domain.id === id) this.loop!.leaveGuest();
    this.hypervisor.destroyDomain(id);
  }

  /** Bytes of memory that a hypervisor's guest has now; undefined on the bare machine. */
  memoryOf(id: number): number | undefined {
    const memory = this.hypervisor?.domains.get(id)?.memory;
    return memory && memory.backed * 4096;
  }

  /** Says how much memory a guest of Xen's interface shall have (bytes): its balloon driver does it. False when nobody listens. */
  setMemoryTarget(id: number, bytes: number): boolean {
    const domain = this.hypervisor?.domains.get(id);
    return (domain && xenServices(this.hypervisor!)?.setMemoryTarget(domain, bytes)) ?? false;
  }

  /** Asks a guest of Xen's interface to end: `poweroff`, `reboot`. False when nobody listens. */
  requestShutdown(id: number, how: string): boolean {
    const domain = this.hypervisor?.domains.get(id);
    return (domain && xenServices(this.hypervisor!)?.requestShutdown(domain, how)) ?? false;
  }

  /** Comes back, as `requested`, when a guest of the hypervisor has ended, too. */
  run(until: number, stopRequested?: () => boolean): LoopEnd {
    if (this.loop) return this.loop.run(until, stopRequested ?? null, true);
    return (this.native ?? this.containers)?.run(until, stopRequested) ?? 'idle';
  }

  /** Nobody runs: time passes, and devices act, until `until` (cycles). */
  passTime(until: number): void {
    while (this.now < until && this.pc.passTime(until));
  }

  stepInstruction(): LoopEnd {
    return (this.loop ?? this.native ?? this.containers)?.stepInstruction() ?? 'idle';
  }
}

function cpuRegisters(cpu: Cpu): Record<string, number> {
  const { regs, segments } = cpu;
  return {
    EAX: regs[0],
    EBX: regs[3],
    ECX: regs[1],
    EDX: regs[2],
    ESI: regs[6],
    EDI: regs[7],
    EBP: regs[5],
    ESP: regs[4],
    EIP: cpu.eip,
    EFLAGS: getFlags(cpu),
    CS: segments[1].selector,
    SS: segments[2].selector,
    DS: segments[3].selector,
    ES: segments[0].selector,
    CR0: cpu.cr0,
    CR2: cpu.cr2,
    CR3: cpu.cr3,
    CR4: cpu.cr4,
  };
}
