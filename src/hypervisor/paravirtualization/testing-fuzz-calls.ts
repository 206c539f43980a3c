// What the words of random hypercalls mean (testing-fuzz.ts): numbers that name frames, entries, addresses, selectors, grants
// and processors of the fuzzed domain and of its victim, in the form that each hypercall wants.
import type { Pc } from '../../machine/pc.ts';
import type { Domain } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { domidOf } from '../xen/guest.ts';
import { CONTEXT, USER_REGS } from './calls/numbers.ts';
import type { Paravirtualization } from './paravirtualization.ts';
import type { PvDomain } from './pv-domain.ts';

/** Linear addresses of the fuzzed kernel. */
export const BASE = 0xc0000000;
export const DATA = 0xc0180000;
/** Words behind a call: number, five arguments, stack, form, and sixteen of memory. */
export const WORDS = 24;
export const CALLS = { least: 60, most: 240 };

/** What a word may mean: a kind, and what chooses within it. */
export interface Word {
  kind: number;
  n: number;
}
export const wordOf = (random: number): Word => ({
  kind: (random >>> 0) % 15,
  n: Math.imul(random, 0x9e3779b1) >>> 0,
});

/** How often each hypercall comes: those that change tables often, those that end the domain seldom. */
export const NUMBERS = Object.entries({
  ...{
    0: 1,
    1: 9,
    2: 4,
    3: 2,
    4: 1,
    5: 1,
    6: 1,
    8: 2,
    9: 1,
    10: 8,
    12: 6,
    13: 6,
    14: 9,
    15: 2,
    17: 2,
    18: 2,
  },
  ...{ 20: 12, 21: 1, 22: 1, 23: 1, 24: 4, 26: 14, 29: 1, 30: 1, 32: 4, 33: 1 },
}).flatMap(([number, times]) => new Array<number>(times).fill(Number(number)));

/** Kinds of word that a field of a hypercall may be. */
const ENTRY_ADDRESS = [5, 8, 8, 8, 9];
const ENTRY = [6, 6, 6, 6, 13, 13, 0, 9];
const FRAME = [7, 7, 7, 1];
/** Operation and processor of a vcpu_op: the second one is made and brought up often, so that there are two. */
export const values24 = ([a, b]: Word[]) => ({
  operation: a.n & 1 ? a.n % 14 : [0, 1, 1, 2][(a.n >>> 1) & 3],
  whom: a.n & 1 ? [0, 0, 1, b.n & 3][b.n & 3] : b.n & 15 ? 1 : 0,
});
const GRANT_COMMANDS = [0, 0, 0, 0, 1, 1, 1, 4, 5, 2, 6, 3];

/** Who is fuzzed, beside whom, where. */
export interface Surroundings {
  pc: Pc;
  hypervisor: Hypervisor;
  technique: Paravirtualization;
  pae: boolean;
  /** Number of the domain that makes the calls. */
  fuzzed: number;
  victim: Domain;
  /** Machine frames that the victim grants. */
  readableGrants: readonly number[];
  pvOf: (domain: Domain) => PvDomain;
}

