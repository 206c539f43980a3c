// The translator: from a run of the guest's instructions to a block in the cache. Input is what lies in the guest's memory
// now; a block has up to UNIT instructions, or ends at the first that goes elsewhere (Adams & Agesen 2006, §3.1).
import { VECTOR } from '../../machine/cpu/fault.ts';
import { decode } from '../../machine/isa/decode.ts';
import { CS, type Instruction, SS } from '../../machine/isa/instruction.ts';
import { Kind } from '../../trace/events.ts';
import { guestFault, isGuestFault } from '../deprivileged/linear.ts';
import { loaded } from '../deprivileged/operands.ts';
import { Unsupported } from '../deprivileged/segments.ts';
import { canMake, isCut } from './accesses.ts';
import { Block } from './block.ts';
import type { TranslatedGuest } from './guest.ts';
import { isLatch } from './in-cache.ts';
import { endsBlock } from './rules.ts';
import { mayWrite } from './self-checking.ts';
import { BlockWriter } from './writer.ts';

/** Instructions of a translation unit at most. */
export const UNIT = 12;
const LONGEST_INSTRUCTION = 15;
const BIG = 0x400000;

/** An instruction of the original, and its bytes. */
interface Decoded {
  readonly i: Instruction;
  readonly bytes: Uint8Array;
}

/** Where code is fetched from: a linear page, the guest frame behind it, its machine address (-1: no memory there). */
interface Source {
  linear: number;
  frame: number;
  machine: number;
}

/** Translates the code at EIP and puts the block into the cache. Raises #PF when it cannot be fetched; throws Unsupported. */
export function translate(guest: TranslatedGuest, eip: number): Block {
  const { cache, hypervisor } = guest;
  const reader = new CodeReader(guest);
  const linear = (loaded(guest, CS).base + eip) >>> 0;
  if (guest.breakpoints.at(linear))
    throw new Unsupported('the guest’s kernel has a breakpoint here, which no translation would meet');
  const start = cache.room(linear);
  let { block, writer } = attempt(guest, reader, eip, start);
  // No block lies on two pages, which need not be neighbours in the machine. (The longest fits into one.)
  if ((start & 0xfff) + writer.finish().length > 4096)
    ({ block, writer } = attempt(guest, reader, eip, cache.newPage(linear)));
  cache.insert(block, writer.finish(), reader.sources);
  const cost = hypervisor.charge.translateInstruction(Math.max(1, block.instructions));
  hypervisor.record(
    guest.vcpu,
    Kind.translate,
    block.linear | 0,
    block.length,
    cache.linear(block.cache),
    block.cacheLength,
    block.adapted ? 1 : 0,
    cost,
  );
  return block;
}

/** The block for EIP as it would lie at `start`. */
function attempt(guest: TranslatedGuest, reader: CodeReader, eip: number, start: number) {
  const code = loaded(guest, CS);
  const { base } = code;
  // Code may lie where data segments do not reach: it runs in the cache.
  const limit = isCut(guest, CS) ? 0xffffffff - base : code.limit;
  if (!(code.high & BIG))
    throw new Unsupported(
      'the guest’s kernel runs 16-bit code, which this translator does not take. Run this guest by VT-x, or on the bare machine (native)',
    );
  const stackIsWide = (loaded(guest, SS).high & BIG) !== 0;
  // The first fetch may fault, and then nothing has happened.
  reader.isFirst = true;
  reader.page((base + eip) >>> 0);
  const block = new Block(eip | 0, (base + eip) >>> 0, start);
  const writer = new BlockWriter(block, guest.cache.routines, stackIsWide);
  let at = eip >>> 0;
  while (!writer.ended) {
    const linear = (base + at) >>> 0;
    // An STI takes the next instruction with it.
    const full = block.instructions >= UNIT || linear >>> 12 !== block.linear >>> 12;
    if (full && block.instructions > 0 && !writer.shadowed) {
      writer.leadTo(at);
      break;
    }
    if (block.instructions > 0 && guest.breakpoints.at(linear)) {
      writer.leadTo(at);
      break;
    }
    const run = reader.run(linear, limit - at, UNIT - block.instructions);
    if (typeof run === 'string') {
      if (run === 'absent') writer.leadTo(at);
      else writer.fault(at, run === 'invalid' ? VECTOR.UD : VECTOR.GP);
      break;
    }
    const pieces = reader.checkedPieces(linear, run);
    if (pieces.length > 0) writer.check(run[0].i, at, pieces);
    for (const { i, bytes } of run) {
      const adapted = guest.isAdapted(at) && canMake(i);
      block.adapted ||= adapted;
      writer.instruction(i, bytes, at, adapted || (guest.breakpoints.ports && isLatch(i)));
      block.instructions++;
      block.length += i.length;
      at = (at + i.length) >>> 0;
    }
  }
  block.length = Math.max(block.length, 1);
  return { block, writer };
}

