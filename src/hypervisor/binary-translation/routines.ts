// Code that all translations share, at a fixed place in the cache: the lookup that returns and indirect jumps go through.
import { Emitter } from './emit.ts';
import { CALL_OUT, LOOKUP_ENTRIES, LOOKUP_TABLE, ROUTINES, STATE, STATE_DATA } from './layout.ts';

/** `int CALL_OUT`, and room for a jump to be patched in. */
export const CALL_OUT_STUB: readonly number[] = [0xcd, CALL_OUT, 0x90, 0x90, 0x90];

const EAX = 0,
  ECX = 1,
  EDX = 2;

/** Offsets in the cache. */
export interface Routines {
  /** Goes to the translation of the guest EIP in STATE.target, with all registers and flags as they were. */
  lookup: number;
  /** Where the lookup goes with an EIP that the table does not have: the call-out itself. */
  miss: number;
  /** A call-out for an EIP at which there is nothing to execute. */
  nowhere: number;
  /** Behind the last routine. */
  end: number;
  /** A word that holds the selector of the state page. */
  stateSelector: number;
}

/** Writes the routines as they lie at ROUTINES. */
export function emitRoutines(): { code: Uint8Array; routines: Routines } {
  const e = new Emitter();
  const here = () => ROUTINES + e.length;
  const lookup = here();
  e.save(EAX, STATE.eax);
  e.save(ECX, STATE.ecx);
  e.save(EDX, STATE.edx);
  // LAHF; SETO AL: the six flags, without touching the guest's stack.
  e.byte(0x9f, 0x0f, 0x90, 0xc0);
  e.load(EDX, STATE.target);
  // MOV ECX, EDX; AND ECX, LOOKUP_ENTRIES - 1
  e.byte(0x89, 0xd1, 0x81, 0xe1);
  e.word32(LOOKUP_ENTRIES - 1);
  indexed(e, 0x3b, LOOKUP_TABLE);
  e.byte(0x75, 0);
  const toMiss = e.length;
  indexed(e, 0x8b, LOOKUP_TABLE + 4);
  e.save(EDX, STATE.jump);
  restore(e);
  // JMP [gs:jump]
  e.gs([0xff], 4, STATE.jump);
  e.code[toMiss - 1] = e.length - toMiss;
  restore(e);
  const miss = here();
  e.byte(0xcd, CALL_OUT);
  const nowhere = here();
  e.byte(0xcd, CALL_OUT);
  const stateSelector = here();
  e.byte(STATE_DATA & 0xff, STATE_DATA >> 8);
  return { code: e.code.slice(), routines: { lookup, miss, nowhere, end: here(), stateSelector } };
}

/** An instruction with EDX and [cs:ECX*8 + offset]. */
function indexed(e: Emitter, opcode: number, offset: number): void {
  e.byte(0x2e, opcode, 0x04 | (EDX << 3), 0xcd);
  e.word32(offset);
}

/** ADD AL, 7Fh brings back OF, SAHF the rest. */
function restore(e: Emitter): void {
  e.byte(0x04, 0x7f, 0x9e);
  e.load(EAX, STATE.eax);
  e.load(ECX, STATE.ecx);
  e.load(EDX, STATE.edx);
}
