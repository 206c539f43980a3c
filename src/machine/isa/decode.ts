// Bytes → instruction, for 16- and 32-bit code (SDM vol. 2 chapter 2 and appendix A).
// Called on every miss of the processor's decoded-instruction cache: a few array lookups, one allocation, no search.
import {
  choiceKey,
  IMM_8,
  IMM_8S,
  IMM_16,
  IMM_ENTER,
  IMM_FAR,
  IMM_MOFFS,
  IMM_NONE,
  IMM_V,
  IMMEDIATES,
  slotOf,
} from './decode-map.ts';
import { type DecodeFailure, DS, Instruction, REP_E, REP_NE, REP_NONE, SS } from './instruction.ts';

/** Instructions longer than this, prefixes included, raise #GP(0) (SDM vol. 2 §2.3.11). */
const MAX_LENGTH = 15;

/** What each first byte is: 0 opcode, 1..6 segment override + 1, and the rest below. */
const P_OPERAND_SIZE = 7,
  P_ADDRESS_SIZE = 8,
  P_LOCK = 9,
  P_REPNE = 10,
  P_REPE = 11;
const PREFIX = new Uint8Array(256);
for (const [byte, meaning] of [
  [0x26, 1],
  [0x2e, 2],
  [0x36, 3],
  [0x3e, 4],
  [0x64, 5],
  [0x65, 6],
  [0x66, P_OPERAND_SIZE],
  [0x67, P_ADDRESS_SIZE],
  [0xf0, P_LOCK],
  [0xf2, P_REPNE],
  [0xf3, P_REPE],
]) {
  PREFIX[byte] = meaning;
}

/** Base and index registers of the eight 16-bit address forms (SDM vol. 2 table 2-1). */
const BASE_16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEX_16 = [6, 7, 6, 7, -1, -1, -1, -1];

/**
 * Decodes the instruction at `bytes[at]`.
 * @param mode default operand and address size: the D bit of the code segment
 * @param limit index behind the last available byte
 * @returns the instruction; or `invalid` (#UD), `long` (over 15 bytes: #GP(0)), `short` (needs bytes beyond `limit`)
 */
