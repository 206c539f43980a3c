// Reproducible random values for test cases: xorshift32, with a taste for the values at which arithmetic goes wrong.

const INTERESTING = [
  0, 1, 2, 3, 0x0f, 0x10, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x7fffffff,
  0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0xffff8000, 0xffffff80, 0x55555555, 0xaaaaaaaa, 0x99999999,
  0x09090909,
];

export class Random {
  private state: number;

  /** @param seed not zero */
  constructor(seed: number) {
    this.state = seed | 0 || 1;
  }

  /** uint32, evenly distributed. */
  word(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }

  /** 0 … n-1. */
  below(n: number): number {
    return Math.floor((this.word() / 2 ** 32) * n);
  }

  /** True once in `n` times on average. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }

  /** uint32: half of the time a value at the edge of some size. */
  value(): number {
    if (this.oneIn(2)) return this.word();
    const v = this.pick(INTERESTING);
    return this.oneIn(4) ? (v ^ (this.below(16) << this.below(28))) >>> 0 : v;
  }
}
