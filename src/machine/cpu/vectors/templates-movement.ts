// Case templates: moves, exchanges, stack, control transfer, strings, single flags. None of them leaves a flag undefined.
import { WINDOW, WINDOW_AT } from './case.ts';
import { Draft } from './draft.ts';
import type { Random } from './random.ts';
import { byteOrWide, modrm, type Template } from './templates-arithmetic.ts';

const EAX = 0,
  ECX = 1,
  EDX = 2,
  EBX = 3,
  ESP = 4,
  EBP = 5,
  ESI = 6,
  EDI = 7;
const DF = 0x400;

/** A draft of the mode's operand size, or of 16 bits. */
function anySize(random: Random, stack = false): Draft {
  const wide = random.oneIn(4) ? random.oneIn(2) : undefined;
  return new Draft(random, { wide, stack });
}

function template(
  name: string,
  count: number,
  make: (random: Random) => ReturnType<Template['make']>,
): Template {
  return { name, count, make };
}

function mov(random: Random) {
  const { d, w, size } = byteOrWide(random);
  switch (random.below(6)) {
    case 0: {
      const offset = WINDOW_AT + random.below(WINDOW - size + 1);
      return d.emit('mov', 0xa0 + w + 2 * random.below(2), d.immediate(d.addressSize / 8, offset));
    }
    case 1:
      return d.emit('mov', 0xb0 + 8 * w + random.below(8), d.immediate(size));
    case 2:
      return d.emit('mov', 0xc6 + w, modrm(d, 0, size), d.immediate(size));
    case 3:
      return d.emit('mov', 0x8a + w, modrm(d, random.below(8), size));
    default:
      return d.emit('mov', 0x88 + w, modrm(d, random.below(8), size));
  }
}

function xchg(random: Random) {
  const { d, w, size } = byteOrWide(random);
  if (random.oneIn(4)) return d.emit('xchg', 0x90 + random.below(8));
  return d.emit('xchg', 0x86 + w, modrm(d, random.below(8), size, true));
}

/** Half of the time the comparison succeeds. */
function cmpxchg(random: Random) {
  const { d, w, size } = byteOrWide(random);
  const inRegister = random.oneIn(2);
  const rm = random.below(8);
  const operand = inRegister ? d.register(random.below(8), rm) : d.memory(random.below(8), size);
  if (random.oneIn(2)) {
    if (inRegister && w) d.c.regs[rm] = d.c.regs[EAX];
    else if (d.target >= 0) setMemory(d, d.target, d.c.regs[EAX], size);
  }
  return d.emit('cmpxchg', 0x0f, 0xb0 + w, operand);
}

/** In both windows, whatever segment the operand is in. */
function setMemory(d: Draft, at: number, value: number, size: number): void {
  for (let k = 0; k < size; k++) d.c.data[at + k] = d.c.stack[at + k] = value >>> (8 * k);
}

function cmpxchg8b(random: Random) {
  const d = anySize(random);
  const operand = d.memory(1, 8);
  if (d.target >= 0 && random.oneIn(2)) {
    setMemory(d, d.target, d.c.regs[EAX], 4);
    setMemory(d, d.target + 4, d.c.regs[EDX], 4);
  }
  return d.emit('cmpxchg8b', 0x0f, 0xc7, operand);
}

function xlat(random: Random) {
  const d = anySize(random);
  const al = d.c.regs[EAX] & 0xff;
  d.c.regs[EBX] = WINDOW_AT + random.below(WINDOW) - al;
  if (d.addressSize === 16) d.c.regs[EBX] = (d.c.regs[EBX] & 0xffff) | (random.word() & 0xffff0000);
  return d.emit('xlat', 0xd7);
}

function bound(random: Random) {
  const d = anySize(random);
  return d.emit('bound', 0x62, d.memory(random.below(8), 2 * d.bytesOfOperand));
}

function push(random: Random) {
  const d = anySize(random, true);
  switch (random.below(4)) {
    case 0:
      return d.emit('push', 0x50 + random.below(8));
    case 1:
      return d.emit('push', 0x6a, d.immediate(1));
    case 2:
      return d.emit('push', 0x68, d.immediate(d.bytesOfOperand));
    default:
      return d.emit('push', 0xff, modrm(d, 6, d.bytesOfOperand));
  }
}

function pop(random: Random) {
  const d = anySize(random, true);
  if (random.oneIn(2)) return d.emit('pop', 0x58 + random.below(8));
  return d.emit('pop', 0x8f, modrm(d, 0, d.bytesOfOperand));
}

