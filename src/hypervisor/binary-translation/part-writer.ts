// What writing a translation is made of, whatever the instructions: parts, and which of the original each stands for; ways out;
// pieces that come behind everything else; the loan of GS.
import { EAX, ECX, GS, type Instruction } from '../../machine/isa/instruction.ts';
import type { Block, Exit, Part } from './block.ts';
import { Emitter } from './emit.ts';
import { CALL_OUT, STATE, selectorAt } from './layout.ts';
import { emitLookup } from './lookup-table.ts';
import { CALL_OUT_STUB, END, type Routines } from './routines.ts';

type How = Part['how'];

/** Doublewords, and what they leave, of so many bytes; the last may overlap the one before. */
function words(bytes: number): { from: number; size: 1 | 2 | 4 }[] {
  if (bytes < 4) {
    const first = { from: 0, size: bytes === 1 ? (1 as const) : (2 as const) };
    return bytes === 3 ? [first, { from: 2, size: 1 }] : [first];
  }
  const whole = Array.from({ length: bytes >> 2 }, (_, n) => ({ from: n * 4, size: 4 as const }));
  return bytes & 3 ? [...whole, { from: bytes - 4, size: 4 }] : whole;
}

export abstract class PartWriter {
  /** The block has an end. */
  ended = false;
  /** The instruction before was an STI. */
  shadowed = false;
  protected readonly e = new Emitter();
  /** Pieces that come behind everything else, so that the usual way runs straight. */
  protected readonly later: (() => void)[] = [];
  private finished = false;
  /** The next instruction has begun: with a check of the original. */
  private begun = false;

  constructor(
    protected readonly block: Block,
    protected readonly routines: Routines,
    protected readonly stackIsWide: boolean,
  ) {}

  /** Offset in the cache of what is written next. */
  protected get here(): number {
    return this.block.cache + this.e.length;
  }

  protected part(guest: number, i: Instruction | null, how: How, boundary = true): Part {
    this.close();
    // What the check before an instruction begins, the instruction goes on with.
    if (this.begun && boundary) {
      this.begun = false;
      boundary = false;
    }
    const part: Part = {
      guest: guest | 0,
      length: i && boundary ? i.length : 0,
      cache: this.here,
      cacheLength: 0,
      how,
      instruction: i,
      boundary,
      shadowed: boundary && this.shadowed,
      exit: null,
      expects: -1,
      learned: 0,
      search: null,
      changed: false,
      fault: -1,
    };
    if (boundary) this.shadowed = false;
    this.block.parts.push(part);
    return part;
  }

  protected close(): void {
    const last = this.block.parts.at(-1);
    if (last) last.cacheLength = this.here - last.cache;
  }

  /** All bytes; no more can be written. */
  finish(): Uint8Array {
    if (!this.finished) {
      this.finished = true;
      for (const piece of this.later.splice(0)) piece();
      this.e.byte(...END);
      this.close();
    }
    return this.e.code;
  }

  // ---- the original

  /**
   * Before the instruction at `at`: whether the original still says these bytes. @param i that instruction
   * @param offset of them in the segment of the state page
   */
  check(i: Instruction, at: number, pieces: readonly { offset: number; bytes: Uint8Array }[]): void {
    const { e } = this;
    const places: number[] = [];
    this.part(at, i, 'in-cache');
    this.begun = true;
    e.save(ECX, STATE.ecx);
    for (const { offset, bytes } of pieces)
      for (const { from, size } of words(bytes.length)) {
        if (size === 4) e.load(ECX, offset + from);
        // MOVZX of a byte or a word
        else e.gs([0x0f, size === 1 ? 0xb6 : 0xb7], ECX, offset + from);
        let value = 0;
        for (let n = 0; n < size; n++) value |= bytes[from + n] << (8 * n);
        // LEA ECX, [ECX - value]; JECXZ over the jump
        e.byte(0x8d, 0x89);
        e.word32(-value);
        e.byte(0xe3, 5, 0xe9);
        places.push(e.length);
        e.word32(0);
      }
    e.load(ECX, STATE.ecx);
    this.later.push(() => {
      this.part(at, i, 'call-out', false).changed = true;
      for (const place of places) e.aim(place, e.length);
      e.load(ECX, STATE.ecx);
      e.byte(0xcd, CALL_OUT, ...END);
    });
  }

