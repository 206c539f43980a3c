// One host under a hypervisor: what lies in machine memory, its domains, and the services that techniques use.
// The loop that runs guests is in run-loop.ts.
import { CHARGES, type ChargeName } from '../cost/model.ts';
import type { Image } from '../images/image.ts';
import type { Drive } from '../machine/devices/storage/medium.ts';
import type { Pc } from '../machine/pc.ts';
import { widen } from '../machine/wide-numbers.ts';
import { Device, Kind, Life } from '../trace/events.ts';
import { Domain, type DomainState, type Vcpu } from './domain.ts';
import { FrameTable, GuestMemory } from './frames.ts';
import { IRQ_BASE, Monitor } from './monitor.ts';
import { Scheduler } from './scheduler.ts';
import type { BootOptions, Technique } from './technique.ts';

export interface DomainConfig {
  id: number;
  name: string;
  technique: Technique;
  /** Guest-physical memory in bytes. */
  memoryBytes: number;
  image: Image;
  options: BootOptions;
  /** Drives of the virtual PC of an unmodified guest. */
  drives?: readonly Drive[];
}

const PIT_HZ = 1_193_182;
const CR4_VMXE = 0x2000;

export class Hypervisor {
  readonly frames: FrameTable;
  readonly monitor: Monitor;
  readonly scheduler = new Scheduler();
  readonly domains = new Map<number, Domain>();
  /** The same, oldest first: the run loop goes through them at each exit. */
  everyDomain: readonly Domain[] = [];
  /** Whose state the physical processor holds; null when none. */
  current: Vcpu | null = null;
  sliceEnd = 0;
  /** Called when a guest has left, before its exit is handled: for somebody who looks. Must change nothing. */
  onExit: ((vcpu: Vcpu) => void) | null = null;
  /** Whose floating-point registers are in the physical processor. */
  private floatingPointOwner: Vcpu | null = null;
  /** What the physical timer is set for; Infinity after it has fired. */
  private armedFor = Infinity;
  /** When it last fired, and the cycles that must lie between two of its interrupts while guests run. */
  private firedAt = -Infinity;
  private readonly timerGap: number;
  /** Work of the hypervisor takes time, so many times that of a charge of the cost model. Each returns the cycles. */
  readonly charge: Readonly<Record<ChargeName, (times?: number) => number>>;

  constructor(readonly pc: Pc) {
    widen(this, 'sliceEnd');
    this.frames = new FrameTable(pc.memory);
    this.monitor = new Monitor(pc.memory, this.frames);
    this.monitor.boot(pc.cpu);
    pc.cpu.watcher = (i, got, expected, operand) => {
      const { current } = this;
      if (current) current.domain.technique.watch?.(current, i, got, expected, operand);
    };
    this.initializeInterruptController();
    const { cpu, cost } = pc;
    const charges = CHARGES.map((name) => {
      const { cycles } = cost.charges[name];
      const charge = (times = 1): number => {
        cpu.cycles += cycles * times;
        return cycles * times;
      };
      return [name, charge];
    });
    this.charge = Object.fromEntries(charges);
    const { vmExit, vmEntry, exitDispatch, scheduler } = cost.charges;
    this.timerGap = 3 * (vmExit.cycles + vmEntry.cycles + exitDispatch.cycles + scheduler.cycles);
  }

  get cpu() {
    return this.pc.cpu;
  }
  get now(): number {
    return this.pc.cpu.cycles;
  }

  /** Its work takes time that has no charge of its own. @param cycles */
  spend(cycles: number): void {
    this.pc.cpu.cycles += cycles;
  }

  /** Writes an event of the domain that this virtual processor belongs to. */
  record(vcpu: Vcpu, kind: number, a = 0, b = 0, c = 0, d = 0, e = 0, cost = 0): void {
    this.pc.recorder.recordFor(vcpu.domain.id, kind, vcpu.eip, a, b, c, d, e, cost);
  }

  /** Builds and boots a domain. Throws ImageError or OutOfMemory and leaves nothing behind when it cannot. */
  createDomain(config: DomainConfig): Domain {
    const memory = new GuestMemory(this.frames, config.id, config.memoryBytes);
    const domain = new Domain(config.id, config.name, config.technique, memory);
    domain.drives = config.drives ?? [];
    try {
      config.technique.prepare(domain, config.image, config.options);
    } catch (error) {
      config.technique.destroy(domain);
      this.frames.releaseAll(config.id);
      throw error;
    }
    domain.bootTime = this.now;
    this.domains.set(domain.id, domain);
    this.everyDomain = [...this.domains.values()];
    for (const vcpu of domain.vcpus) {
      vcpu.exitTime = this.now;
      this.scheduler.add(vcpu);
    }
    this.pc.recorder.recordFor(domain.id, Kind.domain, 0, Life.booted);
    return domain;
  }

