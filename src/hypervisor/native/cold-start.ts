// Power-on with firmware: the ROM lies below 1 MiB, the boot order in the set-up memory, and the processor begins at the
// reset vector (SDM vol. 3 §9.1.4).
import type { DiskContents } from '../../images/image.ts';
import type { Pc } from '../../machine/pc.ts';

const ROM_BASE = 0xf0000;
const CS = 1;
/** CMOS 3Dh: the device to boot from first, by its number, and second; as Bochs and QEMU have it. */
const BOOT_ORDER = 0x3d;
const BOOT_CODE = { floppy: 0x31, 'hard-disk': 0x12, cd: 0x23, memory: 0x04 } as const;
/** What firmware boots: the medium in a drive, or a setup program that has been put into memory (linux-setup.ts). */
type BootSource = DiskContents['drive'] | 'memory';

/** Puts `firmware` into the machine and the processor at its reset vector. The first boot device is `source`. */
export function coldStart(pc: Pc, firmware: Uint8Array, source: BootSource): void {
  pc.memory.load(ROM_BASE, firmware);
  pc.placeTables();
  pc.board.write(0x70, BOOT_ORDER, 1);
  pc.board.write(0x71, BOOT_CODE[source], 1);
  // The ROM shows at the top of the address space too until the first far jump; here it begins below 1 MiB at once.
  pc.cpu.segments[CS].base = ROM_BASE;
}
