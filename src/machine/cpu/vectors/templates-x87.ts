// Case templates of the floating-point unit: every instruction that computes, with registers and memory of all classes, all
// control words, full and empty registers. Encodings are written from the manual, not with our own table.
import type { Random } from './random.ts';
import { AT, freshState, type X87Case } from './x87-case.ts';
import { double, type Extended, extended, normal, single } from './x87-values.ts';

export interface X87Template {
  readonly name: string;
  readonly count: number;
  make(random: Random): X87Case;
}

/** What a template may write to. */
class Draft {
  readonly state: Uint8Array;
  private readonly view: DataView;
  top: number;

  constructor(readonly random: Random) {
    this.state = freshState(random);
    this.view = new DataView(this.state.buffer);
    this.top = random.below(8);
    for (let r = 0; r < 8; r++) this.put(r, extended(random));
    // Rounding and precision of all kinds; masks mostly set.
    const masks = random.oneIn(4) ? random.below(64) : 0x3f;
    const precision = random.oneIn(2) ? 3 : random.pick([0, 2, 3]);
    this.view.setUint16(AT.control, 0x40 | masks | (precision << 8) | (random.below(4) << 10), true);
    // Condition codes of all kinds; exceptions pending here and there, most of them masked.
    let status = random.word() & 0x4700;
    if (random.oneIn(3)) status |= random.word() & (random.oneIn(12) ? 0x7f : masks | 0x40);
    this.status = status;
    this.state[AT.tags] = random.oneIn(6) ? random.word() : 0xff;
    this.state[AT.tags + 1] = 0;
  }

  set status(value: number) {
    const pending = value & ~this.view.getUint16(AT.control, true) & 0x3f;
    this.view.setUint16(AT.status, value | (this.top << 11) | (pending ? 0x8080 : 0), true);
  }

  /** Physical register. */
  put(register: number, [se, hi, lo]: Extended): void {
    const at = AT.st + 10 * register;
    this.view.setUint32(at, lo, true);
    this.view.setUint32(at + 4, hi, true);
    this.view.setUint16(at + 8, se, true);
  }

  st(n: number, value: Extended): void {
    this.put((this.top + n) & 7, value);
  }

  /** Makes ST(n) full or empty. */
  occupy(n: number, full: boolean): void {
    const bit = 1 << ((this.top + n) & 7);
    if (full) this.state[AT.tags] |= bit;
    else this.state[AT.tags] &= ~bit;
  }

  /** Mostly room for a push. */
  room(): void {
    if (!this.random.oneIn(8)) this.occupy(7, false);
  }

  memory(...words: number[]): void {
    words.forEach((word, n) => this.view.setUint32(AT.memory + 4 * n, word >>> 0, true));
  }

  set control(value: number) {
    this.view.setUint16(AT.control, value, true);
  }
  get control(): number {
    return this.view.getUint16(AT.control, true);
  }

  done(name: string, ...bytes: number[]): X87Case {
    return { name, bytes, state: this.state };
  }
}

/** A near relation of `value`: equal, one place or one exponent off, other sign: for cancellation and comparison. */
function near(random: Random, [se, hi, lo]: Extended): Extended {
  const exponent = se & 0x7fff;
  const moved =
    exponent > 70 && exponent < 0x7fb0 ? se + random.pick([-1, 0, 0, 0, 1, -63, -64, -65, 64]) : se;
  const sign = random.oneIn(2) ? 0x8000 : 0;
  return [moved ^ sign, hi, random.oneIn(2) ? lo : (lo ^ (1 << random.below(32))) >>> 0];
}

/** Two operands: each of any class, or related. */
function pair(d: Draft, a: number, b: number): void {
  const value = extended(d.random);
  d.st(a, value);
  d.st(b, d.random.oneIn(4) ? near(d.random, value) : extended(d.random));
}

const ARITHMETIC = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'];
/** ModRM with [ebx] as the operand. */
const memory = (digit: number): number => (digit << 3) | 3;

function memoryOperand(d: Draft, opcode: number): void {
  const { random } = d;
  if (opcode === 0xd8 || opcode === 0xd9) d.memory(single(random));
  else if (opcode === 0xdc || opcode === 0xdd) {
    const [hi, lo] = double(random);
    d.memory(lo, hi);
  } else d.memory(random.value(), random.value());
}

const templates: X87Template[] = [];

function template(name: string, count: number, make: (d: Draft) => X87Case): void {
  templates.push({ name, count, make: (random) => make(new Draft(random)) });
}

