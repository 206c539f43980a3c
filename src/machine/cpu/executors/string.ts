// MOVS CMPS STOS LODS SCAS with REP, REPE, REPNE (SDM vol. 2, vol. 1 §7.3.9). An element is one executor; REP runs elements
// in bounded batches and comes back to the same instruction while something is left, so that interrupts are seen between
// batches. After each element the registers say exactly what has been done: a fault in the next one restarts there.
import { ECX, EDI, ES, ESI, type Instruction, REP_E, REP_NE, REP_NONE } from '../../isa/instruction.ts';
import { read8, read16, read32, write8, write16, write32 } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { DF, isZero, TF } from '../flags.ts';
import { sub } from './alu.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { moveBlock, storeBlock } from './string-bulk.ts';

/** Elements of one batch: bounds how long an interrupt waits. */
const BATCH = 256;
/** What each element after the first costs; the first is the instruction's own cost. In cycles, our figure. */
const CYCLES_PER_ELEMENT = 1;

/** Offset in a string pointer register, by the address size. */
export function stringPointer(cpu: Cpu, i: Instruction, register: number): number {
  return i.addressSize === 32 ? cpu.regs[register] : cpu.regs16[register << 1];
}

/** Moves a string pointer by `bytes`, downward when DF is set. */
export function stepPointer(cpu: Cpu, i: Instruction, register: number, bytes: number): void {
  const step = cpu.flags & DF ? -bytes : bytes;
  if (i.addressSize === 32) cpu.regs[register] += step;
  else cpu.regs16[register << 1] += step;
}

function movsb(cpu: Cpu, i: Instruction): void {
  write8(cpu, ES, stringPointer(cpu, i, EDI), read8(cpu, i.segment, stringPointer(cpu, i, ESI)));
  stepPointer(cpu, i, ESI, 1);
  stepPointer(cpu, i, EDI, 1);
}

function movsw(cpu: Cpu, i: Instruction): void {
  write16(cpu, ES, stringPointer(cpu, i, EDI), read16(cpu, i.segment, stringPointer(cpu, i, ESI)));
  stepPointer(cpu, i, ESI, 2);
  stepPointer(cpu, i, EDI, 2);
}

function movsd(cpu: Cpu, i: Instruction): void {
  write32(cpu, ES, stringPointer(cpu, i, EDI), read32(cpu, i.segment, stringPointer(cpu, i, ESI)));
  stepPointer(cpu, i, ESI, 4);
  stepPointer(cpu, i, EDI, 4);
}

function stosb(cpu: Cpu, i: Instruction): void {
  write8(cpu, ES, stringPointer(cpu, i, EDI), cpu.regs8[0]);
  stepPointer(cpu, i, EDI, 1);
}

function stosw(cpu: Cpu, i: Instruction): void {
  write16(cpu, ES, stringPointer(cpu, i, EDI), cpu.regs16[0]);
  stepPointer(cpu, i, EDI, 2);
}

function stosd(cpu: Cpu, i: Instruction): void {
  write32(cpu, ES, stringPointer(cpu, i, EDI), cpu.regs[0]);
  stepPointer(cpu, i, EDI, 4);
}

function lodsb(cpu: Cpu, i: Instruction): void {
  cpu.regs8[0] = read8(cpu, i.segment, stringPointer(cpu, i, ESI));
  stepPointer(cpu, i, ESI, 1);
}

function lodsw(cpu: Cpu, i: Instruction): void {
  cpu.regs16[0] = read16(cpu, i.segment, stringPointer(cpu, i, ESI));
  stepPointer(cpu, i, ESI, 2);
}

function lodsd(cpu: Cpu, i: Instruction): void {
  cpu.regs[0] = read32(cpu, i.segment, stringPointer(cpu, i, ESI));
  stepPointer(cpu, i, ESI, 4);
}

function scasb(cpu: Cpu, i: Instruction): void {
  sub(cpu, cpu.regs8[0], read8(cpu, ES, stringPointer(cpu, i, EDI)), 24);
  stepPointer(cpu, i, EDI, 1);
}

function scasw(cpu: Cpu, i: Instruction): void {
  sub(cpu, cpu.regs16[0], read16(cpu, ES, stringPointer(cpu, i, EDI)), 16);
  stepPointer(cpu, i, EDI, 2);
}

function scasd(cpu: Cpu, i: Instruction): void {
  sub(cpu, cpu.regs[0], read32(cpu, ES, stringPointer(cpu, i, EDI)), 0);
  stepPointer(cpu, i, EDI, 4);
}

function cmpsb(cpu: Cpu, i: Instruction): void {
  const a = read8(cpu, i.segment, stringPointer(cpu, i, ESI));
  sub(cpu, a, read8(cpu, ES, stringPointer(cpu, i, EDI)), 24);
  stepPointer(cpu, i, ESI, 1);
  stepPointer(cpu, i, EDI, 1);
}

