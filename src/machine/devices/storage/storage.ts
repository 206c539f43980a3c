// The storage of a board: two ATA channels with what is plugged into them, the bus master that serves them, the diskette
// controller. Where drives go is drive-bays.ts's matter.
import type { BusMemory } from '../bus-memory.ts';
import type { Clock, InterruptLine } from '../device.ts';
import type { DmaLine } from '../dma.ts';
import type { PciFunction } from '../pci/function.ts';
import { AtaChannel } from './ata-channel.ts';
import { AtaDisk } from './ata-disk.ts';
import { AtapiCd } from './atapi-cd.ts';
import { BusMaster } from './bus-master.ts';
import { assignDrives } from './drive-bays.ts';
import { FloppyController } from './floppy-controller.ts';
import type { Drive } from './medium.ts';

/** Where storage is wired to. */
export interface StorageWiring {
  readonly clock: Clock;
  /** A wire to an input of the interrupt controllers. */
  line(irq: number): InterruptLine;
  /** Channel 2 of the 8237A. */
  readonly floppyDma: DmaLine;
  /** What bus masters reach. */
  readonly memory: BusMemory;
  /** The IDE function: command register and BAR4. */
  readonly pci: PciFunction;
}

/** Types of drives A and B (CMOS byte 10h; 0 = none), and sectors of the disks on the primary channel (0 = none). */
export interface DriveSetUp {
  readonly floppyTypes: readonly number[];
  readonly disks: readonly number[];
}

export class Storage {
  readonly primary: AtaChannel;
  readonly secondary: AtaChannel;
  /** Its ports are where BAR4 says. */
  readonly busMaster: BusMaster;
  readonly floppy: FloppyController;

  /** What the set-up bytes of the CMOS memory say about drives. */
  readonly setUp: DriveSetUp;

  /** Throws RangeError when the drives do not fit into a PC. */
  constructor(wiring: StorageWiring, drives: readonly Drive[]) {
    const { ide, floppies } = assignDrives(drives);
    this.primary = new AtaChannel(wiring.clock, wiring.line(14), 0x1f0, 0x3f6);
    this.secondary = new AtaChannel(wiring.clock, wiring.line(15), 0x170, 0x376);
    this.busMaster = new BusMaster(this.primary, this.secondary, wiring.memory, wiring.pci);
    this.floppy = new FloppyController(wiring.clock, wiring.line(6), wiring.floppyDma, floppies);
    this.setUp = {
      floppyTypes: this.floppy.drives.map((drive) => drive.format?.driveType ?? 0),
      disks: ide.slice(0, 2).map((drive) => (drive?.kind === 'hard-disk' ? drive.medium.sectors : 0)),
    };
    ide.forEach((drive, place) => {
      if (!drive) return;
      const channel = place < 2 ? this.primary : this.secondary;
      const serial = `RINGSIDE-${place}`;
      const unit =
        drive.kind === 'cd'
          ? new AtapiCd(channel, drive.medium, serial)
          : new AtaDisk(channel, drive.medium, serial);
      channel.attach((place & 1) as 0 | 1, unit);
    });
  }
}
