// The colour table of a VGA (Brooktree Bt476 and its kin, as IBM's Technical Reference wires it): 256 entries of three
// components, six bits each, or eight where the Bochs extensions ask for it. Ports 3C6h–3C9h.
import { textDac } from './modes.ts';

export class Dac {
  private readonly entries = new Uint8Array(768);
  /** Pixel mask, port 3C6h. */
  mask = 0xff;
  /** Eight bits a component instead of six. */
  wide = false;
  private readIndex = 0;
  private writeIndex = 0;
  private state = 0;
  private readonly latch: [number, number] = [0, 0];

  reset(): void {
    this.load(textDac());
    this.mask = 0xff;
    this.wide = false;
    this.readIndex = this.writeIndex = this.state = 0;
  }

  /** @param colours 256 × red green blue, six bits each */
  load(colours: Uint8Array): void {
    this.entries.set(colours);
  }

  read(port: number): number {
    switch (port) {
      case 0x3c6:
        return this.mask;
      case 0x3c7:
        return this.state;
      case 0x3c8:
        return Math.floor(this.writeIndex / 3);
      default: {
        const value = this.entries[this.readIndex];
        this.readIndex = (this.readIndex + 1) % 768;
        return value;
      }
    }
  }

  write(port: number, value: number): void {
    switch (port) {
      case 0x3c6:
        this.mask = value;
        break;
      case 0x3c7:
        this.readIndex = value * 3;
        this.state = 3;
        break;
      case 0x3c8:
        this.writeIndex = value * 3;
        this.state = 0;
        break;
      case 0x3c9:
        this.component(this.wide ? value : value & 0x3f);
        break;
    }
  }

  /** A colour takes effect with its third component. */
  private component(value: number): void {
    const at = this.writeIndex;
    if (at % 3 < 2) this.latch[at % 3] = value;
    else this.entries.set([this.latch[0], this.latch[1], value], at - 2);
    this.writeIndex = (at + 1) % 768;
  }

  /** 256 colours, red green blue, eight bits each. */
  palette(): Uint8Array {
    return this.wide ? this.entries.slice() : this.entries.map((v) => (v << 2) | (v >> 4));
  }
}
