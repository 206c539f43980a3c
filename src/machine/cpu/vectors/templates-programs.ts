// Short random programs of a dozen integer instructions: what one instruction leaves behind, flags above all, the next one uses.
// EBX and ESI point into the data window and EBP into the stack window, nobody changes them; EAX ECX EDX EDI hold values. An
// instruction that looks at flags comes only where the manual defines them (SDM vol. 1 appendix A).
import { Case, STATUS, WINDOW_AT } from './case.ts';
import type { Random } from './random.ts';
import type { Template } from './templates-arithmetic.ts';

const CF = 1,
  PF = 4,
  AF = 0x10,
  ZF = 0x40,
  SF = 0x80,
  OF = 0x800;
const EAX = 0,
  ECX = 1,
  EBX = 3,
  ESP = 4,
  EBP = 5,
  ESI = 6,
  EDI = 7;
const VALUES = [0, 1, 2, 7];
/** AL CL DL AH CH DH. */
const BYTES = [0, 1, 2, 4, 5, 6];
/** Flags that a condition looks at, by its number without the lowest bit. */
const CONDITION = [OF, CF, ZF, CF | ZF, SF, PF, SF | OF, SF | OF | ZF];

/** A program being written. */
class Program {
  bytes: number[] = [];
  /** Flags that the manual leaves undefined at this point. */
  undefined = 0;
  /** Registers of 32 bits that must keep what they have, as a loop's counter. */
  kept = new Set<number>();
  wide = true;
  size = 4;

  constructor(
    readonly random: Random,
    readonly c: Case,
  ) {}

  /** Chooses the operand size of the next instruction and emits its prefix. */
  any(): void {
    const usual = !this.random.oneIn(4);
    this.wide = usual !== this.c.code16;
    this.size = this.wide ? 4 : 2;
    if (!usual) this.bytes.push(0x66);
  }

  put(...bytes: (number | number[])[]): void {
    this.bytes.push(...bytes.flat());
  }

  immediate(size: number, value = this.random.value()): number[] {
    return Array.from({ length: size }, (_, k) => Math.floor(value / 256 ** k) & 0xff);
  }

  /** A general register, of 8 bits or more. */
  register(byte = false): number {
    const free = (byte ? BYTES : VALUES).filter((r) => !this.kept.has(byte ? r & 3 : r));
    return this.random.pick(free);
  }

  /** ModRM of a register or a place in a window. */
  operand(reg: number, byte = false): number[] {
    const { random, c } = this;
    if (random.oneIn(2)) return [0xc0 | (reg << 3) | this.register(byte)];
    // 16-bit code has other numbers for [ebx], [esi], [ebp].
    const pointer = random.pick(c.code16 ? [7, 4, 6] : [EBX, ESI, EBP]);
    return [0x40 | (reg << 3) | pointer, (random.below(48) - 16) & 0xff];
  }

  defines(flags: number): void {
    this.undefined &= ~flags;
  }

  leavesUndefined(flags: number): void {
    this.undefined |= flags;
  }

  isDefined(flags: number): boolean {
    return (this.undefined & flags) === 0;
  }
}

/** Emits one instruction, or says false when it may not stand here. */
type Write = (p: Program) => unknown;

const alu: Write = (p) => {
  const n = p.random.below(8);
  if ((n === 2 || n === 3) && !p.isDefined(CF)) return false;
  p.any();
  const byte = p.random.oneIn(3);
  const w = byte ? 0 : 1;
  const shape = p.random.below(4);
  if (shape === 0) p.put(n * 8 + w, p.operand(p.register(byte), byte));
  else if (shape === 1) p.put(n * 8 + 2 + w, p.operand(p.register(byte), byte));
  else if (shape === 2) p.put(0x80 + w, p.operand(n, byte), p.immediate(byte ? 1 : p.size));
  else p.put(0x83, p.operand(n), p.immediate(1));
  p.defines(STATUS);
  if (n === 1 || n === 4 || n === 6) p.leavesUndefined(AF);
};

const test: Write = (p) => {
  p.any();
  p.put(0x85, p.operand(p.register()));
  p.defines(STATUS);
  p.leavesUndefined(AF);
};

const step: Write = (p) => {
  p.any();
  const digit = p.random.below(2);
  if (p.random.oneIn(2)) p.put(0x40 + digit * 8 + p.register());
  else p.put(0xff, p.operand(digit));
  p.defines(STATUS & ~CF);
};

const negate: Write = (p) => {
  p.any();
  const byte = p.random.oneIn(3);
  const digit = 2 + p.random.below(2);
  p.put(byte ? 0xf6 : 0xf7, p.operand(digit, byte));
  if (digit === 3) p.defines(STATUS);
};

