// Images that are neither ELF nor multiboot: Linux bzImages, BIOS ROMs, disks of all sorts. Importing this file makes
// `parseImage` and `placeImage` take them.
import { hasBootSignature } from './boot-sector.ts';
import { parseBootDisk } from './disk.ts';
import { type Image, ImageError } from './image.ts';
import { loadLinux, parseLinux } from './linux.ts';
import { isLinux } from './linux-header.ts';
import { loadLinuxSetup } from './linux-setup.ts';
import { otherImages } from './load.ts';
import { recognize } from './recognize.ts';
import { parseRom } from './rom.ts';

const SECTOR = 512;

otherImages.loadLinux = loadLinux;
otherImages.loadLinuxSetup = loadLinuxSetup;

otherImages.parse = (bytes, name, accepted): Image => {
  if (isLinux(bytes)) return parseLinux(bytes, name);
  const rom = hasBootSignature(bytes) ? null : parseRom(bytes, name);
  if (rom) return rom;
  const known = recognize(bytes);
  if (known) throw new ImageError(`${name}: looks like ${known}. ${accepted}`);
  const disk = parseBootDisk(bytes, name);
  if (disk) return disk;
  const hint = bytes.length === SECTOR ? ' (512 bytes, but no 55AAh signature at the end)' : '';
  throw new ImageError(`${name}: is not an image that can boot${hint}. ${accepted}`);
};
