// The bytes of one instruction or data item while it is being made, and the places in it that wait for layout.
import { high32, type Int, low32 } from '../int64.ts';
import type { Base } from '../value.ts';

/** A field whose value needs an address that only layout settles. */
export interface Fixup {
  /** Offset of the field in these bytes. */
  readonly at: number;
  readonly size: number;
  /** Added when known; null for an absolute target of a relative branch. */
  readonly base: Base | null;
  /** The address of the instruction's section is subtracted. */
  readonly relative: boolean;
}

/** A buffer reused for every instruction: 15 bytes are the processor's limit, prefixes may waste a few more. */
export class Code {
  readonly bytes = new Uint8Array(32);
  length = 0;
  readonly fixups: Fixup[] = [];

  clear(): void {
    this.length = 0;
    if (this.fixups.length > 0) this.fixups.length = 0;
  }

  /** Takes bytes that are known already. */
  set(bytes: Uint8Array): void {
    this.clear();
    for (let i = 0; i < bytes.length; i++) this.bytes[i] = bytes[i];
    this.length = bytes.length;
  }

  byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** Little-endian, the low `size` bytes of the value. */
  field(value: Int, size: number): void {
    let low = low32(value);
    for (let i = 0; i < size; i++) {
      if (i === 4) low = high32(value);
      this.bytes[this.length++] = low;
      low >>>= 8;
    }
  }

  /** A field to which an address is added after layout; `value` is what is known already. */
  fixup(value: Int, size: number, base: Base | null, relative: boolean): void {
    this.fixups.push({ at: this.length, size, base, relative });
    this.field(value, size);
  }
}