ARITHMETIC.forEach((name, digit) => {
  template(`${name} st0,sti`, 1600, (d) => {
    const i = d.random.oneIn(8) ? 0 : 1 + d.random.below(7);
    pair(d, 0, i);
    return d.done(`${name} st0,sti`, 0xd8, 0xc0 | (digit << 3) | i);
  });
  for (const opcode of [0xd8, 0xda, 0xdc, 0xde]) {
    template(`${name} memory`, 400, (d) => {
      memoryOperand(d, opcode);
      return d.done(`${name} memory ${opcode.toString(16)}`, opcode, memory(digit));
    });
  }
  if (digit === 2 || digit === 3) return;
  for (const opcode of [0xdc, 0xde]) {
    template(`${name} sti,st0`, 500, (d) => {
      const i = d.random.oneIn(8) ? 0 : 1 + d.random.below(7);
      pair(d, 0, i);
      return d.done(`${name} sti,st0 ${opcode.toString(16)}`, opcode, 0xc0 | (digit << 3) | i);
    });
  }
});

/** Register comparisons that are not in D8. */
for (const [name, opcode, base] of [
  ['fcompp', 0xde, 0xd9],
  ['fucompp', 0xda, 0xe9],
  ['fucom', 0xdd, 0xe0],
  ['fucomp', 0xdd, 0xe8],
  ['fcomi', 0xdb, 0xf0],
  ['fcomip', 0xdf, 0xf0],
  ['fucomi', 0xdb, 0xe8],
  ['fucomip', 0xdf, 0xe8],
] as const) {
  template(name, 500, (d) => {
    const i = base & 1 ? 1 : d.random.below(8);
    pair(d, 0, i);
    return d.done(name, opcode, base | i);
  });
}

for (const [name, second, count] of [
  ['fchs', 0xe0, 200],
  ['fabs', 0xe1, 200],
  ['ftst', 0xe4, 400],
  ['fxam', 0xe5, 400],
  ['fsqrt', 0xfa, 2500],
  ['frndint', 0xfc, 1000],
  ['fnop', 0xd0, 100],
  ['fincstp', 0xf7, 100],
  ['fdecstp', 0xf6, 100],
] as const) {
  template(name, count, (d) => d.done(name, 0xd9, second));
}

template('fxtract', 600, (d) => {
  d.room();
  return d.done('fxtract', 0xd9, 0xf4);
});
for (const [name, second] of [
  ['fprem', 0xf8],
  ['fprem1', 0xf5],
  ['fscale', 0xfd],
] as const) {
  template(name, 1500, (d) => {
    const { random } = d;
    const value = extended(random);
    d.st(0, value);
    const exponent = value[0] & 0x7fff;
    const other = extended(random);
    // Often exponents near each other, so that the quotient has few bits.
    if (second !== 0xfd && random.oneIn(2))
      d.st(1, [
        (other[0] & 0x8000) | Math.max(1, exponent - random.below(80) + 4),
        (other[1] | 0x80000000) >>> 0,
        other[2],
      ]);
    else if (second === 0xfd && random.oneIn(2))
      d.st(1, [(other[0] & 0x8000) | (0x3fff + random.below(17)), (other[1] | 0x80000000) >>> 0, other[2]]);
    return d.done(name, 0xd9, second);
  });
}
for (let n = 0xe8; n <= 0xee; n++) {
  template('constants', 40, (d) => {
    d.room();
    return d.done('constants', 0xd9, n);
  });
}

/** Pushes. */
for (const [name, opcode, digit, count] of [
  ['fld m32', 0xd9, 0, 600],
  ['fld m64', 0xdd, 0, 600],
  ['fild m16', 0xdf, 0, 200],
  ['fild m32', 0xdb, 0, 300],
  ['fild m64', 0xdf, 5, 400],
] as const) {
  template(name, count, (d) => {
    d.room();
    memoryOperand(d, opcode);
    return d.done(name, opcode, memory(digit));
  });
}
template('fld m80', 300, (d) => {
  d.room();
  const [se, hi, lo] = extended(d.random);
  d.memory(lo, hi, se);
  return d.done('fld m80', 0xdb, memory(5));
});
template('fbld', 300, (d) => {
  d.room();
  const digit = () => d.random.below(10);
  const packed = (count: number) =>
    Array.from({ length: count }, digit).reduce((word, n) => word * 16 + n, 0);
  d.memory(packed(8), d.random.oneIn(4) ? 0 : packed(8), packed(2) | (d.random.below(2) << 15));
  return d.done('fbld', 0xdf, memory(4));
});
template('fld sti', 300, (d) => {
  if (!d.random.oneIn(6)) d.occupy(7, false);
  return d.done('fld sti', 0xd9, 0xc0 | d.random.below(8));
});