export function decode(
  bytes: Uint8Array,
  at: number,
  mode: 16 | 32,
  limit: number = bytes.length,
): Instruction | DecodeFailure {
  const end = limit - at > MAX_LENGTH ? at + MAX_LENGTH : limit;
  const exhausted: DecodeFailure = limit - at >= MAX_LENGTH ? 'long' : 'short';
  let p = at;
  let override = -1;
  let operandSize: 16 | 32 = mode;
  let addressSize: 16 | 32 = mode;
  let lock = false;
  let repeat: 0 | 1 | 2 = REP_NONE;

  let byte: number;
  for (;;) {
    if (p >= end) return exhausted;
    byte = bytes[p++];
    const meaning = PREFIX[byte];
    if (meaning === 0) break;
    if (meaning <= 6) override = meaning - 1;
    else if (meaning === P_OPERAND_SIZE) operandSize = mode === 32 ? 16 : 32;
    else if (meaning === P_ADDRESS_SIZE) addressSize = mode === 32 ? 16 : 32;
    else if (meaning === P_LOCK) lock = true;
    else repeat = meaning === P_REPE ? REP_E : REP_NE;
  }

  let map = 0;
  if (byte === 0x0f) {
    if (p >= end) return exhausted;
    byte = bytes[p++];
    map = 256;
    if (byte === 0x38 || byte === 0x3a) {
      map = byte === 0x38 ? 512 : 768;
      if (p >= end) return exhausted;
      byte = bytes[p++];
    }
  }
  const slot = slotOf(map + byte);
  if (slot === null) return 'invalid';

  let reg = 0;
  let rm = 0;
  let memory = false;
  let base = -1;
  let index = -1;
  let scale = 0;
  let displacement = 0;
  let modrmByte = 0;
  let choice = slot.choices[0];

  if (slot.modrm) {
    if (p >= end) return exhausted;
    const modrm = bytes[p++];
    modrmByte = modrm;
    choice = slot.choices[modrm];
    if (choice === null) return 'invalid';
    const mod = slot.registerOnly ? 3 : modrm >> 6;
    reg = (modrm >> 3) & 7;
    rm = modrm & 7;
    if (mod !== 3) {
      memory = true;
      let size = mod === 1 ? 1 : 0;
      if (addressSize === 16) {
        if (mod === 2) size = 2;
        if (mod === 0 && rm === 6) size = 2;
        else {
          base = BASE_16[rm];
          index = INDEX_16[rm];
        }
      } else {
        if (mod === 2) size = 4;
        base = rm;
        if (rm === 4) {
          if (p >= end) return exhausted;
          const sib = bytes[p++];
          base = sib & 7;
          index = (sib >> 3) & 7;
          scale = sib >> 6;
          if (index === 4) {
            index = -1;
            scale = 0;
          }
        }
        if (mod === 0 && base === 5) {
          base = -1;
          size = 4;
        }
      }
      rm = 0;
      if (p + size > end) return exhausted;
      if (size === 1) displacement = (bytes[p] << 24) >> 24;
      else if (size === 2) displacement = ((bytes[p] | (bytes[p + 1] << 8)) << 16) >> 16;
      else if (size === 4) {
        displacement = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24);
      }
      p += size;
    }
  }
  if (choice === null) return 'invalid';

  const mandatory = repeat === REP_E ? 2 : repeat === REP_NE ? 3 : operandSize !== mode ? 1 : 0;
  const form = choice[choiceKey(mandatory, operandSize, addressSize)];
  if (form === null) return 'invalid';
  if (!slot.modrm) reg = byte - form.opcode;
  if (lock && !(memory && form.lock)) return 'invalid';

  let immediate = 0;
  let immediate2 = 0;
  const wide = operandSize === 32;
  switch (IMMEDIATES[form.id]) {
    case IMM_NONE:
      break;
    case IMM_8:
      if (p + 1 > end) return exhausted;
      immediate = bytes[p++];
      break;
    case IMM_8S:
      if (p + 1 > end) return exhausted;
      immediate = (bytes[p++] << 24) >> 24;
      break;
    case IMM_16:
      if (p + 2 > end) return exhausted;
      immediate = bytes[p] | (bytes[p + 1] << 8);
      p += 2;
      break;
    case IMM_V:
      if (p + (wide ? 4 : 2) > end) return exhausted;
      immediate = wide
        ? bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24)
        : ((bytes[p] | (bytes[p + 1] << 8)) << 16) >> 16;
      p += wide ? 4 : 2;
      break;
    case IMM_FAR:
      if (p + (wide ? 6 : 4) > end) return exhausted;
      immediate = bytes[p] | (bytes[p + 1] << 8);
      p += 2;
      if (wide) {
        immediate |= (bytes[p] << 16) | (bytes[p + 1] << 24);
        p += 2;
      }
      immediate2 = bytes[p] | (bytes[p + 1] << 8);
      p += 2;
      break;
    case IMM_ENTER:
      if (p + 3 > end) return exhausted;
      immediate = bytes[p] | (bytes[p + 1] << 8);
      immediate2 = bytes[p + 2];
      p += 3;
      break;
    case IMM_MOFFS: {
      const long = addressSize === 32;
      if (p + (long ? 4 : 2) > end) return exhausted;
      memory = true;
      displacement = long
        ? bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24)
        : ((bytes[p] | (bytes[p + 1] << 8)) << 16) >> 16;
      p += long ? 4 : 2;
      break;
    }
  }

  let segment = override;
  if (override < 0) segment = base === 5 || base === 4 ? SS : DS;
  const rep = form.rep === undefined ? REP_NONE : form.rep === 'rep' && repeat !== REP_NONE ? REP_E : repeat;
  return new Instruction(
    form,
    p - at,
    operandSize,
    addressSize,
    segment,
    override >= 0,
    rep,
    lock,
    reg,
    rm,
    memory,
    base,
    index,
    scale,
    displacement,
    immediate,
    immediate2,
    mode,
    modrmByte,
  );
}
