// The fast path of the interpreter: runs of instructions that are made of registers, flat memory whose page the TLB has, and
// jumps within their page. None of them can fault, touch a device or make an event due, so nothing is looked at between two
// of them but the budget; lazy flags, EIP and counters stay in locals. Whatever is not so simple is left, before it has
// done anything, to its executor, which is the one who knows all cases.

import { DS, EBP, ESP, type Instruction, SS } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { carryFrom, overflowFrom } from '../flags.ts';
import { refilled } from '../paging.ts';
import { Access } from '../segmentation.ts';
import { lastFlatPage, stackPlace } from './flat.ts';

/** A page of decoded code, as code-cache.ts has it. */
interface Window {
  readonly start: number;
  readonly valid: number;
  readonly table: (Instruction | null)[];
}

/** CF as 0 or 1. */
function carryOf(mask: number, kind: number, a: number, b: number, r: number, flags: number): number {
  return (mask & 1) === 0 ? flags & 1 : carryFrom(kind, a, b, r);
}

/** Negative when SF ≠ OF. Where OF is lazy, SF is too. */
function lessOf(kind: number, a: number, b: number, r: number): number {
  return r ^ overflowFrom(kind, a, b, r);
}

/**
 * Runs what it can from CS:EIP on, to `end` (cycles). The processor is as after as many instructions of the slow path.
 * @param window the page of CS:EIP, which the limit of CS does not cut
 * @returns how many instructions it has run; 0 = the next one is for its executor; -1 = so it is, and it must run whatever the
 *   budget says, for it has begun: its page walk is charged
 */
