// Parts of this technique that the opening scenario does not need: nested paging, PAE, and the emulator with what hangs on it
// (real mode, devices in memory, task switches). provide.ts fills this in.
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import type { Remembered } from '../guest-paging.ts';
import type { NestedPaging } from '../nested-paging.ts';
import type { ShadowPaging } from '../shadow-paging.ts';
import type { Emulation } from './emulation.ts';
import type { VtxGuest } from './vtx-guest.ts';

export interface VtxParts {
  /** Shadow paging for guests that may use PAE. */
  readonly Shadows: typeof ShadowPaging;
  nestedPaging(guest: VtxGuest, devices: MemoryMap): NestedPaging;
  emulation(guest: VtxGuest, devices: MemoryMap): Emulation;
  /** For a guest with a VPID. */
  remembered(guest: VtxGuest): Remembered;
}

export const optional: { parts: VtxParts | null } = { parts: null };

/** The parts, or an error that says what was forgotten. */
export function parts(): VtxParts {
  if (!optional.parts)
    throw new Error('nested paging, VPIDs or real mode under VT-x are wanted, and nobody has provided them');
  return optional.parts;
}
