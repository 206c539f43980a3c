// Random worlds for the property tests: tables with every kind of descriptor, stacks of every ring, frames that often make sense.
// And the way there and back: the same world in our processor, and what differs afterwards.
import fc from 'fast-check';
import { CS, LDTR, SS, TR } from '../../isa/instruction.ts';
import { getFlags, setFlags } from '../flags.ts';
import { TestMachine } from '../test-machine.ts';
import { type ModelDescriptor, parse, type World, write } from './world.ts';

const MEMORY = 0x80000;
const GDT = 0x1000,
  LDT = 0x2000,
  IDT = 0x3000,
  TASK = 0x4000;
const GDT_ENTRIES = 32;
const LDT_ENTRIES = 8;
export const IDT_ENTRIES = 16;
/** Fixed entries: code and data of ring r at 1 + 2r and 2 + 2r, the LDT, the running task and two others. */
const LDT_ENTRY = 9,
  TASK_ENTRY = 10,
  WIDE_TASK_ENTRY = 11,
  NARROW_TASK_ENTRY = 12,
  FIRST_RANDOM = 13;

export const codeOf = (ring: number): number => (1 + 2 * ring) * 8 + ring;
export const stackOfRing = (ring: number): number => (2 + 2 * ring) * 8 + ring;

function descriptor(base: number, limit: number, access: number, flags = 4): [number, number] {
  return [
    ((base << 16) | (limit & 0xffff)) >>> 0,
    ((base & 0xff000000) | (flags << 20) | (limit & 0xf0000) | (access << 8) | ((base >>> 16) & 0xff)) >>> 0,
  ];
}
function gate(selector: number, offset: number, access: number, count: number): [number, number] {
  return [
    ((selector << 16) | (offset & 0xffff)) >>> 0,
    ((offset & 0xffff0000) | (access << 8) | count) >>> 0,
  ];
}

/** Selectors: fixed ones, random ones, of both tables, with all RPLs; now and then null or beyond the table. */
const selectors = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.integer({ min: 0, max: 3 }).chain((r) => fc.constantFrom(codeOf(r), stackOfRing(r))),
  },
  {
    weight: 10,
    arbitrary: fc.integer({ min: FIRST_RANDOM * 8, max: GDT_ENTRIES * 8 - 1 }).map((s) => s & ~4),
  },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: LDT_ENTRIES * 8 - 1 }).map((s) => s | 4) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 1, 2, 3, GDT_ENTRIES * 8, LDT_ENTRIES * 8 + 4, 0xffff, TASK_ENTRY * 8),
  },
);
export const anySelector: fc.Arbitrary<number> = selectors;

const offsets = fc.oneof(
  fc.integer({ min: 0, max: 0x7f }),
  fc.integer({ min: 0, max: 0xffff }),
  fc.constantFrom(0x80, 0xfff, 0x1000, 0xffff, 0x10000, 0x12345),
);
export const anyOffset: fc.Arbitrary<number> = offsets;
const limits = fc.constantFrom(0xffff, 0xfffff, 0xfff, 0x7f, 7, 0);
const presence = fc.integer({ min: 0, max: 9 }).map((n) => (n === 0 ? 0 : 0x80));
const rings = fc.integer({ min: 0, max: 3 });

/** Code and data of all sixteen types. */
const segments = fc
  .record({
    base: fc.constantFrom(0x10000, 0x20000, 0x30000),
    limit: limits,
    type: fc.integer({ min: 0, max: 15 }),
    dpl: rings,
    present: presence,
    flags: fc.constantFrom(0, 4, 4, 12),
  })
  .map((s) => descriptor(s.base, s.limit, s.present | (s.dpl << 5) | 0x10 | s.type, s.flags));
