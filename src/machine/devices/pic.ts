// Two cascaded 8259A programmable interrupt controllers, as on the PC/AT: Intel 8259A data sheet (order 231468), sections
// "Interrupt sequence", "Initialization command words", "Operation command words". Triggering is by ICW1.LTIM, or input by
// input by the edge/level control registers 4D0h and 4D1h of Intel's chipsets (PIIX3 data sheet, "ELCR").
import type { Device, InterruptController, InterruptLine } from './device.ts';

/** One 8259A. `irq` numbers are its own inputs 0..7. */
class Chip {
  /** Levels of the inputs, requests, in service, masked. */
  lines = 0;
  irr = 0;
  isr = 0;
  imr = 0;
  base = 0;
  level = false;
  /** Inputs that are level-triggered one by one. */
  elcr = 0;
  autoEoi = false;
  rotateOnAutoEoi = false;
  specialMask = false;
  specialNested = false;
  /** Input with the highest priority (rotation). */
  first = 0;
  /** Initialization word expected next: 0 = none, 2..4. */
  expecting = 0;
  needsIcw4 = false;
  single = false;
  readIsr = false;
  poll = false;

  constructor(readonly master: boolean) {}

  reset(): void {
    this.irr = this.isr = this.base = this.first = this.expecting = 0;
    this.imr = 0xff;
    this.level = this.autoEoi = this.rotateOnAutoEoi = this.specialMask = this.specialNested = false;
    this.needsIcw4 = this.single = this.readIsr = this.poll = false;
    this.elcr = 0;
  }

  private isLevel(bit: number): boolean {
    return this.level || (this.elcr & bit) !== 0;
  }

  /** An input that is high when it becomes a level is a request. */
  setElcr(value: number): void {
    this.irr |= value & ~this.elcr & this.lines;
    this.elcr = value;
  }

  /** Edge: a rising input latches a request and a falling one withdraws it (the request latch is transparent until INTA). */
  setLine(irq: number, high: boolean): void {
    const bit = 1 << irq;
    if (high) {
      if (this.isLevel(bit) || !(this.lines & bit)) this.irr |= bit;
      this.lines |= bit;
    } else {
      this.lines &= ~bit;
      this.irr &= ~bit;
    }
  }

  /** The request that may interrupt now, or -1. */
  best(): number {
    const wanted = this.irr & ~this.imr & 0xff;
    if (!wanted) return -1;
    // In special mask mode only the level itself blocks, and only while it is in service and not masked.
    const blocking = this.specialMask ? this.isr & ~this.imr : this.isr;
    for (let i = 0; i < 8; i++) {
      const irq = (this.first + i) & 7;
      const bit = 1 << irq;
      const mayNest = this.specialNested && irq === 2 && this.master;
      if (blocking & bit && !mayNest) {
        if (!this.specialMask) return -1;
        continue;
      }
      if (wanted & bit) return irq;
      if (blocking & bit) return -1;
    }
    return -1;
  }

  /** INTA for `irq`: into service, out of the request register when edge-triggered. */
  take(irq: number): void {
    const bit = 1 << irq;
    if (!this.isLevel(bit)) this.irr &= ~bit;
    if (this.autoEoi) {
      if (this.rotateOnAutoEoi) this.first = (irq + 1) & 7;
    } else this.isr |= bit;
  }

  private highestInService(): number {
    for (let i = 0; i < 8; i++) {
      const irq = (this.first + i) & 7;
      const bit = 1 << irq;
      if (this.isr & bit && !(this.specialMask && this.imr & bit)) return irq;
    }
    return -1;
  }

  writeCommand(value: number): void {
    if (value & 0x10) this.initialize(value);
    else if (value & 0x08) this.writeOcw3(value);
    else this.writeOcw2(value);
  }

  /** ICW1: clears masks, in-service and priorities; edge detection starts anew, so an input must rise again. */
  private initialize(value: number): void {
    this.level = (value & 0x08) !== 0;
    this.single = (value & 0x02) !== 0;
    this.needsIcw4 = (value & 0x01) !== 0;
    this.imr = this.isr = this.first = 0;
    this.irr = this.lines & (this.level ? 0xff : this.elcr);
    this.specialMask = this.readIsr = this.poll = false;
    this.autoEoi = this.rotateOnAutoEoi = this.specialNested = false;
    this.expecting = 2;
  }

  private writeOcw3(value: number): void {
    if (value & 0x40) this.specialMask = (value & 0x20) !== 0;
    this.poll = (value & 0x04) !== 0;
    if (value & 0x02) this.readIsr = (value & 0x01) !== 0;
  }

