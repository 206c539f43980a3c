// Every operation and every shape of the fast path a few times, on a processor that is thrown away. An engine that optimizes
// run.ts before it has seen them all drops that code at the first one that is new, and may then be content for good with
// what it makes in the middle of the loop, which is half as fast (V8 is). Nothing of any machine depends on this but speed.

import { costModel } from '../../../cost/processors.ts';
import { Recorder } from '../../../trace/recorder.ts';
import { decode } from '../../isa/decode.ts';
import { DS, EDI, ESI, ESP, Instruction, SS } from '../../isa/instruction.ts';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import { Cpu } from '../cpu.ts';
import { CR0_PG } from '../page-walk.ts';
import { Word } from '../tlb.ts';
import { ACCESS, ADDRESS, Field, OPERATIONS, Op, SHAPES, Shape, WRITES } from './forms.ts';
import { runFast } from './run.ts';

const PAGE = 0x1000;
const NOP = 0x90;
const DATA = 0x100;
const STACK = 0x800;
const DIRECTORY = 4 * PAGE;
const TABLE = 5 * PAGE;
/** P, R/W, U/S, A, D. */
const PRESENT = 0x67;
/** With a tag, unaligned, in the page tables, not there, in a page with code in it. */
const PLACES = [DATA, DATA + 1, PAGE, 3 * PAGE, 2 * PAGE];
/** Flat, and of 32 bits. */
const FLAT = 0xc093;
const VALUES = [1, -1, 0x7fffffff, -0x80000000];
/** What notes flags before: each in another way. */
const SETTERS = [Op.cmp, Op.add, Op.dec, Op.shl];

function practiceCpu(): Cpu {
  const nothing = { read: () => 0xff, write: () => {} };
  const silent = { pending: () => false, acknowledge: () => 0xff };
  const cpu = new Cpu(new PhysicalMemory(8 * PAGE), costModel('merom'), new Recorder(2), nothing, silent);
  for (const register of [DS, SS])
    Object.assign(cpu.segments[register], { base: 0, limit: 0xffffffff, access: FLAT });
  cpu.memory.write32(DIRECTORY, TABLE | PRESENT);
  cpu.memory.write32(TABLE + 4, PAGE | PRESENT);
  cpu.cr0 |= CR0_PG;
  cpu.cr3 = DIRECTORY;
  cpu.tlb.insert(0, 0, 0);
  cpu.tlb.tag(0, Word.read, false);
  cpu.tlb.tag(0, Word.write, false);
  cpu.tlb.insert(2, 2 * PAGE, 0);
  cpu.tlb.tag(2 * PAGE, Word.beside, false);
  return cpu;
}

/** Shapes with an operand in memory. */
const IN_MEMORY: ReadonlySet<number> = new Set([
  Shape.registerMemory,
  Shape.memoryRegister,
  Shape.memoryImmediate,
  Shape.registerMemory8,
  Shape.memoryRegister8,
  Shape.memoryImmediate8,
  Shape.zeroMemory8,
  Shape.signMemory8,
  Shape.zeroMemory16,
  Shape.signMemory16,
]);

/** An instruction for the fast path alone: its form does not matter. */
function practiceInstruction(op: number, shape: number, value: number, place: number): Instruction | null {
  const nop = decode(Uint8Array.of(NOP), 0, 32);
  if (typeof nop === 'string') return null;
  const memory = IN_MEMORY.has(shape);
  const i = new Instruction(
    nop.form,
    1,
    32,
    32,
    DS,
    false,
    0,
    false,
    0,
    0,
    memory,
    ESI,
    EDI,
    1,
    place,
    value,
    0,
  );
  const writes = op === Op.store || op === Op.store8 || shape === Shape.memoryRegister;
  i.fast =
    op |
    (shape << Field.shape) |
    (1 << Field.to) |
    (2 << Field.from) |
    (memory || writes ? ADDRESS | ACCESS : 0) |
    (writes ? WRITES : 0) |
    (shape >= Shape.registers8 && shape <= Shape.memoryImmediate8 ? 24 << Field.narrow : 0);
  return i;
}

/** Runs them all. */
export function practise(): void {
  const cpu = practiceCpu();
  const table = new Array<Instruction | null>(PAGE).fill(null);
  const window = { start: 0, valid: PAGE, table };
  const run = (op: number, shape: number, value: number, setter: number, place: number) => {
    cpu.regs.fill(value);
    cpu.regs[ESI] = cpu.regs[EDI] = 0;
    cpu.regs[ESP] = cpu.regs[5] = STACK;
    cpu.memory.write32(DATA, value);
    cpu.memory.write32(STACK, 4);
    table[0] = practiceInstruction(setter, Shape.registerOne, value, place);
    table[1] = practiceInstruction(op, shape, value, place);
    cpu.eip = 0;
    cpu.instructions = cpu.cycles = 0;
    runFast(cpu, window, 100);
  };
  VALUES.forEach((value, n) => {
    // Of the first times that a function is called nothing is remembered: the next round has these places too.
    cpu.tlb.invalidate(PAGE);
    for (const place of PLACES) run(Op.store, Shape.registers, value, Op.cmp, place);
    for (const shape of SHAPES) run(Op.add, shape, value, Op.cmp, DATA);
    for (const op of OPERATIONS)
      run(op, op === Op.jumpTo ? Shape.registerOne : Shape.registers, value, SETTERS[n], DATA);
  });
  for (const setter of SETTERS)
    for (const value of VALUES) for (const op of OPERATIONS) run(op, Shape.registers, value, setter, DATA);
}
