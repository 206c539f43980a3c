// Case templates: what CPL 3 may and may not do with segments, gates, flags and ports: loads of every segment register with every
// kind of descriptor, far transfers within the ring, the sensitive instructions that do not trap, and the #GP of those that do.
import { STATUS, selectorOf, WINDOW_AT } from './case.ts';
import { Draft } from './draft.ts';
import type { Random } from './random.ts';
import { modrm, type Template } from './templates-arithmetic.ts';

const ESP = 4;
const DF = 0x400;

function anySize(random: Random, stack = false): Draft {
  const wide = random.oneIn(3) ? random.oneIn(2) : undefined;
  return new Draft(random, { wide, stack });
}

function template(name: string, count: number, make: Template['make']): Template {
  return { name, count, make };
}

/** Of the LDT, within and beyond its limit; null; beyond the limit of the GDT. Rings asked for are of all kinds. */
function selector(random: Random): number {
  if (random.oneIn(8)) return random.pick([0, 1, 2, 3, 0xfff8, 0xfffb, 0xffff, 0x5f, 0x7c]);
  const chosen = selectorOf(random.below(11));
  return random.oneIn(4) ? (chosen & ~3) | random.below(4) : chosen;
}

/** In both windows, whatever segment the operand is in. */
function setMemory(d: Draft, at: number, value: number, size: number): void {
  for (let k = 0; k < size; k++) d.c.data[at + k] = d.c.stack[at + k] = value >>> (8 * k);
}

/** What lies on top of the stack. */
function setStack(d: Draft, at: number, value: number, size: number): void {
  const from = (d.c.regs[ESP] & 0xffff) - WINDOW_AT + at;
  for (let k = 0; k < size; k++) d.c.stack[from + k] = value >>> (8 * k);
}

/** A 16-bit operand that holds `value`: never ESP, which the kernel cannot give the signal handler back in 16 bits. */
function wordOperand(d: Draft, reg: number, value: number): number[] {
  const { random, c } = d;
  if (random.oneIn(2)) {
    const rm = random.pick([0, 1, 2, 3, 5, 6, 7]);
    c.regs[rm] = ((c.regs[rm] & 0xffff0000) | value) >>> 0;
    return d.register(reg, rm);
  }
  const operand = d.memory(reg, 2);
  if (d.target >= 0) setMemory(d, d.target, value, 2);
  return operand;
}

const LOAD_FAR: readonly (readonly number[])[] = [[0xc4], [0xc5], [0x0f, 0xb2], [0x0f, 0xb4], [0x0f, 0xb5]];

/** LES LDS LSS LFS LGS. */
function loadFar(random: Random) {
  const d = anySize(random);
  const opcode = random.pick(LOAD_FAR);
  const operand = d.memory(random.below(8), d.bytesOfOperand + 2);
  if (d.target >= 0) setMemory(d, d.target + d.bytesOfOperand, selector(random), 2);
  return d.emit('load-far', [...opcode], operand);
}

/** PUSH and POP of a segment register. */
function stackOfSegments(random: Random) {
  const d = anySize(random, true);
  if (random.oneIn(3)) {
    return d.emit('push-sreg', random.pick([[0x06], [0x0e], [0x16], [0x1e], [0x0f, 0xa0], [0x0f, 0xa8]]));
  }
  setStack(d, 0, selector(random), 2);
  return d.emit('pop-sreg', random.pick([[0x07], [0x17], [0x1f], [0x0f, 0xa1], [0x0f, 0xa9]]));
}

function moveSegment(random: Random) {
  const d = anySize(random);
  if (random.oneIn(3)) return d.emit('mov-from-sreg', 0x8c, modrm(d, random.below(8), 2));
  return d.emit('mov-to-sreg', 0x8e, wordOperand(d, random.below(8), selector(random)));
}

/** LAR LSL VERR VERW. */
function query(random: Random) {
  const d = anySize(random);
  const opcode = random.below(4);
  if (opcode < 2)
    return d.emit('lar lsl', 0x0f, 2 + opcode, wordOperand(d, random.below(8), selector(random)));
  return d.emit('verr verw', 0x0f, 0, wordOperand(d, 2 + opcode, selector(random)));
}