  private writeOcw2(value: number): void {
    const level = value & 7;
    switch (value >> 5) {
      case 0:
        this.rotateOnAutoEoi = false;
        break;
      case 4:
        this.rotateOnAutoEoi = true;
        break;
      case 1:
      case 5: {
        // non-specific EOI, with rotation
        const irq = this.highestInService();
        if (irq < 0) break;
        this.isr &= ~(1 << irq);
        if (value >> 5 === 5) this.first = (irq + 1) & 7;
        break;
      }
      case 3:
        this.isr &= ~(1 << level);
        break;
      case 7:
        this.isr &= ~(1 << level);
        this.first = (level + 1) & 7;
        break;
      case 6:
        this.first = (level + 1) & 7;
        break;
    }
  }

  writeData(value: number): void {
    switch (this.expecting) {
      case 2:
        this.base = value & 0xf8;
        this.expecting = this.single ? (this.needsIcw4 ? 4 : 0) : 3;
        break;
      case 3: // the wiring of the cascade is fixed on a PC
        this.expecting = this.needsIcw4 ? 4 : 0;
        break;
      case 4:
        this.autoEoi = (value & 0x02) !== 0;
        this.specialNested = (value & 0x10) !== 0;
        this.expecting = 0;
        break;
      default:
        this.imr = value;
    }
  }
}

/** The pair: master at 20h, slave at A0h on the master's input 2. */
export class Pic implements Device, InterruptController {
  readonly name = 'pic';
  readonly ports = [
    [0x20, 0x21],
    [0xa0, 0xa1],
    [0x4d0, 0x4d1],
  ] as const;
  private readonly master = new Chip(true);
  private readonly slave = new Chip(false);
  private intr = false;

  constructor() {
    this.reset();
  }

  /** The wire of input `irq` 0..15; 2 is the cascade and has no wire of its own. */
  line(irq: number): InterruptLine {
    const chip = irq < 8 ? this.master : this.slave;
    const input = irq & 7;
    return (level) => {
      chip.setLine(input, level);
      this.update();
    };
  }

  /** The slave's INT output is the master's input 2; then the processor's INTR is known. */
  private update(): void {
    this.master.setLine(2, this.slave.best() >= 0);
    this.intr = this.master.best() >= 0;
  }

  pending(): boolean {
    return this.intr;
  }

  /** What `acknowledge` would return, without side effects; -1 when nothing is pending. */
  peek(): number {
    const irq = this.master.best();
    if (irq < 0) return -1;
    if (irq !== 2) return this.master.base + irq;
    const inner = this.slave.best();
    return this.slave.base + (inner < 0 ? 7 : inner);
  }

  /** A request that has gone by the time of INTA gives input 7 of the chip that was asked, and nothing enters service there. */
  acknowledge(): number {
    const irq = this.master.best();
    if (irq < 0) return this.master.base + 7;
    this.master.take(irq);
    let vector = this.master.base + irq;
    if (irq === 2) {
      const inner = this.slave.best();
      if (inner >= 0) this.slave.take(inner);
      vector = this.slave.base + (inner < 0 ? 7 : inner);
      // The slave's INT falls with INTA, so a second request of the slave is a new edge for the master.
      this.master.setLine(2, false);
    }
    this.update();
    return vector;
  }

  readPort(port: number): number {
    if (port >= 0x4d0) return (port & 1 ? this.slave : this.master).elcr;
    const chip = port & 0x80 ? this.slave : this.master;
    if (chip.poll) {
      chip.poll = false;
      const irq = chip.best();
      if (irq >= 0) {
        chip.take(irq);
        this.update();
      }
      return irq < 0 ? 0 : 0x80 | irq;
    }
    if (port & 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  writePort(port: number, value: number): void {
    if (port >= 0x4d0) {
      // Timer, keyboard, cascade, clock and coprocessor are edges on every PC.
      if (port & 1) this.slave.setElcr(value & 0xde);
      else this.master.setElcr(value & 0xf8);
      this.update();
      return;
    }
    const chip = port & 0x80 ? this.slave : this.master;
    if (port & 1) chip.writeData(value & 0xff);
    else chip.writeCommand(value & 0xff);
    this.update();
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}

  /** As the firmware leaves it: vectors 08h and 70h, everything masked, nothing requested. The inputs keep their levels. */
  reset(): void {
    this.master.reset();
    this.slave.reset();
    this.master.base = 0x08;
    this.slave.base = 0x70;
    this.update();
  }
}
