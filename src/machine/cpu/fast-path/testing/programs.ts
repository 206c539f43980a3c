// For the tests of this room: random 32-bit programs of all instructions that the fast path knows, and some that it does not,
// whose operands lie where something may go wrong: across pages, beside code and in it, in pages that are not there.
import type { Random } from '../../vectors/random.ts';
import { CODED, PLAIN, SEGMENT_PREFIXES } from './opcodes.ts';
import {
  ALIAS,
  BEYOND,
  CODE,
  DATA,
  DATA_PAGES,
  DEVICE,
  LARGE,
  type Program,
  STACK,
  TABLE,
  type World,
} from './world.ts';

const ESP = 4;
const EBP = 5;

/** A place in a piece of code that takes an address when all is laid out. */
interface Fixup {
  readonly at: number;
  readonly kind: 'rel8' | 'rel32' | 'offset' | 'data';
  /** Number of a piece, and how many bytes behind its first one. */
  readonly to: number;
  readonly plus: number;
}

/** An instruction or a few that belong together. */
interface Piece {
  readonly bytes: number[];
  readonly fixups: Fixup[];
  /** Bytes that may be written while it runs: [offset, size]. */
  readonly patch?: readonly [at: number, size: number];
}

const le = (value: number, size = 4): number[] =>
  Array.from({ length: size }, (_, k) => Math.floor((value >>> 0) / 256 ** k) & 0xff);

export class Writer {
  private readonly pieces: Piece[] = [];
  constructor(
    private readonly random: Random,
    private readonly world: World,
    /** Operands in one page of data, aligned; branches ahead: long runs. */
    private readonly calm = false,
  ) {}

  /** A linear address for an operand. */
  target(): number {
    const { random } = this;
    if (this.calm) return DATA + 0x400 + random.below(0x80) * 4;
    const inPage = random.pick([
      () => random.below(0x400) * 4,
      () => random.below(0x400) * 4,
      () => random.below(0x40) * 4,
      () => random.below(0x1000),
      () => 0xff8 + random.below(8),
    ])();
    const page = DATA + random.below(DATA_PAGES) * 0x1000;
    switch (random.below(24)) {
      case 0:
        return DEVICE + inPage;
      case 1:
        return BEYOND + inPage;
      case 2:
        return CODE + random.below(3) * 0x1000 + inPage;
      case 3:
        return STACK + inPage;
      case 4:
      case 5:
        return ALIAS + page + inPage;
      case 6:
        return LARGE + page + inPage;
      case 7:
        return random.pick([0xfffffffe, 0xfffffffc, 0, LARGE + 0x3ffffe, random.word()]);
      default:
        return random.oneIn(3) ? DATA + inPage : page + inPage;
    }
  }

  /** A register that a program may lose: seldom ESP. */
  private register(): number {
    const r = this.random.below(8);
    return r === ESP && (this.calm || !this.random.oneIn(6)) ? this.random.below(4) : r;
  }

  private immediate(): number {
    return this.random.oneIn(3) ? this.target() : this.random.value();
  }

