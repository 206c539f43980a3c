// Effective addresses: base, index, scale and displacement → ModRM, SIB and displacement bytes.
// Encoding: Intel SDM vol. 2 §2.1.5 tables 2-1 to 2-3. Choices among equal encodings: as NASM makes them (§3.3).
import { type Int, low32 } from '../int64.ts';
import type { Operand } from '../statement.ts';
import type { Base, Value } from '../value.ts';
import type { Register } from '../words.ts';

export interface Address {
  readonly size: 16 | 32;
  readonly mod: 0 | 1 | 2;
  readonly rm: number;
  /** -1: none. */
  readonly sib: number;
  /** Bytes of displacement. */
  readonly width: 0 | 1 | 2 | 4;
  readonly displacement: Int;
  readonly base: Base | null;
  /** No register: may be written as an absolute offset (mov al,[x]). */
  readonly absolute: boolean;
}

/** What is wrong, in words, with advice. */
export interface AddressFault {
  readonly message: string;
  readonly suggestion?: string;
}

const EBP = 5;
const ESP = 4;

/**
 * Encodes a memory operand whose expression is worth `value`. `bits` is the mode; `forced` the address size that a
 * prefix asks for, or 0. Returns the reason when there is no such address.
 */
export function effectiveAddress(
  operand: Operand,
  value: Value,
  bits: 16 | 32,
  forced: number,
): Address | AddressFault {
  let base: Register | null = null;
  let index: Register | null = null;
  let scale = 0;
  let section: Base | null = null;
  for (const { of, times } of value.terms) {
    if (of.type === 'base') {
      if (section || times !== 1)
        return { message: 'this address mixes labels in a way that no displacement can express' };
      section = of;
    } else if (of.class !== 'general' || of.size === 8) {
      return { message: `\`${of.name}\` cannot be part of an address` };
    } else if (times === 1 && !base) {
      base = of;
    } else if (!index) {
      index = of;
      scale = Number(times);
    } else {
      return { message: 'an address has at most two registers' };
    }
  }
  const wide = base?.size === 32 || index?.size === 32;
  const narrow = base?.size === 16 || index?.size === 16;
  if (wide && narrow) return { message: 'an address cannot mix 16-bit and 32-bit registers' };
  const size = sizeOf(operand, wide, narrow, bits, forced);
  if (size === 0)
    return { message: `these registers need a ${wide ? 32 : 16}-bit address, and the prefix says otherwise` };
  const place = { displacement: value.n, base: section, unknown: value.unknown };
  return size === 16
    ? encode16(operand, base, index, scale, place)
    : encode32(operand, base, index, scale, place);
}

export function isFault(address: Address | AddressFault): address is AddressFault {
  return 'message' in address;
}

function sizeOf(
  operand: Operand,
  wide: boolean,
  narrow: boolean,
  bits: 16 | 32,
  forced: number,
): 16 | 32 | 0 {
  let allowed16 = forced !== 32;
  let allowed32 = forced !== 16;
  if (wide || narrow) {
    if (wide) allowed16 = false;
    else allowed32 = false;
  } else if (operand.displacementSize > 8) {
    if (operand.displacementSize === 16) allowed32 = false;
    else allowed16 = false;
  }
  if (bits === 16) return allowed16 ? 16 : allowed32 ? 32 : 0;
  return allowed32 ? 32 : allowed16 ? 16 : 0;
}

interface Place {
  readonly displacement: Int;
  readonly base: Base | null;
  readonly unknown: boolean;
}

/** The shortest displacement that does: none, one byte, or all. */
function modFor(operand: Operand, place: Place, size: 16 | 32, needsOne: boolean): 0 | 1 | 2 {
  const asked = operand.displacementSize;
  const raw = low32(place.displacement);
  const signed = size === 16 ? (raw << 16) >> 16 : raw | 0;
  const known = !place.base && !place.unknown;
  if (known && asked === 0 && signed === 0 && !needsOne) return 0;
  if (asked === 8) return 1;
  return known && asked === 0 && signed >= -128 && signed <= 127 ? 1 : 2;
}

