// What lies in the drives of a guest's machine: the disk that it is booted from, and those that its scenario adds.
import { readDisk } from '../images/disk.ts';
import { type DiskContents, type Image, ImageError } from '../images/image.ts';
import { type Drive, Medium } from '../machine/devices/storage/medium.ts';
import type { GuestLibrary } from './library.ts';

/**
 * New media: nothing has been written to them yet.
 * @param disks names of images in the library; those of a kind follow the boot disk
 * Throws ImageError when one is not there or is no disk.
 */
export function drivesOf(image: Image, disks: readonly string[], library: GuestLibrary): Drive[] {
  const drives = image.kind === 'disk' ? [driveOf(image.disk)] : [];
  for (const name of disks) {
    const source = library.find(name);
    if (!source || source.kind === 'source') throw new ImageError(`${name}: there is no such disk image`);
    drives.push(driveOf(readDisk(source.bytes, name)));
  }
  return drives;
}

function driveOf({ drive, bytes }: DiskContents): Drive {
  const cd = drive === 'cd';
  return { kind: drive, medium: new Medium(bytes, cd ? 2048 : 512, cd) };
}
