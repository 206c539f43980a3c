// Power-on with firmware: the ROM lies below 1 MiB, the boot order in the set-up memory, and the processor begins at the
// reset vector (SDM vol. 3 §9.1.4).
import type { DiskContents } from '../../images/image.ts';
import type { Pc } from '../../machine/pc.ts';

const ROM_END = 0x100000;
/** What a PC decodes for its BIOS: E0000h to FFFFFh. */
const MAX_ROM = 0x20000;
/** Base of the code segment in which FFF0h is the reset vector. */
const CODE_BASE = 0xf0000;
const CS = 1;
/** CMOS 3Dh: the device to boot from first, by its number, and second; as Bochs and QEMU have it. */
const BOOT_ORDER = 0x3d;
const BOOT_CODE = { floppy: 0x31, 'hard-disk': 0x12, cd: 0x23, memory: 0x04 } as const;
/** What firmware boots: the medium in a drive, or a setup program that has been put into memory (linux-setup.ts). */
type BootSource = DiskContents['drive'] | 'memory';

/** Puts `firmware` into the machine and the processor at its reset vector. The first boot device is `source`. */
export function coldStart(pc: Pc, firmware: Uint8Array, source: BootSource): void {
  startInRom(pc, firmware);
  pc.placeTables();
  pc.board.write(0x70, BOOT_ORDER, 1);
  pc.board.write(0x71, BOOT_CODE[source], 1);
}

/** Puts a ROM below 1 MiB, of a larger one its end, and the processor at its reset vector. */
export function startInRom(pc: Pc, rom: Uint8Array): void {
  const shown = rom.subarray(Math.max(0, rom.length - MAX_ROM));
  pc.memory.load(ROM_END - shown.length, shown);
  // The ROM shows at the top of the address space too until the first far jump; here it begins below 1 MiB at once.
  pc.cpu.segments[CS].base = CODE_BASE;
}
