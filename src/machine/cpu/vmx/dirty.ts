// What a VM entry must look at again: silicon may keep a VMCS on the processor as long as it is current, and need not check
// or load twice what nobody has written since (SDM vol. 3 §24.11.1 forbids software to write to it but by VMWRITE).
import { FIELDS, fieldGroup } from './fields.ts';
import { fieldWord } from './layout.ts';
import { W } from './words.ts';

/** Parts of a VMCS that were written since the last entry. */
export const Dirty = {
  /** Controls: to be checked, and to be taken over for interception. */
  controls: 1,
  /** Host state: to be checked. */
  host: 2,
  /** Guest state: to be checked. */
  guest: 4,
  /** Guest registers that are not loaded at every entry. */
  registers: 8,
  all: 15,
} as const;

/** Words of a region, which is a page. */
const WORDS = 1024;

/** By word of the region: what a VMWRITE there touches. */
export const TOUCHES = touches();

function touches(): Uint8Array {
  const bits = new Uint8Array(WORDS);
  for (const { encoding } of FIELDS) {
    const group = fieldGroup(encoding);
    bits[fieldWord(encoding)] =
      group === 'control'
        ? Dirty.controls
        : group === 'host'
          ? Dirty.host
          : group === 'guest'
            ? Dirty.guest | Dirty.registers
            : 0;
  }
  // Loaded and checked at every entry.
  for (const word of [W.rip, W.rsp, W.cr3, W.activity, W.interruptibility, W.pendingDebug]) bits[word] = 0;
  for (const word of [W.entryInfo, W.entryErrorCode, W.entryLength]) bits[word] = 0;
  // Loaded at every entry, but other rules depend on them.
  for (const word of [W.cr0, W.cr4, W.rflags]) bits[word] = Dirty.guest;
  return bits;
}
