// The keyboard and the mouse at the far end of the PS/2 wires (IBM PS/2 Hardware Interface Technical Reference, keyboard
// and mouse sections): each takes command bytes, answers, and reports when it is enabled. The mouse has Microsoft's wheel.
import { optional } from './optional.ts';

/** Bytes a device keeps while the controller does not take them. */
const BUFFER = 64;
const ACK = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;

/** A device at the end of a PS/2 wire. */
export interface Ps2Device {
  /** Bytes waiting to be clocked out. */
  readonly output: number[];
  /** A command or parameter byte from the controller. */
  command(byte: number): void;
  reset(): void;
}

/** Scan-code set 2 to set 1 as the 8042 translates it (index: set 2 code; 0 = passed through). F7 (83h) and SysRq (84h) lie outside. */
const SET2_TO_SET1 = [
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, 0x65, 0x38,
  0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20,
  0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15,
  0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60,
  0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36,
  0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b,
  0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49,
  0x46, 0x54,
];
const SET1_TO_SET2 = new Uint8Array(128);
SET2_TO_SET1.forEach((one, two) => {
  if (one < 128) SET1_TO_SET2[one] = two;
});
SET1_TO_SET2[0x41] = 0x83;

/** What the controller makes of one byte of scan-code set 2 (F0h, the break prefix, is the controller's to handle). */
export function translateScanCode(byte: number): number {
  if (byte < 0x80) return SET2_TO_SET1[byte];
  if (byte === 0x83) return 0x41;
  if (byte === 0x84) return 0x54;
  return byte;
}

/** The keyboard. It speaks set 2 (or set 1 or 3 when told to); keys come from the host as set 1, as in the message protocol. */
export class Keyboard implements Ps2Device {
  readonly output: number[] = [];
  private scanning = true;
  private set = 2;
  private readonly third = optional.ScanSet3 && new optional.ScanSet3(SET1_TO_SET2);
  /** Lamps: bit 0 Scroll, 1 Num, 2 Caps. */
  leds = 0;
  /** Command that waits for its parameter; 0 = none. */
  private pending = 0;
  private last = 0;

  /** Host side: set-1 scan codes, prefixes included. Whole sequences that do not fit are lost, as with a full keyboard buffer. */
  keys(scancodes: ArrayLike<number>): void {
    if (!this.scanning || this.output.length + 2 * scancodes.length > BUFFER) return;
    if (this.set === 3) {
      this.output.push(...this.third!.translate(scancodes));
      return;
    }
    for (let i = 0; i < scancodes.length; i++) {
      const code = scancodes[i] & 0xff;
      if (this.set === 1 || code >= 0xe0) {
        this.output.push(code);
        continue;
      }
      if (code & 0x80) this.output.push(0xf0);
      this.output.push(SET1_TO_SET2[code & 0x7f]);
    }
  }

  private say(...bytes: number[]): void {
    for (const b of bytes) if (this.output.length < BUFFER) this.output.push((this.last = b));
  }

  command(byte: number): void {
    const waiting = this.pending;
    this.pending = 0;
    if (waiting && byte < 0xed) {
      this.parameter(waiting, byte);
      return;
    }
    switch (byte) {
      case 0xed:
      case 0xf0:
      case 0xf3:
        this.pending = byte;
        this.say(ACK);
        break;
      case 0xee:
        this.say(0xee);
        break;
      case 0xf2:
        this.say(ACK, 0xab, 0x83);
        break;
      case 0xf4:
        this.scanning = true;
        this.say(ACK);
        break;
      case 0xf5:
      case 0xf6:
        this.defaults(byte === 0xf6);
        this.say(ACK);
        break;
      case 0xfe:
        this.say(this.last);
        break;
      case 0xff:
        this.defaults(true);
        this.say(ACK, SELF_TEST_PASSED);
        break;
      default:
        this.say(this.third?.command(byte) ? ACK : RESEND);
    }
  }

  private parameter(command: number, value: number): void {
    if (command === 0xed) this.leds = value & 7;
    if (command !== 0xf0) this.say(ACK);
    else if (value === 0) this.say(ACK, this.set);
    else if (value <= 2 || (value === 3 && this.third)) {
      this.set = value;
      this.say(ACK);
    } else this.say(RESEND);
  }

  private defaults(scanning: boolean): void {
    this.scanning = scanning;
    this.set = 2;
    this.third?.defaults();
    this.output.length = 0;
  }

  reset(): void {
    this.defaults(true);
    this.leds = this.pending = this.last = 0;
  }
}

