// Where a field lies inside the 4 KiB VMCS region (SDM vol. 3 §24.2 fixes the first eight bytes; the rest is the
// implementation's own). Ours: revision identifier, abort indicator, launch state, then one array of slots for each
// of the sixteen (width, group) pairs, so that an offset follows from the encoding and nothing is kept outside memory.
import { FIELDS } from './fields.ts';

/** What IA32_VMX_BASIC reports and every region must start with. Bit 31 is 0. */
export const REVISION_IDENTIFIER = 0x52530001;

/** Word indices (4 bytes each) behind the revision identifier, which is word 0. */
export const WORD_ABORT = 1;
export const WORD_LAUNCH_STATE = 2;
const FIRST_SLOT = 16;

export const LAUNCH_CLEAR = 0;
export const LAUNCH_LAUNCHED = 1;

/** Size of the region in bytes. */
export const VMCS_SIZE = 4096;

/** Slots in one (width, group) array; no index of the manual's tables reaches it. */
const SLOTS = 32;
/** First word of the four arrays of each width, in the order of bits 14:13: 16-bit, 64-bit (two words a slot), 32-bit, natural. */
const WIDTH_START = [0, 4 * SLOTS, 12 * SLOTS, 16 * SLOTS];

/** Word index of a field in the region: `encoding` as in fields.ts, upper halves of 64-bit fields included. */
export function fieldWord(encoding: number): number {
  const width = (encoding >>> 13) & 3;
  const slot = ((encoding >>> 10) & 3) * SLOTS + ((encoding >>> 1) & 0x1ff);
  return FIRST_SLOT + WIDTH_START[width] + (width === 1 ? slot * 2 + (encoding & 1) : slot);
}

/** Word index by encoding for VMREAD and VMWRITE; 0 where this generation has no such field. */
export function buildFieldIndex(generation: 1 | 2): Uint16Array {
  const words = new Uint16Array(0x8000);
  for (const field of FIELDS)
    if (field.generation <= generation) words[field.encoding] = fieldWord(field.encoding);
  return words;
}
