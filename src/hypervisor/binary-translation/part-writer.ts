// What writing a translation is made of, whatever the instructions: parts, and which of the original each stands for; ways out;
// pieces that come behind everything else; the loan of GS.
import { EAX, GS, type Instruction } from '../../machine/isa/instruction.ts';
import type { Block, Part } from './block.ts';
import { Emitter } from './emit.ts';
import { CALL_OUT, STATE, selectorAt } from './layout.ts';
import { emitLookup } from './lookup-table.ts';
import { CALL_OUT_STUB, type Routines } from './routines.ts';

type How = Part['how'];

export abstract class PartWriter {
  /** The block has an end. */
  ended = false;
  /** The instruction before was an STI. */
  shadowed = false;
  protected readonly e = new Emitter();
  /** Pieces that come behind everything else, so that the usual way runs straight. */
  protected readonly later: (() => void)[] = [];

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
    for (const piece of this.later.splice(0)) piece();
    this.close();
    return this.e.code;
  }

  // ---- ways out

  /** The block goes on at this EIP, in another one. */
  leadTo(target: number): void {
    const part = this.part(target, null, 'call-out');
    part.exit = { block: this.block, part, target: target | 0, chained: null };
    this.e.byte(...CALL_OUT_STUB);
    this.ended = true;
  }

  /** What lies at this EIP is no instruction. */
  fault(at: number, vector: number): void {
    this.part(at, null, 'call-out').fault = vector;
    this.e.byte(0xcd, CALL_OUT);
    this.ended = true;
  }

  /** To the block that STATE.target names. @param known EAX holds the same, and is saved */
  protected lookup(known = false): void {
    if (!known) {
      this.e.save(EAX, STATE.eax);
      this.e.load(EAX, STATE.target);
    }
    emitLookup(this.e);
  }

  /** The guest stands at `next`, may be interrupted, and an interrupt waits. */
  protected window(next: number, shadowed: boolean): void {
    this.part(next, null, 'call-out', false).shadowed = shadowed;
    this.e.byte(0xcd, CALL_OUT);
  }

  /** Jcc to a piece that is written behind the block. */
  protected branch(condition: number, piece: () => void): void {
    const { e } = this;
    e.jump(0, 0, condition);
    const place = e.length - 4;
    this.later.push(() => {
      e.aim(place, e.length);
      piece();
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
