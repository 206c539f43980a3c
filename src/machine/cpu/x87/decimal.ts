// Packed decimals (SDM vol. 1 §4.7): eighteen digits, two a byte from the lowest, and a sign byte. A slot holds the ten bytes of
// memory as low word, high word and the two upper bytes.
import { fromInt64, toInteger } from './convert.ts';
import { C1, IE, PE, RESULT, SIGN, type X87 } from './state.ts';

/** The number of `count` decimal digits in a packed word; digits above nine count for what they are. */
function digits(packed: number, count: number): number {
  let value = 0;
  for (let n = count - 1; n >= 0; n--) value = value * 10 + ((packed >>> (4 * n)) & 15);
  return value;
}

/** A packed decimal into a slot. @param top bytes 8 and 9: two digits and the sign */
export function fromDecimal(f: X87, slot: number, top: number, hi: number, lo: number): void {
  const value =
    BigInt(digits(top & 0xff, 2)) * 10n ** 16n + BigInt(digits(hi, 8)) * 10n ** 8n + BigInt(digits(lo, 8));
  fromInt64(f, slot, Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value)));
  if (top & SIGN) f.se[slot] |= SIGN;
}

function packed(value: bigint, count: number): number {
  let word = 0;
  let rest = Number(value);
  for (let n = 0; n < count; n++) {
    word |= (rest % 10) << (4 * n);
    rest = Math.floor(rest / 10);
  }
  return word;
}

/** RESULT = the ten bytes of the packed decimal nearest to a slot; more than eighteen digits are invalid. */
export function toDecimal(f: X87, slot: number): void {
  toInteger(f, slot, 64);
  const value = (BigInt(f.outHi) << 32n) | BigInt(f.outLo >>> 0);
  const magnitude = value < 0n ? -value : value;
  if (f.raised & IE || magnitude >= 10n ** 18n) {
    f.raised = (f.raised & ~(PE | C1)) | IE;
    f.set(RESULT, 0xffff, 0xc0000000 | 0, 0);
    return;
  }
  f.set(
    RESULT,
    (f.se[slot] & SIGN) | packed(magnitude / 10n ** 16n, 2),
    packed((magnitude / 10n ** 8n) % 10n ** 8n, 8),
    packed(magnitude % 10n ** 8n, 8),
  );
}
