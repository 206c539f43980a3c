// The hypervisor's own interpreter of guest instructions, for the moments in which the silicon cannot run the guest: an
// access to a device in memory, real mode on processors without it, a task switch. Xen and KVM have such an emulator
// (x86_emulate); ours is the machine's interpreter once more, on a processor that exists in software only, so what it does
// is right by the same tests. Its state is the guest's as the guest believes it to be.
import { Cpu, Stop } from '../../machine/cpu/cpu.ts';
import { step } from '../../machine/cpu/execute.ts';
import { fault, isFault, VECTOR } from '../../machine/cpu/fault.ts';
import { IF } from '../../machine/cpu/flags.ts';
import type { InterceptedInstruction, Intercepts } from '../../machine/cpu/intercepts.ts';
import { deliverDebugTrap, deliverEvent } from '../../machine/cpu/interrupts.ts';
import { NestedWalk } from '../../machine/cpu/nested-walk.ts';
import { CR0_PG, CR4_PAE, loadPdptes } from '../../machine/cpu/page-walk.ts';
import { reset } from '../../machine/cpu/reset.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { DomainDimension, memoryOf, portsOf } from './guest-side.ts';

/** Instructions whose result is the hypervisor's to say: the emulator stops behind them, and they have done nothing. */
export type LeftToHypervisor = 'cpuid' | 'rdtsc' | 'hlt';
const LEFT: ReadonlySet<string> = new Set<LeftToHypervisor>(['cpuid', 'rdtsc', 'hlt']);
/** The emulator keeps no trace of its own. */
const QUIET = 16;

export class Emulator implements Intercepts {
  /** The processor in software. */
  readonly cpu: Cpu;
  /** A device at a memory address was accessed since this was last made false. */
  deviceAccess = false;
  /** What the last step met that is not the emulator's to do. */
  left: LeftToHypervisor | null = null;
  /** A control register was written, or a translation invalidated, since this was last made false. */
  controlWritten = false;
  /** The guest has shut down: three faults in a row. */
  shutdown = false;

  /** @param devices the domain's devices at memory addresses */
  constructor(
    hypervisor: Hypervisor,
    private readonly vcpu: Vcpu,
    board: Board,
    devices: MemoryMap,
  ) {
    const memory = memoryOf(hypervisor, vcpu, devices, this);
    const nobody = { pending: () => false, acknowledge: () => 0 };
    this.cpu = new Cpu(
      memory,
      hypervisor.pc.cost,
      new Recorder(QUIET),
      portsOf(hypervisor, vcpu, board),
      nobody,
    );
    reset(this.cpu, { vmx: false });
    this.cpu.compiledAllowed = false;
    this.cpu.intercepts = this;
    this.cpu.nested = new NestedWalk(new DomainDimension(vcpu.domain.memory, devices));
    // A page that goes over from memory to device leads elsewhere on this bus: tags are not all that has become untrue.
    devices.onChange(() => this.cpu.tlb.flush());
  }

  /**
   * The guest's registers have been put into `cpu`: forget what was.
   * @param pointers its PDPTEs, where they are known; else they are read anew
   */
  begin(pointers: Int32Array | null = null): void {
    const { cpu } = this;
    cpu.tlb.flush();
    cpu.stop = cpu.attention = cpu.pendingDebug = 0;
    cpu.halted = false;
    cpu.instructionStart = cpu.eip;
    this.shutdown = false;
    this.left = null;
    if (pointers) cpu.pdptes.set(pointers);
    else if (cpu.cr0 & CR0_PG && cpu.cr4 & CR4_PAE) {
      try {
        loadPdptes(cpu, cpu.cr3);
      } catch (thrown) {
        // Entries that became bad since the guest loaded CR3: it goes on with those of then, as on the processor.
        if (!isFault(thrown)) throw thrown;
      }
    }
  }

  /** One instruction, with the delivery of the fault or trap that it earns. */
  step(): void {
    const { cpu } = this;
    this.left = null;
    if (step(cpu) === Stop.shutdown) this.shutdown = true;
    this.vcpu.instructions++;
    if (cpu.pendingDebug !== 0 && !(cpu.shadow & 2)) {
      const bits = cpu.pendingDebug;
      cpu.pendingDebug = 0;
      deliverDebugTrap(cpu, bits);
    }
    this.look();
  }

  /** Delivers an event through the guest's tables, as the processor would. @param errorCode -1 for none */
  deliver(vector: number, type: number, errorCode = -1): void {
    const { cpu } = this;
    cpu.halted = false;
    deliverEvent(cpu, vector, type, errorCode, cpu.eip);
    this.look();
  }

  private look(): void {
    if (this.cpu.stop === Stop.shutdown) this.shutdown = true;
    this.cpu.stop = Stop.none;
  }

  /** The guest takes interrupts here. */
  get takesInterrupts(): boolean {
    return (this.cpu.flags & IF) !== 0 && this.cpu.shadow === 0;
  }

  // What its processor asks before it does something sensitive: nearly everything it simply does.

  instruction(which: InterceptedInstruction): boolean {
    if (which === 'invlpg') this.controlWritten = true;
    // Guests have no performance counters.
    if (which === 'rdpmc') fault(this.cpu, VECTOR.GP, 0);
    if (!LEFT.has(which)) return false;
    this.left = which as LeftToHypervisor;
    return true;
  }
  tripleFault(): boolean {
    this.shutdown = true;
    return true;
  }
  crWrite(): boolean {
    this.controlWritten = true;
    return false;
  }
  crRead(): boolean {
    return false;
  }
  clts(): boolean {
    this.controlWritten = true;
    return false;
  }
  lmsw(): boolean {
    this.controlWritten = true;
    return false;
  }
  readCr(cr: 0 | 4): number {
    return cr === 0 ? this.cpu.cr0 : this.cpu.cr4;
  }
  maskCr(_: 0 | 4, value: number): number {
    return value;
  }
  drAccess(): boolean {
    return false;
  }
  io(): boolean {
    return false;
  }
  msr(): boolean {
    return false;
  }
  exception(): boolean {
    return false;
  }
  interruptible(open: boolean): boolean {
    return open;
  }
  externalInterrupt(): boolean {
    return false;
  }
  nmi(): boolean {
    return false;
  }
  window(): boolean {
    return false;
  }
  taskSwitch(): boolean {
    this.controlWritten = true;
    return false;
  }
  tscOffset(): number {
    return 0;
  }
  vectoring(): void {}
}
