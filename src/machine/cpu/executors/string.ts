// MOVS CMPS STOS LODS SCAS with REP, REPE, REPNE (SDM vol. 2, vol. 1 §7.3.9). An element is one executor; REP runs elements
// in bounded batches and comes back to the same instruction while something is left, so that interrupts are seen between
// batches. After each element the registers say exactly what has been done: a fault in the next one restarts there.

import { ECX, EDI, ES, ESI, type Instruction, REP_E, REP_NONE } from '../../isa/instruction.ts';
import { read8, read16, read32, write8, write16, write32 } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { DR7_ENABLES } from '../debug.ts';
import { DF, TF } from '../flags.ts';
import { sub } from './alu.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import type { BySize, Reader, Size } from './operands.ts';
import { elementShift, moveBlock, movePages, storeBlock } from './string-bulk.ts';

/** Elements of one batch: bounds how long an interrupt waits. */
const BATCH = 256;
/** What each element after the first costs; the first is the instruction's own cost. In cycles, our figure. */
const CYCLES_PER_ELEMENT = 1;

/** Offset in a string pointer register, by the address size. */
function stringPointer(cpu: Cpu, i: Instruction, register: number): number {
  return i.addressSize === 32 ? cpu.regs[register] : cpu.regs16[register << 1];
}

