// Runs one case on our processor: flat memory, paging off, CPL 3, segments as native.c makes them; one instruction, decoded
// and bound as execute.ts does it.

import { costModel } from '../../../cost/processors.ts';
import { Recorder } from '../../../trace/recorder.ts';
import { decode } from '../../isa/decode.ts';
import { CS, DS, ES, FS, type Instruction, SS } from '../../isa/instruction.ts';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import { Cpu } from '../cpu.ts';
import { EXECUTORS } from '../executors/index.ts';
import { type Fault, isFault } from '../fault.ts';
import { getFlags, setFlags } from '../flags.ts';
import { BASE, type Case, MARGIN, type Outcome, SETTABLE, START, WINDOW, WINDOW_AT } from './case.ts';

const MEMORY = 0x140000;
/** Batches a REP may take before the case counts as stuck. */
const PATIENCE = 64;

/** A processor with memory and nothing else on its bus. */
export function bareProcessor(memory = MEMORY): Cpu {
  const nothing = { read: () => 0xffffffff, write: () => {} };
  const silent = { pending: () => false, acknowledge: () => 0xff };
  return new Cpu(new PhysicalMemory(memory), costModel('merom'), new Recorder(16), nothing, silent);
}

function setSegment(cpu: Cpu, register: number, base: number, access: number): void {
  const s = cpu.segments[register];
  s.selector = (register << 3) | 7;
  s.base = base;
  s.limit = 0xffff;
  s.access = access;
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

/** One instruction at START until it is through or faults. @returns the vector, 3 when through */
function executeOne(cpu: Cpu, i: Instruction): { vector: number; error: number } {
  try {
    for (let batch = 0; batch < PATIENCE; batch++) {
      cpu.instructionStart = START;
      cpu.eip = START + i.length;
      i.execute!(cpu as never, i);
      if (cpu.eip !== START) break;
    }
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown;
    const { vector, errorCode }: Fault = thrown;
    return { vector, error: Math.max(errorCode, 0) };
  }
  return { vector: 3, error: 0 };
}

/** Runs a case. `cpu` comes from `bareProcessor` and may be used for many. */
export function runCase(cpu: Cpu, c: Case): Outcome {
  const i = bindBytes(c.bytes, c.code16 ? 16 : 32);
  cpu.cr0 |= 1;
  cpu.cpl = 3;
  setSegment(cpu, CS, BASE.code, c.code16 ? 0xfb : 0x40fb);
  setSegment(cpu, SS, BASE.stack, c.stack16 ? 0xf3 : 0x40f3);
  setSegment(cpu, DS, BASE.data, 0x40f3);
  setSegment(cpu, ES, BASE.data, 0x40f3);
  setSegment(cpu, FS, BASE.fs, 0x40f3);
  const { bytes } = cpu.memory;
  for (const base of [BASE.data, BASE.stack]) {
    bytes.fill(0, base, base + MARGIN);
    bytes.fill(0, base + 0x10000 - MARGIN, base + 0x10000);
  }
  const data = BASE.data + WINDOW_AT;
  const stack = BASE.stack + WINDOW_AT;
  bytes.set(c.data, data);
  bytes.set(c.stack, stack);
  cpu.regs.set(c.regs);
  setFlags(cpu, c.flags | 0x200);
  const { vector, error } = executeOne(cpu, i);
  return {
    vector,
    error,
    regs: Uint32Array.from(cpu.regs, (r) => r >>> 0),
    eip: cpu.eip,
    flags: getFlags(cpu) & SETTABLE,
    data: bytes.slice(data, data + WINDOW),
    stack: bytes.slice(stack, stack + WINDOW),
  };
}