export function callWords({
  pc,
  hypervisor,
  technique,
  pae,
  fuzzed,
  victim,
  readableGrants,
  pvOf,
}: Surroundings) {
  const victimDomid = domidOf(victim);

  /** A page table in use: what CR3 names, or one below. */
  function tableOf(domain: Domain, n: number): number {
    const pv = pvOf(domain);
    const entry = (frame: number, index: number) =>
      pc.memory.read32(frame * 4096 + (index << pv.layout.entryShift));
    const below = entry(pv.current.baseFrame, pae ? 3 : 0x300);
    const choices = [pv.current.baseFrame, below >>> 12, pae ? entry(below >>> 12, 0) >>> 12 : below >>> 12];
    const frame = choices[n % 3];
    return hypervisor.frames.owner[frame] === fuzzed ? frame : pv.current.baseFrame;
  }

  function meaning(domain: Domain, { kind, n }: Word): number {
    const { p2m } = domain.memory;
    // Few frames, so that the same ones meet again in different parts.
    const frame = p2m[[0x100, 0x101, 0x180, 0x181, 0x1f0, 0x1f1, 0x1f2, 0x1f3][n & 7]] & 0xfffff;
    switch (kind) {
      case 0:
        return n;
      case 1:
        return n & 7;
      case 2:
        return n % 40;
      case 3:
        return DATA + (n & 0x1ffc);
      case 4:
        return BASE + (n & 0x1fffff);
      case 5:
        return frame * 4096 + (n & (pae ? 0xff8 : 0xffc)) + ((n >>> 12) & 3);
      case 6:
        return (frame * 4096) | [7, 5, 3, 0x67, 0x87, 0x107, 1, 0][(n >>> 4) & 7];
      case 7:
        return frame;
      case 8:
        return tableOf(domain, n >>> 20) * 4096 + ((n >>> 3) & (pae ? (n & 1 ? 0x18 : 0xff8) : 0xffc));
      case 9:
        return victim.memory.p2m[n & 0x1ff] * 4096 + (n >>> 24);
      case 10:
        return (pae ? 0xf5800000 : 0xfc000000) + (n & 0x3ffffff);
      case 11:
        return 0x7ff0;
      case 12:
        return [0xe008, 0xe010, 0xe019, 0xe021, 0xe02b, 0xe033, 0xe038, 9][n & 7];
      case 13:
        return 0;
      default:
        return [0x80000000, 0xffffffff, 0x7fffffff, 2048, 512, 0, 1, 0x00cf9a00][n & 7];
    }
  }
  const as = (domain: Domain, kinds: number[], w: Word) =>
    meaning(domain, { kind: kinds[w.kind % kinds.length], n: w.n });

  /** The words of requests about grants: map, unmap, transfer, copy. */
  function grantsOf(domain: Domain, command: number, words: Word[]): number[] {
    const place = ({ n }: Word): number => {
      const page = BASE + (0x1e0 + (n & 3)) * 4096;
      const { access } = technique;
      return n & 16 ? page : n & 32 ? access.entryOf(pvOf(domain), page) : meaning(domain, wordOf(n));
    };
    const reference = ({ n }: Word) => (n & 8 ? 8 + (n % 7) : n % 16);
    const whom = ({ n }: Word) => (n & 7 ? victimDomid : [0x7ff0, fuzzed + 1, 0, n & 0xffff][(n >>> 3) & 3]);
    return words.map((w, n) => {
      const at = n % 8;
      switch (command) {
        case 0:
          return [place(w), 0, w.n & 7 ? 2 | (w.n & 28) : w.n & 31, reference(w), whom(w), 0, 0, 0][at];
        case 1:
          return [place(w), 0, w.n & 7 ? 0 : readableGrants[w.n % 3] << 12, 0, w.n % 6, 0][n % 6];
        case 4:
          return [as(domain, FRAME, w), whom(w), w.n & 3 ? 14 : reference(w), 0][n % 4];
        default:
          return n % 6 < 4
            ? n % 2
              ? whom(w) | ((w.n & 0xfff) << 16)
              : w.n & 1
                ? reference(w)
                : as(domain, FRAME, w)
            : (w.n & 0xfff) | (w.n & 0x30000);
      }
    });
  }

  /** The words of a list: page-table updates, extended operations, frames, or calls, by hypercall number. */
  function listOf(domain: Domain, number: number, words: Word[], choice: number): number[] {
    if (number === 20) return grantsOf(domain, GRANT_COMMANDS[choice % GRANT_COMMANDS.length], words);
    return words.map((w, n) => {
      if (number === 1)
        return n % 4 === 0
          ? as(domain, ENTRY_ADDRESS, w)
          : n % 4 === 2
            ? as(domain, ENTRY, w)
            : n % 4 === 3 && w.n % 16 === 0
              ? w.n
              : 0;
      if (number === 26)
        return n % 3 === 0
          ? [0, 1, 2, 4, 5, 0, 1, 2, 4, 13, 16, 17, w.n % 20][w.kind % 13]
          : n % 3 === 1
            ? as(domain, w.n & 8 ? FRAME : [7, 3, 4], w)
            : w.n & 3;
      if (number === 2) return as(domain, FRAME, w);
      // {list, count, order, bits, domain}, and behind it the list.
      if (number === 12)
        return (
          [DATA + 40, w.n % 5, w.n % 7 ? 0 : w.n % 12, 0, 0x7ff0, DATA + 52, w.n % 3, 0, 0, 0x7ff0][n] ??
          as(domain, FRAME, w)
        );
      if (number === 13) return n % 8 === 0 ? NUMBERS[w.n % NUMBERS.length] : meaning(domain, w);
      return meaning(domain, w);
    });
  }

  /** Arguments in the form that a hypercall wants. */
  function formed(domain: Domain, number: number, words: Word[]): number[] {
    const [a, b, c] = words;
    switch (number) {
      case 1:
      case 26:
        return [DATA, 1 + (a.n & 4 ? 0 : a.n % 4), b.n & 1 ? 0 : DATA + 0x800, 0x7ff0, 0];
      case 2:
        return [DATA, 1 + (a.n % 1024), 0, 0, 0];
      case 8:
        return [a.n % 9, meaning(domain, b), 0, 0, 0];
      case 10:
        return [
          as(domain, [5, 5, 5, 9], a) & ~7,
          0,
          as(domain, [0, 14], b),
          as(domain, [0, 14], c) | [0xb200, 0x9200, 0x9a00, 0xfa00][a.n & 3],
          0,
        ];
      case 12:
        return [[0, 1, 1, 6, 6, 11, 9, 3, 12, 5][a.n % 10], DATA, 0, 0, 0];
      case 13:
        return [DATA, 1 + (a.n & 1), 0, 0, 0];
      case 20:
        return [GRANT_COMMANDS[a.n % GRANT_COMMANDS.length], DATA, 1 + (b.n & 1), 0, 0];
      case 14:
        return [as(domain, [3, 4, 4], a), as(domain, ENTRY, b), c.n % 16 ? 0 : c.n, c.n & 3, 0];
      case 24: {
        const { operation, whom } = values24(words);
        return [operation, whom, DATA, 0, 0];
      }
      case 6:
      case 29:
        // To end itself is the guest's right, but ends the fuzzing of it.
        return [a.n % 16 ? [0, 1, 3, 9][a.n % 4] : 2, DATA, 0, 0, 0];
      default:
        return words.map((w) => meaning(domain, w));
    }
  }

  /** A vcpu_guest_context on the page of arguments: its address space, descriptors and where it begins, good or not. */
  function fillContext(domain: Domain, put: (offset: number, value: number) => void, words: Word[]): void {
    const [a, b, c, d] = words;
    const { baseFrame } = pvOf(domain).vcpus[0];
    put(CONTEXT.cr3, (a.n & 7 ? baseFrame : as(domain, FRAME, a)) << 12);
    put(CONTEXT.gdtEntries, b.n & 7 ? 0 : b.n % 8000);
    for (let n = 0; n < 16; n++) put(CONTEXT.gdtFrames + n * 4, as(domain, FRAME, words[n]));
    put(CONTEXT.ldtBase, c.n & 7 ? 0 : as(domain, [3, 4, 10], c) & ~0xfff);
    put(CONTEXT.ldtEntries, c.n & 6 ? 0 : c.n % 9000);
    put(CONTEXT.flags, d.n & 3);
    put(24, 0x1f80);
    put(CONTEXT.userRegs + USER_REGS.eip, meaning(domain, d));
    put(CONTEXT.userRegs + USER_REGS.cs, as(domain, [12], d));
    put(CONTEXT.userRegs + USER_REGS.ss, as(domain, [12], a));
    put(CONTEXT.userRegs + USER_REGS.esp, BASE + 0x181000);
    put(CONTEXT.eventCallback + 4, meaning(domain, b));
    put(CONTEXT.debugRegisters + (b.n & 28), meaning(domain, c));
  }

  return { meaning, listOf, formed, fillContext };
}
