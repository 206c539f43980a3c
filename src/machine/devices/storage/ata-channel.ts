// One ATA channel of the board: command block (1F0h or 170h), control block (3F6h or 376h), two devices on one cable and one
// interrupt line. ATA/ATAPI-6 (T13 1410D) §7 registers, §9.2 software reset, §9.10 execute device diagnostic.
import type { Clock, Device, InterruptLine } from '../device.ts';
import type { AtaDrive, Cable, DmaPort } from './ata-drive.ts';

const EXECUTE_DIAGNOSTIC = 0x90;
const SOFTWARE_RESET = 0x04;
const NO_INTERRUPT = 0x02;
const HIGH_ORDER_BYTE = 0x80;

/** A bus master that never takes a byte: what a drive sees before, or without, one. */
const NO_BUS_MASTER: DmaPort = { toMemory: () => 0, fromMemory: () => 0 };

export class AtaChannel implements Device, Cable {
  readonly name: string;
  readonly ports: readonly (readonly [number, number])[];
  readonly wide = true;
  dma: DmaPort = NO_BUS_MASTER;
  /** Called when the channel's interrupt line changes; a bus master notes it. */
  onInterrupt: ((level: boolean) => void) | null = null;
  /** Device 0 and device 1; null where none is plugged in. */
  readonly drives: (AtaDrive | null)[] = [null, null];
  private selected = 0;
  private control = 0;
  private level = false;

  /** @param base first port of the command block. @param controlPort device control and alternate status */
  constructor(
    readonly clock: Clock,
    private readonly line: InterruptLine,
    private readonly base: number,
    private readonly controlPort: number,
  ) {
    this.name = `ata-${base.toString(16)}h`;
    this.ports = [
      [base, base + 7],
      [controlPort, controlPort],
    ];
  }

  /** Plugs a drive in, while the machine is off. */
  attach(position: 0 | 1, drive: AtaDrive): void {
    this.drives[position] = drive;
  }

  /** Nothing is plugged in. */
  get empty(): boolean {
    return this.drives[0] === null && this.drives[1] === null;
  }

  private get drive(): AtaDrive | null {
    return this.drives[this.selected];
  }

  /** INTRQ of the selected device, unless the host does not want it. */
  interruptChanged(): void {
    const level = !(this.control & NO_INTERRUPT) && (this.drive?.interrupt ?? false);
    if (level === this.level) return;
    this.level = level;
    this.line(level);
    this.onInterrupt?.(level);
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    if (port === this.base) return this.drive?.readData(size) ?? 0;
    let value = 0;
    for (let n = 0; n < size; n++) value |= this.readRegister(port + n) << (8 * n);
    return value >>> 0;
  }

  /** Registers of a device that is not there are zero: its status says neither ready nor busy. */
  private readRegister(port: number): number {
    const { drive } = this;
    if (port === this.controlPort) return drive?.status ?? 0;
    const register = port - this.base;
    if (register < 1 || register > 7) return 0xff;
    if (register < 7) return drive?.read(register, (this.control & HIGH_ORDER_BYTE) !== 0) ?? 0;
    const status = drive?.status ?? 0;
    drive?.acknowledge();
    return status;
  }

  writePort(port: number, value: number, size: 1 | 2 | 4): void {
    if (port === this.base) {
      this.drive?.writeData(value, size);
      return;
    }
    for (let n = 0; n < size; n++) this.writeRegister(port + n, (value >>> (8 * n)) & 0xff);
  }

  /** Both devices hear every register; commands are for the selected one. */
  private writeRegister(port: number, value: number): void {
    if (port === this.controlPort) {
      this.writeControl(value);
      return;
    }
    const register = port - this.base;
    if (register < 1 || register > 7) return;
    this.control &= ~HIGH_ORDER_BYTE;
    if (register === 7) {
      if (value === EXECUTE_DIAGNOSTIC) this.diagnose();
      else this.drive?.command(value);
      return;
    }
    for (const drive of this.drives) drive?.write(register, value);
    if (register === 6) {
      this.selected = (value >> 4) & 1;
      this.interruptChanged();
    }
  }

  private writeControl(value: number): void {
    const before = this.control;
    this.control = value;
    if (value & ~before & SOFTWARE_RESET) for (const drive of this.drives) drive?.holdReset();
    if (before & ~value & SOFTWARE_RESET) {
      this.selected = 0;
      for (const drive of this.drives) drive?.startReset();
    }
    this.interruptChanged();
  }

  /** Both devices test themselves, whoever is selected; device 0 answers for both. */
  private diagnose(): void {
    this.selected = 0;
    const [first, second] = this.drives;
    first?.startReset(() => first.signalDiagnostics());
    second?.startReset();
  }

  /** A bus master was started: whoever waits for it goes on. */
  dmaStarted(): void {
    this.drive?.dmaStarted();
  }

  nextDeadline(): number {
    return Math.min(this.drives[0]?.deadline ?? Infinity, this.drives[1]?.deadline ?? Infinity);
  }

  advance(now: number): void {
    for (const drive of this.drives) drive?.advance(now);
  }

  reset(): void {
    this.selected = this.control = 0;
    for (const drive of this.drives) drive?.powerOn();
    this.interruptChanged();
  }
}