function flags(random: Random) {
  const d = anySize(random, true);
  if (random.oneIn(3)) return d.emit('pushf', 0x9c);
  // IOPL and IF must stay as they are; TF, AC, RF and VM would lead elsewhere.
  setStack(d, 0, random.word() & (STATUS | DF | 0x7200), 4);
  return d.emit('popf', 0x9d);
}

const offset = (random: Random): number => (random.oneIn(16) ? random.word() : 0x1000 + random.below(0xe000));

/** A place in this ring, or not; nested calls through gates are the business of other tests. */
function far(random: Random) {
  const d = anySize(random, true);
  const wide = d.bytesOfOperand;
  const to = selector(random);
  switch (random.below(4)) {
    case 0:
      return d.emit('far', random.pick([0xea, 0x9a]), d.immediate(wide, offset(random)), d.immediate(2, to));
    case 1: {
      const operand = d.memory(random.pick([3, 5]), wide + 2);
      if (d.target >= 0) {
        setMemory(d, d.target, offset(random), wide);
        setMemory(d, d.target + wide, to, 2);
      }
      return d.emit('far', 0xff, operand);
    }
    case 2:
      setStack(d, 0, offset(random), wide);
      setStack(d, wide, to, 2);
      return random.oneIn(2) ? d.emit('retf', 0xcb) : d.emit('retf', 0xca, d.immediate(2, random.below(64)));
    default:
      setStack(d, 0, offset(random), wide);
      setStack(d, wide, to, 2);
      setStack(d, 2 * wide, 0x200 | (random.word() & (STATUS | DF | 0x3000)), wide);
      return d.emit('iret', 0xcf);
  }
}

/** What CPL 3 with IOPL 0 and no I/O permission must not do: #GP, and nothing has changed. */
const FORBIDDEN: readonly (readonly number[])[] = [
  ...[0xe4, 0xe5, 0xe6, 0xe7].map((opcode) => [opcode, 0x80]),
  ...[0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f, 0xfa, 0xfb, 0xf4].map((opcode) => [opcode]),
  ...[0x06, 0x08, 0x09, 0x30, 0x32].map((opcode) => [0x0f, opcode]),
  ...[0, 2, 3, 4].flatMap((n) => [
    [0x0f, 0x20, 0xc0 | (n << 3)],
    [0x0f, 0x22, 0xc0 | (n << 3)],
  ]),
  ...[0, 1, 2, 3, 6, 7].flatMap((n) => [
    [0x0f, 0x21, 0xc0 | (n << 3)],
    [0x0f, 0x23, 0xc0 | (n << 3)],
  ]),
  [0x0f, 0x00, 0xd0],
  [0x0f, 0x00, 0xd8],
  [0x0f, 0x01, 0xf0],
];

/** The vector of the software interrupts that Linux lets nobody use; the error code names the gate. */
const closedVector = (random: Random): number => {
  for (;;) {
    const vector = random.below(256);
    if (vector !== 3 && vector !== 4 && vector !== 0x80) return vector;
  }
};