function enter(random: Random) {
  const d = anySize(random, true);
  d.c.regs[ESP] = (d.c.regs[ESP] & 0xffff0000) | (WINDOW_AT + 96 + 2 * random.below(12));
  const frame = WINDOW_AT + 64 + 2 * random.below(24);
  d.c.regs[EBP] = d.c.stack16 ? (random.word() & 0xffff0000) | frame : frame;
  const level = random.oneIn(2) ? 0 : random.below(8) | (random.below(2) << 5);
  return d.emit('enter', 0xc8, d.immediate(2, random.below(48)), level);
}

function leave(random: Random) {
  const d = anySize(random);
  const frame = WINDOW_AT + random.below(WINDOW - 4);
  d.c.regs[EBP] = d.c.stack16 ? (random.word() & 0xffff0000) | frame : frame;
  return d.emit('leave', 0xc9);
}

/** Stack instructions with SP around 0 in a 16-bit stack: wrapping, and #SS where one operand would lie on both ends. */
function stackEdge(random: Random) {
  const d = anySize(random);
  d.c.code16 = d.c.stack16 = true;
  d.c.regs[ESP] = (random.word() & 0xffff0000) | ((random.below(40) - 20 + 0x10000) % 0x10000);
  d.c.regs[EBP] = (random.word() & 0xffff0000) | ((random.below(16) - 8 + 0x10000) % 0x10000);
  // POPA is left out: real processors load some registers before they notice the fault.
  const opcode = random.pick([
    [0x50],
    [0x58],
    [0x60],
    [0x68, 1, 2, 3, 4],
    [0xc8, 4, 0, 2],
    [0xc9],
    [0xc3],
    [0xe8, 0, 0x10, 0, 0],
  ]);
  if (random.oneIn(2)) return d.emitPlain('stack-edge', [0x66, ...opcode]);
  return d.emitPlain('stack-edge', opcode[0] === 0x68 || opcode[0] === 0xe8 ? opcode.slice(0, 3) : opcode);
}

/** A relative branch that does not land in its own bytes. */
function relative(d: Draft, bytes: number, before: number): number[] {
  const length = d.emit('').bytes.length + before + bytes;
  for (;;) {
    const distance = bytes === 1 ? d.random.below(256) - 128 : d.random.below(0x6000) - 0x3000;
    const target = length + distance;
    // Rarely beyond the limit of 64 KiB.
    if (bytes === 4 && d.random.oneIn(40)) return d.immediate(4, (distance + 0x20000) >>> 0);
    if (target < 0 || target > 16) return d.immediate(bytes, distance >>> 0);
  }
}

/** An operand that holds a place to go to; sometimes one beyond the limit. */
function destination(d: Draft, digit: number): number[] {
  const { random } = d;
  const offset = random.oneIn(20) ? random.word() : 0x1000 + random.below(0xe000);
  if (random.oneIn(2)) {
    const rm = random.pick([0, 1, 2, 3, 5, 6, 7]);
    d.c.regs[rm] = offset;
    return d.register(digit, rm);
  }
  const operand = d.memory(digit, d.bytesOfOperand);
  if (d.target >= 0) setMemory(d, d.target, offset, d.bytesOfOperand);
  return operand;
}

function jmp(random: Random) {
  const d = anySize(random);
  switch (random.below(3)) {
    case 0:
      return d.emit('jmp', 0xeb, relative(d, 1, 1));
    case 1:
      return d.emit('jmp', 0xe9, relative(d, d.bytesOfOperand, 1));
    default:
      return d.emit('jmp', 0xff, destination(d, 4));
  }
}

function call(random: Random) {
  const d = anySize(random, true);
  if (random.oneIn(2)) return d.emit('call', 0xe8, relative(d, d.bytesOfOperand, 1));
  return d.emit('call', 0xff, destination(d, 2));
}

function ret(random: Random) {
  const d = anySize(random, true);
  const offset = random.oneIn(20) ? random.word() : 0x1000 + random.below(0xe000);
  const at = (d.c.regs[ESP] & 0xffff) - WINDOW_AT;
  setMemory(d, at, offset, 4);
  if (d.operandSize === 16) setMemory(d, at, 0x1000 + random.below(0xe000), 2);
  return random.oneIn(2) ? d.emit('ret', 0xc3) : d.emit('ret', 0xc2, d.immediate(2));
}

function jcc(random: Random) {
  const d = anySize(random);
  const cc = random.below(16);
  if (random.oneIn(2)) return d.emit('jcc', 0x70 + cc, relative(d, 1, 1));
  return d.emit('jcc', 0x0f, 0x80 + cc, relative(d, d.bytesOfOperand, 2));
}

