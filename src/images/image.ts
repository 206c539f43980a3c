// What a loader hands to whoever boots it: segments, an entry point, and what kind of kernel this is. (The architect's contract;
// the parsers in this room produce it from untrusted bytes.)

/** A file that cannot be booted. The message is one line: what it looks like, and what is accepted. */
export class ImageError extends Error {
  override name = 'ImageError';
}

export interface Segment {
  /** Where it goes in (guest-)physical memory: p_paddr, or the load address. */
  readonly physicalAddress: number;
  /** Where it is linked to run: p_vaddr; the same as physical for flat images. */
  readonly virtualAddress: number;
  readonly data: Uint8Array;
  /** Bytes it occupies; the part beyond `data` is zero. */
  readonly memorySize: number;
}

interface Common {
  readonly name: string;
  /** For messages: "a multiboot ELF kernel", "a boot sector". */
  readonly description: string;
  readonly segments: readonly Segment[];
  /** Address of the first instruction (virtual for Xen, physical otherwise), uint32. */
  readonly entry: number;
  /** Symbols by name, when the file has any. */
  readonly symbols: ReadonlyMap<string, number>;
}

/** Multiboot 1, by ELF program headers or by the a.out kludge. */
export interface MultibootImage extends Common {
  readonly kind: 'multiboot';
  /** Header flags: bit 0 align modules, 1 memory information, 2 video mode. */
  readonly flags: number;
}
/** A 32-bit ELF executable without multiboot header and without Xen notes: entered in flat protected mode. */
export interface ElfImage extends Common {
  readonly kind: 'elf32';
}
/** A paravirtualized Xen kernel: ELF notes, or the older __xen_guest section. */
export interface XenImage extends Common {
  readonly kind: 'xen';
  readonly xen: {
    readonly virtualBase: number;
    readonly paddrOffset: number;
    /** Virtual address of the page to fill with hypercall stubs; undefined: the guest uses int 82h itself. */
    readonly hypercallPage: number | undefined;
    readonly pae: boolean;
    readonly guestOs: string;
    readonly xenVersion: string;
    readonly loader: string;
    readonly features: string;
  };
}
/** 512 bytes (or a floppy image) that end the first sector with 55 AA: loaded at 7C00h, real mode. */
export interface BootSectorImage extends Common {
  readonly kind: 'boot-sector';
}
export type Image = MultibootImage | ElfImage | XenImage | BootSectorImage;
export type ImageKind = Image['kind'];
