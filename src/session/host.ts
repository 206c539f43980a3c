// One simulated server of a session: a PC, and either a hypervisor with its run loop or one guest on the bare machine.
import { costModel } from '../cost/processors.ts';
import type { Image } from '../images/image.ts';
import type { GuestView } from '../hypervisor/guest-view.ts';
import { HardwareAssisted } from '../hypervisor/hardware-assisted/hardware-assisted.ts';
import { Hypervisor } from '../hypervisor/hypervisor.ts';
import { NATIVE, NativeHost } from '../hypervisor/native/native-host.ts';
import { Paravirtualization } from '../hypervisor/paravirtualization/paravirtualization.ts';
import { type LoopEnd, RunLoop } from '../hypervisor/run-loop.ts';
import type { BootOptions, Technique, TechniqueInfo, TechniqueName } from '../hypervisor/technique.ts';
import { Pc } from '../machine/pc.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Scenario } from './scenario.ts';

/** Power-on date of every host: the day Xen 3.0 was released. Fixed, so that runs are equal. */
const START_DATE = '2005-12-05T10:00:00';

export interface BootRequest {
  id: number;
  name: string;
  technique: TechniqueName;
  memoryBytes: number;
  image: Image;
  options: BootOptions;
}

export class Host {
  readonly recorder: Recorder;
  pc: Pc;
  private hypervisor: Hypervisor | null = null;
  private loop: RunLoop | null = null;
  private native: NativeHost | null = null;
  private techniques = new Map<TechniqueName, Technique>();

  constructor(readonly scenario: Scenario) {
    this.recorder = new Recorder();
    this.pc = this.powerOn();
  }

  private powerOn(): Pc {
    const cost = costModel(this.scenario.processor, this.scenario.clockHz);
    this.pc = new Pc(cost, this.recorder, this.scenario.memoryMiB * 2 ** 20, { startDate: START_DATE });
    return this.pc;
  }

  get now(): number {
    return this.pc.cpu.cycles;
  }
  get inGuest(): boolean {
    return this.loop ? this.loop.inGuest : true;
  }

  guest(id: number): GuestView | undefined {
    return this.native?.guest.id === id ? this.native.guest : this.hypervisor?.domains.get(id);
  }

  techniqueInfo(name: TechniqueName): TechniqueInfo {
    if (name === 'native') return NATIVE;
    return this.technique(name);
  }

  private underHypervisor(): Hypervisor {
    if (!this.hypervisor) {
      this.native = null;
      this.hypervisor = new Hypervisor(this.pc);
      this.loop = new RunLoop(this.hypervisor);
    }
    return this.hypervisor;
  }

  private technique(name: TechniqueName): Technique {
    const hypervisor = this.underHypervisor();
    const known = this.techniques.get(name);
    if (known) return known;
    const technique: Technique = name === 'paravirtualization' ? new Paravirtualization(hypervisor) : new HardwareAssisted(hypervisor);
    this.techniques.set(name, technique);
    return technique;
  }

  /** Boots a guest (again). Throws ImageError or OutOfMemory; the other guests go on either way. */
  boot(request: BootRequest): void {
    this.destroy(request.id);
    this.recorder.resetCounts(request.id);
    if (request.technique === 'native') {
      this.restart();
      this.native = new NativeHost(this.pc, request.id, request.name, request.image, request.options);
      return;
    }
    if (this.native) this.restart();
    this.underHypervisor().createDomain({ ...request, technique: this.technique(request.technique) });
  }

  /** The machine is switched off and on: time goes on, memory is empty. */
  private restart(): void {
    const { cycles, instructions } = this.pc.cpu;
    this.hypervisor = null;
    this.loop = null;
    this.native = null;
    this.techniques = new Map();
    this.powerOn();
    this.pc.cpu.cycles = cycles;
    this.pc.cpu.instructions = instructions;
    this.recorder.domain = -1;
  }

  /** Takes a guest away. */
  destroy(id: number): void {
    if (this.native?.guest.id === id) {
      this.restart();
      return;
    }
    if (!this.hypervisor?.domains.has(id)) return;
    if (this.hypervisor.current?.domain.id === id) this.loop!.leaveGuest();
    this.hypervisor.destroyDomain(id);
  }

  run(until: number, stopRequested?: () => boolean): LoopEnd {
    return this.loop?.run(until, stopRequested) ?? this.native?.run(until, stopRequested) ?? 'idle';
  }

  stepInstruction(): LoopEnd {
    return this.loop?.stepInstruction() ?? this.native?.stepInstruction() ?? 'idle';
  }
}
