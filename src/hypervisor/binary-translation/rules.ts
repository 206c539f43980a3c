// How each operation of the instruction table is translated. What is not named here runs as it is: it neither asks about the
// ring nor changes what the monitor keeps, or it traps by itself (SDM vol. 3 §5.9; Robin & Irvine 2000).
import { CS, GS, type Instruction, SS } from '../../machine/isa/instruction.ts';

/** Left to the monitor, by a call-out, unless in-cache.ts has something for them. */
const CALL_OUTS: ReadonlySet<string> = new Set([
  ...['lgdt', 'lidt', 'lldt', 'ltr', 'mov-to-cr', 'mov-from-cr', 'mov-to-dr', 'mov-from-dr'],
  ...['clts', 'lmsw', 'invlpg'],
  ...['rdmsr', 'wrmsr', 'wbinvd', 'invd', 'hlt', 'in', 'out', 'ins', 'outs'],
  ...['mov-to-sreg', 'pop-sreg', 'load-far-pointer'],
  ...['sgdt', 'sidt', 'sldt', 'str', 'smsw', 'lar', 'lsl', 'verr', 'verw', 'cpuid'],
  ...['iret', 'ret-far', 'jmp-far', 'call-far', 'sysenter', 'sysexit', 'int', 'int3', 'into', 'int1'],
]);

/** Behind these the block ends. */
const ENDS: ReadonlySet<string> = new Set([
  ...['iret', 'ret-far', 'jmp-far', 'call-far', 'sysenter', 'sysexit', 'int', 'int3', 'int1'],
  ...['jcc', 'jcxz', 'loop', 'loope', 'loopne', 'jmp', 'call', 'ret'],
]);

export const isCallOut = (i: Instruction): boolean => CALL_OUTS.has(i.form.operation);
export const endsBlock = (i: Instruction): boolean => ENDS.has(i.form.operation);

/** Instructions whose segment override means an operand that ModRM does not name. */
const IMPLICIT_MEMORY: ReadonlySet<string> = new Set(['movs', 'cmps', 'lods', 'xlat', 'maskmov']);
const NO_ACCESS: ReadonlySet<string> = new Set(['lea', 'nop', 'prefetch']);

/** Whether it reads or writes memory through CS or GS, which the monitor has taken. */
export function usesTakenSegment(i: Instruction): boolean {
  if (!i.segmentOverride || (i.segment !== CS && i.segment !== GS)) return false;
  return IMPLICIT_MEMORY.has(i.form.operation) || (i.memory && !NO_ACCESS.has(i.form.operation));
}

/** It stores where the last floating-point instruction was: that is an address in the cache, until the monitor has looked at it. */
export const tellsCodeAddress = (i: Instruction): boolean => TELL_CODE_ADDRESS.has(i.form.operation);
const TELL_CODE_ADDRESS: ReadonlySet<string> = new Set(['fnstenv', 'fnsave', 'fxsave']);

/** Segment registers that do not hold what the guest believes. */
export const isTaken = (register: number): boolean => register === CS || register === SS || register === GS;

const PREFIXES: ReadonlySet<number> = new Set([
  ...[0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3],
]);
const OVERRIDES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]);

/** Index of the first byte that is not a prefix. */
export function opcodeAt(bytes: Uint8Array): number {
  let n = 0;
  while (PREFIXES.has(bytes[n])) n++;
  return n;
}

/** The same instruction through GS instead of whatever segment its prefix names. */
export function throughGs(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  for (let n = 0; n < opcodeAt(bytes); n++) if (OVERRIDES.has(changed[n])) changed[n] = 0x65;
  return changed;
}

const WIDE_OPERANDS: ReadonlySet<string> = new Set(['m64', 'mpair', 'mmrm', 'xmmrm64', 'mm']);
const WIDER_OPERANDS: ReadonlySet<string> = new Set([
  'm80',
  'm128',
  'xmm',
  'xmmrm128',
  'menv',
  'msave',
  'm512',
]);

/** How far from the first byte that it writes in a page an instruction writes at most; 4096: anywhere in it. */
export function widestWrite(i: Instruction): number {
  const { operation, operands } = i.form;
  if (i.rep !== 0) return 4096;
  if (operation === 'enter' || operands.some((kind) => WIDER_OPERANDS.has(kind))) return 512;
  if (operation === 'pusha') return 32;
  return operands.some((kind) => WIDE_OPERANDS.has(kind)) ? 8 : 4;
}
