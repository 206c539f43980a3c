// The seam between hardware-assisted techniques and what their guests may find by CPUID and use: interfaces with leaves from
// 40000000h, model-specific registers and hypercalls of their own. The techniques ask here at CPUID, RDMSR, WRMSR, VMCALL or
// VMMCALL and before each entry; the interfaces come when they are wanted (provide.ts).
import type { Image } from '../../images/image.ts';
import { ImageError } from '../../images/image.ts';
import type { Identification } from '../../machine/cpu/cpuid.ts';
import type { GuestPaging } from '../guest-paging.ts';
import type { PcGuest } from '../platform/pc-guest.ts';
import type { BootOptions, Enlightenment, Resume } from '../technique.ts';

/** What an interface needs of a guest. */
export interface EnlightenedGuest extends PcGuest {
  /** What it has been given: by `enlighten`. */
  interfaces: readonly GuestInterface[];
  readonly shadow: GuestPaging;
  /** What is added to the processor's cycles to make the guest's time-stamp counter. */
  readonly tscOffset: number;
}

/** First leaf of CPUID that is a hypervisor's, and how far the next interface is. */
export const FIRST_LEAF = 0x40000000;
export const LEAVES = 0x100;

export interface GuestInterface {
  /** A leaf of its own: the registers; null when it has none of this number. @param leaf counted from the interface's first */
  cpuid(leaf: number): Identification | null;
  /** A register's value; undefined when it is not one of its. */
  readMsr(index: number): bigint | undefined;
  /** Whether the value is accepted; undefined when it is not one of its registers. */
  writeMsr(index: number, value: bigint): boolean | undefined;
  /** A hypercall, with arguments and results in `vcpu.regs`; null when it is not for this interface. */
  hypercall(): Resume | null;
  /** The guest is about to be entered. */
  beforeEntry?(): void;
  /** The guest goes. */
  release?(): void;
}

/** How a hypercall page enters the hypervisor: VMCALL or VMMCALL. */
export type CallBytes = readonly [number, number, number];
export const VMCALL: CallBytes = [0x0f, 0x01, 0xc1];
export const VMMCALL: CallBytes = [0x0f, 0x01, 0xd9];

export interface InterfaceContext {
  readonly guest: EnlightenedGuest;
  readonly options: BootOptions;
  readonly call: CallBytes;
  /** First CPUID leaf. */
  readonly firstLeaf: number;
}

/** Filled in by provide.ts. */
export const optionalInterfaces: Partial<
  Record<Enlightenment, (context: InterfaceContext) => GuestInterface>
> = {};

/** The order in which interfaces stand in CPUID: guests of Microsoft's look at the first place only. */
const ORDER: readonly Enlightenment[] = ['hyper-v', 'xen'];
/** What a guest has before it is given any. */
export const NO_INTERFACES: readonly GuestInterface[] = [];
/** What an interface says of leaves that it has not. */
const NOTHING: Identification = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
const HYPERVISOR_PRESENT = 1 << 31;

/** Guests of other techniques have none. */
const of = (guest: PcGuest): readonly GuestInterface[] =>
  (guest as Partial<EnlightenedGuest>).interfaces ?? NO_INTERFACES;

/** Gives a new guest the interfaces that its options name. Throws ImageError when one is not here. */
export function enlighten(
  guest: EnlightenedGuest,
  image: Image,
  options: BootOptions,
  call: CallBytes,
): void {
  const wanted = ORDER.filter((name) => options.enlightenments?.includes(name));
  if (!wanted.length) return;
  guest.interfaces = wanted.map((name, n) => {
    const make = optionalInterfaces[name];
    if (!make) throw new ImageError(`${image.name}: the interface "${name}" is not available here`);
    return make({ guest, options, call, firstLeaf: FIRST_LEAF + n * LEAVES });
  });
}

/** CPUID: what the processor says, or what an interface has to say. */
export function identifyEnlightened(guest: PcGuest, leaf: number, answer: Identification): Identification {
  const all = of(guest);
  if (!all.length) return answer;
  if (leaf === 1) return { ...answer, ecx: answer.ecx | HYPERVISOR_PRESENT };
  const at = leaf - FIRST_LEAF;
  const one = at >= 0 ? all[Math.floor(at / LEAVES)] : undefined;
  return one ? (one.cpuid(at % LEAVES) ?? NOTHING) : answer;
}

/** RDMSR: undefined when no interface has this register. */
export function readEnlightenedMsr(guest: PcGuest, index: number): bigint | undefined {
  for (const one of of(guest)) {
    const value = one.readMsr(index);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** WRMSR: whether the value is accepted; undefined when no interface has this register. */
export function writeEnlightenedMsr(guest: PcGuest, index: number, value: bigint): boolean | undefined {
  for (const one of of(guest)) {
    const accepted = one.writeMsr(index, value);
    if (accepted !== undefined) return accepted;
  }
  return undefined;
}

/** VMCALL or VMMCALL: what to do next, past the instruction; null when to this guest it does not exist (#UD). */
export function enlightenedHypercall(guest: PcGuest): Resume | null {
  // Hypercalls are the kernel's (TLFS: "must be at CPL 0 in protected mode").
  if (guest.vcpu.cpl !== 0) return null;
  for (const one of of(guest)) {
    const resume = one.hypercall();
    if (resume !== null) return resume;
  }
  return null;
}

/** The guest is about to be entered. */
export function beforeEnlightenedEntry({ interfaces }: EnlightenedGuest): void {
  for (const one of interfaces) one.beforeEntry?.();
}

export function releaseInterfaces(guest: EnlightenedGuest): void {
  for (const one of guest.interfaces) one.release?.();
  guest.interfaces = NO_INTERFACES;
}
