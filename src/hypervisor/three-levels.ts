// A guest's own tables when it uses PAE: three levels of 8-byte entries, pages of 4 KiB and 2 MiB, four PDPTEs that the processor
// reads when CR3 is loaded (SDM vol. 3 §4.4). For techniques whose guests may have them; whoever imports this provides it.
// Memory ends below 4 GiB: an entry that leads above it leads nowhere.
import { HIGH_RESERVED, LARGE_2M_RESERVED, PDPTE_RESERVED } from '../machine/cpu/page-walk.ts';
import type { GuestMemory } from './frames.ts';
import { type GuestControl, type GuestWalk, optional, PTE } from './guest-walk.ts';

/** Stands for every page above 4 GiB: no guest has memory there, and no device. */
const NOWHERE = 0x7ffff000;

/** Address of an entry in the table that another entry names. */
const below = (low: number, high: number, offset: number): number =>
  ((high ? NOWHERE : low & 0xfffff000) | offset) >>> 0;

const pointerTable = (cr3: number): number => (cr3 & 0xffffffe0) >>> 0;

/** Word of a PDPTE: as it was when CR3 was loaded, or as it is in memory. */
function pointer(memory: GuestMemory, control: Readonly<GuestControl>, n: number): number {
  return control.pointers ? control.pointers[n] : memory.read32(pointerTable(control.cr3) + n * 4);
}

function walk(
  walker: GuestWalk,
  control: GuestControl,
  linear: number,
  write: boolean,
  user: boolean,
): boolean {
  const { memory } = walker;
  const dirty = write ? PTE.accessed | PTE.dirty : PTE.accessed;
  const n = (linear >>> 30) * 2;
  const pdpte = pointer(memory, control, n);
  if (!control.pointers) walker.references++;
  if (!(pdpte & PTE.present)) return false;
  const pdeAddress = below(pdpte, pointer(memory, control, n + 1), (linear >>> 18) & 0xff8);
  const pde = memory.read32(pdeAddress);
  const pdeHigh = memory.read32(pdeAddress + 4);
  walker.references++;
  if (!(pde & PTE.present)) return false;
  walker.large = (pde & PTE.large) !== 0;
  if (pdeHigh & HIGH_RESERVED || (walker.large && pde & LARGE_2M_RESERVED)) return walker.reserved();
  if (walker.large) {
    if (!walker.allows(control, pde, write, user)) return false;
    walker.pde = walker.mark(pdeAddress, pde, dirty);
    walker.physical = pdeHigh ? NOWHERE : ((pde & 0xffe00000) | (linear & 0x1fffff)) >>> 0;
    return true;
  }
  const pteAddress = below(pde, pdeHigh, (linear >>> 9) & 0xff8);
  const pte = memory.read32(pteAddress);
  const pteHigh = memory.read32(pteAddress + 4);
  walker.references++;
  if (!(pte & PTE.present)) return false;
  if (pteHigh & HIGH_RESERVED) return walker.reserved();
  if (!walker.allows(control, pde & pte, write, user)) return false;
  walker.pde = walker.mark(pdeAddress, pde, PTE.accessed);
  walker.pte = walker.mark(pteAddress, pte, dirty);
  walker.physical = below(pte, pteHigh, linear & 0xfff);
  return true;
}

function peek(memory: GuestMemory, control: Readonly<GuestControl>, linear: number): number {
  const n = (linear >>> 30) * 2;
  const pdpte = pointer(memory, control, n);
  if (!(pdpte & PTE.present)) return -1;
  const pdeAddress = below(pdpte, pointer(memory, control, n + 1), (linear >>> 18) & 0xff8);
  const pde = memory.read32(pdeAddress);
  const high = memory.read32(pdeAddress + 4);
  if (!(pde & PTE.present) || high) return -1;
  if (pde & PTE.large) return ((pde & 0xffe00000) | (linear & 0x1fffff)) >>> 0;
  const pteAddress = below(pde, 0, (linear >>> 9) & 0xff8);
  const pte = memory.read32(pteAddress);
  if (!(pte & PTE.present) || memory.read32(pteAddress + 4)) return -1;
  return below(pte, 0, linear & 0xfff);
}

function pointers(memory: GuestMemory, cr3: number): Int32Array | null {
  const table = pointerTable(cr3);
  const words = Int32Array.from({ length: 8 }, (_, n) => memory.read32(table + n * 4));
  for (let n = 0; n < 8; n += 2)
    if (words[n] & PTE.present && (words[n] & PDPTE_RESERVED || words[n + 1] & HIGH_RESERVED)) return null;
  return words;
}

optional.threeLevels = { walk, peek, pointers };
