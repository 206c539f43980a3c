// Effective addresses: base, index, scale and displacement → ModRM, SIB and displacement bytes.
// Encoding: Intel SDM vol. 2 §2.1.5 tables 2-1 to 2-3. Choices among equal encodings: as NASM makes them (§3.3).
import type { Hint } from '../expression.ts';
import { type Int, low32 } from '../int64.ts';
import type { Operand } from '../statement.ts';
import type { Base, Value } from '../value.ts';
import type { Register } from '../words.ts';

export class Address {
  constructor(
    readonly size: 16 | 32,
    readonly mod: 0 | 1 | 2,
    readonly rm: number,
    /** -1: none. */
    readonly sib: number,
    /** Bytes of displacement. */
    readonly width: 0 | 1 | 2 | 4,
    readonly displacement: Int,
    readonly base: Base | null,
  ) {}

  /** No register: may be written as an absolute offset (mov al,[x]). */
  get absolute(): boolean {
    return this.mod === 0 && this.sib < 0 && this.rm === (this.size === 16 ? 6 : 5);
  }
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
 * prefix asks for, or 0; `hint` is what evaluation left. Returns the reason when there is no such address.
 */
export function effectiveAddress(
  operand: Operand,
  value: Value,
  hint: Hint,
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
  if ((base || index) && operand.displacementSize > 8 && operand.displacementSize !== size)
    return {
      message: `a ${operand.displacementSize}-bit displacement cannot go with ${size}-bit registers`,
      suggestion: `\`[${size === 16 ? 'word' : 'dword'} …]\``,
    };
  const place = { displacement: value.n, base: section, unknown: value.unknown };
  return size === 16
    ? encode16(operand, base, index, scale, place)
    : encode32(operand, base, index, scale, place, hint);
}

export function isFault(address: Address | AddressFault): address is AddressFault {
  return !(address instanceof Address);
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
  if (!first && !second) return new Address(16, 0, 6, -1, 2, place.displacement, place.base);
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
  return new Address(16, mod, rm, -1, mod, place.displacement, place.base);
}

function encode32(
  operand: Operand,
  first: Register | null,
  second: Register | null,
  times: number,
  place: Place,
  hint: Hint,
): Address | AddressFault {
  let base = first;
  let index = second;
  let scale = times;
  const { kind: wish, register: hinted } = hint;

  if (scale === 1 && base && index && base !== index) {
    if ((wish === 'index' && hinted === base) || (wish === 'base' && hinted === index))
      [base, index] = [index, base];
  }
  if (base && base === index) {
    base = null;
    scale++;
  }
  if (!base && index && scale === 1 && !(wish === 'index' && hinted === index)) {
    base = index;
    index = null;
  }
  // [eax*2] is shorter as [eax+eax], and [eax*3] is [eax+eax*2].
  const summed = wish === 'none' && !base;
  const splits =
    (scale === 2 && index?.number !== ESP && (!operand.nosplit || summed)) ||
    scale === 3 ||
    scale === 5 ||
    scale === 9;
  if (!base && index && splits) {
    base = index;
    scale--;
  }
  if (!index && base && base.number !== ESP && operand.nosplit && wish === 'index' && hinted === base) {
    index = base;
    base = null;
    scale = 1;
  }
  if (index?.number === ESP && scale === 1) [base, index] = [index, base];
  if (index && (index.number === ESP || (scale !== 1 && scale !== 2 && scale !== 4 && scale !== 8))) {
    if (index.number === ESP) return { message: '`esp` cannot be an index', suggestion: 'make it the base' };
    return { message: `a scale of ${scale} does not exist`, suggestion: 'scales are 1, 2, 4 and 8' };
  }

  const { displacement, base: section } = place;
  if (!base && !index) return new Address(32, 0, 5, -1, 4, displacement, section);
  const shift = scale === 2 ? 1 : scale === 4 ? 2 : scale === 8 ? 3 : 0;
  if (!base) return new Address(32, 0, 4, (shift << 6) | (index!.number << 3) | 5, 4, displacement, section);
  const mod = modFor(operand, place, 32, base.number === EBP);
  const width = mod === 2 ? 4 : mod;
  if (!index && base.number !== ESP)
    return new Address(32, mod, base.number, -1, width, displacement, section);
  const sib = index ? (shift << 6) | (index.number << 3) | base.number : (4 << 3) | base.number;
  return new Address(32, mod, 4, sib, width, displacement, section);
}
