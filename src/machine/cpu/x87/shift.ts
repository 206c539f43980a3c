// A 64-bit significand shifted to the right into 96 bits, nothing of which is forgotten: the last bit is sticky.

/** The latest result: high word, low word, and the word behind. */
export const SHIFTED = new Int32Array(3);

/** Shifts `hi:lo` right by `shift` places, 0 or more, into SHIFTED. */
export function shiftRight(hi: number, lo: number, shift: number): void {
  if (shift === 0) {
    SHIFTED[0] = hi;
    SHIFTED[1] = lo;
    SHIFTED[2] = 0;
  } else if (shift < 32) {
    SHIFTED[0] = hi >>> shift;
    SHIFTED[1] = (lo >>> shift) | (hi << (32 - shift));
    SHIFTED[2] = lo << (32 - shift);
  } else if (shift < 64) {
    const s = shift - 32;
    SHIFTED[0] = 0;
    if (s === 0) {
      SHIFTED[1] = hi;
      SHIFTED[2] = lo;
    } else {
      SHIFTED[1] = hi >>> s;
      SHIFTED[2] = (lo >>> s) | (hi << (32 - s)) | (lo << (32 - s) !== 0 ? 1 : 0);
    }
  } else {
    const s = shift - 64;
    SHIFTED[0] = SHIFTED[1] = 0;
    if (s === 0) SHIFTED[2] = hi | (lo !== 0 ? 1 : 0);
    else if (s < 32) SHIFTED[2] = (hi >>> s) | (lo !== 0 || hi << (32 - s) !== 0 ? 1 : 0);
    else SHIFTED[2] = (hi | lo) !== 0 ? 1 : 0;
  }
}

/** Leading zeros of a 64-bit word pair that is not zero. */
export function leadingZeros(hi: number, lo: number): number {
  return hi !== 0 ? Math.clz32(hi) : 32 + Math.clz32(lo);
}
/** High word of a 64-bit shift to the left by 0..63. */
export function shiftedHigh(hi: number, lo: number, shift: number): number {
  if (shift === 0) return hi;
  if (shift < 32) return (hi << shift) | (lo >>> (32 - shift));
  return lo << (shift - 32);
}
/** Low word of it. */
export function shiftedLow(lo: number, shift: number): number {
  return shift < 32 ? lo << shift : 0;
}
