// The 8042 keyboard controller of a PS/2 (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and auxiliary
// device controller"): ports 60h/64h, IRQ 1 and IRQ 12, the A20 gate and the reset line; port 92h is their fast twin.
import type { Clock, Device, InterruptLine } from './device.ts';
import { Keyboard, Mouse, type Ps2Device, translateScanCode } from './ps2.ts';

/** Status bits. */
const OUTPUT_FULL = 0x01;
const SYSTEM = 0x04;
const COMMAND = 0x08;
const NOT_LOCKED = 0x10;
const AUX_DATA = 0x20;
/** Command byte bits. */
const KEYBOARD_INTERRUPT = 0x01;
const AUX_INTERRUPT = 0x02;
const KEYBOARD_OFF = 0x10;
const AUX_OFF = 0x20;
const TRANSLATE = 0x40;
/** A byte on the PS/2 wire: eleven bits at 16.7 kHz. */
const BYTE_SECONDS = 11 / 16_700;

export interface KeyboardWires {
  irq1: InterruptLine;
  irq12: InterruptLine;
  /** The A20 gate opened or closed. */
  a20(enabled: boolean): void;
  /** The reset line was pulsed. */
  reset(): void;
}

export class KeyboardController implements Device {
  readonly name = 'keyboard';
  readonly ports = [
    [0x60, 0x60],
    [0x64, 0x64],
    [0x92, 0x92],
  ] as const;
  readonly keyboard = new Keyboard();
  readonly mouse = new Mouse();
  private status = 0;
  /** The controller's own memory. The first byte is the command byte. */
  private readonly ram = new Uint8Array(32);
  private outputPort = 0x03;
  /** Controller command that takes the next write to 60h; 0 = the byte goes to the keyboard. */
  private pending = 0;
  private data = 0;
  /** Set 2's break prefix was seen: the next code gets bit 7. */
  private breakPrefix = false;
  private deadline = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly wires: KeyboardWires,
  ) {
    this.reset();
  }

  /** Host side: set-1 scan codes, whole sequences. */
  keys(scancodes: ArrayLike<number>): void {
    this.keyboard.keys(scancodes);
    this.schedule();
  }
  /** Host side: see Mouse.move. */
  move(dx: number, dy: number, buttons: number, dz = 0): void {
    this.mouse.move(dx, dy, buttons, dz);
    this.schedule();
  }

  get a20(): boolean {
    return (this.outputPort & 2) !== 0;
  }

  readPort(port: number): number {
    if (port === 0x64) return this.status;
    if (port === 0x92) return this.outputPort & 2;
    this.status &= ~(OUTPUT_FULL | AUX_DATA);
    this.wires.irq1(false);
    this.wires.irq12(false);
    this.schedule();
    return this.data;
  }

  writePort(port: number, value: number): void {
    const byte = value & 0xff;
    if (port === 0x64) {
      this.status |= COMMAND;
      this.controllerCommand(byte);
    } else if (port === 0x92) {
      this.setOutputPort((this.outputPort & ~2) | (byte & 2));
      if (byte & 1) this.wires.reset();
    } else {
      this.status &= ~COMMAND;
      this.writeData(byte);
    }
    this.schedule();
  }

  private controllerCommand(command: number): void {
    this.pending = 0;
    if (command >> 5 === 1) this.put(this.ram[command & 31], false);
    else if (command >> 5 === 3) this.pending = command;
    switch (command) {
      case 0xa7:
        this.ram[0] |= AUX_OFF;
        break;
      case 0xa8:
        this.ram[0] &= ~AUX_OFF;
        break;
      case 0xa9:
      case 0xab:
        this.put(0x00, false);
        break; // both wires test good
      case 0xaa:
        this.status |= SYSTEM;
        this.put(0x55, false);
        break;
      case 0xad:
        this.ram[0] |= KEYBOARD_OFF;
        break;
      case 0xae:
        this.ram[0] &= ~KEYBOARD_OFF;
        break;
      case 0xc0:
        this.put(0x80, false);
        break; // input port: keyboard not locked
      case 0xd0:
        this.put(this.outputPort | (this.status & OUTPUT_FULL ? 0x10 : 0), false);
        break;
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        this.pending = command;
        break;
      case 0xdd:
        this.setOutputPort(this.outputPort & ~2);
        break;
      case 0xdf:
        this.setOutputPort(this.outputPort | 2);
        break;
      default: // F0h–FFh pulse the output lines whose bits are 0; line 0 is the processor's reset
        if (command >= 0xf0 && !(command & 1)) this.wires.reset();
    }
  }

  private writeData(byte: number): void {
    const command = this.pending;
    this.pending = 0;
    if (command >> 5 === 3) {
      this.ram[command & 31] = byte;
      if (command === 0x60) this.status = (this.status & ~SYSTEM) | (byte & SYSTEM);
      return;
    }
    switch (command) {
      case 0xd1:
        this.setOutputPort(byte);
        break;
      case 0xd2:
        this.put(byte, false);
        break;
      case 0xd3:
        this.put(byte, true);
        break;
      case 0xd4:
        this.mouse.command(byte);
        break;
      default:
        this.ram[0] &= ~KEYBOARD_OFF;
        this.keyboard.command(byte);
    }
  }

  private setOutputPort(value: number): void {
    const before = this.a20;
    this.outputPort = value | 1;
    if (this.a20 !== before) this.wires.a20(this.a20);
    if (!(value & 1)) this.wires.reset();
  }

  /** Fills the output buffer and interrupts. */
  private put(byte: number, aux: boolean): void {
    this.data = byte;
    this.status = (this.status & ~AUX_DATA) | OUTPUT_FULL | (aux ? AUX_DATA : 0);
    if (aux) {
      this.wires.irq1(false);
      this.wires.irq12((this.ram[0] & AUX_INTERRUPT) !== 0);
    } else {
      this.wires.irq12(false);
      this.wires.irq1((this.ram[0] & KEYBOARD_INTERRUPT) !== 0);
    }
  }

  /** The device whose byte goes next; the keyboard first. */
  private sender(): Ps2Device | null {
    if (this.keyboard.output.length && !(this.ram[0] & KEYBOARD_OFF)) return this.keyboard;
    if (this.mouse.output.length && !(this.ram[0] & AUX_OFF)) return this.mouse;
    return null;
  }

  private schedule(): void {
    this.mouse.flush();
    const ready = !(this.status & OUTPUT_FULL) && this.sender() !== null;
    if (!ready) this.deadline = Infinity;
    else if (this.deadline === Infinity)
      this.deadline = this.clock.now() + Math.ceil(BYTE_SECONDS * this.clock.frequency);
  }

  nextDeadline(): number {
    return this.deadline;
  }

  advance(now: number): void {
    if (now < this.deadline) return;
    this.deadline = Infinity;
    const device = this.sender();
    if (!device || this.status & OUTPUT_FULL) return;
    const byte = device.output.shift()!;
    if (device === this.mouse) this.put(byte, true);
    else this.fromKeyboard(byte);
    this.schedule();
  }

  private fromKeyboard(byte: number): void {
    if (!(this.ram[0] & TRANSLATE)) {
      this.put(byte, false);
      return;
    }
    if (byte === 0xf0) {
      this.breakPrefix = true;
      return;
    }
    this.put(translateScanCode(byte) | (this.breakPrefix ? 0x80 : 0), false);
    this.breakPrefix = false;
  }

  /** As firmware leaves it: translation on, the keyboard's interrupt on, the mouse off, A20 open. */
  reset(): void {
    this.keyboard.reset();
    this.mouse.reset();
    this.ram.fill(0);
    this.ram[0] = TRANSLATE | AUX_OFF | SYSTEM | KEYBOARD_INTERRUPT;
    this.status = SYSTEM | NOT_LOCKED;
    const closed = !this.a20;
    this.outputPort = 0x03;
    if (closed) this.wires.a20(true);
    this.pending = this.data = 0;
    this.breakPrefix = false;
    this.deadline = Infinity;
    this.wires.irq1(false);
    this.wires.irq12(false);
  }
}