  /** ModRM of a place in memory, and before it what brings its registers there. */
  private memory(reg: number, override: number): { before: number[]; modrm: number[] } {
    const { random, world } = this;
    const before: number[] = [];
    const set = (register: number, value: number) => before.push(0xb8 + register, ...le(value));
    const baseOf = (register: number): number =>
      override >= 0
        ? [0, world.cs.base, world.ss.base, world.ds.base, 0, 0][override]
        : register === ESP || register === EBP
          ? world.ss.base
          : world.ds.base;
    const sets = this.calm || !random.oneIn(4);
    const r = reg << 3;
    const disp8 = this.calm ? random.below(32) * 4 : (random.below(256) << 24) >> 24;
    let base = random.below(8);
    if (this.calm && base === ESP) base = 3;
    const offset = this.target() - baseOf(base);
    switch (random.below(6)) {
      case 0:
        return { before, modrm: [r | 5, ...le(this.target() - baseOf(-1))] };
      case 1:
      case 2: {
        if (base === ESP) return { before, modrm: [0x44 | r, 0x24, random.below(32) * 4] };
        if (sets) set(base, offset - disp8);
        return { before, modrm: [0x40 | r | base, disp8 & 0xff] };
      }
      case 3: {
        if (base === ESP || base === EBP) return { before, modrm: [0x45 | r, disp8 & 0xfc] };
        if (sets) set(base, offset);
        return { before, modrm: [r | base] };
      }
      case 4: {
        const index = random.pick([0, 1, 2, 3, 5, 6, 7]);
        const scale = random.below(4);
        const small = this.calm ? 4 : random.below(64);
        if (sets) set(index, small);
        if (sets && base !== ESP && base !== index) set(base, offset - (small << scale) - disp8);
        return { before, modrm: [0x44 | r, (scale << 6) | (index << 3) | base, disp8 & 0xff] };
      }
      default: {
        const index = random.below(8);
        const scale = random.below(4);
        const small = this.calm ? 4 : random.below(64);
        const scaled = index === ESP ? 0 : small << scale;
        if (sets && index !== ESP) set(index, small);
        const sib = (scale << 6) | (index << 3);
        if (random.oneIn(2))
          return {
            before,
            modrm: [4 | r, sib | 5, ...le(this.target() - baseOf(-1) - scaled)],
          };
        if (sets && base !== ESP && base !== index) set(base, offset - scaled - 0x1000);
        return { before, modrm: [0x84 | r, sib | base, ...le(0x1000)] };
      }
    }
  }

  private coded(): Piece {
    const { random } = this;
    const [opcode, digit, tail] = random.pick(CODED);
    const word = random.oneIn(12);
    const prefixes: number[] = word ? [0x66] : [];
    const override = random.oneIn(16) && !this.calm ? random.below(6) : -1;
    if (override >= 0) prefixes.push(SEGMENT_PREFIXES[override]);
    const reg = digit >= 0 ? digit : this.register();
    const inMemory = opcode[0] === 0x8d || random.oneIn(2);
    const { before, modrm } = inMemory
      ? this.memory(reg, override)
      : { before: [], modrm: [0xc0 | (reg << 3) | this.register()] };
    if (inMemory && opcode[0] < 0x40 && (opcode[0] & 7) < 2 && random.oneIn(20)) prefixes.push(0xf0);
    const behind =
      tail === 'b'
        ? [random.value() & 0xff]
        : tail === 's'
          ? [random.pick([0, 1, 2, 7, 31, 32, 33, random.below(256)])]
          : tail === 'v'
            ? le(this.immediate(), word ? 2 : 4)
            : [];
    // Shifts by CL: by what it has, or by a count that is special.
    const count =
      (opcode[0] & 0xfe) === 0xd2 && random.oneIn(2) ? [0xb1, random.pick([0, 1, 31, 32, 33, 64])] : [];
    return { bytes: [...before, ...count, ...prefixes, ...opcode, ...modrm, ...behind], fixups: [] };
  }

  /** Registers alone: loads of immediates, 40h..4Fh, accumulator forms, MOV with an absolute offset. */
  private short(): Piece {
    const { random } = this;
    const r = this.register();
    const bytes = random.pick([
      () => [0xb8 + r, ...le(this.immediate())],
      () => [0xb0 + random.below(8), random.below(256)],
      () => [0x40 + r],
      () => [0x48 + r],
      () => [random.below(8) * 8 + 4, random.below(256)],
      () => [random.below(8) * 8 + 5, ...le(random.value())],
      () => [0xa8, random.below(256)],
      () => [0xa9, ...le(random.value())],
      () => [0xa0 + random.below(4), ...le(this.target() - this.world.ds.base)],
      () => [...random.pick(PLAIN)],
    ])();
    return { bytes: bytes[0] === 0xc8 ? [0xc8, 8, 0, random.below(3)] : bytes, fixups: [] };
  }

