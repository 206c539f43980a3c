// National Semiconductor 16550A serial port (data sheet PC16550D, register descriptions) at 3F8h, IRQ 4. A character
// takes its bits' time on the wire in both directions; what the host sends waits until the guest listens and has room for it.
import type { Clock, Device, InterruptLine } from './device.ts';
import { UART_HZ } from './time-base.ts';

const FIFO_SIZE = 16;
/** Bytes the host may have waiting for the receiver, and finished bytes kept for the host. */
const HOST_QUEUE = 1 << 16;
/** Interrupt enable bits. */
const IER_RX = 1;
const IER_TX = 2;
const IER_LINE = 4;
const IER_MODEM = 8;
/** Line status bits. */
const DATA_READY = 0x01;
const OVERRUN = 0x02;
const BREAK = 0x10;
const THR_EMPTY = 0x20;
const TX_EMPTY = 0x40;
const LOOPBACK = 0x10;
/** CTS, DSR and DCD asserted: somebody is at the other end. */
const CONNECTED = 0xb0;
const TRIGGERS = [1, 4, 8, 14];

export class Uart implements Device {
  readonly name = 'serial';
  readonly ports: readonly (readonly [number, number])[];
  /** Called at the end of each character on the wire. */
  onTransmit: ((byte: number) => void) | null = null;

  private ier = 0;
  private fcr = 0;
  private lcr = 0;
  private mcr = 0;
  private errors = 0;
  private scratch = 0;
  private divisor = 1;
  private modemLines = CONNECTED;
  private modemDeltas = 0;
  private txEmptyInterrupt = false;
  private timedOut = false;
  /** The guest has looked for characters since it last emptied the receiver; and its latest look found the transmitter free. */
  private polled = false;
  private sawFree = false;

  private readonly rx: number[] = [];
  private readonly tx: number[] = [];
  private shifting = -1;
  /** Cycles at which the shifter is done, the next host byte arrives, the receive FIFO times out. */
  private txDone = Infinity;
  private rxNext = Infinity;
  private rxTimeout = Infinity;
  private fromHost: number[] = [];
  private toHost: number[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly irq: InterruptLine,
    private readonly base = 0x3f8,
  ) {
    this.ports = [[base, base + 7]];
    this.reset();
  }

  /**
   * Host side: sends bytes to the guest, as soon as it listens: what arrives earlier may be cleared away unread.
   * Returns how many were taken; the rest must be offered again later.
   */
  receive(bytes: ArrayLike<number>): number {
    const n = Math.min(bytes.length, HOST_QUEUE - this.fromHost.length);
    for (let i = 0; i < n; i++) this.fromHost.push(bytes[i] & 0xff);
    this.scheduleReceive();
    return n;
  }

  /** Host side: the bytes transmitted since the last call (at most the newest 64 KiB). */
  drain(): number[] {
    const out = this.toHost;
    this.toHost = [];
    return out;
  }

  private get fifos(): boolean {
    return (this.fcr & 1) !== 0;
  }
  private get receiverRoom(): boolean {
    return this.rx.length < (this.fifos ? FIFO_SIZE : 1);
  }
  /** Cycles that one character takes: start, data, parity and stop bits at the programmed rate. */
  private characterCycles(): number {
    const bits = 1 + 5 + (this.lcr & 3) + (this.lcr & 8 ? 1 : 0) + (this.lcr & 4 ? 2 : 1);
    return Math.ceil((bits * 16 * (this.divisor || 65536) * this.clock.frequency) / UART_HZ);
  }

  /** The guest looks for characters, or wants to be interrupted by one. */
  private get listening(): boolean {
    return this.polled || (this.ier & IER_RX) !== 0;
  }

  private scheduleReceive(): void {
    if (this.rxNext !== Infinity || !this.fromHost.length || !this.listening) return;
    if (this.receiverRoom && !(this.mcr & LOOPBACK)) {
      this.rxNext = this.clock.now() + this.characterCycles();
    }
  }

