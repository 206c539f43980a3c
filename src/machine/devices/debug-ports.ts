// Two ports that every emulator and many boards know: 80h (POST code; a write takes about a microsecond of ISA bus, so
// software uses it as a delay) and E9h (Bochs' debug console: a character goes straight to the host).
import type { Device } from './device.ts';

const KEPT = 1 << 16;

export class DebugPorts implements Device {
  readonly name = 'debug';
  readonly ports = [
    [0x80, 0x80],
    [0xe9, 0xe9],
  ] as const;
  /** Called with each character written to E9h. */
  onOutput: ((byte: number) => void) | null = null;
  /** Last POST code. */
  post = 0;
  private output: number[] = [];

  /** A read of E9h gives E9h, which is how software finds out that the port is there. */
  readPort(port: number): number {
    return port === 0x80 ? this.post : 0xe9;
  }

  writePort(port: number, value: number): void {
    if (port === 0x80) {
      this.post = value & 0xff;
      return;
    }
    if (this.output.length >= KEPT) this.output.splice(0, KEPT / 2);
    this.output.push(value & 0xff);
    this.onOutput?.(value & 0xff);
  }

  /** The characters since the last call (at most the newest 64 KiB). */
  drain(): number[] {
    const out = this.output;
    this.output = [];
    return out;
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}
  reset(): void {
    this.post = 0;
  }
}
