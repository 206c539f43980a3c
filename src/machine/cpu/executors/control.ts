// Near JMP CALL RET, Jcc, JCXZ, LOOP (SDM vol. 2). A target beyond the limit of CS raises #GP(0) in the branch itself, before
// anything else changes. 16-bit operand size cuts the target to IP.
import { CS, ECX, type Instruction } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import {
  condition,
  isBelow,
  isBelowOrEqual,
  isLess,
  isLessOrEqual,
  isOverflow,
  isParity,
  isSign,
  isZero,
} from '../flags.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { readerOf } from './operands.ts';
import { moveStackPointer, peek16, peek32, push16, push32 } from './stack.ts';

/** Continues at an offset in CS. Raises #GP(0) beyond the limit. @param target int32 or uint32 */
function jumpTo(cpu: Cpu, target: number): void {
  const eip = target >>> 0;
  if (eip > cpu.segments[CS].limit) fault(cpu, VECTOR.GP, 0);
  cpu.eip = eip;
}

function checkTarget(cpu: Cpu, target: number): void {
  if (target >>> 0 > cpu.segments[CS].limit) fault(cpu, VECTOR.GP, 0);
}

/** Takes a relative branch of 32-bit operand size. */
function branch32(cpu: Cpu, i: Instruction): void {
  jumpTo(cpu, cpu.eip + i.immediate);
}

/** Takes a relative branch of 16-bit operand size. */
function branch16(cpu: Cpu, i: Instruction): void {
  jumpTo(cpu, (cpu.eip + i.immediate) & 0xffff);
}

function branch(cpu: Cpu, i: Instruction): void {
  if (i.operandSize === 32) branch32(cpu, i);
  else branch16(cpu, i);
}

// One executor for each condition: a loop's last instruction is the most frequent of all.

function jo(cpu: Cpu, i: Instruction): void {
  if (isOverflow(cpu)) branch32(cpu, i);
}
function jno(cpu: Cpu, i: Instruction): void {
  if (!isOverflow(cpu)) branch32(cpu, i);
}
function jb(cpu: Cpu, i: Instruction): void {
  if (isBelow(cpu)) branch32(cpu, i);
}
function jae(cpu: Cpu, i: Instruction): void {
  if (!isBelow(cpu)) branch32(cpu, i);
}
function jz(cpu: Cpu, i: Instruction): void {
  if (isZero(cpu)) branch32(cpu, i);
}
function jnz(cpu: Cpu, i: Instruction): void {
  if (!isZero(cpu)) branch32(cpu, i);
}
function jbe(cpu: Cpu, i: Instruction): void {
  if (isBelowOrEqual(cpu)) branch32(cpu, i);
}
function ja(cpu: Cpu, i: Instruction): void {
  if (!isBelowOrEqual(cpu)) branch32(cpu, i);
}
function js(cpu: Cpu, i: Instruction): void {
  if (isSign(cpu)) branch32(cpu, i);
}
function jns(cpu: Cpu, i: Instruction): void {
  if (!isSign(cpu)) branch32(cpu, i);
}
function jp(cpu: Cpu, i: Instruction): void {
  if (isParity(cpu)) branch32(cpu, i);
}
function jnp(cpu: Cpu, i: Instruction): void {
  if (!isParity(cpu)) branch32(cpu, i);
}
function jl(cpu: Cpu, i: Instruction): void {
  if (isLess(cpu)) branch32(cpu, i);
}
function jge(cpu: Cpu, i: Instruction): void {
  if (!isLess(cpu)) branch32(cpu, i);
}
function jle(cpu: Cpu, i: Instruction): void {
  if (isLessOrEqual(cpu)) branch32(cpu, i);
}
function jg(cpu: Cpu, i: Instruction): void {
  if (!isLessOrEqual(cpu)) branch32(cpu, i);
}

const JCC_32: readonly Executor[] = [jo, jno, jb, jae, jz, jnz, jbe, ja, js, jns, jp, jnp, jl, jge, jle, jg];

function jcc16(cpu: Cpu, i: Instruction): void {
  if (condition(cpu, i.form.condition!)) branch16(cpu, i);
}

/** The count register of LOOP and JCXZ: ECX, or CX zero-extended, by the address size. */
function counter(cpu: Cpu, i: Instruction): number {
  return i.addressSize === 32 ? cpu.regs[ECX] : cpu.regs16[ECX << 1];
}

function jcxz(cpu: Cpu, i: Instruction): void {
  if (counter(cpu, i) === 0) branch(cpu, i);
}

/** Counts down without touching flags; branches when something is left and `also` holds. The branch may fault, so it goes first. */
function countDown(cpu: Cpu, i: Instruction, also: boolean): void {
  if (counter(cpu, i) !== 1 && also) branch(cpu, i);
  if (i.addressSize === 32) cpu.regs[ECX]--;
  else cpu.regs16[ECX << 1]--;
}

function loop(cpu: Cpu, i: Instruction): void {
  countDown(cpu, i, true);
}

function loope(cpu: Cpu, i: Instruction): void {
  countDown(cpu, i, isZero(cpu));
}

function loopne(cpu: Cpu, i: Instruction): void {
  countDown(cpu, i, !isZero(cpu));
}

const jmpBinder: Binder = (i) => {
  if (i.form.modrm === undefined) return i.operandSize === 32 ? branch32 : branch16;
  const read = readerOf(i, 0);
  return (cpu, i) => jumpTo(cpu, read(cpu, i));
};

function call32(cpu: Cpu, i: Instruction): void {
  const back = cpu.eip;
  const target = back + i.immediate;
  checkTarget(cpu, target);
  push32(cpu, back);
  cpu.eip = target >>> 0;
}

function call16(cpu: Cpu, i: Instruction): void {
  const back = cpu.eip;
  const target = (back + i.immediate) & 0xffff;
  checkTarget(cpu, target);
  push16(cpu, back);
  cpu.eip = target;
}

const callBinder: Binder = (i) => {
  if (i.form.modrm === undefined) return i.operandSize === 32 ? call32 : call16;
  const read = readerOf(i, 0);
  const push = i.operandSize === 32 ? push32 : push16;
  return (cpu, i) => {
    const target = read(cpu, i);
    checkTarget(cpu, target);
    push(cpu, cpu.eip);
    cpu.eip = target >>> 0;
  };
};

/** The immediate (0 when there is none) drops arguments of the caller. */
function ret32(cpu: Cpu, i: Instruction): void {
  jumpTo(cpu, peek32(cpu, 0));
  moveStackPointer(cpu, 4 + i.immediate);
}

function ret16(cpu: Cpu, i: Instruction): void {
  jumpTo(cpu, peek16(cpu, 0));
  moveStackPointer(cpu, 2 + i.immediate);
}

export const controlExecutors: Executors = {
  jcc: (i) => (i.operandSize === 32 ? JCC_32[i.form.condition!] : jcc16),
  jcxz: () => jcxz,
  loop: () => loop,
  loope: () => loope,
  loopne: () => loopne,
  jmp: jmpBinder,
  call: callBinder,
  ret: (i) => (i.operandSize === 32 ? ret32 : ret16),
};
