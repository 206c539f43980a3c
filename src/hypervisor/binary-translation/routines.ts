// Code that all translations share, at a fixed place in the cache, and what a way out of a block looks like.
import { Emitter } from './emit.ts';
import { CALL_OUT, ROUTINES, STATE_DATA } from './layout.ts';

/** UD2: nothing is executed behind a call-out that does not come back, and who looks ahead for code sees that here it ends. */
export const END: readonly number[] = [0x0f, 0x0b];
/** `int CALL_OUT`, and room for a jump to be patched in. */
export const CALL_OUT_STUB: readonly number[] = [0xcd, CALL_OUT, ...END, 0x90];

/** Offsets in the cache. */
export interface Routines {
  /** Where the lookup goes with an EIP that the table does not have: the call-out itself. */
  miss: number;
  /** A call-out for an EIP at which there is nothing to execute. */
  nowhere: number;
  /** A word that holds the selector of the state page. */
  stateSelector: number;
}

/** Writes the routines as they lie at ROUTINES. */
export function emitRoutines(): { code: Uint8Array; routines: Routines } {
  const e = new Emitter();
  const here = () => ROUTINES + e.length;
  const miss = here();
  e.byte(0xcd, CALL_OUT, ...END);
  const nowhere = here();
  e.byte(0xcd, CALL_OUT, ...END);
  const stateSelector = here();
  e.byte(STATE_DATA & 0xff, STATE_DATA >> 8);
  return { code: e.code.slice(), routines: { miss, nowhere, stateSelector } };
}
