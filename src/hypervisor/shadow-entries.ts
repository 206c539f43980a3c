// What a shadow entry may allow, and which shadow stands below a guest's directory entry: rules without state (SDM vol. 3
// §4.3, §4.4, §4.6, §4.8).
import { LARGE_2M_RESERVED, LARGE_4M_RESERVED } from '../machine/cpu/page-walk.ts';
import { type GuestControl, PTE } from './guest-walk.ts';
import { ShadowKind } from './shadow-pages.ts';

const CR4_PSE = 0x10;
const CR4_PAE = 0x20;

/** Present, accessed, dirty: the processor never has to write to a shadow. */
export const BASE = PTE.present | PTE.accessed | PTE.dirty;
/** A shadow's directory entries are as permissive as can be: the rights are in the leaves. */
export const DIRECTORY = BASE | PTE.write | PTE.user;

/** An entry of the guest's that its processor has used: only such have shadows. */
export const isLive = (entry: number): boolean =>
  (entry & (PTE.present | PTE.accessed)) === (PTE.present | PTE.accessed);

const isLarge = (control: GuestControl, pde: number): boolean =>
  (pde & PTE.large) !== 0 && (control.cr4 & (CR4_PSE | CR4_PAE)) !== 0;

/** A large page with a reserved bit set: a page fault. */
export const isReserved = (control: GuestControl, pde: number): boolean =>
  isLarge(control, pde) && (pde & (control.cr4 & CR4_PAE ? LARGE_2M_RESERVED : LARGE_4M_RESERVED)) !== 0;

/** Kind of the shadow table below a guest directory entry. A large page may be written only when its dirty bit is set. */
export function childKind(control: GuestControl, pde: number): number {
  const user = pde & PTE.user ? 2 : 0;
  if (!isLarge(control, pde)) return ShadowKind.table + user + (pde & PTE.write ? 1 : 0);
  return ShadowKind.split + user + ((pde & (PTE.write | PTE.dirty)) === (PTE.write | PTE.dirty) ? 1 : 0);
}

/** Guest frame that this shadow stands for; a large page has as many frames as a table has entries. */
export function childFrame(control: GuestControl, pde: number): number {
  const inPage = control.cr4 & CR4_PAE ? 0x1ff : 0x3ff;
  return isLarge(control, pde) ? (pde >>> 12) & ~inPage : pde >>> 12;
}

/** User and write bits of a leaf: the directory's rights (in the kind), the entry's, and what the frame allows. */
export function leafRights(kind: number, pte: number, mayWrite: boolean): number {
  const user = pte & PTE.user && kind & 2 ? PTE.user : 0;
  const writable = (pte & (PTE.write | PTE.dirty)) === (PTE.write | PTE.dirty) && kind & 1 && mayWrite;
  return user | (writable ? PTE.write : 0);
}
