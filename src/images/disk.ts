// Disks, diskettes and CDs as files: which of them a file is, and whether firmware finds something to boot on it (boot
// signature; partition table of the IBM PC; ECMA-119 volume descriptors and the El Torito boot record of a CD).
import { hasBootSignature, hasPartitions } from './boot-sector.ts';
import { type DiskContents, type Image, ImageError } from './image.ts';
import { recognize } from './recognize.ts';

const SECTOR = 512;
const CD_SECTOR = 2048;
/** Bytes of the formats that drives know, 360 KB and larger with two heads; smaller ones of the first PCs besides. */
const FLOPPY_FORMATS = [160, 180, 320, 360, 720, 1200, 1440, 2880].map((kib) => kib * 1024);
/** A file of another size is extended to the first of these that holds it. */
const COMMON_FLOPPIES = [1440, 2880].map((kib) => kib * 1024);
const LARGEST_FLOPPY = 2880 * 1024;
const FIRST_DESCRIPTOR = 16 * CD_SECTOR;
const BOOT_RECORD = 17 * CD_SECTOR;
const DISK_NAME = /\.(img|ima|flp|dsk|hdd|raw|usb)$/i;
const EL_TORITO = 'EL TORITO SPECIFICATION';
/** The reset vector, as the processor's first code segment shows it below 1 MiB. */
export const RESET_VECTOR = 0xffff0;

/** The image of something that firmware can boot; null when it is no such thing. Throws ImageError for a CD without a boot record. */
export function parseBootDisk(bytes: Uint8Array, name: string): Image | null {
  let description: string;
  if (isCd(bytes, name)) {
    if (!text(bytes, BOOT_RECORD + 7, EL_TORITO))
      throw new ImageError(`${name}: a CD image without an El Torito boot record: nothing on it can boot`);
    description = 'a bootable CD image';
  } else if (hasBootSignature(bytes)) {
    description =
      bytes.length === SECTOR
        ? 'a boot sector'
        : isFloppy(bytes)
          ? 'a bootable floppy image'
          : 'a bootable hard disk image';
  } else return null;
  return {
    kind: 'disk',
    description,
    name,
    segments: [],
    entry: RESET_VECTOR,
    bits: 16,
    symbols: [],
    disk: contents(bytes, name),
  };
}

/** A file as what lies in a drive, bootable or not. Throws ImageError when it is something else that is known. */
export function readDisk(bytes: Uint8Array, name: string): DiskContents {
  if (!isCd(bytes, name) && !hasBootSignature(bytes)) {
    const known = recognize(bytes);
    if (known && !known.startsWith('text'))
      throw new ImageError(`${name}: looks like ${known}. A drive takes a raw disk, floppy or CD image`);
  }
  return contents(bytes, name);
}

function contents(bytes: Uint8Array, name: string): DiskContents {
  if (isCd(bytes, name))
    return { drive: 'cd', bytes: padded(bytes, Math.ceil(bytes.length / CD_SECTOR) * CD_SECTOR) };
  if (isFloppy(bytes)) {
    const size = FLOPPY_FORMATS.includes(bytes.length)
      ? bytes.length
      : COMMON_FLOPPIES.find((format) => format >= bytes.length)!;
    return { drive: 'floppy', bytes: padded(bytes, size) };
  }
  return { drive: 'hard-disk', bytes: padded(bytes, Math.ceil(bytes.length / SECTOR) * SECTOR) };
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length === size) return bytes;
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return whole;
}

/** A hybrid image is a CD and, to a BIOS that takes it for a disk, a disk: its name says which is meant. */
function isCd(bytes: Uint8Array, name: string): boolean {
  if (bytes.length < BOOT_RECORD + CD_SECTOR || !text(bytes, FIRST_DESCRIPTOR + 1, 'CD001')) return false;
  return !(hasBootSignature(bytes) && DISK_NAME.test(name));
}

/**
 * Of the size of a diskette; or smaller than the largest, when it boots and has no partition table: what a student's own
 * boot sector and kernel are. Small files that do not boot are disks: the file systems of teaching kernels.
 */
function isFloppy(bytes: Uint8Array): boolean {
  if (FLOPPY_FORMATS.includes(bytes.length)) return true;
  return bytes.length <= LARGEST_FLOPPY && hasBootSignature(bytes) && !hasPartitions(bytes);
}

function text(bytes: Uint8Array, at: number, wanted: string): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted.charCodeAt(i)) return false;
  return true;
}