/** ModRM.rm of a 16-bit address by its registers: BX 3, BP 5, SI 6, DI 7 (SDM table 2-1). */
const RM16 = new Map<string, number>([
  ['bx+si', 0],
  ['bx+di', 1],
  ['bp+si', 2],
  ['bp+di', 3],
  ['si', 4],
  ['di', 5],
  ['bp', 6],
  ['bx', 7],
]);

function encode16(
  operand: Operand,
  first: Register | null,
  second: Register | null,
  scale: number,
  place: Place,
): Address | AddressFault {
  const common = { size: 16 as const, sib: -1, displacement: place.displacement, base: place.base };
  if (!first && !second) return { ...common, mod: 0, rm: 6, width: 2, absolute: true };
  if (second && scale !== 1)
    return { message: 'a 16-bit address has no scale', suggestion: 'use 32-bit registers: `[eax*2]`' };
  const names = [first, second].flatMap((r) => (r ? [r.name] : []));
  if (names.length === 2 && (names[0] === 'si' || names[0] === 'di')) names.reverse();
  const rm = RM16.get(names.join('+'));
  if (rm === undefined) {
    return {
      message: `\`[${names.join('+')}]\` is not a 16-bit address`,
      suggestion: 'bx or bp, si or di, or one of each pair',
    };
  }
  const mod = modFor(operand, place, 16, rm === 6);
  return { ...common, mod, rm, width: mod, absolute: false };
}

function encode32(
  operand: Operand,
  first: Register | null,
  second: Register | null,
  times: number,
  place: Place,
): Address | AddressFault {
  const common = { size: 32 as const, displacement: place.displacement, base: place.base };
  let base = first;
  let index = second;
  let scale = times;
  const { hint } = operand;
  const hinted = (register: Register | null, kind: 'base' | 'index') =>
    hint !== null && register !== null && hint.kind === kind && hint.register === register;

  if (scale === 1 && base && index && base !== index && (hinted(base, 'index') || hinted(index, 'base')))
    [base, index] = [index, base];
  if (base && base === index) {
    base = null;
    scale++;
  }
  if (!base && index && scale === 1 && !hinted(index, 'index')) {
    base = index;
    index = null;
  }
  // [eax*2] is shorter as [eax+eax], and [eax*3] is [eax+eax*2].
  const summed = hint?.kind === 'none' && !base;
  const splits =
    (scale === 2 && index?.number !== ESP && (!operand.nosplit || summed)) || [3, 5, 9].includes(scale);
  if (!base && index && splits) {
    base = index;
    scale--;
  }
  if (!index && base && base.number !== ESP && operand.nosplit && hinted(base, 'index')) {
    index = base;
    base = null;
    scale = 1;
  }
  if (index?.number === ESP && scale === 1) [base, index] = [index, base];
  if (index && (index.number === ESP || ![1, 2, 4, 8].includes(scale))) {
    if (index.number === ESP) return { message: '`esp` cannot be an index', suggestion: 'make it the base' };
    return { message: `a scale of ${scale} does not exist`, suggestion: 'scales are 1, 2, 4 and 8' };
  }

  if (!base && !index) return { ...common, mod: 0, rm: 5, sib: -1, width: 4, absolute: true };
  const shift = index ? Math.log2(scale) : 0;
  if (!base)
    return {
      ...common,
      mod: 0,
      rm: 4,
      sib: (shift << 6) | (index!.number << 3) | 5,
      width: 4,
      absolute: false,
    };
  const mod = modFor(operand, place, 32, base.number === EBP);
  const width = mod === 2 ? 4 : mod;
  if (!index && base.number !== ESP)
    return { ...common, mod, rm: base.number, sib: -1, width, absolute: false };
  const sib = (shift << 6) | ((index ? index.number : 4) << 3) | base.number;
  return { ...common, mod, rm: 4, sib, width, absolute: false };
}
