// Builds the bytes of one instruction around a case: prefixes, ModRM, SIB, displacement. Registers that an address uses are
// set so that the operand falls into the window; all else stays random. Encodings are written from the manual
// (SDM vol. 2 tables 2-1 to 2-3) and not with our own table, so that the decoder is tested too.
import { Case, WINDOW, WINDOW_AT } from './case.ts';
import type { Random } from './random.ts';

const ESP = 4,
  EBP = 5;
/** Base and index of the 16-bit forms. */
const FORMS_16: readonly (readonly number[])[] = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]];

export class Draft {
  readonly c: Case;
  private prefixes: number[] = [];
  readonly operandSize: 16 | 32;
  readonly addressSize: 16 | 32;
  /** Registers that the address is made of. */
  readonly addressRegisters = new Set<number>();
  /** Where in the windows the memory operand lies. */
  target = -1;

  constructor(
    readonly random: Random,
    options: { wide?: boolean; stack?: boolean } = {},
  ) {
    this.c = new Case(random);
    this.c.code16 = random.oneIn(4);
    this.c.stack16 = this.c.code16 ? !random.oneIn(4) : random.oneIn(8);
    const mode = this.c.code16 ? 16 : 32;
    this.operandSize = options.wide === undefined ? mode : options.wide ? 32 : 16;
    this.addressSize = random.oneIn(5) ? (mode === 16 ? 32 : 16) : mode;
    if (this.operandSize !== mode) this.prefixes.push(0x66);
    if (this.addressSize !== mode) this.prefixes.push(0x67);
    if (options.stack) this.placeStackPointer();
  }

  /** Puts ESP into the middle of the stack window. */
  placeStackPointer(): void {
    const sp = WINDOW_AT + 32 + 2 * this.random.below(32);
    const upper = this.c.stack16 ? this.random.word() & 0xffff0000 : 0;
    this.c.regs[ESP] = (upper | sp) >>> 0;
  }

  get bytesOfOperand(): number {
    return this.operandSize / 8;
  }

  prefix(byte: number): void {
    this.prefixes.splice(this.random.below(this.prefixes.length + 1), 0, byte);
  }

  /** An immediate of `size` bytes. */
  immediate(size: number, value = this.random.value()): number[] {
    return Array.from({ length: size }, (_, k) => Math.floor(value / 256 ** k) & 0xff);
  }

  /** ModRM with a register in rm. */
  register(reg: number, rm: number): number[] {
    return [0xc0 | (reg << 3) | rm];
  }

  /** ModRM (and the rest) of a memory operand of `size` bytes somewhere in a window, `margin` bytes from its ends. */
  memory(reg: number, size: number, margin = 0): number[] {
    const { random } = this;
    this.target = margin + random.below(WINDOW - size - 2 * margin + 1);
    let offset = WINDOW_AT + this.target;
    if (size > 1 && random.oneIn(50)) {
      // Across or beyond the limit: #GP or #SS, and nothing may change.
      this.target = -1;
      offset = 0x10001 - random.below(size - 1) - 2;
      if (this.addressSize === 32 && random.oneIn(4)) offset = (random.word() | 0x10000) >>> 0;
    }
    const segment = random.oneIn(8) ? random.pick([0x26, 0x36, 0x3e, 0x64]) : 0;
    if (segment) this.prefix(segment);
    if (segment === 0x64 && this.target >= 0) offset -= 0x100;
    return this.addressSize === 32 ? this.memory32(reg, offset) : this.memory16(reg, offset & 0xffff);
  }

  private memory32(reg: number, offset: number): number[] {
    const { random, c } = this;
    const field = reg << 3;
    const shape = random.below(8);
    if (shape === 0) return [field | 5, ...this.immediate(4, offset >>> 0)];
    const base = random.below(8);
    if (shape <= 4) {
      const short = shape <= 2;
      const displacement = short ? (random.below(256) << 24) >> 24 : random.word() | 0;
      if (!(base === ESP && this.stackPointerIsFixed)) c.regs[base] = offset - displacement;
      const actual = (offset - c.regs[base]) >>> 0;
      const fits = ((actual << 24) >> 24) >>> 0 === actual;
      this.addressRegisters.add(base);
      const sib = base === ESP ? [0x24 | (random.below(4) << 6)] : [];
      if (short && actual === 0 && base !== EBP) return [field | base, ...sib];
      if (short && fits) return [0x40 | field | base, ...sib, actual & 0xff];
      return [0x80 | field | base, ...sib, ...this.immediate(4, actual)];
    }
    const index = random.pick([0, 1, 2, 3, 5, 6, 7]);
    const scale = random.below(4);
    this.addressRegisters.add(index);
    const scaled = (c.regs[index] << scale) >>> 0;
    if (shape === 5)
      return [field | 4, (scale << 6) | (index << 3) | 5, ...this.immediate(4, (offset - scaled) >>> 0)];
    this.addressRegisters.add(base);
    const rest = (offset - scaled - c.regs[base]) >>> 0;
    return [0x80 | field | 4, (scale << 6) | (index << 3) | base, ...this.immediate(4, rest)];
  }

  /** ESP was put into the window and must stay there. */
  private get stackPointerIsFixed(): boolean {
    const sp = this.c.regs[ESP] & 0xffff;
    return sp >= WINDOW_AT && sp < WINDOW_AT + WINDOW;
  }

  private memory16(reg: number, offset: number): number[] {
    const { random, c } = this;
    const field = reg << 3;
    if (random.oneIn(5)) return [field | 6, ...this.immediate(2, offset)];
    const form = random.below(8);
    const registers = FORMS_16[form];
    for (const r of registers) this.addressRegisters.add(r);
    const sum = () => registers.reduce((total, r) => total + c.regs[r], 0) & 0xffff;
    if (random.oneIn(2)) {
      // Make the registers fit a short displacement.
      const displacement = (random.below(256) << 24) >> 24;
      const first = registers[0];
      const wanted = (c.regs[first] + offset - displacement - sum()) & 0xffff;
      c.regs[first] = ((c.regs[first] & 0xffff0000) | wanted) >>> 0;
      const actual = (offset - sum()) & 0xffff;
      if (actual === 0 && form !== 6) return [field | form];
      if ((((actual << 24) >> 24) & 0xffff) === actual) return [0x40 | field | form, actual & 0xff];
    }
    return [0x80 | field | form, ...this.immediate(2, (offset - sum()) & 0xffff)];
  }

  /** Finishes the instruction with exactly these bytes, prefixes included. */
  emitPlain(name: string, bytes: number[]): Case {
    this.prefixes = [];
    return this.emit(name, bytes);
  }

  /** Finishes the instruction: prefixes, then these bytes. */
  emit(name: string, ...bytes: (number | number[])[]): Case {
    this.c.name = name;
    this.c.bytes = [...this.prefixes, ...bytes.flat()];
    return this.c;
  }
}
