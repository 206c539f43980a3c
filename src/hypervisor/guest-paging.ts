// What handlers of an unmodified guest need of paging, whichever way the processor translates for it: shadow tables
// (shadow-paging.ts) or the guest's own and a second dimension (nested-paging.ts).
import type { GuestControl } from './guest-walk.ts';

export interface GuestTranslation {
  /** The guest's control registers as it sees them. */
  readonly control: Readonly<GuestControl>;
  /** Error code for the guest after `translate` gave -1. */
  readonly guestError: number;
  /** Guest-physical address for an access that the hypervisor makes in the guest's name, with accessed and dirty bits; -1: the guest deserves a page fault. */
  translate(linear: number, write: boolean, user: boolean): number;
}

/**
 * What the processor still remembers of a guest that has left: with a VPID or an ASID its translations outlive the exit, so
 * the hypervisor does what the guest's own instruction, or a change of the tables beneath it, would have done to them.
 */
export interface Remembered {
  /** The second dimension has lost an entry, or leads elsewhere. */
  forgetTables(): void;
  /** Everything of the guest's linear addresses. */
  forgetAll(): void;
  forgetPage(linear: number): void;
}

export interface GuestPaging extends GuestTranslation {
  /**
   * The guest has changed a control register: what hangs on it is brought up to date.
   * @param pointers the PDPTEs of an emulated processor, which has checked and loaded them itself
   * @returns false, with nothing changed, when PDPTEs that this loads have a reserved bit: #GP(0)
   */
  loadCr0(value: number, pointers?: Int32Array): boolean;
  loadCr3(value: number, pointers?: Int32Array): boolean;
  loadCr4(value: number, pointers?: Int32Array): boolean;
  invalidatePage(linear: number): void;
  /** Devices took pages of guest-physical memory over, or gave them back. */
  devicesChanged(): void;
  /** Another machine frame (or none) is behind this guest frame now. */
  remapped(frame: number): void;
  /** Gives all frames back. */
  release(): void;
}