function cmpsw(cpu: Cpu, i: Instruction): void {
  const a = read16(cpu, i.segment, stringPointer(cpu, i, ESI));
  sub(cpu, a, read16(cpu, ES, stringPointer(cpu, i, EDI)), 16);
  stepPointer(cpu, i, ESI, 2);
  stepPointer(cpu, i, EDI, 2);
}

function cmpsd(cpu: Cpu, i: Instruction): void {
  const a = read32(cpu, i.segment, stringPointer(cpu, i, ESI));
  sub(cpu, a, read32(cpu, ES, stringPointer(cpu, i, EDI)), 0);
  stepPointer(cpu, i, ESI, 4);
  stepPointer(cpu, i, EDI, 4);
}

/** Elements left to do, uint32. */
export function elementsLeft(cpu: Cpu, i: Instruction): number {
  return i.addressSize === 32 ? cpu.regs[ECX] >>> 0 : cpu.regs16[ECX << 1];
}

/** Takes elements off the count register. */
export function countElements(cpu: Cpu, i: Instruction, done: number): void {
  if (i.addressSize === 32) cpu.regs[ECX] -= done;
  else cpu.regs16[ECX << 1] -= done;
}

/** Elements of this batch; single-stepping traps after each one (SDM vol. 3 §17.3.1.4). */
function batchOf(cpu: Cpu): number {
  return cpu.flags & TF ? 1 : BATCH;
}

/** Charges a batch, and returns to the instruction when it has not finished. */
function endBatch(cpu: Cpu, done: number, finished: boolean): void {
  if (done > 1) cpu.cycles += (done - 1) * CYCLES_PER_ELEMENT;
  if (!finished) cpu.eip = cpu.instructionStart;
}

/** REP of an executor that does one element: a batch of it. */
export function repeat(cpu: Cpu, i: Instruction, element: Executor): void {
  const batch = batchOf(cpu);
  let done = 0;
  while (done < batch && elementsLeft(cpu, i) !== 0) {
    element(cpu, i);
    countElements(cpu, i, 1);
    done++;
  }
  endBatch(cpu, done, elementsLeft(cpu, i) === 0);
}

/** REPE and REPNE: also ends when ZF is no longer what the prefix asks for. */
function repeatWhile(cpu: Cpu, i: Instruction, element: Executor, zero: boolean): void {
  const batch = batchOf(cpu);
  let done = 0;
  let finished = elementsLeft(cpu, i) === 0;
  while (!finished && done < batch) {
    element(cpu, i);
    countElements(cpu, i, 1);
    done++;
    finished = elementsLeft(cpu, i) === 0 || isZero(cpu) !== zero;
  }
  endBatch(cpu, done, finished);
}

/** Does a run of elements at once when memory is plain there; returns how many, possibly none. */
type Block = (cpu: Cpu, i: Instruction, left: number) => number;

/** REP MOVS and REP STOS upward: runs within a page go in one piece, the rest element by element. */
function repeatBlocks(cpu: Cpu, i: Instruction, element: Executor, block: Block): void {
  if (cpu.flags & (DF | TF)) {
    repeat(cpu, i, element);
    return;
  }
  let done = 0;
  let left = elementsLeft(cpu, i);
  while (left !== 0 && done < BATCH) {
    let run = block(cpu, i, left);
    if (run === 0) {
      element(cpu, i);
      run = 1;
    }
    countElements(cpu, i, run);
    left -= run;
    done += run;
  }
  endBatch(cpu, done, left === 0);
}

function stringBinder(byte: Executor, word: Executor, doubleword: Executor): Binder {
  return (i) => {
    const element = elementOf(i, byte, word, doubleword);
    if (i.rep === REP_NONE) return element;
    if (i.form.rep === 'rep') return (cpu, i) => repeat(cpu, i, element);
    if (i.rep === REP_NE) return (cpu, i) => repeatWhile(cpu, i, element, false);
    return (cpu, i) => repeatWhile(cpu, i, element, true);
  };
}

function blockBinder(byte: Executor, word: Executor, doubleword: Executor, block: Block): Binder {
  return (i) => {
    const element = elementOf(i, byte, word, doubleword);
    return i.rep === REP_E ? (cpu, i) => repeatBlocks(cpu, i, element, block) : element;
  };
}

/** Bit 0 of the opcode tells bytes from words and doublewords. */
function elementOf(i: Instruction, byte: Executor, word: Executor, doubleword: Executor): Executor {
  if (!(i.form.opcode & 1)) return byte;
  return i.operandSize === 32 ? doubleword : word;
}

export const stringExecutors: Executors = {
  movs: blockBinder(movsb, movsw, movsd, moveBlock),
  stos: blockBinder(stosb, stosw, stosd, storeBlock),
  lods: stringBinder(lodsb, lodsw, lodsd),
  scas: stringBinder(scasb, scasw, scasd),
  cmps: stringBinder(cmpsb, cmpsw, cmpsd),
};
