// The local interrupt controller of a processor (SDM vol. 3 ch. 8 of the P6 era, ch. 10 since): priorities, local vectors,
// the timer, messages to other processors. Memory-mapped as an xAPIC; there is no x2APIC.
import type { ApicSeam } from '../../cpu/apic-seam.ts';
import type { Clock, InterruptController } from '../device.ts';
import { type ApicBus, DeliveryMode } from './apic-bus.ts';
import { ApicTimer } from './timer.ts';

export const LOCAL_APIC_BASE = 0xfee00000;

/** Register offsets. */
const Reg = {
  id: 0x20,
  version: 0x30,
  taskPriority: 0x80,
  arbitrationPriority: 0x90,
  processorPriority: 0xa0,
  endOfInterrupt: 0xb0,
  logicalDestination: 0xd0,
  destinationFormat: 0xe0,
  spurious: 0xf0,
  inService: 0x100,
  triggerMode: 0x180,
  request: 0x200,
  errorStatus: 0x280,
  commandLow: 0x300,
  commandHigh: 0x310,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
} as const;
/** Local vectors by number, from 320h on. */
const Lvt = { timer: 0, thermal: 1, performance: 2, lint0: 3, lint1: 4, error: 5 } as const;
const LVT_FIRST = 0x320;
/** Bits that can be written in each. */
const LVT_WRITABLE = [0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];
const LVT_MASKED = 0x10000;
const LVT_PERIODIC = 0x20000;
/** Six local vectors, version 14h. */
const VERSION = 0x00050014;
const SOFTWARE_ENABLE = 0x100;
const ILLEGAL_VECTOR = { sent: 0x20, received: 0x40, register: 0x80 } as const;

const MSR_ENABLE = 1n << 11n;
const MSR_BOOTSTRAP = 1n << 8n;

/** What a message can do to the processor besides interrupting it. */
export interface ProcessorPins {
  nmi(): void;
  init(): void;
  /** @param vector the page at which to begin in real mode */
  startup(vector: number): void;
}

/** 256 bits, one a vector. */
class VectorSet {
  readonly words = new Int32Array(8);
  has(vector: number): boolean {
    return (this.words[vector >> 5] & (1 << (vector & 31))) !== 0;
  }
  put(vector: number, on: boolean): void {
    if (on) this.words[vector >> 5] |= 1 << (vector & 31);
    else this.words[vector >> 5] &= ~(1 << (vector & 31));
  }
  /** The highest vector, or -1. */
  highest(): number {
    for (let i = 7; i >= 0; i--) {
      const word = this.words[i];
      if (word !== 0) return i * 32 + 31 - Math.clz32(word);
    }
    return -1;
  }
}

export class LocalApic implements InterruptController, ApicSeam {
  private readonly isr = new VectorSet();
  private readonly tmr = new VectorSet();
  private readonly irr = new VectorSet();
  private readonly lvt = new Int32Array(6);
  readonly timer: ApicTimer;
  id: number;
  private tpr = 0;
  private ldr = 0;
  private dfr = -1;
  private spurious = 0xff;
  private esr = 0;
  private errors = 0;
  private commandLow = 0;
  private commandHigh = 0;
  /** When the processor wants to look after its counters, and how. */
  private lookDue = Infinity;
  private look = (): void => {};
  /** Switched on by MSR 1Bh. Off, INTR goes to the processor as if there were none. */
  private on = true;

  /**
   * @param legacy the PIC pair, when its INTR comes to this processor's LINT0
   * @param changed called when an access may have made an interrupt due, or moved the timer
   */
  constructor(
    readonly number: number,
    clock: Clock,
    private readonly bus: ApicBus,
    private readonly legacy: InterruptController | null,
    private readonly pins: ProcessorPins,
    private readonly changed: () => void,
  ) {
    this.id = number;
    this.timer = new ApicTimer(clock, () => this.local(Lvt.timer));
    bus.add(this);
    this.reset();
  }

  /** As firmware leaves it: the bootstrap processor takes the PIC's interrupts through LINT0 ("virtual wire"). */
  reset(): void {
    this.initialize();
    this.on = true;
    this.id = this.number;
    if (this.legacy) {
      this.spurious = 0x10f;
      this.lvt[Lvt.lint0] = 0x700;
      this.lvt[Lvt.lint1] = 0x400;
    }
  }

