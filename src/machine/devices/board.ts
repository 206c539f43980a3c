// The board: every device on one port bus, their interrupt lines, their deadlines, and what the host sees of them. It
// serves the bare PC and, unchanged, the virtual platform that a hypervisor gives to a hardware-virtualized domain.
import { Device as DeviceId } from '../../trace/events.ts';
import type { MemoryMap } from '../memory/memory-mapped.ts';
import type { ApicOptions, ApicSystem } from './apic/apic-system.ts';
import { type BusMemory, NO_MEMORY } from './bus-memory.ts';
import { Cmos } from './cmos.ts';
import { CoprocessorError } from './coprocessor.ts';
import { DebugPorts } from './debug-ports.ts';
import type { Clock, Device, InterruptLine, PortBus, Timed } from './device.ts';
import { Dma } from './dma.ts';
import { KeyboardController } from './keyboard.ts';
import { optional, part } from './optional.ts';
import { Chipset } from './pci/chipset.ts';
import type { PciFunction } from './pci/function.ts';
import { PciInterrupts } from './pci/interrupts.ts';
import { Pic } from './pic.ts';
import { Pit } from './pit.ts';
import { Power, type PowerEvent } from './power.ts';
import type { Screen } from './screen.ts';
import type { Drive } from './storage/medium.ts';
import type { Storage } from './storage/storage.ts';
import { Uart } from './uart.ts';
import { Vga } from './vga/vga.ts';

export interface BoardOptions {
  clock: Clock;
  /** 128 KiB: what lies at A0000h–BFFFFh. */
  videoMemory: Uint8Array;
  /** Memory of the machine, in bytes, for the CMOS size bytes. */
  memoryBytes: number;
  /** `YYYY-MM-DDTHH:MM:SS` at power-on. */
  startDate: string;
  /** Drives and what lies in them. Throws RangeError when they are more than a PC takes. */
  drives?: readonly Drive[];
  /** What DMA of this board reaches; without it, nothing. */
  memory?: BusMemory;
  /** Where accesses to video memory can be had; without it the adapter shows its simple modes only (vga/planes.ts). */
  map?: MemoryMap;
  /** Local APICs and an I/O APIC, which need `map` too; without it, the PIC pair alone. */
  apic?: ApicOptions;
  /** Serial ports, 1 to 4: COM1 and COM3 on IRQ 4, COM2 and COM4 on IRQ 3. */
  serialPorts?: number;
  /** See Board.onAccess. */
  onAccess?: AccessListener | null;
}

/** Bases of the serial ports of a PC, COM1 to COM4. */
const COM_PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8];

/** What the host does with a board, or with the part of it that belongs to one of several who share it. */
export type GuestBoard = Pick<
  Board,
  | 'serial'
  | 'state'
  | 'debug'
  | 'keys'
  | 'mouse'
  | 'serialInput'
  | 'takeSerial'
  | 'takeDebug'
  | 'screen'
  | 'changedScreen'
>;

/** A port access as it happened; `device` is an id of trace/events.ts. */
export type AccessListener = (
  device: number,
  write: boolean,
  port: number,
  value: number,
  size: 1 | 2 | 4,
) => void;

export class Board implements PortBus {
  readonly pic = new Pic();
  readonly pit: Pit;
  readonly cmos: Cmos;
  /** COM1. */
  readonly serial: Uart;
  /** All serial ports, COM1 first. */
  readonly serials: readonly Uart[];
  readonly keyboard: KeyboardController;
  readonly vga: Vga;
  readonly debug = new DebugPorts(() => this.powerEvent('off'));
  readonly power: Power;
  /** FERR# and IGNNE# of the processor: IRQ 13 and port F0h. */
  readonly coprocessor: CoprocessorError;
  readonly chipset = new Chipset();
  /** Where functions of bus 0 find the wires of their interrupt pins. */
  readonly pciInterrupts = new PciInterrupts(this.chipset.isa, (irq) => this.line(irq));
  readonly dma: Dma;
  /** Null on a board without drives: then there are no controllers either. */
  readonly storage: Storage | null;
  /** Null on a board without APICs. */
  readonly apics: ApicSystem | null;

