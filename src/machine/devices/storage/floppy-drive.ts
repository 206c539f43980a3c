// A diskette drive: where its head stands, what lies in it, and its lines. The controller asks; nothing here takes time.
import { type FloppyFormat, floppyFormat, linearSector } from './geometry.ts';
import type { Medium } from './medium.ts';

export class FloppyDrive {
  /** Format of the diskette, or null without a drive. */
  readonly format: FloppyFormat | null;
  cylinder = 0;
  /** DSKCHG: set until the head is moved with a diskette inside. */
  changed = true;
  /** Which sector passes the head next, for READ ID. */
  private passing = 0;

  constructor(private readonly medium: Medium | null) {
    this.format = medium ? floppyFormat(medium.sectors) : null;
  }

  get present(): boolean {
    return this.format !== null;
  }
  get writeProtected(): boolean {
    return this.medium?.readOnly ?? false;
  }

  /** Steps to a cylinder; the last one stops the head. */
  step(cylinder: number): void {
    if (!this.format) return;
    this.cylinder = Math.max(0, Math.min(cylinder, this.format.cylinders + 2));
    this.changed = false;
  }

  /** Number of a sector under the head, −1 when this cylinder and side have none with this number. */
  find(head: number, sector: number): number {
    return this.format ? linearSector(this.format, this.cylinder, head, sector) : -1;
  }

  /** Number (from 1) of the sector that comes by; 0 when there is nothing to read. */
  nextHeader(head: number): number {
    if (!this.format || this.find(head, 1) < 0) return 0;
    this.passing = (this.passing % this.format.sectorsPerTrack) + 1;
    return this.passing;
  }

  /** A sector that the image does not reach any more is as formatted. */
  read(sector: number, into: Uint8Array): void {
    if (!this.medium?.read(sector, into)) into.fill(0xf6, 0, 512);
  }
  /** False when it cannot be written. */
  write(sector: number, data: Uint8Array): boolean {
    return this.medium?.write(sector, data) ?? false;
  }

  reset(): void {
    this.cylinder = this.passing = 0;
    this.changed = true;
  }
}
