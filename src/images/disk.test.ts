// Which files are disks, diskettes or CDs, and which of them firmware can boot.
import { describe, expect, it } from 'vitest';
import { readDisk } from './disk.ts';
import { bootableCd, flatKernel } from './fixtures.ts';
import { parseImage } from './load.ts';

const KIB = 1024;
const sector = (size = 512) => {
  const bytes = new Uint8Array(size);
  bytes.set([0xeb, 0xfe]);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
};
/** One active partition of type 83h from sector 63 on. */
const partitioned = (size: number) => {
  const bytes = sector(size);
  bytes.set([0x80, 1, 1, 0, 0x83, 1, 1, 1, 63, 0, 0, 0, 1, 1, 0, 0], 0x1be);
  return bytes;
};
const drive = (bytes: Uint8Array, name = 'x') => {
  const image = parseImage(bytes, name);
  if (image.kind !== 'disk') throw new Error(image.kind);
  return [image.disk.drive, image.disk.bytes.length / KIB];
};

describe('what firmware can boot', () => {
  it('a boot sector is the beginning of a 1.44 MB diskette', () => {
    expect(drive(sector())).toEqual(['floppy', 1440]);
  });
  it.each([160, 180, 320, 360, 720, 1200, 1440, 2880])('a diskette of %i KiB keeps its size', (kib) => {
    expect(drive(sector(kib * KIB))).toEqual(['floppy', kib]);
  });
  it('an odd size is extended to the next common format', () => {
    expect(drive(sector(1300 * KIB))).toEqual(['floppy', 1440]);
    expect(drive(sector(1500 * KIB))).toEqual(['floppy', 2880]);
  });
  it('what is larger, or has partitions, is a hard disk of whole sectors', () => {
    expect(drive(sector(4096 * KIB + 100))).toEqual(['hard-disk', 4096.5]);
    expect(drive(partitioned(1024 * KIB))).toEqual(['hard-disk', 1024]);
  });
  it('a CD has an El Torito boot record; a hybrid image is what its name says', () => {
    const cd = bootableCd({});
    expect(drive(cd)[0]).toBe('cd');
    cd.set([0x55, 0xaa], 510);
    expect(drive(cd, 'live.iso')[0]).toBe('cd');
    expect(drive(cd, 'live.img')[0]).toBe('floppy');
    cd[17 * 2048 + 7] = 0;
    expect(() => parseImage(cd, 'data.iso')).toThrow(/data.iso: a CD image without an El Torito boot record/);
  });
  it('a kernel that a boot loader has put into the first sectors of a disk is the loader’s matter', () => {
    // GRUB's core lies behind the boot sector and has a multiboot header with load addresses.
    const withCore = (disk: Uint8Array) => {
      disk.set(flatKernel(2048), 0x400);
      return disk;
    };
    expect(drive(withCore(partitioned(4096 * KIB)))[0]).toBe('hard-disk');
    expect(drive(withCore(sector(1440 * KIB)))[0]).toBe('floppy');
    const kernel = flatKernel(2048);
    kernel.set([0x55, 0xaa], 510);
    expect(parseImage(kernel, 'kernel').kind).toBe('multiboot');
  });
  it('a multiboot header without load addresses in a disk is not for the loader', () => {
    const bytes = sector(1440 * KIB);
    new Uint32Array(bytes.buffer).set([0x1badb002, 3, -(0x1badb002 + 3)], 0x1000 / 4);
    expect(drive(bytes)[0]).toBe('floppy');
  });
});

describe('what a drive takes besides', () => {
  it('anything raw: a blank diskette, a data disk, a CD', () => {
    expect(readDisk(new Uint8Array(720 * KIB), 'blank').drive).toBe('floppy');
    expect(readDisk(new Uint8Array(8 << 20), 'data').drive).toBe('hard-disk');
    expect(readDisk(bootableCd({}), 'cd').drive).toBe('cd');
    // xv6's file system: smaller than a diskette, but neither of its size nor bootable.
    expect(readDisk(new Uint8Array(1000 * 512), 'fs.img').drive).toBe('hard-disk');
  });
  it('but no other kind of disk image', () => {
    const qcow2 = Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3);
    expect(() => readDisk(qcow2, 'd.qcow2')).toThrow(/d.qcow2: looks like a QEMU disk image.*raw disk/);
  });
});