  /** Called after every port access that a device decoded. */
  onAccess: AccessListener | null = null;
  /** Called when an input of the interrupt controller rises. */
  onInterruptLine: ((irq: number) => void) | null = null;
  /** Called when the guest switches off or resets; `state` has changed already. */
  onPower: ((event: PowerEvent) => void) | null = null;
  onA20: ((enabled: boolean) => void) | null = null;
  /** Called when an access made the next deadline earlier than the one last announced, so that a run loop can stop in time. */
  onEarlierDeadline: ((deadline: number) => void) | null = null;

  /** Called when an access to an APIC may have made an interrupt due. */
  onAttention: (() => void) | null = null;

  /** `off` and `reset` stay until `reset()`. */
  state: 'on' | PowerEvent = 'on';

  private readonly devices: readonly Device[];
  private readonly ids: readonly number[];
  /** Devices whose accesses change no other device's deadline. */
  private readonly alone: readonly boolean[];
  /** By device: reads leave its deadline as it is; and writes do. */
  private readonly quiet: readonly boolean[];
  private readonly quietWrites: readonly boolean[];
  /** Those of the devices that ever do something by themselves, and what was attached. */
  private readonly timed: Timed[];
  /** Device index + 1 by port; 0 = nobody. */
  private readonly decode = new Uint8Array(0x10000);
  private readonly clock: Clock;
  private deadline = Infinity;
  /** Of the device last accessed, before that. */
  private deadlineBefore = Infinity;
  private advancing = false;

  constructor(options: BoardOptions) {
    const { clock, videoMemory, memoryBytes, startDate } = options;
    this.clock = clock;
    this.onAccess = options.onAccess ?? null;
    const { apic, map } = options;
    this.apics =
      apic && map ? new (part('ApicSystem'))(clock, this.pic, map, apic, () => this.apicChanged()) : null;
    this.pit = new Pit(clock, this.line(0));
    this.keyboard = new KeyboardController(clock, {
      irq1: this.line(1),
      irq12: this.line(12),
      a20: (enabled) => this.onA20?.(enabled),
      reset: () => this.powerEvent('reset'),
    });
    this.serials = this.serialPorts(options.serialPorts ?? 1);
    [this.serial] = this.serials;
    const memory = options.memory ?? NO_MEMORY;
    this.dma = new Dma(memory);
    const wiring = {
      clock,
      line: (irq: number) => this.line(irq),
      memory,
      floppyDma: this.dma.line(2),
      pci: this.chipset.ide,
    };
    this.storage = options.drives?.length ? new (part('Storage'))(wiring, options.drives) : null;
    this.cmos = new Cmos(clock, this.line(8), startDate, memoryBytes, this.storage?.setUp);
    this.vga = new Vga(clock, videoMemory, options.map);
    this.coprocessor = new CoprocessorError(this.line(13));
    this.power = new Power((event) => this.powerEvent(event), clock, this.line(9));
    const parts: (readonly [Device | null, number])[] = [
      [this.pic, DeviceId.pic],
      [this.pit, DeviceId.pit],
      ...this.serials.map((port): [Device, number] => [port, DeviceId.serial]),
      [this.keyboard, DeviceId.keyboard],
      [this.cmos, DeviceId.cmos],
      [this.vga, DeviceId.vga],
      [this.debug, DeviceId.debug],
      [this.power, DeviceId.power],
      [this.coprocessor, DeviceId.other],
      [this.chipset.bus, DeviceId.pci],
      [this.dma, DeviceId.dma],
      [this.storage?.floppy ?? null, DeviceId.floppy],
      [this.storage?.primary ?? null, DeviceId.disk],
      [this.storage?.secondary ?? null, DeviceId.disk],
      [this.storage?.busMaster ?? null, DeviceId.disk],
      [this.vga.vbe, DeviceId.vga],
      [this.apics, DeviceId.pic],
      [this.testDevice(map), DeviceId.other],
    ];
    const present = parts.filter((part): part is [Device, number] => part[0] !== null);
    this.devices = present.map(([device]) => device);
    this.ids = present.map(([, id]) => id);
    const alone = new Set<Device>([this.pic, this.pit, this.cmos, this.debug, ...this.serials]);
    this.alone = this.devices.map((device) => alone.has(device));
    this.quiet = this.devices.map((device) => device.readsQuietly === true);
    this.quietWrites = this.devices.map((device) => device.writesQuietly === true);
    this.timed = [this.pit, ...this.serials, this.keyboard, this.cmos, this.power];
    if (this.storage) {
      const { floppy, primary, secondary } = this.storage;
      this.timed.push(floppy, ...[primary, secondary].filter((channel) => !channel.empty));
    }
    if (this.apics) this.timed.push(this.apics);
    this.devices.forEach((device, i) => {
      for (const [first, last] of device.ports) this.decode.fill(i + 1, first, last + 1);
    });
    if (this.storage) this.mapBaseAddress(this.chipset.ide, 4, 16, this.storage.busMaster);
    this.chipset.display.onBar = (bar, address) => {
      if (bar === 0) this.vga.vbe?.place(address);
    };
    this.reset();
  }

