// Runs one case on our processor: flat memory, paging off, CPL 3, segments as native.c makes them; one instruction, decoded
// and bound as execute.ts does it, or a program up to the INT3 behind it.

import { costModel } from '../../../cost/processors.ts';
import { Recorder } from '../../../trace/recorder.ts';
import { decode } from '../../isa/decode.ts';
import { CS, DS, ES, FS, GS, type Instruction, LDTR, SS } from '../../isa/instruction.ts';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import { Cpu } from '../cpu.ts';
import { EXECUTORS } from '../executors/index.ts';
import { type Fault, fault, isFault, VECTOR } from '../fault.ts';
import { getFlags, setFlags } from '../flags.ts';
import {
  BASE,
  type Case,
  CODE_BYTES,
  LDT,
  MARGIN,
  type Outcome,
  SETTABLE,
  START,
  selectorOf,
  WINDOW,
  WINDOW_AT,
} from './case.ts';

const MEMORY = 0x140000;
const GDT = 0x130000;
const LDT_AT = 0x130100;
const IDT = 0x131000;
/** Batches a REP may take before the case counts as stuck. */
const PATIENCE = 64;
/** Instructions of a program. */
const LONGEST = 400;
const INT3 = 0xcc;

/** A processor with memory and nothing else on its bus. */
export function bareProcessor(memory = MEMORY): Cpu {
  const nothing = { read: () => 0xffffffff, write: () => {} };
  const silent = { pending: () => false, acknowledge: () => 0xff };
  return new Cpu(new PhysicalMemory(memory), costModel('merom'), new Recorder(16), nothing, silent);
}

function setSegment(cpu: Cpu, register: number, entry: number): void {
  const s = cpu.segments[register];
  s.selector = selectorOf(entry);
  s.base = LDT[entry].base;
  s.limit = 0xffff;
  s.access = LDT[entry].access;
}

/** Processors whose memory has the tables already: no case changes them. */
const prepared = new WeakSet<Cpu>();

/** The tables: an empty GDT as long as Linux's, the LDT of case.ts, an IDT of gates that CPL 3 may not use. */
function setTables(cpu: Cpu): void {
  if (prepared.has(cpu)) return;
  prepared.add(cpu);
  cpu.memory.bytes.fill(INT3, BASE.code, BASE.code + 0x10000);
  const view = new DataView(cpu.memory.bytes.buffer, cpu.memory.bytes.byteOffset);
  view.setUint32(GDT, 0, true);
  LDT.forEach(({ base, access }, n) => {
    view.setUint32(LDT_AT + 8 * n, ((base << 16) | 0xffff) >>> 0, true);
    view.setUint32(
      LDT_AT + 8 * n + 4,
      ((base & 0xff000000) | ((base >>> 16) & 0xff) | (access << 8)) >>> 0,
      true,
    );
  });
  for (let vector = 0; vector < 256; vector++) view.setUint32(IDT + 8 * vector + 4, 0x8e00, true);
  cpu.gdtr.base = GDT;
  cpu.gdtr.limit = 127;
  cpu.idtr.base = IDT;
  cpu.idtr.limit = 0x7ff;
  const ldtr = cpu.segments[LDTR];
  ldtr.selector = 0x50;
  ldtr.base = LDT_AT;
  ldtr.limit = 8 * LDT.length - 1;
  ldtr.access = 0x82;
}

/** Decodes and binds. Throws when the table does not know the bytes. */
export function bindBytes(bytes: readonly number[], mode: 16 | 32): Instruction {
  const i = decode(Uint8Array.from(bytes), 0, mode);
  if (typeof i === 'string') throw new Error(`${i} instruction`);
  const binder = EXECUTORS[i.form.operation];
  if (!binder) throw new Error(`no executor for ${i.form.operation}`);
  i.execute = binder(i) as Instruction['execute'];
  return i;
}

/** One instruction at START until it is through. */
function executeOne(cpu: Cpu, c: Case): void {
  const i = decodeOrFault(cpu, c.bytes, c.code16 ? 16 : 32);
  for (let batch = 0; batch < PATIENCE; batch++) {
    cpu.instructionStart = START;
    cpu.eip = START + i.length;
    i.execute!(cpu as never, i);
    if (cpu.eip !== START) break;
  }
}

/** Instructions from START to the INT3. */
function executeProgram(cpu: Cpu): void {
  const code = cpu.memory.bytes.subarray(BASE.code, BASE.code + 0x10000);
  for (let n = 0; n < LONGEST && code[cpu.eip] !== INT3; n++) {
    const i = decodeOrFault(
      cpu,
      code.subarray(cpu.eip, cpu.eip + 15),
      cpu.segments[CS].access & 0x4000 ? 32 : 16,
    );
    cpu.instructionStart = cpu.eip;
    cpu.eip += i.length;
    i.execute!(cpu as never, i);
  }
}

/** Decodes and binds; #UD when the table does not know the bytes. */
function decodeOrFault(cpu: Cpu, bytes: ArrayLike<number>, mode: 16 | 32): Instruction {
  const i = decode(Uint8Array.from(bytes), 0, mode);
  if (typeof i === 'string') fault(cpu, VECTOR.UD);
  const binder = EXECUTORS[i.form.operation];
  if (!binder) throw new Error(`no executor for ${i.form.operation}`);
  i.execute = binder(i) as Instruction['execute'];
  return i;
}

/** @returns the vector of the fault, 3 when there was none */
function execute(cpu: Cpu, c: Case): { vector: number; error: number } {
  cpu.instructionStart = START;
  cpu.eip = START;
  try {
    if (c.program) executeProgram(cpu);
    else executeOne(cpu, c);
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown;
    const { vector, errorCode }: Fault = thrown;
    return { vector, error: Math.max(errorCode, 0) };
  }
  return { vector: 3, error: 0 };
}

/** Runs a case. `cpu` comes from `bareProcessor` and may be used for many. */
export function runCase(cpu: Cpu, c: Case): Outcome {
  cpu.cr0 |= 1;
  cpu.cpl = 3;
  setTables(cpu);
  setSegment(cpu, CS, c.code16 ? 1 : 0);
  setSegment(cpu, SS, c.stack16 ? 4 : 3);
  setSegment(cpu, DS, 2);
  setSegment(cpu, ES, 2);
  setSegment(cpu, FS, 5);
  setSegment(cpu, GS, 5);
  const { bytes } = cpu.memory;
  for (const base of [BASE.data, BASE.stack]) {
    bytes.fill(0, base, base + MARGIN);
    bytes.fill(0, base + 0x10000 - MARGIN, base + 0x10000);
  }
  const data = BASE.data + WINDOW_AT;
  const stack = BASE.stack + WINDOW_AT;
  if (c.program) {
    bytes.fill(INT3, BASE.code + START, BASE.code + START + CODE_BYTES);
    bytes.set(c.bytes, BASE.code + START);
  }
  bytes.set(c.data, data);
  bytes.set(c.stack, stack);
  cpu.regs.set(c.regs);
  setFlags(cpu, c.flags | 0x200);
  const { vector, error } = execute(cpu, c);
  return {
    vector,
    error,
    regs: Uint32Array.from(cpu.regs, (r) => r >>> 0),
    eip: cpu.eip,
    flags: getFlags(cpu) & SETTABLE,
    segments: cpu.segments.slice(0, 6).map((segment) => segment.selector),
    data: bytes.slice(data, data + WINDOW),
    stack: bytes.slice(stack, stack + WINDOW),
  };
}