/** Where a gate leads: half of the time to code; and whose it is: half of the time everybody's. */
const leads = fc.oneof(rings.map(codeOf), selectors);
const openness = fc.oneof(fc.constant(3), rings);
const tasksToEnter = fc.constantFrom(8 * WIDE_TASK_ENTRY, 8 * NARROW_TASK_ENTRY);
/** Gates of all kinds, whatever table they are in. */
const gates = fc
  .record({
    to: leads,
    task: tasksToEnter,
    offset: offsets,
    type: fc.constantFrom(4, 12, 12, 12, 5, 6, 7, 14, 15),
    dpl: openness,
    present: presence,
    count: fc.constantFrom(0, 0, 1, 3, 31),
  })
  .map((g) =>
    gate(g.type === 5 && g.to & 8 ? g.task : g.to, g.offset, g.present | (g.dpl << 5) | g.type, g.count),
  );
/** Tasks, busy or not, and the remaining system types. */
const systems = fc
  .record({
    place: fc.integer({ min: 1, max: 2 }),
    type: fc.constantFrom(1, 9, 9, 9, 11, 3, 2, 0, 8),
    dpl: openness,
    present: presence,
    limit: fc.constantFrom(0x67, 0x67, 0x2b, 0x66, 0x2a, 0xffff),
  })
  .map((s) => {
    const place = (s.type === 1 || s.type === 3) && s.limit !== 0x2a ? NARROW_TASK : s.place;
    return descriptor(TASK + 0x100 * place, s.limit, s.present | (s.dpl << 5) | s.type, 0);
  });

const entries = fc.oneof(
  { weight: 4, arbitrary: segments },
  { weight: 3, arbitrary: gates },
  { weight: 2, arbitrary: systems },
);
const idtEntries = fc
  .record({
    to: leads,
    task: tasksToEnter,
    offset: offsets,
    type: fc.constantFrom(14, 14, 15, 6, 7, 5, 12, 0),
    dpl: openness,
    present: presence,
  })
  .map((g) => gate(g.type === 5 && g.to & 8 ? g.task : g.to, g.offset, g.present | (g.dpl << 5) | g.type, 0));

/** A word of a stack or a task: anything that may be asked for. */
const words = fc.oneof(
  { weight: 3, arbitrary: selectors },
  { weight: 2, arbitrary: offsets },
  fc.nat(0xffffffff),
);
const pointers = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0x40, max: 0x400 }).map((p) => p & ~1) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0x7ff0, max: 0x7fff }) },
);

/** A task's memory: 26 doublewords that make sense often enough. */
const tasks = fc
  .record({
    rings: fc.array(fc.tuple(pointers, fc.oneof(selectors, rings.map(stackOfRing))), {
      minLength: 3,
      maxLength: 3,
    }),
    eip: offsets,
    flags: fc.integer({ min: 0, max: 0xffff }).map((f) => f & 0xfd5),
    registers: fc.array(pointers, { minLength: 8, maxLength: 8 }),
    ring: rings,
    sane: fc.boolean(),
    selectors: fc.array(selectors, { minLength: 6, maxLength: 6 }),
    ldt: fc.constantFrom(0, 0, LDT_ENTRY * 8, 8),
  })
  .map((t) => {
    const inner = [0, 1, 2].map((level) => (t.sane ? stackOfRing(level) : t.rings[level][1]));
    const stacks = t.rings.flatMap(([pointer], level) => [pointer, inner[level]]);
    const registers = t.sane
      ? t.selectors.map((s, n) => (n < 5 && s & 8 ? stackOfRing(t.ring) : 0))
      : [...t.selectors];
    if (t.sane) [registers[CS], registers[SS]] = [codeOf(t.ring), stackOfRing(t.ring)];
    return {
      wide: [0, ...stacks, 0, t.eip, t.flags, ...t.registers, ...registers, t.ldt, 0],
      narrow: [0, ...stacks, t.eip & 0xffff, t.flags, ...t.registers, ...registers.slice(0, 4), t.ldt],
    };
  });
/** The last task is laid out for 16 bits. */
const NARROW_TASK = 3;