  /** A device whose ports are where a base address register says. Ports of the board's fixed devices stay theirs. */
  private mapBaseAddress(pci: PciFunction, bar: number, length: number, device: Device): void {
    const index = this.devices.indexOf(device) + 1;
    let first = -1;
    pci.onBar = (changed, address) => {
      if (changed !== bar) return;
      if (first >= 0)
        for (let n = 0; n < length; n++) if (this.decode[first + n] === index) this.decode[first + n] = 0;
      first = address;
      if (first >= 0) for (let n = 0; n < length; n++) this.decode[first + n] ||= index;
    };
  }

  private testDevice(map: MemoryMap | undefined): Device | null {
    if (!optional.TestDevice) return null;
    const wires = Array.from({ length: 16 }, (_, irq) => this.line(irq));
    return new optional.TestDevice((input, level) => {
      if (input < 16) wires[input](level);
      else this.apics?.ioApic.setLine(input, level);
    }, map);
  }

  /** COM1 and COM3 share a line, and so do COM2 and COM4: it is up while either asks. */
  private serialPorts(count: number): Uart[] {
    const lines = [4, 3].map((irq) => {
      const wire = this.line(irq);
      const asking = [false, false];
      return (which: number, level: boolean): void => {
        asking[which] = level;
        wire(asking[0] || asking[1]);
      };
    });
    return COM_PORTS.slice(0, count).map(
      (base, n) => new Uart(this.clock, (level) => lines[n & 1](n >> 1, level), base),
    );
  }

  /** A wire to the controller that also tells the listener about rising edges. */
  private line(irq: number): InterruptLine {
    const wire = this.pic.line(irq);
    // The timer's line goes to the I/O APIC's input 2: the PIC pair has input 0.
    const input = irq === 0 ? 2 : irq;
    let before = false;
    return (level) => {
      if (level !== before) {
        before = level;
        wire(level);
        this.apics?.ioApic.setLine(input, level);
        if (level) this.onInterruptLine?.(irq);
      }
    };
  }

  /** A local APIC or the I/O APIC was written to. */
  private apicChanged(): void {
    if (this.advancing) return;
    this.deadlineChanged();
    this.onAttention?.();
  }

  private powerEvent(event: PowerEvent): void {
    for (const port of this.serials) port.flush();
    this.state = event;
    this.onPower?.(event);
  }

  /** A byte at a device of these: no deadline has come, and none can change. @param index in `decode` */
  private nothingDue(quiet: readonly boolean[], index: number, size: number): boolean {
    return index !== 0 && quiet[index - 1] && size === 1 && this.clock.now() < this.deadline;
  }

  read(port: number, size: 1 | 2 | 4): number {
    const index = this.decode[port & 0xffff];
    if (this.nothingDue(this.quiet, index, size)) {
      const value = this.devices[index - 1].readPort(port, size);
      this.onAccess?.(this.ids[index - 1], false, port, value, size);
      return value;
    }
    this.noteDeadline(index);
    const value = this.readBytes(port, size);
    this.accessed(false, port, value, size);
    return value;
  }

  write(port: number, value: number, size: 1 | 2 | 4): void {
    const index = this.decode[port & 0xffff];
    if (this.nothingDue(this.quietWrites, index, size)) {
      this.devices[index - 1].writePort(port, value & 0xff, size);
      this.onAccess?.(this.ids[index - 1], true, port, value, size);
      return;
    }
    this.noteDeadline(index);
    this.writeBytes(port, value, size);
    this.accessed(true, port, value, size);
  }

  /** Devices on the PC's I/O channel are eight bits wide: a wider access becomes several, at ascending ports. */
  private readBytes(port: number, size: 1 | 2 | 4): number {
    const device = this.deviceAt(port);
    if (size === 1 || device?.wide) return device ? device.readPort(port, size) : 0xff;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.readBytes((port + i) & 0xffff, 1) << (8 * i);
    return value >>> 0;
  }

