// From bytes to an Image: which kind of file it is, and the one entry to all loaders. Multiboot 1 (Multiboot
// Specification 0.6.96 §3.1), ELF32, Xen paravirtual ELF, Linux bzImage, disks of all sorts. Nothing here throws anything but ImageError.
import { hasBootSignature, hasPartitions } from './boot-sector.ts';
import { type Elf, isElf, readElf } from './elf.ts';
import { type Image, ImageError, type ImageKind, MAX_IMAGE_BYTES, type Segment } from './image.ts';
import type { loadLinux } from './linux.ts';
import { isLinux } from './linux-header.ts';
import type { loadLinuxSetup } from './linux-setup.ts';
import { findHeader, hasLoadAddresses, loadOffset, readHeader } from './multiboot-header.ts';
import { readXenInfo, xenSegments } from './xen.ts';

const ACCEPTED =
  'Accepted are multiboot kernels, 32-bit x86 ELF, Xen paravirtual ELF, Linux bzImages, boot sectors, floppy, hard disk and CD images, and BIOS ROMs.';

/** Loaders of what is neither ELF nor multiboot, when a program has provided them (other.ts): our own guests need none. */
export const otherImages: {
  parse: ((bytes: Uint8Array, name: string, accepted: string) => Image) | null;
  /** Into memory: what `parse` has made of a bzImage, for its 32-bit entry and for that of its setup code. */
  loadLinux: typeof loadLinux | null;
  loadLinuxSetup: typeof loadLinuxSetup | null;
} = { parse: null, loadLinux: null, loadLinuxSetup: null };

/** The kind of an image by its first signs; throws ImageError when it is none of them. */
export function identify(bytes: Uint8Array, name = 'image'): ImageKind {
  return parseImage(bytes, name).kind;
}

/**
 * Reads an image. A kernel that is both multiboot and Xen is reported as multiboot, with `xen` filled in.
 * Throws ImageError with one line: what the file looks like, and what is accepted.
 */
export function parseImage(bytes: Uint8Array, name = 'image'): Image {
  if (bytes.length > MAX_IMAGE_BYTES)
    throw new ImageError(
      `${name}: ${bytes.length >> 20} MiB is more than an image may have (${MAX_IMAGE_BYTES >> 20} MiB)`,
    );
  if (isElf(bytes)) return parseElf(bytes, name);
  const header = findHeader(bytes);
  if (header >= 0 && !isDiskWithKernel(bytes, header)) return parseFlat(bytes, header, name);
  if (!otherImages.parse) throw new ImageError(`${name}: is neither ELF nor multiboot. ${ACCEPTED}`);
  return otherImages.parse(bytes, name, ACCEPTED);
}

/**
 * A disk may carry a kernel in its first sectors, as GRUB's core does. What begins with a boot sector is a disk, unless the
 * header at `header` can load it from its beginning, or behind the setup code of a Linux kernel.
 */
function isDiskWithKernel(bytes: Uint8Array, header: number): boolean {
  if (!hasBootSignature(bytes)) return false;
  if (!hasLoadAddresses(bytes, header) || hasPartitions(bytes)) return true;
  return loadOffset(bytes, header) !== 0 && !isLinux(bytes);
}

function parseElf(bytes: Uint8Array, name: string): Image {
  const elf = readElf(bytes, name);
  const xen = readXenInfo(elf, name) ?? undefined;
  const at = findHeader(bytes);
  const symbols = elf.symbols();
  if (at >= 0) {
    const header = readHeader(bytes, at, name, physicalEntry(elf));
    const segments = header.segment ? [header.segment] : plainSegments(elf);
    checkEntry(segments, header.info.entry, name);
    return {
      kind: 'multiboot',
      description: 'a multiboot kernel',
      name,
      segments,
      entry: header.info.entry,
      bits: 32,
      multiboot: header.info,
      xen,
      symbols,
    };
  }
  if (xen) {
    const segments = xenSegments(elf, xen, name);
    checkEntry(segments, xen.entry - xen.virtualBase, name);
    return {
      kind: 'xen',
      description: 'a paravirtualized kernel for Xen',
      name,
      segments,
      entry: xen.entry,
      bits: 32,
      xen,
      symbols,
    };
  }
  const segments = plainSegments(elf);
  const entry = physicalEntry(elf);
  checkEntry(segments, entry, name);
  return {
    kind: 'elf32',
    description: 'a plain 32-bit ELF program',
    name,
    segments,
    entry,
    bits: 32,
    symbols,
  };
}

const plainSegments = (elf: Elf): Segment[] =>
  elf.segments.map((s) => ({
    address: s.physical,
    virtualAddress: s.virtual,
    data: s.data,
    memorySize: s.memorySize,
  }));

/** The ELF entry is virtual; a kernel linked high but loaded low starts at the physical twin. */
function physicalEntry(elf: Elf): number {
  const s = elf.segments.find((x) => elf.entry >= x.virtual && elf.entry < x.virtual + x.memorySize);
  return s ? elf.entry - s.virtual + s.physical : elf.entry;
}

function checkEntry(segments: Segment[], entry: number, name: string): void {
  if (!segments.some((s) => entry >= s.address && entry < s.address + s.memorySize)) {
    throw new ImageError(
      `${name}: its entry point ${(entry >>> 0).toString(16).toUpperCase()}h lies outside everything it loads`,
    );
  }
}

/** A flat file with the address fields in its multiboot header (the "a.out kludge"). */
function parseFlat(bytes: Uint8Array, at: number, name: string): Image {
  const { info, segment } = readHeader(bytes, at, name, null);
  if (!segment)
    throw new ImageError(
      `${name}: has a multiboot header, but is neither ELF nor gives load addresses (flag 16)`,
    );
  checkEntry([segment], info.entry, name);
  return {
    kind: 'multiboot',
    description: 'a multiboot kernel',
    name,
    segments: [segment],
    entry: info.entry,
    bits: 32,
    multiboot: info,
    symbols: [],
  };
}