  /** The state after INIT: everything but the identification and the switch in the MSR. */
  initialize(): void {
    for (const set of [this.isr, this.tmr, this.irr]) set.words.fill(0);
    this.lvt.fill(LVT_MASKED);
    this.timer.reset();
    this.lookDue = Infinity;
    this.tpr = this.ldr = this.esr = this.errors = this.commandLow = this.commandHigh = 0;
    this.dfr = -1;
    this.spurious = 0xff;
  }

  // The processor's side.

  get enabled(): boolean {
    return this.on;
  }
  get base(): bigint {
    return BigInt(LOCAL_APIC_BASE) | (this.on ? MSR_ENABLE : 0n) | (this.number === 0 ? MSR_BOOTSTRAP : 0n);
  }
  /** The address cannot be changed here, and what was switched off stays off until reset, as on the P6. */
  setBase(value: bigint): boolean {
    if ((value & ~(MSR_ENABLE | MSR_BOOTSTRAP)) !== BigInt(LOCAL_APIC_BASE)) return false;
    if (!(value & MSR_ENABLE)) this.on = false;
    return true;
  }

  lookAt(cycle: number, look: () => void): void {
    this.lookDue = cycle;
    this.look = look;
    this.changed();
  }
  counterOverflow(): void {
    this.local(Lvt.performance);
  }

  /** When something is due by itself: the timer, or a look at the counters. */
  nextDeadline(): number {
    return Math.min(this.timer.nextDeadline(), this.lookDue);
  }
  advance(now: number): void {
    this.timer.advance(now);
    if (now < this.lookDue) return;
    this.lookDue = Infinity;
    this.look();
  }

  private get softwareEnabled(): boolean {
    return (this.spurious & SOFTWARE_ENABLE) !== 0;
  }
  private get priority(): number {
    const serving = this.isr.highest();
    return serving < 0 || this.tpr >> 4 >= serving >> 4 ? this.tpr : serving & 0xf0;
  }
  /** The request that may interrupt now, or -1. */
  private due(): number {
    if (!this.on || !this.softwareEnabled) return -1;
    const vector = this.irr.highest();
    return vector >> 4 > this.priority >> 4 ? vector : -1;
  }
  /** True when the PIC's interrupts come to this processor: through LINT0 as ExtINT, through the I/O APIC, or past all of it. */
  private get takesLegacy(): boolean {
    if (!this.legacy) return false;
    if (!this.on || this.bus.bypassed) return true;
    return (this.lvt[Lvt.lint0] & (LVT_MASKED | 0x700)) === 0x700 || this.bus.externalTo(this);
  }

  pending(): boolean {
    return this.due() >= 0 || (this.takesLegacy && this.legacy!.pending());
  }

  acknowledge(): number {
    const vector = this.due();
    if (vector >= 0) {
      this.irr.put(vector, false);
      this.isr.put(vector, true);
      return vector;
    }
    if (this.takesLegacy && this.legacy!.pending()) return this.legacy!.acknowledge();
    return this.spurious & 0xff;
  }

  // Messages.

  /** True when a message to this destination is meant for this controller too. */
  matches(destination: number, logical: boolean): boolean {
    if (!logical) return destination === 0xff || destination === this.id;
    if (this.dfr >>> 28 === 15) return (destination & (this.ldr >>> 24)) !== 0;
    // Clusters: the upper four bits are the cluster, F meaning all.
    const cluster = destination >> 4;
    return (cluster === 15 || cluster === this.ldr >>> 28) && (destination & (this.ldr >>> 24) & 15) !== 0;
  }

  /** What decides who takes a lowest-priority message. */
  get arbitration(): number {
    return this.priority;
  }

  receive(mode: number, vector: number, level: boolean): void {
    if (!this.on) return;
    switch (mode) {
      case DeliveryMode.fixed:
      case DeliveryMode.lowestPriority:
        if (vector < 16) this.error(ILLEGAL_VECTOR.received);
        else if (this.softwareEnabled) {
          this.irr.put(vector, true);
          this.tmr.put(vector, level);
        }
        break;
      case DeliveryMode.nmi:
        this.pins.nmi();
        break;
      case DeliveryMode.init:
        this.initialize();
        this.pins.init();
        break;
      case DeliveryMode.startup:
        this.pins.startup(vector);
        break;
    }
    this.changed();
  }

  /** An interrupt of one of the local vectors. */
  private local(which: number): void {
    const entry = this.lvt[which];
    if (entry & LVT_MASKED || !this.softwareEnabled) return;
    this.receive(which === Lvt.timer || which === Lvt.error ? 0 : (entry >> 8) & 7, entry & 0xff, false);
  }

