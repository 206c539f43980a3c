// Random values of all classes for the floating-point unit, with a taste for those at which arithmetic goes wrong.
import type { Random } from './random.ts';

/** Sign and exponent, high word, low word. */
export type Extended = readonly [number, number, number];

const SIGN = 0x8000;

/** A significand: any, few bits at the top, long runs, or near the places where 24, 53 and 64 bits end. */
function significand(random: Random): [number, number] {
  switch (random.below(8)) {
    case 0:
      return [0x80000000, 0];
    case 1:
      return [(0x80000000 | (random.word() & (~0 << random.below(31)))) >>> 0, 0];
    case 2:
      return [0xffffffff, (~0 << random.below(32)) >>> 0];
    case 3: {
      // A tie at 24 or 53 bits, or one off.
      const off = random.below(3) - 1;
      if (random.oneIn(2)) return [((0x80000000 | (random.word() & ~0xff)) >>> 0) + 0x80, off >>> 0];
      return [(0x80000000 | random.word()) >>> 0, ((random.word() & ~0x7ff) + 0x400 + off) >>> 0];
    }
    case 4:
      return [0x80000000, (1 << random.below(32)) >>> 0];
    case 5:
      return [0xffffffff, (0xfffffff0 | random.below(16)) >>> 0];
    default:
      return [(0x80000000 | random.word()) >>> 0, random.word()];
  }
}

/** A normal number whose exponent lies within `spread` of `centre`. */
export function normal(random: Random, centre = 0x3fff, spread = 70): Extended {
  const exponent = Math.min(0x7ffe, Math.max(1, centre + random.below(2 * spread + 1) - spread));
  const [hi, lo] = significand(random);
  return [exponent | (random.below(2) * SIGN), hi, lo];
}

/** A small integer, or a half. */
function integer(random: Random): Extended {
  const value = random.below(1 << random.below(20)) + (random.oneIn(2) ? 0.5 : 0);
  return fromNumber(random.oneIn(2) ? value : -value);
}

/** A double as it is. */
export function fromNumber(value: number): Extended {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const sign = Number(bits >> 63n) * SIGN;
  const fraction = (bits & 0xfffffffffffffn) << 11n;
  if (exponent === 0) return [sign, 0, 0];
  const m = fraction | (1n << 63n);
  return [sign | (exponent - 1023 + 0x3fff), Number(m >> 32n), Number(m & 0xffffffffn)];
}

/** Anything: mostly numbers, and every special class often enough. */
export function extended(random: Random): Extended {
  const sign = random.below(2) * SIGN;
  const word = random.word();
  switch (random.below(32)) {
    case 0:
      return [sign, 0, 0];
    case 1:
      return [sign | 0x7fff, 0x80000000, 0];
    case 2:
      return [sign | 0x7fff, (0xc0000000 | word) >>> 0, random.oneIn(2) ? 0 : random.word()];
    case 3:
      return [
        sign | 0x7fff,
        ((word & 0x3fffffff) | 0x80000000) >>> 0,
        random.oneIn(2) ? 1 : random.word() | 1,
      ];
    case 4:
      // Unnormals, pseudo-NaNs, pseudo-infinities.
      return [
        sign | (random.oneIn(2) ? 0x7fff : 1 + random.below(0x7ffe)),
        word & 0x7fffffff,
        random.oneIn(2) ? 0 : random.word(),
      ];
    case 5:
      return [sign, (word & 0x7fffffff) >>> random.below(31), random.word()];
    case 6:
      return [sign, random.oneIn(4) ? 0 : (0x80000000 | word) >>> 0, random.word()];
    case 7:
      return normal(random, 1, 70);
    case 8:
      return normal(random, 0x7ffe, 70);
    case 9:
      return normal(random, 0x3fff, 0x4000);
    case 10:
      return normal(random, 0x3fff - (random.oneIn(2) ? 16446 / 2 : 8192), 64);
    case 11:
      return normal(random, 0x3fff + 8191, 3);
    case 12:
    case 13:
    case 14:
      return integer(random);
    case 15:
      return normal(random, 0x3fff + 63, 3);
    case 16:
      // Around the ends of single and double.
      return normal(random, 0x3fff + random.pick([-1074, -1022, -149, -126, 127, 1023]), 3);
    case 17:
      return normal(random, 0x3fff + random.pick([15, 31, 63]), 1);
    default:
      return normal(random, 0x3fff, random.pick([1, 3, 30, 70]));
  }
}

/** Bits of a single: any class. */
export function single(random: Random): number {
  const sign = random.below(2) * 0x80000000;
  const fraction = random.word() & 0x7fffff;
  switch (random.below(12)) {
    case 0:
      return sign;
    case 1:
      return sign + 0x7f800000;
    case 2:
      return sign + 0x7fc00000 + (fraction & 0x3fffff);
    case 3:
      return sign + 0x7f800001 + (fraction & 0x3ffffe);
    case 4:
      return sign + (fraction >>> random.below(23));
    case 5:
      return random.word();
    default:
      return (
        sign + (127 + random.below(40) - 20) * 0x800000 + (random.oneIn(2) ? fraction : fraction & 0x700000)
      );
  }
}

/** Words of a double, high and low: any class. */
export function double(random: Random): [number, number] {
  const sign = random.below(2) * 0x80000000;
  const fraction = random.word() & 0xfffff;
  const low = random.oneIn(3) ? 0 : random.word();
  switch (random.below(12)) {
    case 0:
      return [sign, 0];
    case 1:
      return [sign + 0x7ff00000, 0];
    case 2:
      return [sign + 0x7ff80000 + (fraction & 0x7ffff), low];
    case 3:
      return [sign + 0x7ff00000 + (fraction & 0x7ffff), low | 1];
    case 4:
      return [sign + (fraction >>> random.below(20)), low];
    case 5:
      return [random.word(), random.word()];
    default:
      return [sign + (1023 + random.below(80) - 40) * 0x100000 + fraction, low];
  }
}