/** LOCK before everything: #UD unless the instruction is one of those that may have it, and its destination memory. */
const LOCKABLE = new Set([
  ...[0x00, 0x01, 0x08, 0x09, 0x10, 0x11, 0x18, 0x19, 0x20, 0x21, 0x28, 0x29, 0x30, 0x31],
  ...[0x80, 0x81, 0x82, 0x83, 0x86, 0x87, 0xf6, 0xf7, 0xfe, 0xff],
  ...[0xab, 0xb0, 0xb1, 0xb3, 0xba, 0xbb, 0xc0, 0xc1, 0xc7].map((opcode) => 0x0f00 | opcode),
]);
const PREFIXES = new Set([0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

function lock(random: Random) {
  const d = new Draft(random);
  for (;;) {
    const second = random.oneIn(2);
    const opcode = random.below(256);
    if (!second && PREFIXES.has(opcode)) continue;
    const bytes = second ? [0x0f, opcode] : [opcode];
    const allowed = LOCKABLE.has(second ? 0x0f00 | opcode : opcode);
    d.prefix(0xf0);
    // Those that may have it are tried with memory elsewhere; with a register nobody may have it.
    const operand =
      allowed || random.oneIn(2)
        ? d.register(random.below(8), random.below(8))
        : d.memory(random.below(8), 1);
    return d.emit('lock', bytes, operand, d.immediate(4));
  }
}

/** Opcodes that mean nothing, and ModRM bytes that name a register where memory must be. */
const UNDEFINED: readonly ((random: Random, d: Draft) => number[])[] = [
  () => [0x0f, 0x0b],
  (r, d) => [0x0f, 0xb9, ...modrm(d, r.below(8), 4)],
  (r, d) => [0x8d, ...d.register(r.below(8), r.below(8))],
  (r, d) => [0xfe, ...modrm(d, 2 + r.below(6), 1)],
  (r, d) => [0xff, ...modrm(d, 7, 4), ...(r.oneIn(2) ? [0x90] : [])],
  (r, d) => [0x8e, ...modrm(d, 1, 2), ...(r.oneIn(2) ? [0x90] : [])],
  (r, d) => [r.pick([0x8c, 0x8e]), ...modrm(d, r.pick([6, 7]), 2)],
  (r, d) => [0x0f, 0xba, ...modrm(d, r.below(4), 4), r.below(256)],
  (r, d) => [0x0f, 0xb2, ...d.register(r.below(8), r.below(8))],
  (r, d) => [0xff, ...d.register(r.pick([3, 5]), r.below(8))],
  (r, d) => [0x0f, 0xc7, ...d.register(1, r.below(8))],
];

/** NOPs with operands: bytes that do nothing and touch nothing, even memory beyond a limit. */
function hint(random: Random) {
  const d = anySize(random);
  if (random.oneIn(30)) return d.emit('hint', 0xf3, 0x0f, 0x1e, 0xfb);
  // 1A and 1B are MPX on some processors: NOPs as long as nobody has switched it on.
  return d.emit('hint', 0x0f, 0x18 + random.below(8), modrm(d, random.below(8), d.bytesOfOperand));
}

export const SEGMENTS: readonly Template[] = [
  template('load-far', 1200, loadFar),
  template('segments on the stack', 1200, stackOfSegments),
  template('mov sreg', 1200, moveSegment),
  template('lar lsl verr verw', 1200, query),
  template('pushf popf', 600, flags),
  template('far', 2000, far),
  template('arpl', 300, (random) => {
    const d = new Draft(random, { wide: false });
    return d.emit('arpl', 0x63, modrm(d, random.below(8), 2));
  }),
  template('forbidden', 900, (random) => {
    const d = anySize(random);
    return d.emit('forbidden', [...random.pick(FORBIDDEN)]);
  }),
  template('int', 300, (random) => anySize(random).emit('int', 0xcd, closedVector(random))),
  template('lock', 3000, lock),
  template('undefined', 600, (random) => {
    const d = new Draft(random);
    const bytes = random.pick(UNDEFINED)(random, d);
    return d.emit('undefined', bytes);
  }),
  template('hint', 1400, hint),
  template('alias', 400, (random) => {
    // 82 is 80 under another name.
    const d = anySize(random);
    const digit = random.below(8);
    if (digit === 1 || digit === 4 || digit === 6) d.c.defined = STATUS & ~0x10;
    return d.emit('alias', 0x82, modrm(d, digit, 1), d.immediate(1));
  }),
  template('setcc', 600, (random) => {
    // The reg field of ModRM means nothing.
    const d = anySize(random);
    return d.emit('setcc', 0x0f, 0x90 + random.below(16), modrm(d, 1 + random.below(7), 1));
  }),
  template('bswap r16', 30, (random) => {
    const d = new Draft(random, { wide: false });
    d.c.resultDefined = false;
    return d.emit('bswap r16', 0x0f, 0xc8 + random.below(8));
  }),
  template('into', 30, (random) => {
    const d = anySize(random);
    d.c.flags &= ~0x800;
    return d.emit('into', 0xce);
  }),
  template('pause', 20, (random) => anySize(random).emit('pause', 0xf3, 0x90)),
];
