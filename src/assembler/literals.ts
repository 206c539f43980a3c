// Numbers, strings and floating-point constants (NASM manual §3.4): spelling → value.
import { fromBig, type Int } from './int64.ts';

const RADIX: Record<string, number> = { b: 2, y: 2, o: 8, q: 8, d: 10, t: 10, h: 16, x: 16 };

/** The value of a number as NASM reads it (`0x1f $1f 1fh 0b11 17q 1_000`), or null when it is not one. */
export function parseNumber(text: string): Int | null {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  let digits = text.toLowerCase();
  let radix = 10;
  const prefix =
    digits.length > 2 && digits[0] === '0' ? (RADIX[digits[1]] ?? 0) : digits[0] === '$' ? 16 : 0;
  const suffix = digits.length > 1 ? (RADIX[digits[digits.length - 1]] ?? 0) : 0;
  // The larger radix wins: `0b1h` is hexadecimal, `0x1b` too.
  if (prefix > suffix) {
    radix = prefix;
    digits = digits.slice(digits[0] === '$' ? 1 : 2);
  } else if (suffix > prefix) {
    radix = suffix;
    digits = digits.slice(0, -1);
  }
  if (digits[0] === '_') return null;
  digits = digits.replaceAll('_', '');
  if (digits === '' || digits.length > 70) return null;
  let value = 0n;
  let small = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digitValue(digits.charCodeAt(i));
    if (digit < 0 || digit >= radix) return null;
    if (digits.length <= 11) small = small * radix + digit;
    else value = value * BigInt(radix) + BigInt(digit);
  }
  return digits.length <= 11 ? small : fromBig(value);
}

function digitValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 122) return code - 87;
  return -1;
}

/** True for `1.5`, `1e10`: a floating-point constant, allowed in dw dd dq only. */
export function isFloat(text: string): boolean {
  return /^\d[\d_]*(\.[\d_]*(e[+-]?\d+)?|e[+-]?\d+)$/i.test(text);
}

/** IEEE bytes of a floating-point constant in 1, 2, 4 or 8 bytes. */
export function floatBytes(text: string, negative: boolean, size: number): number[] {
  const value = Number(text.replaceAll('_', '')) * (negative ? -1 : 1);
  if (size < 4) {
    const bits = size === 1 ? smallFloat(value, 4, 3) : smallFloat(value, 5, 10);
    return Array.from({ length: size }, (_, i) => (bits >> (8 * i)) & 255);
  }
  const view = new DataView(new ArrayBuffer(8));
  if (size === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return Array.from({ length: size }, (_, i) => view.getUint8(i));
}

/** The bits of a narrow float (IEEE 754 interchange layout), rounded to nearest, ties to even. */
function smallFloat(value: number, exponentBits: number, fractionBits: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 1 << (exponentBits + fractionBits) : 0;
  const magnitude = Math.abs(value);
  const bias = 2 ** (exponentBits - 1) - 1;
  if (magnitude === 0) return sign;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), 1 - bias);
  const steps = magnitude / 2 ** (exponent - fractionBits);
  let rounded = Math.round(steps);
  if (rounded - steps === 0.5 && rounded % 2 === 1) rounded--;
  // A carry out of the fraction raises the exponent by itself, because the fields are adjacent.
  const bits = rounded + (exponent + bias - 1) * 2 ** fractionBits;
  const infinity = (2 ** exponentBits - 1) * 2 ** fractionBits;
  return sign | Math.min(bits, infinity);
}

const SIMPLE_ESCAPES: Record<string, number> = {
  a: 7,
  b: 8,
  e: 27,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

/** The bytes of a quoted string: UTF-8, escapes only in backquotes. */
export function stringBytes(quoted: string): number[] {
  const text = quoted.slice(1, -1);
  const bytes: number[] = [];
  const escapes = quoted[0] === '`';
  for (let i = 0; i < text.length; ) {
    if (escapes && text[i] === '\\') {
      i = readEscape(text, i + 1, bytes);
    } else {
      const point = text.codePointAt(i)!;
      utf8(point, bytes);
      i += point > 0xffff ? 2 : 1;
    }
  }
  return bytes;
}

/** Reads one escape sequence after the backslash; returns the index after it. */
function readEscape(text: string, i: number, bytes: number[]): number {
  const letter = text[i] ?? '';
  if (letter in SIMPLE_ESCAPES) {
    bytes.push(SIMPLE_ESCAPES[letter]);
    return i + 1;
  }
  const octal = /^[0-7]{1,3}/.exec(text.slice(i, i + 3));
  if (octal) {
    bytes.push(Number.parseInt(octal[0], 8) & 255);
    return i + octal[0].length;
  }
  const digits = letter === 'x' ? 2 : letter === 'u' ? 4 : letter === 'U' ? 8 : 0;
  const hex = digits > 0 ? /^[0-9a-fA-F]+/.exec(text.slice(i + 1, i + 1 + digits)) : null;
  if (hex) {
    const value = Number.parseInt(hex[0], 16);
    if (letter === 'x') bytes.push(value);
    else utf8(value, bytes);
    return i + 1 + hex[0].length;
  }
  if (letter === '') return i;
  const point = text.codePointAt(i)!;
  utf8(point, bytes);
  return i + (point > 0xffff ? 2 : 1);
}

function utf8(point: number, bytes: number[]): void {
  if (point < 0x80) bytes.push(point);
  else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
  else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
  else
    bytes.push(
      0xf0 | ((point >> 18) & 7),
      0x80 | ((point >> 12) & 63),
      0x80 | ((point >> 6) & 63),
      0x80 | (point & 63),
    );
}

/** A string used as a number: its first eight bytes, the first in the lowest place (NASM manual §3.4.3). */
export function stringValue(bytes: readonly number[]): Int {
  if (bytes.length <= 4) return bytes.reduce((sum, byte, i) => sum + byte * 256 ** i, 0);
  return fromBig(bytes.slice(0, 8).reduce((sum, byte, i) => sum | (BigInt(byte) << BigInt(8 * i)), 0n));
}

/** Quotes text so that it reads back as the same bytes. */
export function quote(text: string): string {
  if (!text.includes("'")) return `'${text}'`;
  if (!text.includes('"')) return `"${text}"`;
  return `\`${text.replace(/[\\`]/g, '\\$&')}\``;
}