/** A three-button mouse with a wheel, in stream or remote mode: packets of three bytes, or of four once the wheel is wanted. */
export class Mouse implements Ps2Device {
  readonly output: number[] = [];
  private reporting = false;
  private remote = false;
  private rate = 100;
  private resolution = 2;
  private scaling = false;
  private buttons = 0;
  private dx = 0;
  private dy = 0;
  private dz = 0;
  private pending = 0;
  /** 3 once the sample rates 200, 100, 80 were set one after the other: an IntelliMouse. */
  private identity = 0;
  private rates = 0;

  /**
   * Host side: movement since the last report and the buttons held (bit 0 left, 1 right, 2 middle).
   * @param dx counts to the right
   * @param dy counts up, as the mouse counts
   * @param dz notches of the wheel, toward the user
   */
  move(dx: number, dy: number, buttons: number, dz = 0): void {
    const clicked = (buttons ^ this.buttons) & 7;
    this.dx += Math.trunc(dx);
    this.dy += Math.trunc(dy);
    if (this.identity) this.dz += Math.trunc(dz);
    this.buttons = buttons & 7;
    // A click is worth a packet of its own; movement waits until the last packet is gone, and adds up.
    if (clicked && this.reporting && !this.remote && this.output.length + 4 <= BUFFER) this.packet();
    else this.flush();
  }

  /** Reports movement that has added up, once nothing else is waiting. */
  flush(): void {
    if (this.reporting && !this.remote && !this.output.length && (this.dx || this.dy || this.dz))
      this.packet();
  }

  private packet(): void {
    const x = Math.max(-255, Math.min(255, this.dx));
    const y = Math.max(-255, Math.min(255, this.dy));
    this.dx = Math.max(-4096, Math.min(4096, this.dx - x));
    this.dy = Math.max(-4096, Math.min(4096, this.dy - y));
    this.output.push(8 | this.buttons | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0), x & 0xff, y & 0xff);
    if (!this.identity) return;
    const z = Math.max(-8, Math.min(7, this.dz));
    this.dz = Math.max(-64, Math.min(64, this.dz - z));
    this.output.push(z & 0xff);
  }

  command(byte: number): void {
    const waiting = this.pending;
    this.pending = 0;
    if (waiting) {
      if (waiting === 0xf3) {
        this.rate = byte;
        this.rates = ((this.rates << 8) | byte) & 0xffffff;
        if (this.rates === 0xc86450) this.identity = 3;
      } else this.resolution = byte & 3;
      this.output.push(ACK);
      return;
    }
    // A command ends whatever report was on its way.
    this.output.length = 0;
    if (!this.known(byte)) {
      this.output.push(RESEND);
      return;
    }
    this.output.push(ACK);
    switch (byte) {
      case 0xe6:
      case 0xe7:
        this.scaling = byte === 0xe7;
        break;
      case 0xe8:
      case 0xf3:
        this.pending = byte;
        break;
      case 0xe9:
        this.output.push(this.status(), this.resolution, this.rate);
        break;
      case 0xea:
        this.remote = false;
        break;
      case 0xeb:
        this.packet();
        break;
      case 0xf0:
        this.remote = true;
        break;
      case 0xf2:
        this.output.push(this.identity);
        break;
      case 0xf4:
      case 0xf5:
        this.reporting = byte === 0xf4;
        this.dx = this.dy = this.dz = 0;
        break;
      case 0xf6:
        this.defaults();
        break;
      case 0xff:
        this.defaults();
        this.identity = 0;
        this.output.push(SELF_TEST_PASSED, 0x00);
        break;
    }
  }

  private known(byte: number): boolean {
    return (byte >= 0xe6 && byte <= 0xeb) || byte === 0xf0 || (byte >= 0xf2 && byte <= 0xf6) || byte === 0xff;
  }

  private status(): number {
    const b = this.buttons;
    return (
      (this.remote ? 0x40 : 0) |
      (this.reporting ? 0x20 : 0) |
      (this.scaling ? 0x10 : 0) |
      ((b & 1) << 2) |
      ((b & 4) >> 1) |
      ((b & 2) >> 1)
    );
  }

  private defaults(): void {
    this.reporting = this.remote = this.scaling = false;
    this.rate = 100;
    this.resolution = 2;
    this.dx = this.dy = this.dz = this.rates = 0;
  }

  reset(): void {
    this.defaults();
    this.output.length = this.buttons = this.pending = this.identity = 0;
  }
}
