// What every loader produces: the pieces of a guest and where they go. Images are untrusted input: loaders check every
// number against the file before they use it, and refuse with one line that a person can act on.

export type ImageKind = 'multiboot' | 'elf32' | 'xen' | 'linux' | 'disk' | 'rom';

/** A piece of memory as it must be before the first instruction. */
export interface Segment {
  /** Guest-physical address (for Xen: pseudo-physical, after ELF_PADDR_OFFSET). */
  address: number;
  /** Where the kernel itself expects it: differs from `address` for kernels linked high. */
  virtualAddress: number;
  data: Uint8Array;
  /** Bytes occupied; what `data` does not fill is zero. */
  memorySize: number;
}

/** How Xen must start the kernel: its ELF notes, or the older `__xen_guest` string. */
export interface XenInfo {
  source: 'notes' | 'string';
  /** Virtual address at which pseudo-physical 0 is mapped. */
  virtualBase: number;
  /** Virtual entry point. */
  entry: number;
  /** Virtual address of the page to fill with hypercall stubs; null = the kernel does not want one. */
  hypercallPage: number | null;
  /** Subtracted from the ELF's physical addresses. */
  paddrOffset: number;
  /** The kernel uses three-level page tables and nothing else will do. */
  pae: boolean;
  /** As written: `no`, `yes`, `yes[extended-cr3]`, `bimodal` … */
  paeMode: string;
  guestOs: string;
  guestVersion: string;
  xenVersion: string;
  loader: string;
  /** Feature names as written, `!` = required. */
  features: string[];
  /** The kernel asks for its symbol table to be loaded. */
  bsdSymtab: boolean;
}

export interface MultibootHeader {
  flags: number;
  /** Modules on page boundaries (flag 0), memory information (flag 1), video mode wanted (flag 2). */
  alignModules: boolean;
  wantsMemory: boolean;
  wantsVideo: boolean;
  /** Physical entry point. */
  entry: number;
}

/** What the setup header of a bzImage says, with the values that older protocols imply. */
export interface LinuxInfo {
  /** Boot protocol: 20Fh is 2.15. */
  protocol: number;
  /** `6.1.0-50-686`; empty when the kernel does not say. */
  version: string;
  /** Bytes of boot sector and setup code before the protected-mode part. */
  setupBytes: number;
  /** The header as it goes into boot_params. */
  header: Uint8Array;
  /** The boot sector and setup code of a kernel that has no 32-bit entry: it must be entered there, in real mode. Else null. */
  setup: Uint8Array | null;
  /** Physical address of the protected-mode part, which is its entry too. */
  load: number;
  /** Of a relocatable kernel, in bytes; else 0. */
  alignment: number;
  relocatable: boolean;
  /** Where it wants to run, and the bytes that it needs there before it has looked at the memory map. */
  preferred: number;
  initSize: number;
  /** Highest address that an initrd may occupy. */
  initrdMax: number;
  /** Characters of the command line, without the zero. */
  commandLineMax: number;
}

/** A disk, diskette or CD as a file. */
export interface DiskContents {
  drive: 'hard-disk' | 'cd' | 'floppy';
  /** Whole sectors: 2048 bytes of a CD, 512 of others; a diskette has a format that drives know. */
  bytes: Uint8Array;
}

export interface ImageSymbol {
  name: string;
  address: number;
  size: number;
}

interface AnyImage {
  kind: ImageKind;
  /** What it is, in words that fit behind "is": "a multiboot kernel". */
  description: string;
  /** File name or title, for messages. */
  name: string;
  segments: Segment[];
  /** First instruction: physical for multiboot, elf32 and linux; virtual for xen; for a disk, the reset vector below 1 MiB. */
  entry: number;
  /** Processor mode at the entry. */
  bits: 16 | 32;
  /** Present whenever the file says so, whatever `kind` is: a kernel may be both. */
  xen?: XenInfo;
  multiboot?: MultibootHeader;
  linux?: LinuxInfo;
  /** Sorted by address; empty when the file has none. */
  symbols: ImageSymbol[];
}

interface XenImage extends AnyImage {
  kind: 'xen';
  xen: XenInfo;
}
interface MultibootImage extends AnyImage {
  kind: 'multiboot';
  multiboot: MultibootHeader;
}
interface LinuxImage extends AnyImage {
  kind: 'linux';
  linux: LinuxInfo;
}
/** What firmware boots: nothing of it is loaded before. */
interface DiskImage extends AnyImage {
  kind: 'disk';
  disk: DiskContents;
}
/** What stands in the place of firmware: the processor begins in it after a reset. */
interface RomImage extends AnyImage {
  kind: 'rom';
  rom: Uint8Array;
}
interface PlainImage extends AnyImage {
  kind: 'elf32';
}
export type Image = XenImage | MultibootImage | LinuxImage | DiskImage | RomImage | PlainImage;

/** An image that cannot be used: what it looks like, and what would do. */
export class ImageError extends Error {
  override name = 'ImageError';
}

/** True when only firmware can start this image. */
export const needsFirmware = (image: Image): boolean => image.kind === 'disk' || !!image.linux?.setup;

/** Larger files are refused before anything is looked at. */
export const MAX_IMAGE_BYTES = 256 << 20;
/** Largest memory a segment may occupy: the largest machine. */
export const MAX_SEGMENT_BYTES = 2 ** 30;

export const hex = (value: number) => `${value.toString(16).toUpperCase()}h`;

/** Where segments are put: a machine's or a domain's memory. */
export interface LoadTarget {
  readonly size: number;
  load(address: number, data: Uint8Array): void;
}

/** Puts all segments of an image into memory, zeroing what follows their data. Throws ImageError when one does not fit. */
export function loadSegments(target: LoadTarget, image: Image): void {
  for (const s of image.segments) {
    if (s.address + s.memorySize > target.size) {
      throw new ImageError(
        `${image.name}: needs memory up to ${hex(s.address + s.memorySize)}, but there are only ${target.size >> 10} KiB`,
      );
    }
  }
  for (const s of image.segments) {
    target.load(s.address, s.data);
    const rest = s.memorySize - s.data.length;
    if (rest > 0) target.load(s.address + s.data.length, new Uint8Array(rest));
  }
}

/** End of the highest segment. */
export function imageEnd(image: Image): number {
  return image.segments.reduce((end, s) => Math.max(end, s.address + s.memorySize), 0);
}
