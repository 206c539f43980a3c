// One decoded instruction: what the decoder hands to the processor and to the disassembler.
// A flat object with one hidden class, because the interpreter reads it in its inner loop.
import type { Form } from './form.ts';

/** Segment register numbers as encoded in ModRM.reg (SDM vol. 2 table 2-?, "sreg"); LDTR and TR follow in our own order. */
export const ES = 0,
  CS = 1,
  SS = 2,
  DS = 3,
  FS = 4,
  GS = 5,
  LDTR = 6,
  TR = 7;
/** General register numbers as encoded. 8-bit: AL CL DL BL AH CH DH BH. */
export const EAX = 0,
  ECX = 1,
  EDX = 2,
  EBX = 3,
  ESP = 4,
  EBP = 5,
  ESI = 6,
  EDI = 7;

/** rep field: no prefix, F3 (rep, repe), F2 (repne). */
export const REP_NONE = 0,
  REP_E = 1,
  REP_NE = 2;

export class Instruction {
  constructor(
    readonly form: Form,
    /** Bytes, prefixes included: 1..15. */
    readonly length: number,
    /** 16 or 32, after 66h and the form's own `size`. For 8-bit operations the operand kinds say so. */
    readonly operandSize: 16 | 32,
    readonly addressSize: 16 | 32,
    /** Segment of the memory operand, override and SS-default already applied (ES..GS). */
    readonly segment: number,
    /** True when a segment-override prefix was there (for string instructions and display). */
    readonly segmentOverride: boolean,
    readonly rep: 0 | 1 | 2,
    readonly lock: boolean,
    /** ModRM.reg (0..7), or the register of a `+r` opcode; 0 when neither. */
    readonly reg: number,
    /** ModRM.rm when it names a register (mod=3); else 0. */
    readonly rm: number,
    /** True when ModRM (or moffs) names memory. */
    readonly memory: boolean,
    /** Base register 0..7 or -1; index register 0..7 or -1; scale is the shift count 0..3. 16-bit forms are expanded into the same fields (BX+SI …). */
    readonly base: number,
    readonly index: number,
    readonly scale: number,
    /** Displacement (moffs too), sign-extended to int32; wrap to 16 bits when addressSize is 16. */
    readonly displacement: number,
    /** Immediate, already sign- or zero-extended as the form says, as int32. rel8/relv: the signed distance from the next instruction. far: the offset. */
    readonly immediate: number,
    /** Second immediate: selector of `far`, nesting level of ENTER. */
    readonly immediate2: number,
    /** Size of the code segment it was decoded for: which sizes needed a prefix (for the disassembler). */
    readonly mode: 16 | 32 = 32,
    /** The whole ModRM byte, 0 when there is none: the x87 keeps it as part of the last opcode. */
    readonly modrm = 0,
  ) {}
  /** Bound by the processor on first execution (see cpu/execute.ts); never by the decoder. */
  execute: ((cpu: never, i: Instruction) => void) | null = null;
  /** Cycles that it costs on this processor; set when bound. */
  cost = 1;
  /** What the interpreter's fast path makes of it (cpu/fast-path/forms.ts); 0 = nothing. */
  fast = 0;
  /** The way into compiled code that begins here (machine/engine); then `execute` leads there. */
  compiled: object | null = null;
}

/**
 * The decoder's result when the bytes are not an instruction: `invalid` raises #UD; `long` (more than 15 bytes) raises
 * #GP(0); `short` means more bytes are needed.
 */
export type DecodeFailure = 'invalid' | 'short' | 'long';
