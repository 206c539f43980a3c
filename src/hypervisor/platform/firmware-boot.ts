// A virtual PC that is switched on: firmware in its ROM, the boot order in its set-up memory, and the processor in real
// mode at the reset vector (SDM vol. 3 §9.1.4). For images that firmware boots: disks, and kernels with setup code.
import { type Image, ImageError, type LoadTarget, needsFirmware } from '../../images/image.ts';
import { otherImages } from '../../images/load.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { BootOptions } from '../technique.ts';

/** Where the ROM lies, and where the processor begins: F000:FFF0. */
export const ROM_BASE = 0xf0000;
/** CMOS 3Dh: the device to boot from first, by its number, and second; as Bochs and QEMU have it. */
const BOOT_ORDER = 0x3d;
const BOOT_CODE = { floppy: 0x31, 'hard-disk': 0x12, cd: 0x23, memory: 0x04 } as const;

/** Whether an image is entered in real mode. */
export const startsInRealMode = (image: Image): boolean => image.bits === 16 || needsFirmware(image);

/** Puts firmware, and what it will find in memory, into a domain. Throws ImageError. */
export function placeFirmware(target: LoadTarget, board: Board, image: Image, options: BootOptions): void {
  if (!options.firmware)
    throw new ImageError(`${image.name} is ${image.description}: the firmware that boots it is not there`);
  if (image.kind !== 'disk') otherImages.loadLinuxSetup!(target, image, options);
  target.load(ROM_BASE, options.firmware);
  board.write(0x70, BOOT_ORDER, 1);
  board.write(0x71, BOOT_CODE[image.kind === 'disk' ? image.disk.drive : 'memory'], 1);
}