class CodeReader {
  readonly sources: Source[] = [];
  /** Nothing has been read yet: a fault belongs to the guest. */
  isFirst = true;
  private readonly scratch = new Uint8Array(LONGEST_INSTRUCTION);

  constructor(private readonly guest: TranslatedGuest) {}

  /** The page of an address. Raises #PF. */
  page(linear: number): Source {
    const start = (linear & ~0xfff) >>> 0;
    const known = this.sources.find((source) => source.linear === start);
    if (known) return known;
    const { shadow, domain } = this.guest;
    const physical = shadow.translate(start, false, false);
    if (physical < 0) guestFault(VECTOR.PF, shadow.guestError, linear);
    const machine = domain.memory.toMachine(physical);
    const source = { linear: start, frame: machine < 0 ? -1 : physical >>> 12, machine };
    this.sources.push(source);
    return source;
  }

  private byte(linear: number): number {
    const { machine } = this.page(linear);
    // An empty bus reads as ones.
    return machine < 0 ? 0xff : this.guest.hypervisor.pc.memory.read8(machine + (linear & 0xfff));
  }

  /** @param beyond how far the limit of CS lies behind its first byte; negative: outside. Raises #PF */
  instruction(linear: number, beyond: number): Instruction | 'invalid' | 'long' {
    if (beyond < 0) return 'long';
    const allowed = Math.min(LONGEST_INSTRUCTION, beyond + 1);
    const inPage = Math.min(allowed, 4096 - (linear & 0xfff));
    let read = 0;
    for (const end of [inPage, allowed]) {
      for (; read < end; read++) this.scratch[read] = this.byte((linear + read) >>> 0);
      const decoded = decode(this.scratch, 0, 32, read);
      if (typeof decoded !== 'string') return decoded;
      if (decoded !== 'short') return decoded;
    }
    return 'long';
  }

  /**
   * One instruction, or, where code checks itself, as many as one check stands for: up to the first that may write or goes
   * elsewhere. @returns why there is none: `absent` when fetching it would fault, and others come before it
   */
  run(linear: number, beyond: number, most: number): Decoded[] | 'invalid' | 'long' | 'absent' {
    const run: Decoded[] = [];
    let length = 0;
    const checked = this.isChecked(linear);
    do {
      let i: Instruction | 'invalid' | 'long';
      try {
        i = this.instruction((linear + length) >>> 0, beyond - length);
      } catch (error) {
        // It faults when it is executed, and not before.
        if (!isGuestFault(error) || (this.isFirst && run.length === 0)) throw error;
        return run.length > 0 ? run : 'absent';
      }
      if (typeof i === 'string') return run.length > 0 ? run : i;
      this.isFirst = false;
      run.push({ i, bytes: this.scratch.slice(0, i.length) });
      length += i.length;
      if (endsBlock(i) || mayWrite(i)) break;
    } while (
      checked &&
      run.length < most &&
      (linear + length) >>> 12 === linear >>> 12 &&
      !this.guest.breakpoints.at(linear + length)
    );
    return run;
  }

  private isChecked(linear: number): boolean {
    return this.guest.selfChecking.has(this.page(linear).frame);
  }

  /** The bytes of a run, as far as they lie in pages whose code checks itself. */
  checkedPieces(linear: number, run: readonly Decoded[]): { offset: number; bytes: Uint8Array }[] {
    if (!this.sources.some(({ frame }) => this.guest.selfChecking.has(frame))) return [];
    const all = Uint8Array.from(run.flatMap(({ bytes }) => [...bytes]));
    const inFirst = Math.min(all.length, 4096 - (linear & 0xfff));
    const halves = [
      { at: linear, bytes: all.subarray(0, inFirst) },
      { at: (linear + inFirst) >>> 0, bytes: all.subarray(inFirst) },
    ];
    return halves.flatMap(({ at, bytes }) => {
      const offset = bytes.length > 0 ? this.guest.selfChecking.offsetOf(this.page(at).frame) : -1;
      return offset < 0 ? [] : [{ offset: offset + (at & 0xfff), bytes }];
    });
  }
}