  // ---- ways out

  /** The block goes on at this EIP, in another one. @param branch offset in the cache of the displacement of the conditional jump that leads here */
  leadTo(target: number, branch = -1): Exit {
    const part = this.part(target, null, 'call-out');
    part.exit = { block: this.block, part, target: target | 0, branch, chained: null };
    this.e.byte(...CALL_OUT_STUB);
    this.ended = true;
    return part.exit;
  }

  /** What lies at this EIP is no instruction. */
  fault(at: number, vector: number): void {
    this.part(at, null, 'call-out').fault = vector;
    this.e.byte(0xcd, CALL_OUT);
    this.ended = true;
  }

  /**
   * To the block for the EIP in ECX, which is saved in the state page: it is compared with two that were met here before (LEA
   * and JECXZ, for the flags are the guest's), then looked up. Until both are known the monitor is asked.
   * @param displacement offset in the cache of a displacement that was added to ECX already, of 0: minus the first goes there
   */
  protected search(i: Instruction, at: number, displacement: number): void {
    const { e } = this;
    const test = (): number => {
      e.byte(0xe3, 0);
      return e.length;
    };
    const first = test();
    e.byte(0x8d, 0x89);
    const second = this.here;
    e.word32(0);
    const tests = [first, test()];
    e.byte(0xe9);
    const jump = this.here;
    const place = e.length;
    e.word32(0);
    const slots = tests.map((behind) => {
      this.part(at, i, 'lookup', false);
      e.code[behind - 1] = e.length - behind;
      e.load(ECX, STATE.ecx);
      return this.leadTo(0);
    });
    this.later.push(() => {
      const part = this.part(at, i, 'lookup', false);
      e.aim(place, e.length);
      e.save(ECX, STATE.target);
      e.load(ECX, STATE.ecx);
      e.byte(0xcd, CALL_OUT, ...END);
      this.part(at, i, 'lookup', false);
      const table = this.here;
      e.byte(0x8d, 0x89);
      const third = this.here;
      e.word32(0);
      e.save(EAX, STATE.eax);
      // MOV EAX, ECX
      e.byte(0x89, 0xc8);
      e.save(EAX, STATE.target);
      emitLookup(e, this.here, this.routines.miss);
      const displacements = [displacement, second, third];
      part.search = { block: this.block, slots, learned: 0, displacements, jump, table };
    });
  }

  /** To the block that STATE.target names, by the table alone. */
  protected lookup(): void {
    this.e.save(ECX, STATE.ecx);
    this.e.save(EAX, STATE.eax);
    this.e.load(EAX, STATE.target);
    emitLookup(this.e, this.here, this.routines.miss);
  }

  /** The guest stands at `next`, may be interrupted, and an interrupt waits. */
  protected window(next: number, shadowed: boolean): void {
    this.part(next, null, 'call-out', false).shadowed = shadowed;
    this.e.byte(0xcd, CALL_OUT);
  }

  /** Jcc to a piece that is written behind the block. @param piece is told where in the cache the displacement lies */
  protected branch(condition: number, piece: (displacement: number) => void): void {
    const { e } = this;
    e.jump(0, 0, condition);
    const place = e.length - 4;
    this.later.push(() => {
      e.aim(place, e.length);
      piece(this.block.cache + place);
    });
  }

  /** MOV GS, [gs:selector] */
  protected borrowGs(i: Instruction): void {
    this.e.gs([0x8e], GS, selectorAt(i.segment));
  }

  protected returnGs(): void {
    this.e.cs([0x8e], GS, this.routines.stateSelector);
  }
}