const multiply: Write = (p) => {
  if (p.kept.size) return false;
  p.any();
  const kind = p.random.below(3);
  if (kind === 0) p.put(0xf7, p.operand(4 + p.random.below(2)));
  else if (kind === 1) p.put(0x0f, 0xaf, p.operand(p.register()));
  else p.put(0x6b, p.operand(p.register()), p.immediate(1));
  p.defines(CF | OF);
  p.leavesUndefined(SF | ZF | AF | PF);
};

const shift: Write = (p) => {
  const kind = p.random.below(8);
  const rotate = kind < 4;
  if ((kind === 2 || kind === 3) && !p.isDefined(CF)) return false;
  p.any();
  const byte = p.random.oneIn(3);
  const bits = byte ? 8 : p.size * 8;
  const w = byte ? 0 : 1;
  const by = p.random.below(3);
  const operand = p.operand(kind, byte);
  if (by === 0) {
    p.put(0xd0 + w, operand);
    p.defines(rotate ? CF | OF : STATUS);
    if (!rotate) p.leavesUndefined(AF);
    return;
  }
  const count = p.random.below(20);
  if (by === 1) p.put(0xc0 + w, operand, count);
  else p.put(0xd2 + w, operand);
  const known = by === 1;
  if (known && count === 0) return;
  if (known) p.defines(rotate ? CF : STATUS);
  if (!known || count !== 1) p.leavesUndefined(OF);
  if (!rotate) p.leavesUndefined(AF);
  // The last bit out of a shift by more bits than there are.
  if (!rotate && bits < 32 && (!known || count >= bits)) p.leavesUndefined(CF);
};

const doubleShift: Write = (p) => {
  p.any();
  const count = 1 + p.random.below(p.size * 8 - 1);
  p.put(0x0f, p.random.pick([0xa4, 0xac]), p.operand(p.register()), count);
  p.defines(STATUS);
  p.leavesUndefined(count === 1 ? AF : AF | OF);
};

const bit: Write = (p) => {
  p.any();
  p.put(0x0f, 0xba, p.operand(4 + p.random.below(4)), p.random.below(32));
  p.defines(CF);
  p.leavesUndefined(OF | SF | AF | PF);
};

const decimal: Write = (p) => {
  if (!p.isDefined(CF | AF) || p.kept.has(EAX)) return false;
  const opcode = p.random.pick([0x27, 0x2f, 0x37, 0x3f]);
  p.put(opcode);
  p.defines(opcode < 0x30 ? STATUS : CF | AF);
  p.leavesUndefined(opcode < 0x30 ? OF : OF | SF | ZF | PF);
};

const move: Write = (p) => {
  p.any();
  const { random } = p;
  switch (random.below(6)) {
    case 0:
      return p.put(0xb8 + p.register(), p.immediate(p.size));
    case 1:
      return p.put(0xb0 + p.register(true), random.below(256));
    case 2:
      return p.put(random.pick([0x88, 0x8a]), p.operand(p.register(true), true));
    case 3:
      return p.put(0x0f, random.pick([0xb6, 0xbe]), p.operand(p.register(), true));
    case 4:
      return p.put(0x87, p.operand(p.register()));
    default:
      return p.put(random.pick([0x89, 0x8b]), p.operand(p.register()));
  }
};

const lea: Write = (p) => {
  p.any();
  if (p.c.code16) p.put(0x8d, 0x40 | (p.register() << 3) | p.random.below(8), p.random.below(256));
  else p.put(0x8d, 0x44 | (p.register() << 3), p.random.below(256), p.random.below(256));
};

const exchangeAdd: Write = (p) => {
  p.any();
  const byte = p.random.oneIn(3);
  p.put(0x0f, byte ? 0xc0 : 0xc1, p.operand(p.register(byte), byte));
  p.defines(STATUS);
};

const compareExchange: Write = (p) => {
  if (p.kept.has(EAX)) return false;
  p.any();
  p.put(0x0f, 0xb1, p.operand(p.register()));
  p.defines(STATUS);
};

const condition = (p: Program): number => {
  const usable = CONDITION.map((flags, n) => (p.isDefined(flags) ? n : -1)).filter((n) => n >= 0);
  return usable.length ? 2 * p.random.pick(usable) + p.random.below(2) : -1;
};

const useCondition: Write = (p) => {
  const cc = condition(p);
  if (cc < 0) return false;
  p.any();
  if (p.random.oneIn(2)) p.put(0x0f, 0x90 + cc, p.operand(0, true));
  else p.put(0x0f, 0x40 + cc, p.operand(p.register()));
};

/** Over one other instruction: what it leaves undefined is undefined behind both ways. */
const branch: Write = (p) => {
  const cc = condition(p);
  if (cc < 0) return false;
  const before = p.undefined;
  p.put(0x70 + cc, 0);
  const at = p.bytes.length;
  write(p, SIMPLE);
  p.bytes[at - 1] = p.bytes.length - at;
  p.undefined |= before;
};