/** Stores. */
for (const [name, opcode, digit, count] of [
  ['fst m32', 0xd9, 2, 1200],
  ['fstp m32', 0xd9, 3, 600],
  ['fst m64', 0xdd, 2, 1200],
  ['fstp m64', 0xdd, 3, 600],
  ['fstp m80', 0xdb, 7, 200],
  ['fist m16', 0xdf, 2, 500],
  ['fistp m16', 0xdf, 3, 300],
  ['fist m32', 0xdb, 2, 700],
  ['fistp m32', 0xdb, 3, 400],
  ['fistp m64', 0xdf, 7, 1000],
  ['fbstp', 0xdf, 6, 800],
] as const) {
  template(name, count, (d) => d.done(name, opcode, memory(digit)));
}
for (const [name, opcode, base] of [
  ['fst sti', 0xdd, 0xd0],
  ['fstp sti', 0xdd, 0xd8],
  ['fxch', 0xd9, 0xc8],
  ['ffree', 0xdd, 0xc0],
  ['ffreep', 0xdf, 0xc0],
  ['fcmovb', 0xda, 0xc0],
  ['fcmove', 0xda, 0xc8],
  ['fcmovbe', 0xda, 0xd0],
  ['fcmovu', 0xda, 0xd8],
  ['fcmovnb', 0xdb, 0xc0],
  ['fcmovne', 0xdb, 0xc8],
  ['fcmovnbe', 0xdb, 0xd0],
  ['fcmovnu', 0xdb, 0xd8],
] as const) {
  template(name, 200, (d) => d.done(name, opcode, base | d.random.below(8)));
}

/** The unit itself. The pointers in an environment are not compared (newer processors do not keep selectors). */
for (const [name, bytes] of [
  ['fninit', [0xdb, 0xe3]],
  ['fnclex', [0xdb, 0xe2]],
  ['fnstsw ax', [0xdf, 0xe0]],
  ['fnstsw m16', [0xdd, memory(7)]],
  ['fnstcw', [0xd9, memory(7)]],
  ['fwait', [0x9b]],
] as const) {
  template(name, 150, (d) => d.done(name, ...bytes));
}
template('fldcw', 300, (d) => {
  d.memory(d.random.word());
  return d.done('fldcw', 0xd9, memory(5));
});
for (const [name, opcode, digit] of [
  ['fnstenv', 0xd9, 6],
  ['fnsave', 0xdd, 6],
  ['fldenv', 0xd9, 4],
  ['frstor', 0xdd, 4],
] as const) {
  for (const prefix of [[], [0x66]]) {
    template(name, 150, (d) => d.done(name, ...prefix, opcode, memory(digit)));
  }
}

export const X87_TEMPLATES: readonly X87Template[] = templates;

const functions: X87Template[] = [];

function functionTemplate(name: string, count: number, second: number, make: (d: Draft) => void): void {
  functions.push({
    name,
    count,
    make: (random) => {
      const d = new Draft(random);
      // What the masks do is the business of the other templates; results of these are compared to the last place but one.
      make(d);
      return d.done(name, 0xd9, second);
    },
  });
}

const trigonometric = (d: Draft): void => {
  d.room();
  if (!d.random.oneIn(8)) d.st(0, normal(d.random, 0x3fff, d.random.pick([2, 10, 63])));
};
functionTemplate('fsin', 600, 0xfe, trigonometric);
functionTemplate('fcos', 600, 0xff, trigonometric);
functionTemplate('fsincos', 500, 0xfb, trigonometric);
functionTemplate('fptan', 500, 0xf2, trigonometric);
functionTemplate('fpatan', 1000, 0xf3, (d) => {
  if (d.random.oneIn(2)) pair(d, 0, 1);
});
functionTemplate('f2xm1', 600, 0xf0, (d) => {
  // Beyond ±1 the manual promises nothing.
  const [se, hi, lo] = normal(d.random, 0x3fff - d.random.pick([1, 5, 60, 8000]), 60);
  if (d.random.oneIn(10))
    d.st(
      0,
      d.random.pick<Extended>([
        [se & 0x8000, 0, 0],
        [se & 0x8000, hi >>> 1, lo],
        [0x3fff, 0x80000000, 0],
        [0xbfff, 0x80000000, 0],
        [0x7fff, 0xc0000000, 0],
      ]),
    );
  else d.st(0, [(se & 0x8000) | Math.min(se & 0x7fff, 0x3ffe), hi, lo]);
});
functionTemplate('fyl2x', 1200, 0xf1, (d) => {
  if (d.random.oneIn(3)) d.st(0, normal(d.random, 0x3fff, 1));
});
functionTemplate('fyl2xp1', 800, 0xf9, (d) => {
  const [se, hi, lo] = normal(d.random, 0x3ffe - d.random.pick([2, 20, 60, 8000]), 60);
  if (d.random.oneIn(10))
    d.st(
      0,
      d.random.pick<Extended>([
        [se & 0x8000, 0, 0],
        [se & 0x8000, hi >>> 1, lo],
        [0x7fff, 0xc0000000, 0],
      ]),
    );
  else d.st(0, [(se & 0x8000) | Math.min(se & 0x7fff, 0x3ffc), hi, lo]);
});

/** The transcendental instructions, which processors round to within one unit of the last place. */
export const FUNCTION_TEMPLATES: readonly X87Template[] = functions;