export function runFast(cpu: Cpu, window: Window, end: number): number {
  // Constants of flags.ts and forms.ts, here because only these are constants for every compiler of JavaScript.
  const CF = 1;
  const PF = 4;
  const AF = 16;
  const ZF = 64;
  const SF = 128;
  const OF = 2048;
  const STATUS_FLAGS = 0x8d5;
  const STATUS_BUT_CARRY = 0x8d4;
  const RESULT_FLAGS = 0xc4;
  const SUBTRACTION = 0;
  const ADDITION = 1;
  const ADDRESS = 1 << 21;
  const ACCESS = 2 << 21;
  const WRITES = 4 << 21;
  const OF_SHIFT = 11;
  const { regs, regs8, segments } = cpu;
  const { words, space } = cpu.tlb;
  const { bytes, words: words32, codeLines } = cpu.memory;
  const { table, start, valid } = window;
  const user = cpu.cpl === 3 ? 1 : 0;
  /** Last page that DS and SS both have. */
  const lastPage = Math.min(lastFlatPage(segments[DS]), lastFlatPage(segments[SS], Access.big));
  let room = (end - cpu.cycles) | 0;
  let at = (cpu.eip - start) | 0;
  let spent = 0;
  let count = 0;
  /** Instructions before the latest one that has walked the page tables. */
  let walked = -1;
  let mask = cpu.lazyMask;
  let kind = cpu.lazyKind;
  let flags = cpu.flags;
  let r = cpu.lazyResult | 0;
  let x = cpu.lazyA | 0;
  let y = cpu.lazyB | 0;

  run: while (at < valid && spent < room) {
    const i = table[at];
    if (i === null) break;
    const form = i.fast;
    if (form === 0) break;
    const to = (form >> 11) & 31;
    const from = (form >> 16) & 31;
    let linear = 0;
    let place = 0;
    if (form & ADDRESS) {
      linear = i.displacement | 0;
      const { base, index } = i;
      if (base >= 0) linear = (linear + regs[base]) | 0;
      if (index >= 0) linear = (linear + (regs[index] << i.scale)) | 0;
      if (form & ACCESS) {
        const page = linear >>> 12;
        const entry = ((page ^ (page >>> 11)) & 1023) << 3;
        if (page > lastPage || (linear & (form >> 24) & 3) !== 0) break;
        const tag = page | space;
        const writes = (form & WRITES) !== 0;
        const word = entry + (writes ? 2 : 0) + user;
        if (words[word] !== tag && !(writes && words[word + 2] === tag)) {
          // The usual page walk.
          const before = cpu.cycles;
          if (!refilled(cpu, linear, writes, user !== 0)) break;
          room -= cpu.cycles - before;
          walked = count;
        }
        place = (words[entry + 6] + linear) | 0;
        // A page with code in it is written beside that; a device is for others.
        if (words[word] !== tag && !(writes && words[word + 2] === tag && codeLines[place >> 5] === 0)) break;
      }
    }

    let a = 0;
    let b = 0;
    switch ((form >> 6) & 31) {
      case 1: // registers
        a = regs[to];
        b = regs[from];
        break;
      case 2: // register, immediate
        a = regs[to];
        b = i.immediate | 0;
        break;
      case 3: // register, memory
        a = regs[to];
        b = words32[place >> 2];
        break;
      case 4: // memory, register
        a = words32[place >> 2];
        b = regs[from];
        break;
      case 5: // memory, immediate
        a = words32[place >> 2];
        b = i.immediate | 0;
        break;
      case 6: // the same of 8 bits
        a = (regs8[to] << 24) >> 24;
        b = (regs8[from] << 24) >> 24;
        break;
      case 7:
        a = (regs8[to] << 24) >> 24;
        b = (i.immediate << 24) >> 24;
        break;
      case 8:
        a = (regs8[to] << 24) >> 24;
        b = (bytes[place] << 24) >> 24;
        break;
      case 9:
        a = (bytes[place] << 24) >> 24;
        b = (regs8[from] << 24) >> 24;
        break;
      case 10:
        a = (bytes[place] << 24) >> 24;
        b = (i.immediate << 24) >> 24;
        break;
      case 11: // b extended
        b = bytes[place];
        break;
      case 12:
        b = (bytes[place] << 24) >> 24;
        break;
      case 13:
        b = regs8[from];
        break;
      case 14:
        b = (regs8[from] << 24) >> 24;
        break;
      case 15:
        b = bytes[place] | (bytes[place + 1] << 8);
        break;
      case 16:
        b = ((bytes[place] << 16) | (bytes[place + 1] << 24)) >> 16;
        break;
      case 17:
        b = regs[from] & 0xffff;
        break;
      case 18:
        b = (regs[from] << 16) >> 16;
        break;
      case 19: // the address
        b = linear;
        break;
      case 20: // register, CL
        a = regs[to];
        b = regs[1] & 31;
        break;
      case 21: // register, 1
        a = regs[to];
        b = 1;
        break;
      case 22: // register `from`, immediate
        a = regs[from];
        b = i.immediate | 0;
        break;
      default:
        break;
    }

    const narrow = (form >> 23) & 24;
    let next = at + i.length;
    // biome-ignore lint/suspicious/noConfusingLabels: one way out for operations that have stored their result themselves
    done: {
      // biome-ignore lint/suspicious/noConfusingLabels: and one for jumps that are taken
      jump: {
        let value = 0;
        switch (form & 63) {
          case 1: // mov
            regs[to] = b;
            break done;
          case 2:
            regs8[to] = b;
            break done;
          case 3: // to memory
            words32[place >> 2] = b;
            break done;
          case 4:
            bytes[place] = b;
            break done;
          case 5: // add
            value = ((a + b) << narrow) >> narrow;
            mask = STATUS_FLAGS;
            kind = ADDITION;
            x = a;
            y = b;
            r = value;
            break;
          case 6: // or
            x = r = value = a | b;
            mask = STATUS_FLAGS;
            kind = SUBTRACTION;
            y = 0;
            break;
          case 7: // adc
            value = ((a + b + carryOf(mask, kind, x, y, r, flags)) << narrow) >> narrow;
            mask = STATUS_FLAGS;
            kind = ADDITION;
            x = a;
            y = b;
            r = value;
            break;
          case 8: // sbb
            value = ((a - b - carryOf(mask, kind, x, y, r, flags)) << narrow) >> narrow;
            mask = STATUS_FLAGS;
            kind = SUBTRACTION;
            x = a;
            y = b;
            r = value;
            break;
          case 9: // and
            x = r = value = a & b;
            mask = STATUS_FLAGS;
            kind = SUBTRACTION;
            y = 0;
            break;
          case 10: // sub
            value = ((a - b) << narrow) >> narrow;
            mask = STATUS_FLAGS;
            kind = SUBTRACTION;
            x = a;
            y = b;
            r = value;
            break;
          case 11: // xor
            x = r = value = a ^ b;
            mask = STATUS_FLAGS;
            kind = SUBTRACTION;
            y = 0;
            break;
          case 12: // cmp
            mask = STATUS_FLAGS;
            kind = SUBTRACTION;
            x = a;
            y = b;
            r = ((a - b) << narrow) >> narrow;
            break done;
          case 13: // test
            x = r = a & b;
            mask = STATUS_FLAGS;
            kind = SUBTRACTION;
            y = 0;
            break done;
          case 14: // inc
            if (mask & CF) flags = (flags & ~CF) | carryOf(mask, kind, x, y, r, flags);
            value = ((a + 1) << narrow) >> narrow;
            mask = STATUS_BUT_CARRY;
            kind = ADDITION;
            x = a;
            y = 1;
            r = value;
            break;
          case 15: // dec
            if (mask & CF) flags = (flags & ~CF) | carryOf(mask, kind, x, y, r, flags);
            value = ((a - 1) << narrow) >> narrow;
            mask = STATUS_BUT_CARRY;
            kind = SUBTRACTION;
            x = a;
            y = 1;
            r = value;
            break;
          case 16: // not
            value = ~a;
            break;
          case 17: // neg
            value = ((0 - a) << narrow) >> narrow;
            mask = STATUS_FLAGS;
            kind = SUBTRACTION;
            x = 0;
            y = a;
            r = value;
            break;
          case 18: {
            // shl
            if (b === 0) break done;
            const last = a << ((b & 31) - 1);
            r = value = last << 1;
            flags = (flags & ~(CF | OF | AF)) | (last >>> 31) | (((a ^ (a << 1)) >>> 31) << OF_SHIFT);
            mask = RESULT_FLAGS;
            break;
          }
          case 19: {
            // shr
            if (b === 0) break done;
            const last = a >>> ((b & 31) - 1);
            r = value = (last >>> 1) | 0;
            flags = (flags & ~(CF | OF | AF)) | (last & 1) | ((a >>> 31) << OF_SHIFT);
            mask = RESULT_FLAGS;
            break;
          }
          case 20: {
            // sar
            if (b === 0) break done;
            const last = a >> ((b & 31) - 1);
            r = value = last >> 1;
            flags = (flags & ~(CF | OF | AF)) | (last & 1);
            mask = RESULT_FLAGS;
            break;
          }
          case 21: // rol by more than 1
            value = (a << b) | (a >>> -b);
            flags = (flags & ~CF) | (value & 1);
            mask &= ~CF;
            break;
          case 22: // ror by more than 1
            value = (a >>> b) | (a << -b);
            flags = (flags & ~CF) | (value >>> 31);
            mask &= ~CF;
            break;
          case 23: // imul
            value = Math.imul(a, b);
            // Below 2^53 a product is exact in a double; a larger one differs from any word all the same.
            flags &= ~STATUS_FLAGS;
            if (a * b !== value) flags |= CF | OF;
            if (value === 0) flags |= PF;
            mask = value === 0 ? 0 : RESULT_FLAGS;
            r = value;
            regs[to] = value;
            break done;
          case 24: // jmp
            break jump;
          case 25: // jb
            if (carryOf(mask, kind, x, y, r, flags) === 0) break done;
            break jump;
          case 26: // jae
            if (carryOf(mask, kind, x, y, r, flags) !== 0) break done;
            break jump;
          case 27: // jz
            if (mask & ZF ? r !== 0 : (flags & ZF) === 0) break done;
            break jump;
          case 28: // jnz
            if (mask & ZF ? r === 0 : (flags & ZF) !== 0) break done;
            break jump;
          case 29: // jbe
            if (carryOf(mask, kind, x, y, r, flags) === 0 && (mask & ZF ? r !== 0 : (flags & ZF) === 0))
              break done;
            break jump;
          case 30: // ja
            if (carryOf(mask, kind, x, y, r, flags) !== 0 || (mask & ZF ? r === 0 : (flags & ZF) !== 0))
              break done;
            break jump;
          case 31: // js
            if (mask & SF ? r >= 0 : (flags & SF) === 0) break done;
            break jump;
          case 32: // jns
            if (mask & SF ? r < 0 : (flags & SF) !== 0) break done;
            break jump;
          case 33: // jl
            if ((mask & OF) === 0) break run;
            if (lessOf(kind, x, y, r) >= 0) break done;
            break jump;
          case 34: // jge
            if ((mask & OF) === 0) break run;
            if (lessOf(kind, x, y, r) < 0) break done;
            break jump;
          case 35: // jle
            if ((mask & OF) === 0) break run;
            if (r !== 0 && lessOf(kind, x, y, r) >= 0) break done;
            break jump;
          case 36: // jg
            if ((mask & OF) === 0) break run;
            if (r === 0 || lessOf(kind, x, y, r) < 0) break done;
            break jump;
          case 37: // call
          case 42: {
            // call of what b says
            const target = ((form & 63) === 37 ? next + i.immediate : b - start) | 0;
            if (target >>> 0 >= valid) break run;
            linear = (regs[ESP] - 4) | 0;
            place = stackPlace(words, space, lastPage, linear, 2 + user);
            if (place < 0) break run;
            words32[place >> 2] = start + next;
            regs[ESP] = linear;
            next = target;
            break done;
          }
          case 38: {
            // ret
            place = stackPlace(words, space, lastPage, regs[ESP], user);
            if (place < 0) break run;
            const target = (words32[place >> 2] - start) | 0;
            if (target >>> 0 >= valid) break run;
            regs[ESP] += 4 + i.immediate;
            next = target;
            break done;
          }
          case 39: // push
            linear = (regs[ESP] - 4) | 0;
            place = stackPlace(words, space, lastPage, linear, 2 + user);
            if (place < 0) break run;
            words32[place >> 2] = b;
            regs[ESP] = linear;
            break done;
          case 40: // pop
            place = stackPlace(words, space, lastPage, regs[ESP], user);
            if (place < 0) break run;
            regs[ESP] += 4;
            regs[to] = words32[place >> 2];
            break done;
          case 41: // jmp to what b says
            next = (b - start) | 0;
            if (next >>> 0 >= valid) break run;
            break done;
          case 44: // nop
            break done;
          case 43: // leave
            linear = regs[EBP];
            place = stackPlace(words, space, lastPage, linear, user);
            if (place < 0) break run;
            regs[ESP] = linear + 4;
            regs[EBP] = words32[place >> 2];
            break done;
          default:
            break run;
        }
        if (form & WRITES) {
          if (narrow === 0) words32[place >> 2] = value;
          else bytes[place] = value;
        } else if (narrow === 0) regs[to] = value;
        else regs8[to] = value;
        break done;
      }
      next = (next + i.immediate) | 0;
      if (next >>> 0 >= valid) break;
    }
    at = next;
    spent += i.cost;
    count++;
  }

  if (count !== 0) {
    cpu.eip = (start + at) >>> 0;
    cpu.cycles += spent;
    cpu.instructions += count;
    cpu.lazyMask = mask;
    cpu.lazyKind = kind;
    cpu.flags = flags;
    cpu.lazyResult = r;
    cpu.lazyA = x;
    cpu.lazyB = y;
  }
  return count === walked ? -1 : count;
}
