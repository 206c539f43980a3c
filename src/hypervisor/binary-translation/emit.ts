// Writes IA-32 code for the translation cache: the few instructions that translations are made of, in 32-bit mode (SDM vol. 2).
// `gs` operands lie in the state page, `cs` operands in the cache itself.

const GS = 0x65,
  CS = 0x2e;
/** ModRM for [disp32]. */
const DISPLACEMENT = 0x05;

export class Emitter {
  private bytes = new Uint8Array(256);
  length = 0;

  /** What has been written. */
  get code(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  reset(): void {
    this.length = 0;
  }

  byte(...values: number[]): void {
    for (const value of values) {
      if (this.length === this.bytes.length) {
        const grown = new Uint8Array(this.length * 2);
        grown.set(this.bytes);
        this.bytes = grown;
      }
      this.bytes[this.length++] = value;
    }
  }

  word32(value: number): void {
    this.byte(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
  }

  /** An instruction with a doubleword operand in the state page. @param opcode bytes before ModRM. @param reg ModRM.reg */
  gs(opcode: readonly number[], reg: number, offset: number): void {
    this.byte(GS, ...opcode, DISPLACEMENT | (reg << 3));
    this.word32(offset);
  }

  /** The same with an operand in the cache. */
  cs(opcode: readonly number[], reg: number, offset: number): void {
    this.byte(CS, ...opcode, DISPLACEMENT | (reg << 3));
    this.word32(offset);
  }

  /** MOV between a register and the state page. */
  save(register: number, offset: number): void {
    this.gs([0x89], register, offset);
  }
  load(register: number, offset: number): void {
    this.gs([0x8b], register, offset);
  }
  /** MOV DWORD gs:[offset], value. */
  set(offset: number, value: number): void {
    this.gs([0xc7], 0, offset);
    this.word32(value);
  }

  /** JMP, or Jcc with a condition, to an offset in the cache. @param at offset in the cache of the first byte written here */
  jump(at: number, target: number, condition = -1): void {
    if (condition < 0) this.byte(0xe9);
    else this.byte(0x0f, 0x80 | condition);
    this.word32(target - (at + this.length + 4));
  }

  /** Sets a displacement written before to lead to `target`. @param place of its four bytes in this code */
  aim(place: number, target: number): void {
    const distance = target - (place + 4);
    for (let n = 0; n < 4; n++) this.bytes[place + n] = (distance >>> (8 * n)) & 0xff;
  }
}
