// The seam: every way to virtualize x86 is one implementation of `Technique`, and the run loop knows nothing else.
// A technique may use only what hardware gives system software: registers, memory, traps, control structures.
import type { Image } from '../images/image.ts';
import type { Drive } from '../machine/devices/storage/medium.ts';
import type { Instruction } from '../machine/isa/instruction.ts';
import type { Domain, Vcpu } from './domain.ts';

export const TECHNIQUES = [
  'native',
  'trap-and-emulate',
  'binary-translation',
  'paravirtualization',
  'vt-x',
  'svm',
  'container',
] as const;
export type TechniqueName = (typeof TECHNIQUES)[number];

/** There is no hypervisor under the guest's kernel. */
export const isBare = (technique: TechniqueName): boolean =>
  technique === 'native' || technique === 'container';

/** Whose tables the processor walks for a guest with hardware assistance: shadows of the guest's, or the guest's own and then EPT or NPT. */
export const PAGING = ['shadow', 'nested'] as const;
export type Paging = (typeof PAGING)[number];

/** What an unmodified guest with hardware assistance may find by CPUID and use. */
export const ENLIGHTENMENTS = ['hyper-v', 'xen'] as const;
export type Enlightenment = (typeof ENLIGHTENMENTS)[number];

/** Why the processor came from a guest into the hypervisor: the one record that the run loop writes and hands to `handle`. */
export interface Exit {
  /** Vendor.* of trace/events.ts: whose numbers `reason` uses. */
  readonly vendor: number;
  /** Basic exit reason (VMX), or the IDT vector of the monitor that was reached (Xen). */
  readonly reason: number;
  readonly qualification: number;
  /** Guest-linear address or error code, whichever this reason has; else 0. */
  readonly detail: number;
  readonly instructionLength: number;
  /** Guest instruction pointer. */
  readonly eip: number;
}

/** An exit that its technique uses again for the next one. */
export type MutableExit = { -readonly [K in keyof Exit]: Exit[K] };

/** Such an exit before the first one. @param vendor `Vendor` */
export const firstExit = (vendor: number): MutableExit => ({
  vendor,
  reason: 0,
  qualification: 0,
  detail: 0,
  instructionLength: 0,
  eip: 0,
});

/** What the run loop does next with the virtual processor. */
export type Resume =
  /** Enter the guest again (if its slice lasts). */
  | 'enter'
  /** It waits for an event: not runnable until `wake`. */
  | 'block'
  /** It gives the rest of its slice away. */
  | 'yield'
  /** Its domain has ended (halted, crashed): never enter again. */
  | 'ended';

export interface TechniqueInfo {
  readonly name: TechniqueName;
  /** Ring of the guest's kernel, and whether it runs in VMX non-root operation: for the stage. */
  readonly kernelRing: 0 | 1;
  readonly nonRoot: boolean;
}

export interface Technique extends TechniqueInfo {
  /** Builds the guest in its domain's memory, up to the first instruction. Throws `ImageError` when the image does not fit this technique. */
  prepare(domain: Domain, image: Image, options: BootOptions): void;
  /** World entry by the silicon, with whatever event is pending injected. Returns the injected vector or -1. The processor then stands at the guest's next instruction. */
  enter(vcpu: Vcpu): number;
  /** The processor has arrived at the monitor: reads why, from the stack frame or the control structure, and saves what the guest left in registers. */
  leave(vcpu: Vcpu): Exit;
  /** Does what the exit asks for. */
  handle(vcpu: Vcpu, exit: Exit): Resume;
  /** True when an event waits that should end a `block`. */
  pendingEvent(vcpu: Vcpu): boolean;
  /** Next moment (cycles) at which this domain's virtual devices or timers act; Infinity = never. */
  nextDeadline(domain: Domain): number;
  /** Does what is due in this domain's virtual devices and timers. */
  advance(domain: Domain, now: number): void;
  /** Another domain's guest was entered since: translations and control structures are no longer current. */
  switchedAway(vcpu: Vcpu): void;
  /** The host's registers into the processor, as far as the last exit has left them out: somebody may look. */
  settle?(): void;
  /** Machine address behind a guest-linear address in the current address space of the virtual processor, or -1. Changes nothing: for looking. */
  translate(vcpu: Vcpu, linear: number): number;
  /** The guest's registers by name, as they were at its last exit (or are now, while it runs). */
  registers(vcpu: Vcpu): Record<string, number>;
  /**
   * The watcher that the guest cannot see: a sensitive instruction has run in the guest's kernel at ring 1 without a trap.
   * Compares what it gave with what bare hardware would have given, records a `hole` when they differ, and changes nothing.
   * @param got what the instruction gave; `expected` what it would have given this processor at CPL 0
   * @param operand see `Cpu.watcher`
   */
  watch?(vcpu: Vcpu, i: Instruction, got: number, expected: number, operand: number): void;
  /**
   * Where the guest stands while the processor runs it, and its registers by name as far as the processor's are not the
   * guest's: for techniques that run other code than the guest's own. Null: the processor tells the truth.
   */
  position?(vcpu: Vcpu): Position | null;
  /** The session's breakpoints (`Cpu.breakpoints`, guest-linear) have changed: adds where else the processor reaches those instructions. */
  placeBreakpoints?(vcpu: Vcpu): void;
  /** Gives back everything but the domain's own frames. */
  destroy(domain: Domain): void;
}

/** Where a guest stands, when the processor does not say so. */
export interface Position {
  eip: number;
  linear: number;
  registers: Record<string, number>;
  /** In the middle of what stands for one of the guest's instructions. */
  inside: boolean;
}

export interface BootOptions {
  commandLine: string;
  modules: { name: string; data: Uint8Array }[];
  /** Drives of its machine, and what lies in them. */
  drives?: readonly Drive[];
  /** 64 KiB of ROM for F0000h: what boots a disk. */
  firmware?: Uint8Array;
  /** For hardware assistance; `shadow` when absent. */
  paging?: Paging;
  enlightenments?: readonly Enlightenment[];
  /** Virtual processors, for techniques that can give a guest more than one; 1 when absent. */
  vcpus?: number;
  /** A network interface on the host's bridge, for guests with Xen's paravirtual devices. */
  network?: boolean;
}
