// A guest of Xen's interface as the parts of that interface see it, whether it is paravirtualized or has paravirtual drivers
// under hardware assistance: where its shared pages are, what its ports are bound to, which frames are its own.
import type { Domain, Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';

/** What an event-channel port is bound to, and which virtual processor hears of its events (the first, when none is named). */
export type Port = { vcpu?: number } & Bound;
type Bound =
  | { kind: 'free' }
  | { kind: 'virq'; virq: number }
  | { kind: 'console' }
  | { kind: 'store' }
  /** Only this domain may bind to it. */
  | { kind: 'unbound'; remote: number }
  | { kind: 'ipi' }
  | { kind: 'interdomain'; remote: number; remotePort: number }
  /** The other end is a backend of domain 0, which lives in the hypervisor. */
  | { kind: 'backend'; notify: () => void };

/** A guest's memory at the addresses that its hypercalls name. Throws `GUEST_FAULT` where the guest has none. */
export interface ArgumentAccess {
  read8(guest: XenGuest, address: number): number;
  read16(guest: XenGuest, address: number): number;
  read32(guest: XenGuest, address: number): number;
  write8(guest: XenGuest, address: number, value: number): void;
  write32(guest: XenGuest, address: number, value: number): void;
}

/** Raised inside hypercalls; becomes -EFAULT. */
export const GUEST_FAULT = new Error('guest address not mapped');

/** A guest's frames by the numbers that it uses for them: machine frames (paravirtualized) or its own (hardware-assisted). */
export interface GuestFrames {
  /** The machine frame, or -1 when that number names none of this guest's. */
  toMachine(frame: number): number;
  /** Somebody outside is going to write to it, now or until `drop`. False when it is something that must not be written (a page table). */
  take(frame: number): boolean;
  drop(frame: number): void;
}

/** What only guests with page tables of their own can do with frames: paravirtualized ones. Frames are machine frames. */
export interface ForeignFrames {
  /**
   * Another domain's frame appears at an address of this guest's: linear, or with GNTMAP_contains_pte the machine address of
   * the entry. @param flags GNTMAP_*. @returns GNTST_*
   */
  put(address: number, high: number, frame: number, flags: number): number;
  /** The entry that `put` made goes. @returns GNTST_general_error when something else is there */
  remove(address: number, high: number, frame: number, flags: number): number;
  /** The guest dies while somebody has this frame of its: what is counted about it is forgotten. */
  abandon(frame: number): void;
  /** The frame leaves the guest: to nobody yet. False when it is not its own, or is used in any way. */
  give(frame: number): boolean;
  /** A frame of nobody's becomes the guest's, at pseudo-physical page `page` if that is empty. False when it may have no more. */
  receive(frame: number, page: number): boolean;
}

export interface XenGuest {
  readonly domain: Domain;
  readonly access: ArgumentAccess;
  readonly frames: GuestFrames;
  /** Null or absent: it cannot map grants, nor give frames away. */
  readonly foreign?: ForeignFrames | null;
  readonly ports: Port[];
  /** Machine addresses of shared_info, console ring and store ring; 0 = there is none. */
  readonly sharedInfo: number;
  /** Machine address of a virtual processor's vcpu_info; absent: there is one, at the beginning of shared_info. */
  vcpuInfoOf?(vcpu: Vcpu): number;
  /** No event wakes this virtual processor. */
  isDown?(vcpu: Vcpu): boolean;
  readonly consoleRing: number;
  readonly storeRing: number;
  /** Machine frames of its grant table, which the hypervisor allocated. */
  readonly grantFrames: number[];
  /** An event is pending now, and was not before. */
  onUpcall?(vcpu: Vcpu): void;
  /** `onUpcall` interrupts its virtual machine, which wakes it if it wants to be woken; others are simply runnable. */
  readonly toldByInterrupt?: boolean;
}

/** The backends' domain. */
export const DOMAIN_0 = 0;

/** Xen's number of a domain: 0 is the backends', so the session's numbers are one less. */
export const domidOf = (domain: Domain): number => domain.id + 1;

const registries = new WeakMap<Hypervisor, Map<number, XenGuest>>();

/** The guests of Xen's interface on this host, by Xen's number. */
export function xenGuests(hypervisor: Hypervisor): Map<number, XenGuest> {
  let guests = registries.get(hypervisor);
  if (!guests) registries.set(hypervisor, (guests = new Map()));
  return guests;
}