  private deposit(character: number): void {
    const byte = this.wordOf(character);
    if (!this.receiverRoom) {
      this.errors |= OVERRUN;
      if (!this.fifos) this.rx[0] = byte;
    } else this.rx.push(byte);
    this.timedOut = false;
    this.rxTimeout = this.fifos ? this.clock.now() + 4 * this.characterCycles() : Infinity;
  }

  /** As many bits of a byte as a character has. */
  private wordOf(byte: number): number {
    return byte & (0xff >> (3 - (this.lcr & 3)));
  }

  private lineStatus(): number {
    return (
      // A character in the FIFO came with an error.
      (this.fifos && this.errors & BREAK ? 0x80 : 0) |
      (this.rx.length ? DATA_READY : 0) |
      this.errors |
      (this.tx.length ? 0 : THR_EMPTY) |
      (this.tx.length || this.shifting >= 0 ? 0 : TX_EMPTY)
    );
  }

  /** Loop-back feeds the modem outputs (DTR RTS OUT1 OUT2) into the inputs (DSR CTS RI DCD). */
  private modemStatus(): number {
    if (!(this.mcr & LOOPBACK)) return this.modemLines;
    const m = this.mcr;
    return ((m & 2) << 3) | ((m & 1) << 5) | ((m & 4) << 4) | ((m & 8) << 4);
  }

  /** Highest-priority interrupt that is enabled, as the IIR code; 1 = none. */
  private pendingInterrupt(): number {
    if (this.ier & IER_LINE && this.errors) return 0x06;
    if (this.ier & IER_RX) {
      const trigger = this.fifos ? TRIGGERS[this.fcr >> 6] : 1;
      if (this.rx.length >= trigger) return 0x04;
      if (this.timedOut && this.rx.length) return 0x0c;
    }
    if (this.ier & IER_TX && this.txEmptyInterrupt) return 0x02;
    if (this.ier & IER_MODEM && this.modemDeltas) return 0x00;
    return 0x01;
  }

  /**
   * The first PCs let the interrupt through while OUT2 is on. The machines that kernels are written on today do not ask
   * (QEMU's serial port), and xv6 never sets OUT2; software that does sees no difference.
   */
  private update(): void {
    this.irq(!(this.mcr & LOOPBACK) && this.pendingInterrupt() !== 1);
  }

  readPort(port: number): number {
    const value = this.readRegister(port - this.base);
    this.update();
    return value;
  }

  private readRegister(register: number): number {
    const latch = (this.lcr & 0x80) !== 0;
    switch (register) {
      case 0:
        return latch ? this.divisor & 0xff : this.readData();
      case 1:
        return latch ? this.divisor >> 8 : this.ier;
      case 2: {
        const code = this.pendingInterrupt();
        if (code === 2) this.txEmptyInterrupt = false;
        return code | (this.fifos ? 0xc0 : 0);
      }
      case 3:
        return this.lcr;
      case 4:
        return this.mcr;
      case 5: {
        const status = this.lineStatus();
        this.errors = 0;
        this.looked((status & THR_EMPTY) !== 0);
        return status;
      }
      case 6: {
        const status = this.modemStatus() | this.modemDeltas;
        this.modemDeltas = 0;
        return status;
      }
      default:
        return this.scratch;
    }
  }

  /** The line status was read. Who only wants to send looks until the transmitter is free and then sends: who looks again waits for something else. */
  private looked(free: boolean): void {
    if (free && this.sawFree && !this.polled) {
      this.polled = true;
      this.scheduleReceive();
    }
    this.sawFree = free;
  }

  private readData(): number {
    const byte = this.rx.shift() ?? 0;
    this.timedOut = false;
    this.rxTimeout = this.rx.length && this.fifos ? this.clock.now() + 4 * this.characterCycles() : Infinity;
    this.scheduleReceive();
    return byte;
  }

  writePort(port: number, value: number): void {
    this.writeRegister(port - this.base, value & 0xff);
    this.update();
  }

