// What lies in a drive: sectors of an image. Writes go to sectors of their own, so that the image that the page or the
// terminal loaded stays as it was and one copy can serve several machines.

export type DriveKind = 'hard-disk' | 'cd' | 'floppy';

/** A drive and what lies in it, as a machine is put together. */
export interface Drive {
  readonly kind: DriveKind;
  readonly medium: Medium;
}

export class Medium {
  /** Sectors that were written since power-on, by number. */
  private readonly written = new Map<number, Uint8Array>();

  /**
   * @param bytes the image; a last sector that is not whole is filled with zeros
   * @param sectorSize bytes: 512, or 2048 for a CD
   */
  constructor(
    private readonly bytes: Uint8Array,
    readonly sectorSize: 512 | 2048 = 512,
    readonly readOnly = false,
  ) {}

  /** Sectors in all. */
  get sectors(): number {
    return Math.ceil(this.bytes.length / this.sectorSize);
  }

  /** Copies one sector. @returns false when there is none of this number */
  read(sector: number, into: Uint8Array, at = 0): boolean {
    if (!(sector >= 0 && sector < this.sectors)) return false;
    const own = this.written.get(sector);
    if (own) {
      into.set(own, at);
      return true;
    }
    const start = sector * this.sectorSize;
    const piece = this.bytes.subarray(start, start + this.sectorSize);
    into.set(piece, at);
    if (piece.length < this.sectorSize) into.fill(0, at + piece.length, at + this.sectorSize);
    return true;
  }

  /** Writes one sector. @returns false when there is none of this number, or nothing may be written */
  write(sector: number, data: Uint8Array): boolean {
    if (this.readOnly || !(sector >= 0 && sector < this.sectors)) return false;
    this.written.set(sector, data.slice(0, this.sectorSize));
    return true;
  }
}
