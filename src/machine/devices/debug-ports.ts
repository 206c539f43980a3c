// Ports that emulators and many boards know: 80h (POST code; a write takes about a microsecond of ISA bus, so software uses
// it as a delay), E9h (Bochs' debug console: a character goes straight to the host), and F4h or 501h (QEMU's isa-debug-exit, where
// most put it and where it is by default: the machine is switched off, and says with what).
import type { Device } from './device.ts';

const KEPT = 1 << 16;

export class DebugPorts implements Device {
  readonly name = 'debug';
  readonly ports = [
    [0x80, 0x80],
    [0xe9, 0xe9],
    [0xf4, 0xf7],
    [0x501, 0x502],
  ] as const;
  readonly writesQuietly = true;
  /** Called with each character written to E9h. */
  onOutput: ((byte: number) => void) | null = null;
  /** Last POST code. */
  post = 0;
  /** What QEMU's process would have ended with, (value << 1) | 1 in eight bits; undefined while nobody wrote there. */
  exitCode: number | undefined;
  private output: number[] = [];

  /** @param off switches the machine off */
  constructor(private readonly off: () => void = () => {}) {}

  /** A read of E9h gives E9h, which is how software finds out that the port is there. */
  readPort(port: number): number {
    return port === 0x80 ? this.post : port === 0xe9 ? 0xe9 : 0;
  }

  writePort(port: number, value: number): void {
    if (port === 0x80) {
      this.post = value & 0xff;
      return;
    }
    if (port !== 0xe9) {
      // Of a wider write the lowest byte comes first; the others are beyond the eight bits.
      if (port !== 0xf4 && port !== 0x501) return;
      this.exitCode = ((value << 1) | 1) & 0xff;
      this.off();
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
    this.exitCode = undefined;
  }
}