  /** Takes a domain away: its frames are zeroed and free. */
  destroyDomain(id: number): void {
    const domain = this.domains.get(id);
    if (!domain) return;
    for (const vcpu of domain.vcpus) {
      this.scheduler.remove(vcpu);
      if (this.current === vcpu) {
        domain.technique.switchedAway(vcpu);
        this.current = null;
      }
    }
    if (this.floatingPointOwner?.domain === domain) this.floatingPointOwner = null;
    domain.technique.destroy(domain);
    this.frames.releaseAll(id);
    this.domains.delete(id);
    this.everyDomain = [...this.domains.values()];
    this.pc.recorder.recordFor(id, Kind.domain, 0, Life.destroyed);
  }

  /** Domains that have ended so far: whoever runs the loop sees by it that one wants to be booted again. */
  endings = 0;

  /** Ends a domain: it shut down, wants to reboot, or crashed for `reason`. */
  endDomain(
    domain: Domain,
    state: Exclude<DomainState, 'running' | 'paused'>,
    reason: string,
    tripleFault = false,
  ): void {
    if (!domain.alive) return;
    domain.end(state, reason);
    this.endings++;
    const life = tripleFault
      ? Life.tripleFault
      : state === 'halted'
        ? Life.halted
        : state === 'rebooting'
          ? Life.rebooted
          : Life.crashed;
    this.pc.recorder.recordFor(domain.id, Kind.domain, domain.vcpus[0].eip, life);
  }

  /** The physical processor stopped where nothing may stop it: it starts over in the monitor, and nobody's state is in it. */
  restart(): void {
    const { cpu } = this;
    // It stays 1 in VMX operation.
    const vmxe = cpu.cr4 & CR4_VMXE;
    this.current?.domain.technique.switchedAway(this.current);
    this.current = null;
    cpu.halted = false;
    this.monitor.boot(cpu);
    cpu.cr4 |= vmxe;
    // An interrupt may have been on its way: nobody will acknowledge it any more.
    this.initializeInterruptController();
    this.armedFor = Infinity;
  }

  /**
   * This virtual processor is about to run: its floating-point registers come in, and those of the one before go out, as by
   * FXSAVE and FXRSTOR. (Xen waits for the first use, by CR0.TS and #NM; no guest can tell. The time is in `scheduler`.)
   */
  loadFloatingPoint(vcpu: Vcpu): void {
    const { floatingPointOwner: before } = this;
    if (before === vcpu) return;
    const { x87 } = this.cpu;
    before?.floatingPoint.copyFrom(x87);
    x87.copyFrom(vcpu.floatingPoint);
    this.floatingPointOwner = vcpu;
  }

  /** An event arrived for a virtual processor: if it waited, it is runnable again. */
  wake(vcpu: Vcpu): void {
    if (vcpu.state === 'blocked') this.scheduler.wake(vcpu);
  }

  /** A hardware interrupt was taken at `vector` while a guest ran (or nobody): acknowledge the controller. Its purpose, the time, is served by the run loop. */
  hardwareInterrupt(vector: number): void {
    const irq = vector - IRQ_BASE;
    if (irq === 0) {
      this.armedFor = Infinity;
      this.firedAt = this.now;
    }
    this.pc.recorder.recordFor(-1, Kind.irq, 0, vector, irq);
    const ports = this.pc.board;
    if (irq >= 8) ports.write(0xa0, 0x20, 1);
    ports.write(0x20, 0x20, 1);
    this.charge.exitDispatch();
  }

  /**
   * The timer for a guest that is about to run. A guest may set its virtual timer to a few cycles; if the physical one
   * followed, nobody would ever get to run between two interrupts. So what they cost is at most a third of the time, and
   * virtual interrupts that come faster are late (Xen and KVM have such a lower limit too).
   */
  armTimerForGuest(deadline: number): void {
    this.armTimer(Math.max(deadline, this.firedAt + this.timerGap));
  }

  /** The physical timer shall interrupt at `deadline` (cycles): channel 0 of the PIT in one-shot mode, through its ports. Set for that moment already: nothing is done. */
  armTimer(deadline: number): void {
    if (deadline === this.armedFor && deadline > this.now) return;
    this.armedFor = deadline;
    const ticks = Math.ceil(((deadline - this.now) * PIT_HZ) / this.pc.cost.clockHz);
    const count = Math.max(1, Math.min(0xffff, ticks));
    const ports = this.pc.board;
    ports.write(0x43, 0x30, 1);
    ports.write(0x40, count & 0xff, 1);
    ports.write(0x40, count >>> 8, 1);
    this.pc.recorder.recordFor(-1, Kind.device, 0, Device.pit, 1, 0x40, count, 2);
  }

  /** The PIC pair at IRQ_BASE, everything masked but the timer and the cascade. */
  private initializeInterruptController(): void {
    const ports = this.pc.board;
    for (const [port, offset, wiring] of [
      [0x20, IRQ_BASE, 4],
      [0xa0, IRQ_BASE + 8, 2],
    ]) {
      ports.write(port, 0x11, 1);
      ports.write(port + 1, offset, 1);
      ports.write(port + 1, wiring, 1);
      ports.write(port + 1, 1, 1);
    }
    ports.write(0x21, 0xfa, 1);
    ports.write(0xa1, 0xff, 1);
  }
}