  private error(bit: number): void {
    this.errors |= bit;
    const entry = this.lvt[Lvt.error];
    if (entry & LVT_MASKED || !this.softwareEnabled || (entry & 0xff) < 16) return;
    this.irr.put(entry & 0xff, true);
  }

  // Registers.

  /** @param offset 0..FFFh; registers are aligned to 16 bytes and 32 bits wide */
  read(offset: number): number {
    const reg = offset & ~15;
    if (reg >= Reg.inService && reg < Reg.errorStatus) {
      const set = reg < Reg.triggerMode ? this.isr : reg < Reg.request ? this.tmr : this.irr;
      return set.words[(reg >> 4) & 7];
    }
    if (reg >= LVT_FIRST && reg < LVT_FIRST + 0x60) return this.lvt[(reg - LVT_FIRST) >> 4];
    switch (reg) {
      case Reg.id:
        return this.id << 24;
      case Reg.version:
        return VERSION;
      case Reg.taskPriority:
        return this.tpr;
      case Reg.arbitrationPriority:
      case Reg.processorPriority:
        return this.priority;
      case Reg.logicalDestination:
        return this.ldr;
      case Reg.destinationFormat:
        return this.dfr;
      case Reg.spurious:
        return this.spurious;
      case Reg.errorStatus:
        return this.esr;
      case Reg.commandLow:
        return this.commandLow;
      case Reg.commandHigh:
        return this.commandHigh;
      case Reg.initialCount:
        return this.timer.initial | 0;
      case Reg.currentCount:
        return this.timer.current() | 0;
      case Reg.divide:
        return this.timer.divideRegister;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    const reg = offset & ~15;
    if (reg >= LVT_FIRST && reg < LVT_FIRST + 0x60) this.writeLvt((reg - LVT_FIRST) >> 4, value);
    else this.writeRegister(reg, value);
    this.changed();
  }

  private writeRegister(reg: number, value: number): void {
    switch (reg) {
      case Reg.id:
        this.id = value >>> 24;
        break;
      case Reg.taskPriority:
        this.tpr = value & 0xff;
        break;
      case Reg.endOfInterrupt:
        this.endOfInterrupt();
        break;
      case Reg.logicalDestination:
        this.ldr = value & 0xff000000;
        break;
      case Reg.destinationFormat:
        this.dfr = value | 0x0fffffff;
        break;
      case Reg.spurious:
        this.spurious = value & 0x3ff;
        // Switched off by software, every local vector is masked.
        if (!this.softwareEnabled) for (let i = 0; i < 6; i++) this.lvt[i] |= LVT_MASKED;
        break;
      case Reg.errorStatus:
        this.esr = this.errors;
        this.errors = 0;
        break;
      case Reg.commandLow:
        this.commandLow = value & 0xccfff;
        this.send();
        break;
      case Reg.commandHigh:
        this.commandHigh = value & 0xff000000;
        break;
      case Reg.initialCount:
        this.timer.start(value >>> 0);
        break;
      case Reg.divide:
        this.timer.divide(value);
        break;
    }
  }

  private writeLvt(which: number, value: number): void {
    this.lvt[which] = (value & LVT_WRITABLE[which]) | (this.softwareEnabled ? 0 : LVT_MASKED);
    if (which === Lvt.timer) this.timer.periodic = (value & LVT_PERIODIC) !== 0;
  }

  private endOfInterrupt(): void {
    const vector = this.isr.highest();
    if (vector < 0) return;
    this.isr.put(vector, false);
    if (this.tmr.has(vector)) this.bus.endOfInterrupt(vector);
  }

  /** Sends the message in the command register. */
  private send(): void {
    const low = this.commandLow;
    const mode = (low >> 8) & 7;
    const vector = low & 0xff;
    const level = (low & 0x8000) !== 0;
    // INIT level de-assert only sets arbitration identifiers, which nobody can see.
    if (mode === DeliveryMode.init && level && !(low & 0x4000)) return;
    if (mode <= DeliveryMode.lowestPriority && vector < 16) {
      this.error(ILLEGAL_VECTOR.sent);
      return;
    }
    switch ((low >> 18) & 3) {
      case 0:
        this.bus.deliver(mode, vector, level, this.commandHigh >>> 24, (low & 0x800) !== 0);
        break;
      case 1:
        this.receive(mode, vector, level);
        break;
      default:
        this.bus.broadcast(mode, vector, level, (low >> 18) & 1 ? this : null);
    }
  }
}