/** Everything that a case is made of. */
export const worlds: fc.Arbitrary<World> = fc
  .record({
    gdt: fc.array(entries, { minLength: GDT_ENTRIES - FIRST_RANDOM, maxLength: GDT_ENTRIES - FIRST_RANDOM }),
    ldt: fc.array(entries, { minLength: LDT_ENTRIES, maxLength: LDT_ENTRIES }),
    idt: fc.array(idtEntries, { minLength: IDT_ENTRIES, maxLength: IDT_ENTRIES }),
    hasLdt: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
    tasks: fc.array(tasks, { minLength: 4, maxLength: 4 }),
    taskLimit: fc.constantFrom(0x67, 0x67, 0x67, 0x67, 9),
    wideTask: fc.integer({ min: 0, max: 7 }).map((n) => n > 0),
    stack: fc.array(words, { minLength: 8, maxLength: 8 }),
    data: fc.array(selectors, { minLength: 4, maxLength: 4 }),
    ring: rings,
    pointer: pointers,
    smallStack: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    eip: fc.integer({ min: 0x100, max: 0x7fff }),
    flags: fc.integer({ min: 0, max: 0x3fff }).map((f) => (f & 0x3ed5) | 2),
  })
  .map((c) => {
    const memory = new Uint8Array(MEMORY);
    const w = { memory } as World;
    const put = (at: number, [low, high]: [number, number]) => {
      write(w, at, low, 4);
      write(w, at + 4, high, 4);
    };
    for (let ring = 0; ring < 4; ring++) {
      put(GDT + 8 * (1 + 2 * ring), descriptor(0x10000, 0xffff, 0x9b | (ring << 5)));
      put(
        GDT + 8 * (2 + 2 * ring),
        descriptor(0x40000 + 0x8000 * ring, 0x7fff, 0x93 | (ring << 5), c.smallStack ? 0 : 4),
      );
    }
    put(GDT + 8 * LDT_ENTRY, descriptor(LDT, 8 * LDT_ENTRIES - 1, 0x82, 0));
    put(GDT + 8 * TASK_ENTRY, descriptor(TASK, c.taskLimit, c.wideTask ? 0x8b : 0x83, 0));
    put(GDT + 8 * WIDE_TASK_ENTRY, descriptor(TASK + 0x100, 0x67, 0xe9, 0));
    put(GDT + 8 * NARROW_TASK_ENTRY, descriptor(TASK + 0x100 * NARROW_TASK, 0x2b, 0xe1, 0));
    c.gdt.forEach((entry, n) => put(GDT + 8 * (FIRST_RANDOM + n), entry));
    c.ldt.forEach((entry, n) => put(LDT + 8 * n, entry));
    c.idt.forEach((entry, n) => put(IDT + 8 * n, entry));
    c.tasks.forEach(({ wide, narrow }, n) => {
      if (n === NARROW_TASK) narrow.forEach((word, at) => write(w, TASK + 0x100 * n + 2 * at, word, 2));
      else wide.forEach((word, at) => write(w, TASK + 0x100 * n + 4 * at, word, 4));
    });
    const ss = parse(w, GDT + 8 * (2 + 2 * c.ring));
    c.stack.forEach((word, k) => write(w, ss.base + c.pointer + 4 * k, word, 4));
    w.gdt = { base: GDT, limit: 8 * GDT_ENTRIES - 1 };
    w.idt = { base: IDT, limit: 8 * IDT_ENTRIES - 1 };
    w.ldt = c.hasLdt ? { selector: LDT_ENTRY * 8, base: LDT, limit: 8 * LDT_ENTRIES - 1 } : null;
    w.tr = { selector: TASK_ENTRY * 8, base: TASK, limit: c.taskLimit, wide: c.wideTask };
    const data = { selector: stackOfRing(c.ring), descriptor: ss };
    w.segments = [
      data,
      { selector: codeOf(c.ring), descriptor: parse(w, GDT + 8 * (1 + 2 * c.ring)) },
      data,
      data,
      data,
      data,
    ];
    // Some data registers are of inner rings, as an outer return finds them.
    w.segments[0] = { selector: stackOfRing(0), descriptor: parse(w, GDT + 16) };
    w.regs = [1, 2, 3, 4, c.pointer, 6, 7, 8];
    w.eip = c.eip;
    w.flags = c.flags;
    w.cpl = c.ring;
    w.taskSwitched = false;
    // 512 KiB of zeros tell nobody anything.
    return Object.assign(w, { [fc.toStringMethod]: () => `a world at CPL ${w.cpl}` });
  });