const loop: Write = (p) => {
  if (p.kept.size || p.random.oneIn(2)) return false;
  // ECX in 32-bit code, CX in 16-bit code: LOOP counts by the address size.
  p.put(0xb8 + ECX, p.immediate(p.c.code16 ? 2 : 4, 1 + p.random.below(5)));
  p.kept.add(ECX);
  const from = p.bytes.length;
  const before = p.undefined;
  for (let n = 1 + p.random.below(3); n > 0; n--) {
    // The first round sees the flags from before, the next ones those of the last: nothing that uses flags.
    write(p, LOOPABLE);
  }
  p.put(0xe2, (from - p.bytes.length - 2) & 0xff);
  p.kept.delete(ECX);
  p.undefined |= before;
};

const carry: Write = (p) => {
  const opcode = p.random.pick([0xf5, 0xf8, 0xf9, 0xfc, 0xfd]);
  if (opcode === 0xf5 && !p.isDefined(CF)) return false;
  p.put(opcode);
  if (opcode < 0xfa) p.defines(CF);
};

const flagsInAh: Write = (p) => {
  if (p.kept.has(EAX)) return false;
  if (p.random.oneIn(2)) {
    p.put(0x9e);
    p.defines(SF | ZF | AF | PF | CF);
  } else if (p.isDefined(SF | ZF | AF | PF | CF)) p.put(0x9f);
  else return false;
};

const stack: Write = (p) => {
  p.any();
  switch (p.random.below(4)) {
    case 0:
      p.put(0x6a, p.random.below(256));
      break;
    case 1:
      if (!p.isDefined(STATUS)) return p.put(0x50 + p.register());
      p.put(0x9c);
      break;
    case 2:
      // POPF of known flags: PUSH extends the sign, and above the low half nothing may be set that would lead elsewhere.
      p.put(0x6a, p.random.below(256) & 0x55);
      if (!p.wide !== p.c.code16) p.put(0x66);
      p.put(0x9d);
      p.defines(STATUS);
      break;
    default:
      p.put(0x50 + p.register());
  }
  if (p.random.oneIn(2)) {
    if (!p.wide !== p.c.code16) p.put(0x66);
    p.put(0x58 + p.register());
  }
};

/** A REP with registers of its own. */
const strings: Write = (p) => {
  if (p.kept.size) return false;
  const address = p.c.code16 ? 2 : 4;
  p.put(
    0xb8 + ECX,
    p.immediate(address, p.random.below(5)),
    0xb8 + EDI,
    p.immediate(address, WINDOW_AT + 40 + p.random.below(40)),
  );
  const opcode = p.random.pick([0xaa, 0xab, 0xae, 0xaf]);
  const scan = opcode > 0xab;
  p.put(scan ? p.random.pick([0xf2, 0xf3]) : 0xf3);
  p.any();
  p.put(opcode);
  // A SCAS with a count of zero leaves the flags as they were.
};

const callAndPop: Write = (p) => {
  // CALL to the next instruction.
  p.put(0xe8, p.immediate(p.c.code16 ? 2 : 4, 0), 0x58 + p.register());
};

const SIMPLE: readonly Write[] = [
  alu,
  alu,
  test,
  step,
  negate,
  multiply,
  shift,
  doubleShift,
  bit,
  move,
  lea,
  exchangeAdd,
];
const LOOPABLE: readonly Write[] = [test, step, negate, move, lea, exchangeAdd, doubleShift];
const ALL: readonly Write[] = [
  ...[alu, alu, alu, step, shift, shift, useCondition, useCondition, branch, move],
  ...[test, negate, multiply, doubleShift, bit, decimal, lea, exchangeAdd, compareExchange, loop],
  ...[carry, flagsInAh, stack, stack, strings, callAndPop],
];

function write(p: Program, choice: readonly Write[]): void {
  while (p.random.pick(choice)(p) === false);
}

/** Bytes that the longest of `ALL` may have (a loop of three), so that all fits. */
const ROOM = 36;
const LENGTH = 92;

function program(random: Random): Case {
  const c = new Case(random);
  c.program = true;
  c.code16 = random.oneIn(4);
  c.stack16 = c.code16;
  c.regs[EBX] = WINDOW_AT + 32;
  c.regs[ESI] = WINDOW_AT + 64;
  c.regs[EBP] = WINDOW_AT + 24;
  c.regs[ESP] = WINDOW_AT + 120;
  const p = new Program(random, c);
  const count = 4 + random.below(12);
  for (let n = 0; n < count && p.bytes.length < LENGTH - ROOM; n++) write(p, ALL);
  c.name = 'program';
  c.bytes = p.bytes;
  c.defined = STATUS & ~p.undefined;
  return c;
}

export const PROGRAMS: readonly Template[] = [{ name: 'program', count: 34_000, make: program }];