  private writeBytes(port: number, value: number, size: 1 | 2 | 4): void {
    const device = this.deviceAt(port);
    if (size === 1 || device?.wide) {
      device?.writePort(port, size === 1 ? value & 0xff : value >>> 0, size);
      return;
    }
    for (let i = 0; i < size; i++) this.writeBytes((port + i) & 0xffff, value >>> (8 * i), 1);
  }

  /** The device that decodes a port, brought up to now. */
  private deviceAt(port: number): Device | null {
    const index = this.decode[port & 0xffff];
    if (!index) return null;
    const device = this.devices[index - 1];
    const now = this.clock.now();
    if (this.deadline <= now && device.nextDeadline() <= now) device.advance(now);
    return device;
  }

  /** Before an access: when the device will do something by itself. @param index in `decode` */
  private noteDeadline(index: number): void {
    if (index !== 0) this.deadlineBefore = this.devices[index - 1].nextDeadline();
  }

  private accessed(write: boolean, port: number, value: number, size: 1 | 2 | 4): void {
    const index = this.decode[port & 0xffff];
    if (!index) return;
    // An access to most devices changes nobody's deadline but its own, and mostly not even that.
    if (
      !this.alone[index - 1] ||
      size !== 1 ||
      this.devices[index - 1].nextDeadline() !== this.deadlineBefore
    ) {
      const before = this.deadline;
      this.updateDeadline();
      if (this.deadline < before) this.onEarlierDeadline?.(this.deadline);
    }
    this.onAccess?.(this.ids[index - 1], write, port, value, size);
  }

  /** True when some device of this board decodes the port. */
  decodes(port: number): boolean {
    return this.decode[port & 0xffff] !== 0;
  }

  /** Something that is no device of this board's, and yet acts by itself in its time: a hypervisor's timer for its guest. */
  attach(timed: Timed): void {
    this.timed.push(timed);
    this.deadlineChanged();
  }

  /** What `attach` got will act at another moment now. */
  deadlineChanged(): void {
    if (this.advancing) return;
    const before = this.deadline;
    this.updateDeadline();
    if (this.deadline < before) this.onEarlierDeadline?.(this.deadline);
  }

  private updateDeadline(): void {
    let next = Infinity;
    for (let i = 0; i < this.timed.length; i++) {
      const d = this.timed[i].nextDeadline();
      if (d < next) next = d;
    }
    this.deadline = next;
  }

  /** Cycle of the next thing that a device does by itself; Infinity when none will. */
  nextDeadline(): number {
    return this.deadline;
  }

  /** Does everything due at or before `now`. Each device that has a deadline is looked at once, in a fixed order. */
  advance(now: number): void {
    if (now < this.deadline) return;
    this.advancing = true;
    for (let i = 0; i < this.timed.length; i++) {
      const device = this.timed[i];
      if (device.nextDeadline() <= now) device.advance(now);
    }
    this.advancing = false;
    this.updateDeadline();
  }

  /** Set-1 scan codes from the host's keyboard. */
  keys(scancodes: ArrayLike<number>): void {
    this.keyboard.keys(scancodes);
    this.updateDeadline();
  }
  /** Mouse movement (right, up) and buttons held (bit 0 left, 1 right, 2 middle), notches of the wheel toward the user. */
  mouse(dx: number, dy: number, buttons: number, dz = 0): void {
    this.keyboard.move(dx, dy, buttons, dz);
    this.updateDeadline();
  }
  /** Bytes for a serial port (0 is COM1); returns how many were taken. */
  serialInput(bytes: ArrayLike<number>, port = 0): number {
    const taken = this.serials[port].receive(bytes);
    this.updateDeadline();
    return taken;
  }
  /** Bytes that left the serial port since the last call. */
  takeSerial(): number[] {
    return this.serial.drain();
  }
  /** Characters written to port E9h since the last call. */
  takeDebug(): number[] {
    return this.debug.drain();
  }
  screen(): Screen {
    return this.vga.screen();
  }
  /** The screen when it changed since the last call that gave one, else null. */
  changedScreen(): Screen | null {
    return this.vga.changedScreen();
  }
  get a20(): boolean {
    return this.keyboard.a20;
  }

  /** Power-on state of every device, as firmware leaves it; memory is the owner's. */
  reset(): void {
    for (const device of this.devices) device.reset();
    this.pic.reset(); // last: resetting the others may have pulsed their lines
    this.state = 'on';
    this.updateDeadline();
  }
}
