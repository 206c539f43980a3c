// Code that shares its page with data which is written all the time. Its page is not traced, for each write would trap; its
// translations look themselves whether the original still says what they were made from, before they do it (self-checking
// translations: Dehnert et al. 2003, §3.4). They read it through a window behind the lookup table, wherever the guest has it.
import type { Instruction } from '../../machine/isa/instruction.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PER_DOMAIN_START } from '../monitor.ts';
import { CHECKED, CHECKED_PAGE, CHECKED_PAGES } from './layout.ts';

/** Writes within so many cycles before a page counts as written all the time. */
const OFTEN = 16;
const WITHIN = 1_000_000;
/** Pages that are watched at most. */
const MOST = 4096;
/** Present, accessed, dirty: ring 1 may not write to it. */
const MAPPED = 0x61;

export class SelfChecking {
  /** Guest frames and their places in the window, oldest first. */
  private readonly places = new Map<number, number>();
  private readonly machine = new Map<number, number>();
  private readonly written = new Map<number, { since: number; count: number }>();

  /** @param area machine address of the page table. @param toMachine of a guest frame, negative: no memory */
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly area: number,
    private readonly toMachine: (frame: number) => number,
  ) {}

  has(frame: number): boolean {
    return this.places.has(frame);
  }

  /** Another write to a frame with code. True when that was once too often. */
  accuse(frame: number): boolean {
    const { now } = this.hypervisor;
    const known = this.written.get(frame);
    if (!known || now - known.since > WITHIN) {
      if (this.written.size >= MOST) this.written.clear();
      this.written.set(frame, { since: now, count: 1 });
      return false;
    }
    if (++known.count < OFTEN) return false;
    this.written.delete(frame);
    return true;
  }

  /** The frame that must give its place to the next: translations of its code must have gone by then. -1: there is room. */
  get oldest(): number {
    return this.places.size < CHECKED_PAGES ? -1 : this.places.keys().next().value!;
  }

  /** From now on the code of this frame checks itself: there must be no translations of it. */
  begin(frame: number): void {
    const { oldest } = this;
    const place = oldest < 0 ? this.places.size : this.places.get(oldest)!;
    this.places.delete(oldest);
    this.machine.delete(place);
    this.places.set(frame, place);
  }

  /** Where translated code finds this frame, in the segment of the state page; -1: its code does not check itself. */
  offsetOf(frame: number): number {
    const place = this.places.get(frame);
    const machine = place === undefined ? -1 : this.toMachine(frame);
    if (place === undefined || machine < 0) return -1;
    if (this.machine.get(place) !== machine) {
      const { pc, cpu } = this.hypervisor;
      this.machine.set(place, machine);
      pc.memory.write32(this.area + (CHECKED_PAGE + place) * 4, machine | MAPPED);
      cpu.tlb.invalidate(PER_DOMAIN_START + (CHECKED_PAGE + place) * 4096);
    }
    return CHECKED + place * 4096;
  }
}

/** Operations without a memory operand that write nothing but registers and flags. */
const IN_REGISTERS: ReadonlySet<string> = new Set([
  ...['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp', 'test', 'inc', 'dec', 'neg', 'not', 'mov'],
  ...['movzx', 'movsx', 'lea', 'nop', 'xchg', 'bswap', 'setcc', 'cmovcc', 'imul', 'mul', 'imul-wide', 'div'],
  ...['idiv', 'shl', 'shr', 'sar', 'rol', 'ror', 'rcl', 'rcr', 'shld', 'shrd', 'bt', 'cbw', 'cwd', 'pop'],
  ...['cli', 'sti', 'cld', 'std', 'clc', 'stc', 'cmc', 'popf', 'leave', 'popa', 'sahf', 'lahf', 'jcc', 'jmp'],
]);
/** Those that only read the memory operand, and those that do if it is not the first. */
const READING: ReadonlySet<string> = new Set(['cmp', 'test', 'lea', 'nop', 'bt', 'jmp', 'mul', 'imul-wide']);
const READING_SECOND: ReadonlySet<string> = new Set([
  ...['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'mov', 'movzx', 'movsx', 'cmovcc', 'imul'],
]);

/** Whether an instruction may write to memory, and so to the code behind it. */
export function mayWrite(i: Instruction): boolean {
  const { operation, operands } = i.form;
  if (i.rep !== 0) return true;
  const moffs = operands.some((kind) => kind.startsWith('moffs'));
  if (!i.memory && !moffs) return !IN_REGISTERS.has(operation);
  if (READING.has(operation)) return false;
  return !READING_SECOND.has(operation) || /^(rm|m)/.test(operands[0]);
}
