// What differs between two outcomes of a case, in words.
import { type Case, type Outcome, STATUS, WINDOW_AT } from './case.ts';

const REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const ESP = 4;
const DF = 0x400;

const hex = (value: number): string => (value >>> 0).toString(16);

/**
 * Differences of `got` against `wanted`, empty when there are none.
 * @param onlyDefined leave out what the manual leaves undefined: for a processor other than the one of the stored vectors
 */
export function differences(c: Case, got: Outcome, wanted: Outcome, onlyDefined: boolean): string[] {
  const found: string[] = [];
  const note = (what: string, a: number, b: number) => {
    if (a !== b) found.push(`${what} ${hex(a)}, want ${hex(b)}`);
  };
  if (onlyDefined && isMovCr8(c.bytes)) return found;
  note('vector', got.vector, wanted.vector);
  note('error code', got.error, wanted.error);
  note('eip', got.eip, wanted.eip);
  if (onlyDefined && !c.resultDefined) return found;
  const flags = (onlyDefined ? c.defined : STATUS) | DF;
  note('flags', got.flags & flags, wanted.flags & flags);
  for (let r = 0; r < 8; r++) note(REGISTERS[r], got.regs[r], wanted.regs[r]);
  for (let s = 0; s < 6; s++) note(SEGMENTS[s], got.segments[s], wanted.segments[s]);
  for (let k = 0; k < c.data.length; k++) note(`data+${k}`, got.data[k], wanted.data[k]);
  // A CALL beyond the limit of CS has pushed already when real processors notice; the manual checks first. What lies below
  // the stack pointer is nobody's.
  const top = /^call$|^far$/.test(c.name) && wanted.vector !== 3 ? (c.regs[ESP] & 0xffff) - WINDOW_AT : 0;
  // PUSH of a segment register with an operand size of 32 writes zeros above it, or nothing at all, which the manual allows both.
  const open = c.name === 'push-sreg' ? (wanted.regs[ESP] & 0xffff) - WINDOW_AT + 2 : -1;
  for (let k = top; k < c.stack.length; k++)
    if (open < 0 || (k !== open && k !== open + 1)) note(`stack+${k}`, got.stack[k], wanted.stack[k]);
  return found;
}

/** LOCK MOV CR0 is an invalid opcode (SDM vol. 2A LOCK), or MOV CR8 where a processor has AltMovCr8 (APM vol. 3 MOV CRn): then #GP at CPL 3. */
function isMovCr8(bytes: readonly number[]): boolean {
  const opcode = bytes.indexOf(0x0f);
  const move = bytes[opcode + 1] === 0x20 || bytes[opcode + 1] === 0x22;
  return opcode > 0 && move && (bytes[opcode + 2] & 0x38) === 0 && bytes.slice(0, opcode).includes(0xf0);
}

/** A case in one line: mode, bytes, registers and flags before. */
export function describeCase(c: Case): string {
  const bytes = c.bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ');
  const regs = REGISTERS.map((name, r) => `${name}=${hex(c.regs[r])}`).join(' ');
  return `${c.name} [${bytes}] ${c.code16 ? 16 : 32}-bit code, ${c.stack16 ? 16 : 32}-bit stack, ${regs} flags=${hex(c.flags)}`;
}