  private writeRegister(register: number, value: number): void {
    const latch = (this.lcr & 0x80) !== 0;
    switch (register) {
      case 0:
        if (latch) this.divisor = (this.divisor & 0xff00) | value;
        else this.writeData(value);
        break;
      case 1:
        if (latch) this.divisor = (this.divisor & 0xff) | (value << 8);
        else {
          // Enabling the transmitter interrupt while the register is empty interrupts at once.
          if (value & ~this.ier & IER_TX && !this.tx.length) this.txEmptyInterrupt = true;
          this.ier = value & 15;
          this.scheduleReceive();
        }
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        // A break looped back arrives as a zero byte with the break error.
        if (value & ~this.lcr & 0x40 && this.mcr & LOOPBACK) {
          this.deposit(0);
          this.errors |= BREAK;
        }
        this.lcr = value;
        break;
      case 4:
        this.writeModemControl(value & 0x1f);
        break;
      case 7:
        this.scratch = value;
        break;
    }
  }

  private writeFifoControl(value: number): void {
    const toggled = (value ^ this.fcr) & 1;
    if (toggled || value & 2) {
      this.rx.length = 0;
      this.timedOut = false;
      this.polled = this.sawFree = false;
      this.rxTimeout = Infinity;
    }
    if (toggled || value & 4) {
      if (this.tx.length) this.txEmptyInterrupt = true;
      this.tx.length = 0;
    }
    this.fcr = value & 1 ? value & 0xc9 : 0;
    this.scheduleReceive();
  }

  private writeModemControl(value: number): void {
    const before = this.modemStatus();
    this.mcr = value;
    const after = this.modemStatus();
    const changed = (before ^ after) >> 4;
    // RI only tells its trailing edge.
    this.modemDeltas |= (changed & 0x0b) | (before & ~after & 0x40 ? 4 : 0);
    this.scheduleReceive();
  }

  private writeData(value: number): void {
    this.sawFree = false;
    this.txEmptyInterrupt = false;
    if (this.fifos) {
      if (this.tx.length < FIFO_SIZE) this.tx.push(value);
    } else this.tx[0] = value;
    this.startShift(this.clock.now());
  }

  private startShift(now: number): void {
    if (this.shifting >= 0 || !this.tx.length) return;
    this.shifting = this.tx.shift()!;
    this.txDone = now + this.characterCycles();
    if (!this.tx.length) this.txEmptyInterrupt = true;
  }

  /** The machine is switched off: what is on its way arrives all the same, as it does where characters take no time. */
  flush(): void {
    while (this.shifting >= 0) this.advance(this.txDone);
  }

  nextDeadline(): number {
    return Math.min(this.txDone, this.rxNext, this.rxTimeout);
  }

  advance(now: number): void {
    // Each pass takes a byte off a bounded queue.
    while (this.txDone <= now) {
      const at = this.txDone;
      const byte = this.shifting;
      this.shifting = -1;
      this.txDone = Infinity;
      if (this.mcr & LOOPBACK) this.deposit(byte);
      else this.emit(this.wordOf(byte));
      this.startShift(at);
    }
    while (this.rxNext <= now) {
      const at = this.rxNext;
      this.rxNext = Infinity;
      const byte = this.fromHost.shift();
      if (byte === undefined) break;
      this.deposit(byte);
      if (this.fromHost.length && this.receiverRoom) this.rxNext = at + this.characterCycles();
    }
    if (this.rxTimeout <= now) {
      this.timedOut = this.rx.length > 0;
      this.rxTimeout = Infinity;
    }
    this.update();
  }

  private emit(byte: number): void {
    if (this.toHost.length >= HOST_QUEUE) this.toHost.splice(0, HOST_QUEUE / 2);
    this.toHost.push(byte);
    this.onTransmit?.(byte);
  }

  /** Power-on (data sheet table IV), with the format 8N1 at 115 200 baud that firmware leaves; the queues to and from the host stay. */
  reset(): void {
    this.ier = this.fcr = this.lcr = this.mcr = this.errors = this.scratch = this.modemDeltas = 0;
    this.lcr = 3;
    this.divisor = 1;
    this.modemLines = CONNECTED;
    this.txEmptyInterrupt = this.timedOut = this.polled = this.sawFree = false;
    this.rx.length = this.tx.length = 0;
    this.shifting = -1;
    this.txDone = this.rxNext = this.rxTimeout = Infinity;
    this.scheduleReceive();
    this.update();
  }
}