/** Moves a string pointer by `bytes`, downward when DF is set. */
function stepPointer(cpu: Cpu, i: Instruction, register: number, bytes: number): void {
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

// CMPS and SCAS compare two values: where each comes from. The flags are noted by who calls, once for a whole batch.

const ACCUMULATOR: Readonly<Record<Size, Reader>> = {
  8: (cpu) => cpu.regs8[0],
  16: (cpu) => cpu.regs16[0],
  32: (cpu) => cpu.regs[0],
};

const SOURCE: Readonly<Record<Size, Reader>> = {
  8: (cpu, i) => read8(cpu, i.segment, stringPointer(cpu, i, ESI)),
  16: (cpu, i) => read16(cpu, i.segment, stringPointer(cpu, i, ESI)),
  32: (cpu, i) => read32(cpu, i.segment, stringPointer(cpu, i, ESI)),
};

const DESTINATION: Readonly<Record<Size, Reader>> = {
  8: (cpu, i) => read8(cpu, ES, stringPointer(cpu, i, EDI)),
  16: (cpu, i) => read16(cpu, ES, stringPointer(cpu, i, EDI)),
  32: (cpu, i) => read32(cpu, ES, stringPointer(cpu, i, EDI)),
};

/** Bit 0 of the opcode tells bytes from words and doublewords. */
function elementSize(i: Instruction): Size {
  return i.form.opcode & 1 ? i.operandSize : 8;
}

/** Elements left to do, uint32. */
function elementsLeft(cpu: Cpu, i: Instruction): number {
  return i.addressSize === 32 ? cpu.regs[ECX] >>> 0 : cpu.regs16[ECX << 1];
}

/** Takes elements off the count register. */
function countElements(cpu: Cpu, i: Instruction, done: number): void {
  if (i.addressSize === 32) cpu.regs[ECX] -= done;
  else cpu.regs16[ECX << 1] -= done;
}

/** Single-stepping and data breakpoints trap between two elements (SDM vol. 3 §17.3.1.2, §17.3.1.4). */
function isTraced(cpu: Cpu): boolean {
  return (cpu.flags & TF) !== 0 || (cpu.dr[7] & DR7_ENABLES) !== 0;
}

/** Elements of this batch. */
function batchOf(cpu: Cpu): number {
  return isTraced(cpu) ? 1 : BATCH;
}

/** Charges a batch, and returns to the instruction when it has not finished. */
function endBatch(cpu: Cpu, done: number, finished: boolean): void {
  if (done > 1) cpu.cycles += (done - 1) * CYCLES_PER_ELEMENT;
  if (!finished) cpu.eip = cpu.instructionStart;
}

/** REP of an executor that does one element: a batch of it. */
function repeat(cpu: Cpu, i: Instruction, element: Executor): void {
  const batch = batchOf(cpu);
  let done = 0;
  while (done < batch && elementsLeft(cpu, i) !== 0) {
    element(cpu, i);
    countElements(cpu, i, 1);
    done++;
  }
  endBatch(cpu, done, elementsLeft(cpu, i) === 0);
}

/**
 * CMPS and SCAS with REPE or REPNE: also ends when ZF is no longer what the prefix asks for. A fault leaves the flags of
 * before (SDM vol. 2 "REP"), so they are noted last.
 */
function repeatWhile(
  cpu: Cpu,
  i: Instruction,
  left: Reader,
  stepsSource: boolean,
  size: Size,
  equal: boolean,
): void {
  const batch = batchOf(cpu);
  const right = DESTINATION[size];
  let done = 0;
  let a = 0;
  let b = 0;
  let finished = elementsLeft(cpu, i) === 0;
  while (!finished && done < batch) {
    a = left(cpu, i);
    b = right(cpu, i);
    if (stepsSource) stepPointer(cpu, i, ESI, size >> 3);
    stepPointer(cpu, i, EDI, size >> 3);
    countElements(cpu, i, 1);
    done++;
    finished = elementsLeft(cpu, i) === 0 || (a === b) !== equal;
  }
  if (done) sub(cpu, a, b, 32 - size);
  endBatch(cpu, done, finished);
}

/** Does a run of elements at once when memory is plain there; returns how many, possibly none. */
type Block = (cpu: Cpu, i: Instruction, left: number) => number;

/** REP MOVS and REP STOS upward: runs within a page go in one piece, the rest element by element. */
function repeatBlocks(cpu: Cpu, i: Instruction, element: Executor, block: Block): void {
  if (cpu.flags & DF || isTraced(cpu)) {
    repeat(cpu, i, element);
    return;
  }
  const { eip } = cpu;
  const { touched } = cpu.memory;
  let left = elementsLeft(cpu, i);
  for (;;) {
    const moved = block === moveBlock ? batchesOfPages(cpu, i, left) : 0;
    left -= Math.abs(moved);
    // The last of them is this batch.
    let done = moved <= 0 ? 0 : elementsOfPage(i);
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
    if (left === 0 || !comesBack(cpu) || cpu.memory.touched !== touched) return;
    // The next batch, as the loop would begin it.
    cpu.eip = eip;
    cpu.cycles += i.cost;
    cpu.instructions++;
  }
}

/**
 * Batches that are a page each.
 * @returns elements done: the last batch's are not charged; negative: they all are, and the next batch has begun
 */
function batchesOfPages(cpu: Cpu, i: Instruction, left: number): number {
  if ((cpu.stop | cpu.shadow | cpu.attention) !== 0) return 0;
  const elements = elementsOfPage(i);
  const cycles = (elements - 1) * CYCLES_PER_ELEMENT + i.cost;
  return movePages(cpu, i, Math.floor(left / elements), cycles) * elements;
}

/** More than a batch has, whatever their size. */
const elementsOfPage = (i: Instruction): number => 0x1000 >> elementShift(i);

/** Whether the loop would come straight back to this instruction: nothing is due, and there is time left. */
function comesBack(cpu: Cpu): boolean {
  return (cpu.stop | cpu.shadow | cpu.attention) === 0 && cpu.cycles < cpu.compiledUntil;
}

function comparingBinder(places: Readonly<Record<Size, Reader>>): Binder {
  return (i) => {
    const size = elementSize(i);
    const left = places[size];
    const right = DESTINATION[size];
    const stepsSource = places === SOURCE;
    if (i.rep !== REP_NONE) {
      const equal = i.rep === REP_E;
      return (cpu, i) => repeatWhile(cpu, i, left, stepsSource, size, equal);
    }
    return (cpu, i) => {
      const a = left(cpu, i);
      sub(cpu, a, right(cpu, i), 32 - size);
      if (stepsSource) stepPointer(cpu, i, ESI, size >> 3);
      stepPointer(cpu, i, EDI, size >> 3);
    };
  };
}

function movingBinder(elements: BySize, block?: Block): Binder {
  return (i) => {
    const element = elements[elementSize(i)];
    if (i.rep === REP_NONE) return element;
    if (block) return (cpu, i) => repeatBlocks(cpu, i, element, block);
    return (cpu, i) => repeat(cpu, i, element);
  };
}

export const stringExecutors: Executors = {
  movs: movingBinder({ 8: movsb, 16: movsw, 32: movsd }, moveBlock),
  stos: movingBinder({ 8: stosb, 16: stosw, 32: stosd }, storeBlock),
  lods: movingBinder({ 8: lodsb, 16: lodsw, 32: lodsd }),
  scas: comparingBinder(ACCUMULATOR),
  cmps: comparingBinder(SOURCE),
};