  private stack(): Piece {
    const { random, world } = this;
    const odd = random.oneIn(16) && !this.calm ? random.below(4) : 0;
    const place = STACK + 0x200 + random.below(0x300) * 4 + odd;
    const top = random.oneIn(16) && !this.calm ? this.target() : place;
    const before = this.calm || random.oneIn(3) ? [0xbc, ...le(top - world.ss.base)] : [];
    const flags = random.pick([0x2, 0x202, 0x246, 0x8d7, 0x302, 0x40202, 0x893, random.word() & 0xed7]);
    const bytes = random.pick([
      () => [0x50 + random.below(8)],
      () => [0x50 + random.below(8)],
      () => [0x58 + this.register()],
      () => [0x58 + this.register()],
      () => [0x6a, random.below(256)],
      () => [0x68, ...le(this.immediate())],
      () => [0xff, 0xf0 | random.below(8)],
      () => [0x8f, 0xc0 | this.register()],
      () => [0xbd, ...le(place - world.ss.base), 0xc9],
      () => [0x68, ...le(flags), 0x9d],
    ])();
    return { bytes: [...before, ...bytes], fixups: [] };
  }

  /** Branches; `n` is the number of this piece, of `count`. */
  private branch(n: number, count: number): Piece {
    const { random, world } = this;
    const ahead = Math.min(count - 1, n + 1 + random.below(3));
    const to = this.calm || random.oneIn(2) ? ahead : random.below(count);
    const near = (opcode: number[], target = to): Piece => ({
      bytes: [...opcode, 0, 0, 0, 0],
      fixups: [{ at: opcode.length, kind: 'rel32', to: target, plus: 0 }],
    });
    const short = (opcode: number): Piece => ({
      bytes: [opcode, 0],
      fixups: [{ at: 1, kind: 'rel8', to: ahead, plus: 0 }],
    });
    const through = (opcode: number[]): Piece => ({
      bytes: [...opcode.slice(0, -2), 0, 0, 0, 0, ...opcode.slice(-2)],
      fixups: [{ at: opcode.length - 2, kind: 'offset', to, plus: 0 }],
    });
    const r = random.pick([0, 1, 2, 3, 5, 6, 7]);
    const cell = this.target() - world.ds.base;
    return random.pick<() => Piece>([
      () => short(0x70 + random.below(16)),
      () => short(0x70 + random.below(16)),
      () => short(0x70 + random.below(16)),
      () => near([0x0f, 0x80 + random.below(16)]),
      () => near([0x0f, 0x80 + random.below(16)]),
      () => short(0xeb),
      () => near([0xe9]),
      () => near([0xe8]),
      () => near([0xe8]),
      // MOV r, target; JMP or CALL r.
      () => through([0xb8 + r, 0xff, random.pick([0xe0, 0xd0]) + r]),
      // PUSH target; RET, or RET n.
      () => ({
        bytes: [0x68, 0, 0, 0, 0, ...(random.oneIn(2) ? [0xc3] : [0xc2, random.below(4) * 4, 0])],
        fixups: [{ at: 1, kind: 'offset', to, plus: 0 }],
      }),
      // MOV [cell], target; JMP or CALL [cell].
      () => ({
        bytes: [0xc7, 5, ...le(cell), 0, 0, 0, 0, 0xff, random.pick([0x25, 0x15]), ...le(cell)],
        fixups: [{ at: 6, kind: 'offset', to, plus: 0 }],
      }),
      () => ({ bytes: [0xc3], fixups: [] }),
      // LOOP, JECXZ.
      () => short(random.pick([0xe2, 0xe3])),
    ])();
  }

  /** An instruction whose immediate, or operation, others may write. */
  private patched(): Piece {
    const { random } = this;
    const r = random.below(4);
    return random.pick<() => Piece>([
      () => ({ bytes: [0xb8 + r, ...le(random.value())], fixups: [], patch: [1, 4] }),
      () => ({ bytes: [0x05, ...le(random.value())], fixups: [], patch: [1, 4] }),
      () => ({ bytes: [0x83, 0xc0 + r, random.below(128)], fixups: [], patch: [2, 1] }),
      () => ({ bytes: [0x40 + r], fixups: [], patch: [0, 1] }),
    ])();
  }

