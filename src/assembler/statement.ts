// One parsed line: label, prefixes, and what it does. Parsed once, evaluated in every pass.
import type { Form } from '../machine/isa/form.ts';
import type { Place, Site } from './diagnostics.ts';
import type { Expr } from './expression.ts';
import type { SourceLine } from './source.ts';
import type { NamedValue } from './symbols.ts';
import type { Token } from './token.ts';
import type { Value } from './value.ts';
import type { Prefix, Register } from './words.ts';

export interface Operand {
  readonly type: 'register' | 'immediate' | 'memory' | 'far';
  readonly place: Place;
  /** Bits, from `byte`, `word` …, or the register's own; 0 when nothing says. */
  readonly size: number;
  readonly strict: boolean;
  /** `to` before a register: an x87 destination. */
  readonly to: boolean;
  readonly distance: '' | 'short' | 'near' | 'far';
  readonly register: Register | null;
  /** The immediate, the offset of a far pointer, or the effective address. */
  readonly expr: Expr | null;
  /** The segment of a far pointer. */
  readonly selector: Expr | null;
  /** Segment override of a memory operand. */
  readonly segment: Register | null;
  /** `[byte …]`, `[word …]`, `[dword …]`: 8, 16, 32; else 0. */
  readonly displacementSize: number;
  readonly nosplit: boolean;
}

export interface PlacedPrefix {
  readonly prefix: Prefix;
  readonly place: Place;
}

/** One encoding that accepts the operands as written, whatever their values turn out to be. */
export interface Candidate {
  readonly form: Form;
  /** 16 or 32: decides 66h and the width of `v` kinds. */
  readonly operandSize: 16 | 32;
  /** A memory operand's size is neither written nor given by a register: usable only when no other size fits. */
  readonly guessed: boolean;
  /** Bits of that memory operand. */
  readonly memorySize: number;
}

export interface InstructionBody {
  readonly type: 'instruction';
  /** Empty for prefixes standing alone. */
  readonly name: string;
  readonly place: Place;
  readonly forms: readonly Form[];
  readonly prefixes: readonly PlacedPrefix[];
  readonly operands: readonly Operand[];
  /** Filled in on first use; empty after a report that nothing fits. */
  candidates: readonly Candidate[] | null;
  /** A candidate is a relative branch: the bytes depend on where the instruction stands. */
  relative: boolean;
  /** The bytes, once known to be the same in every pass: nothing in the operands can move. */
  settled: Uint8Array | null;
  /** A branch that was long in the last pass: from where to where. It is tried short once, when neither moves any more. */
  long?: { from: number; to: number; tried: boolean };
}
/** One item of db dw dd dq: bytes ready to emit, an expression of so many bytes, or `count dup (items)`. */
export type DataItem =
  | { readonly type: 'bytes'; readonly bytes: readonly number[] }
  | { readonly type: 'value'; readonly expr: Expr; readonly size: number }
  | { readonly type: 'dup'; readonly count: Expr; readonly items: readonly DataItem[] };
export interface DataBody {
  readonly type: 'data';
  readonly items: readonly DataItem[];
}
export interface ReserveBody {
  readonly type: 'reserve';
  readonly unit: number;
  readonly count: Expr;
  readonly place: Place;
}
export interface EquBody {
  readonly type: 'equ';
  readonly value: Expr;
}
export interface DirectiveBody {
  readonly type: 'directive';
  /** Lower case. */
  readonly name: string;
  readonly token: Token;
  readonly operands: readonly Token[];
  /** Parsed argument, for directives that take an expression. */
  readonly expr: Expr | null;
}
/** A question of the preprocessor that depends on labels, and the answer it got when the source was read. */
export interface CheckBody {
  readonly type: 'check';
  readonly tree: Expr;
  readonly expected: Value;
}
export type Body = CheckBody | InstructionBody | DataBody | ReserveBody | EquBody | DirectiveBody;

export interface Statement {
  readonly at: SourceLine;
  readonly site: Site | null;
  readonly place: Place;
  readonly label: { readonly symbol: NamedValue; readonly place: Place } | null;
  readonly times: Expr | null;
  readonly body: Body | null;
}
