// Power-on of a virtual PC with firmware: the ROM below 1 MiB, the boot order in the set-up memory (as native/cold-start.ts for
// the bare machine). The virtual processor begins at its reset vector (SDM vol. 3 §9.1.4), in real mode.
import { type Image, ImageError } from '../../images/image.ts';
import { loadLinuxSetup } from '../../images/linux-setup.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { Domain } from '../domain.ts';
import type { BootOptions } from '../technique.ts';

const ROM_BASE = 0xf0000;
/** CMOS 3Dh: the device to boot from first, by its number, and second; as Bochs and QEMU have it. */
const BOOT_ORDER = 0x3d;
const BOOT_CODE = { floppy: 0x31, 'hard-disk': 0x12, cd: 0x23, memory: 0x04 } as const;

/** The state of a processor at reset, as far as it is not zero. */
export const RESET = {
  cs: { selector: 0xf000, base: ROM_BASE, limit: 0xffff },
  eip: 0xfff0,
  cr0: 0x60000010,
} as const;

/** Puts firmware, and a kernel with setup code, into the memory of a domain. Throws ImageError. */
export function placeFirmware(domain: Domain, board: Board, image: Image, options: BootOptions): void {
  const { firmware } = options;
  if (!firmware)
    throw new ImageError(`${image.name} is ${image.description}: the firmware that boots it is not there`);
  if (image.kind !== 'disk') loadLinuxSetup(domain.memory, image, options);
  domain.memory.load(ROM_BASE, firmware);
  board.write(0x70, BOOT_ORDER, 1);
  board.write(0x71, BOOT_CODE[image.kind === 'disk' ? image.disk.drive : 'memory'], 1);
}