  /** A store into an instruction that may be patched, mostly one just ahead, or beside it. */
  private patching(n: number, patchable: readonly number[]): Piece {
    const { random, pieces } = this;
    if (patchable.length === 0) return this.patched();
    const ahead = patchable.filter((k) => k > n).slice(0, 1);
    const to = random.pick(ahead.length > 0 && !random.oneIn(3) ? ahead : patchable);
    const [at, size] = pieces[to].patch!;
    const turns = pieces[to].bytes.length === 1;
    const beside = !turns && random.oneIn(6);
    const plus = beside ? at + random.pick([-8, 8, 4]) : at;
    const r = random.below(4);
    const bytes = turns
      ? [0x80, 0x35]
      : size === 4 && random.oneIn(2)
        ? random.pick([
            [0x89, 5 | (r << 3)],
            [0x01, 5 | (r << 3)],
            [0xff, 5],
          ])
        : random.pick([
            [0x88, 5 | (r << 3)],
            [0xfe, 5],
            [0x30, 5 | (r << 3)],
          ]);
    // XOR with 8 makes INC of DEC.
    return {
      bytes: [...bytes, 0, 0, 0, 0, ...(turns ? [8] : [])],
      fixups: [{ at: 2, kind: 'data', to, plus }],
    };
  }

  /** What only ring 0 may do, and data breakpoints, page tables, shadows. */
  private system(): Piece {
    const { random } = this;
    const page = random.below(DATA_PAGES);
    const entry = TABLE + random.below(2) * 0x1000 + ((DATA >> 12) + page) * 4 - this.world.ds.base;
    const bytes = random.pick([
      () => [0xfb],
      () => [0xfa],
      () => [0x8c, 0xd0, 0x8e, 0xd0],
      () => [0x16, 0x17],
      () => [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8],
      () => [0x0f, 0x20, 0xc0, 0x35, ...le(0x10000), 0x0f, 0x22, 0xc0],
      () => [0x80, 0x35, ...le(entry), random.pick([1, 2, 4, 0x40, 0x20])],
      () => [0x80, 0x35, ...le(entry), random.pick([1, 2, 4, 0x40, 0x20])],
      () => [0x0f, 1, 0x3d, ...le(this.target() - this.world.ds.base)],
      // MOV DR0, EAX; MOV DR7, EBX.
      () => [
        ...[0xb8, ...le(this.target()), 0xbb, ...le(random.pick([0x400, 0x10401, 0xf0402, 0x401]))],
        ...[0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb],
      ],
      () => [0xbb, ...le(0x400), 0x0f, 0x23, 0xfb],
    ])();
    return { bytes, fixups: [] };
  }

  /** @param count of pieces; @param at where it begins, from CODE on */
  write(count: number, at: number): Program {
    const { random, world, pieces } = this;
    const kinds = Array.from({ length: count }, () => random.below(32));
    for (let n = 0; n < count; n++) pieces.push(this.patched());
    const patchable = kinds.flatMap((kind, n) => (kind > 30 ? [n] : []));
    for (let n = 0; n < count; n++) {
      const kind = kinds[n];
      if (kind < 13) pieces[n] = this.coded();
      else if (kind < 17) pieces[n] = this.short();
      else if (kind < 22) pieces[n] = this.stack();
      else if (kind < 28) pieces[n] = this.branch(n, count);
      else if (kind < 30) pieces[n] = this.patching(n, patchable);
      else if (kind === 30 && random.oneIn(world.cpl === 0 ? 2 : 12)) pieces[n] = this.system();
    }
    // Round and round.
    const back: Piece = {
      bytes: [0xe9, 0, 0, 0, 0],
      fixups: [{ at: 1, kind: 'rel32', to: 0, plus: 0 }],
    };
    const all = [...pieces, back];
    const places: number[] = [];
    let end = at;
    for (const { bytes } of all) {
      places.push(end);
      end += bytes.length;
    }
    const code = all.flatMap(({ bytes, fixups }, n) => {
      const own = [...bytes];
      for (const { at: place, kind, to, plus } of fixups) {
        const target = places[to] + plus;
        const next = places[n] + place + (kind === 'rel8' ? 1 : 4);
        const value =
          kind === 'offset'
            ? target - world.cs.base
            : kind === 'data'
              ? target - world.ds.base + (random.oneIn(6) ? ALIAS : 0)
              : target - next;
        if (kind === 'rel8') own[place] = value < 128 ? value : 0;
        else own.splice(place, 4, ...le(value));
      }
      return own;
    });
    const entries = Array.from({ length: 8 }, () => random.pick(places));
    return { at, bytes: Uint8Array.from(code), entries };
  }
}