function loop(random: Random) {
  const d = anySize(random);
  if (random.oneIn(2)) d.c.regs[ECX] = random.oneIn(2) ? random.below(3) : random.below(3) | 0x50000;
  return d.emit('loop', 0xe0 + random.below(4), relative(d, 1, 1));
}

const STRING_OPCODES = [0xa4, 0xa6, 0xaa, 0xac, 0xae];

/** Up to a dozen elements within the windows, upward or downward; neighbouring bytes are often equal. */
function string(random: Random) {
  const { d, w, size } = byteOrWide(random);
  const { c } = d;
  if (random.oneIn(3)) c.flags |= DF;
  const opcode = random.pick(STRING_OPCODES) + w;
  const filler = random.pick([0, 1, 0xff]);
  for (const window of [c.data, c.stack]) {
    for (let k = 0; k < WINDOW; k++) if (!random.oneIn(12)) window[k] = filler;
  }
  if (random.oneIn(2))
    c.regs[EAX] = random.oneIn(2) ? filler * 0x01010101 : c.data[random.below(WINDOW)] * 0x01010101;
  const override = random.oneIn(6) ? random.pick([0x26, 0x36, 0x3e, 0x64]) : 0;
  if (override) d.prefix(override);
  const far = 12 * size;
  const place = () => {
    const room = c.flags & DF ? far - size + random.below(WINDOW - far) : random.below(WINDOW - far);
    return WINDOW_AT + room;
  };
  const upper = () => (d.addressSize === 16 ? random.word() & 0xffff0000 : 0);
  c.regs[ESI] = upper() | (place() - (override === 0x64 ? 0x100 : 0));
  c.regs[EDI] = upper() | place();
  // A run that starts two elements before the limit: the fault comes in the middle, the registers tell how far it got.
  if (!(c.flags & DF) && random.oneIn(16)) c.regs[EDI] = upper() | (0x10000 - 2 * size);
  if (!random.oneIn(3)) {
    d.prefix(random.pick([0xf2, 0xf3]));
    c.regs[ECX] = upper() | random.below(13);
  }
  return d.emit('string', opcode);
}

const SINGLE_FLAGS = [0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x9e, 0x9f, 0xd6, 0x90];

export const MOVEMENT: readonly Template[] = [
  template('mov', 1500, mov),
  template('movzx movsx', 800, (random) => {
    const d = anySize(random);
    const word = random.below(2);
    return d.emit('movx', 0x0f, random.pick([0xb6, 0xbe]) + word, modrm(d, random.below(8), 1 + word));
  }),
  template('lea', 600, (random) => {
    const d = anySize(random);
    return d.emit('lea', 0x8d, d.memory(random.below(8), 1));
  }),
  template('setcc', 600, (random) => {
    const d = anySize(random);
    return d.emit('setcc', 0x0f, 0x90 + random.below(16), modrm(d, random.below(8), 1));
  }),
  template('cmovcc', 600, (random) => {
    const d = anySize(random);
    return d.emit('cmovcc', 0x0f, 0x40 + random.below(16), modrm(d, random.below(8), d.bytesOfOperand));
  }),
  template('xchg', 500, xchg),
  template('xadd', 500, (random) => {
    const { d, w, size } = byteOrWide(random);
    return d.emit('xadd', 0x0f, 0xc0 + w, modrm(d, random.below(8), size, true));
  }),
  template('cmpxchg', 700, cmpxchg),
  template('cmpxchg8b', 200, cmpxchg8b),
  template('bswap', 150, (random) =>
    new Draft(random, { wide: true }).emit('bswap', 0x0f, 0xc8 + random.below(8)),
  ),
  template('xlat', 150, xlat),
  template('bound', 300, bound),
  template('push', 800, push),
  template('pop', 800, pop),
  template('pusha', 150, (random) => anySize(random, true).emit('pusha', 0x60)),
  template('popa', 150, (random) => anySize(random, true).emit('popa', 0x61)),
  template('enter', 400, enter),
  template('leave', 200, leave),
  template('stack-edge', 400, stackEdge),
  template('jmp', 500, jmp),
  template('call', 500, call),
  template('ret', 300, ret),
  template('jcc', 900, jcc),
  template('loop', 500, loop),
  template('string', 2500, string),
  template('flags', 400, (random) => anySize(random).emit('flags', random.pick(SINGLE_FLAGS))),
  template('nop', 60, (random) => {
    const d = anySize(random);
    return d.emit('nop', 0x0f, 0x1f, modrm(d, 0, d.bytesOfOperand));
  }),
];