export const copyOf = (w: World): World => ({
  ...w,
  memory: w.memory.slice(),
  segments: w.segments.map((s) => ({ ...s })),
  regs: [...w.regs],
});

/** Access rights as our segment registers hold them. */
function accessOf(d: ModelDescriptor): number {
  return (
    d.type |
    (d.segment ? 0x10 : 0) |
    (d.dpl << 5) |
    (d.present ? 0x80 : 0) |
    (d.available ? 0x1000 : 0) |
    (d.big ? 0x4000 : 0) |
    (d.granular ? 0x8000 : 0)
  );
}

const machine = new TestMachine(MEMORY);

/** Our processor in the state of a world, paging off. One machine serves all cases. */
export function machineOf(w: World): TestMachine {
  const m = machine;
  const { cpu } = m;
  m.memory.bytes.set(w.memory);
  cpu.cr0 = 0x11;
  cpu.gdtr.base = w.gdt.base;
  cpu.gdtr.limit = w.gdt.limit;
  cpu.idtr.base = w.idt.base;
  cpu.idtr.limit = w.idt.limit;
  const put = (n: number, selector: number, base: number, limit: number, access: number) =>
    Object.assign(cpu.segments[n], { selector, base, limit, access });
  w.segments.forEach(({ selector, descriptor: d }, n) => {
    if (d) put(n, selector, d.base, d.limit, accessOf(d));
    else put(n, selector, 0, 0, 0x10000);
  });
  if (w.ldt) put(LDTR, w.ldt.selector, w.ldt.base, w.ldt.limit, 0x82);
  else put(LDTR, 0, 0, 0, 0x10000);
  put(TR, w.tr.selector, w.tr.base, w.tr.limit, w.tr.wide ? 0x8b : 0x83);
  w.regs.forEach((value, r) => {
    cpu.regs[r] = value;
  });
  cpu.cpl = w.cpl;
  cpu.eip = w.eip;
  cpu.instructionStart = w.eip;
  setFlags(cpu, w.flags);
  cpu.shadow = 0;
  return m;
}

/** What is not as in the model. @param memory whether to compare memory, too */
export function differences(m: TestMachine, w: World, memory: boolean): string[] {
  const { cpu } = m;
  const found: string[] = [];
  const note = (what: string, got: number, wanted: number) => {
    if (got >>> 0 !== wanted >>> 0)
      found.push(`${what} ${(got >>> 0).toString(16)}, want ${(wanted >>> 0).toString(16)}`);
  };
  note('cpl', cpu.cpl, w.cpl);
  note('eip', cpu.eip, w.eip);
  note('flags', getFlags(cpu), w.flags);
  note('TS', (cpu.cr0 >>> 3) & 1, w.taskSwitched ? 1 : 0);
  note('tr', cpu.segments[TR].selector, w.tr.selector);
  note('ldtr', cpu.segments[LDTR].access & 0x10000 ? 0 : cpu.segments[LDTR].base, w.ldt?.base ?? 0);
  w.regs.forEach((value, r) => note(`r${r}`, cpu.regs[r], value));
  w.segments.forEach(({ selector, descriptor: d }, n) => {
    const s = cpu.segments[n];
    note(`selector of ${n}`, s.selector, selector);
    note(`unusable ${n}`, (s.access >>> 16) & 1, d ? 0 : 1);
    if (!d) return;
    note(`base of ${n}`, s.base, d.base);
    note(`limit of ${n}`, s.limit, d.limit);
    note(`access of ${n}`, s.access, accessOf(d));
  });
  if (memory && Buffer.compare(m.memory.bytes.subarray(0, MEMORY), w.memory) !== 0) {
    const at = w.memory.findIndex((byte, k) => byte !== m.memory.bytes[k]);
    note(`memory at ${at.toString(16)}`, m.memory.bytes[at], w.memory[at]);
  }
  return found;
}
