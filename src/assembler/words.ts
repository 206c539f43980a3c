// What the reserved words mean: registers, prefixes, size keywords, data directives, and every mnemonic of the table.
// All of them are case-insensitive (NASM manual §3.1).
import type { Form } from '../machine/isa/form.ts';
import { formsByMnemonic } from '../machine/isa/table.ts';

export type RegisterClass = 'general' | 'segment' | 'control' | 'debug' | 'x87' | 'mmx' | 'sse';

export interface Register {
  readonly type: 'register';
  readonly name: string;
  readonly class: RegisterClass;
  /** Bits. */
  readonly size: 8 | 16 | 32 | 64 | 80 | 128;
  /** As encoded. */
  readonly number: number;
  /** Alphabetical rank: the order in which NASM picks base and index when nothing else decides. */
  readonly rank: number;
}
export interface Mnemonic {
  readonly type: 'mnemonic';
  readonly name: string;
  readonly forms: readonly Form[];
}
/** Prefixes fill slots; two in one slot conflict. The slots are emitted in this order. */
export type PrefixSlot = 'wait' | 'rep' | 'lock' | 'segment' | 'operand' | 'address';
export interface Prefix {
  readonly type: 'prefix';
  readonly name: string;
  readonly slot: PrefixSlot;
  /** The byte; for `operand` and `address` the size in bits that is asked for. */
  readonly value: number;
}
export interface Size {
  readonly type: 'size';
  readonly name: string;
  readonly bits: number;
}
export interface Qualifier {
  readonly type: 'qualifier';
  readonly name: 'strict' | 'to' | 'short' | 'near' | 'far' | 'nosplit';
}
/** `db` …, `resb` …, `equ`, `times`, `incbin`. `unit` in bytes. */
export interface Pseudo {
  readonly type: 'data' | 'reserve' | 'equ' | 'times' | 'incbin';
  readonly name: string;
  readonly unit: number;
}
export type Word = Register | Mnemonic | Prefix | Size | Qualifier | Pseudo;

const WORDS = new Map<string, Word>();

function registers(names: string, cls: RegisterClass, size: Register['size']): void {
  names.split(' ').forEach((name, number) => {
    WORDS.set(name, { type: 'register', name, class: cls, size, number, rank: 0 });
  });
}
registers('al cl dl bl ah ch dh bh', 'general', 8);
registers('ax cx dx bx sp bp si di', 'general', 16);
registers('eax ecx edx ebx esp ebp esi edi', 'general', 32);
registers('es cs ss ds fs gs', 'segment', 16);
registers('cr0 cr1 cr2 cr3 cr4 cr5 cr6 cr7', 'control', 32);
registers('dr0 dr1 dr2 dr3 dr4 dr5 dr6 dr7', 'debug', 32);
registers('st0 st1 st2 st3 st4 st5 st6 st7', 'x87', 80);
registers('mm0 mm1 mm2 mm3 mm4 mm5 mm6 mm7', 'mmx', 64);
registers('xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7', 'sse', 128);
for (const [rank, name] of [...WORDS.keys()].sort().entries())
  (WORDS.get(name) as { rank: number }).rank = rank;

/** Names of all registers, for suggestions. */
export const REGISTER_NAMES: readonly string[] = [...WORDS.keys()];

for (const [name, forms] of formsByMnemonic) WORDS.set(name, { type: 'mnemonic', name, forms });

/** Names of all mnemonics, for suggestions. */
export const MNEMONIC_NAMES: readonly string[] = [...formsByMnemonic.keys()];

function prefixes(slot: PrefixSlot, entries: Record<string, number>): void {
  for (const [name, value] of Object.entries(entries)) WORDS.set(name, { type: 'prefix', name, slot, value });
}
// FWAIT is a prefix to NASM: it comes out before all others.
const [wait] = formsByMnemonic.get('wait') ?? [];
if (wait) prefixes('wait', { wait: wait.opcode, fwait: wait.opcode });
prefixes('rep', { rep: 0xf3, repe: 0xf3, repz: 0xf3, repne: 0xf2, repnz: 0xf2 });
prefixes('lock', { lock: 0xf0 });
prefixes('operand', { o16: 16, o32: 32 });
prefixes('address', { a16: 16, a32: 32 });

/** The override byte of each segment register, by number. */
export const SEGMENT_PREFIX: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

const SIZES = { byte: 8, word: 16, dword: 32, qword: 64, tword: 80, oword: 128 };
for (const [name, bits] of Object.entries(SIZES)) WORDS.set(name, { type: 'size', name, bits });

for (const name of ['strict', 'to', 'short', 'near', 'far', 'nosplit'] as const)
  WORDS.set(name, { type: 'qualifier', name });

const UNITS = { b: 1, w: 2, d: 4, q: 8 };
for (const [letter, unit] of Object.entries(UNITS)) {
  WORDS.set(`d${letter}`, { type: 'data', name: `d${letter}`, unit });
  WORDS.set(`res${letter}`, { type: 'reserve', name: `res${letter}`, unit });
}
for (const name of ['equ', 'times', 'incbin'] as const) WORDS.set(name, { type: name, name, unit: 0 });

/** Names that may stand where an instruction may, for suggestions. */
export const STATEMENT_NAMES: readonly string[] = [
  ...MNEMONIC_NAMES,
  ...[...WORDS.values()].filter((w) => w.type === 'prefix').map((w) => w.name),
  'db dw dd dq resb resw resd resq equ times'.split(' '),
  'bits org section segment align alignb absolute global struc endstruc istruc iend at'.split(' '),
].flat();

/** The meaning of a reserved word in any case, or undefined for a name of the program's own. */
export function wordOf(text: string): Word | undefined {
  return WORDS.get(text) ?? (/[A-Z]/.test(text) ? WORDS.get(text.toLowerCase()) : undefined);
}
