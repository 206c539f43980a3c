// Starts a Linux bzImage by the 32-bit boot protocol (Linux Documentation/arch/x86/boot.rst and zero-page.rst): the
// protected-mode part at 1 MiB, boot_params with memory map, screen and command line, the initrd as high as it may lie,
// flat segments 10h and 18h from a descriptor table in memory, ESI at boot_params.
import { biosData } from './bios-data.ts';
import { hex, type Image, ImageError, type LinuxInfo, type LoadTarget, loadSegments } from './image.ts';
import { HEADER_AT, readLinuxHeader, SETUP_ENTRY, version } from './linux-header.ts';
import { type MemoryRange, pcMemoryMap } from './multiboot.ts';

interface LinuxModule {
  name: string;
  data: Uint8Array;
}
export interface LinuxOptions {
  commandLine?: string;
  modules?: readonly LinuxModule[];
  /** Defaults to `pcMemoryMap(target.size)`. */
  memoryMap?: readonly MemoryRange[];
}
/** Registers at the entry: what is not named is zero, interrupts are off, paging is off. */
export interface LinuxEntry {
  eip: number;
  esi: number;
  codeSelector: number;
  dataSelector: number;
  gdt: { base: number; limit: number };
}

/** In conventional memory, where real-mode loaders have them. */
const BOOT_PARAMS = 0x10000;
const GDT = 0x11000;
export const COMMAND_LINE = 0x20000;
const PAGE = 4096;
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;
/** Flat 4 GiB: code readable, data writable, both present at ring 0, 32 bits, page granular. */
const CODE_DESCRIPTOR = [0x0000ffff, 0x00cf9b00];
const DATA_DESCRIPTOR = [0x0000ffff, 0x00cf9300];
/** Fields of boot_params (zero-page.rst). */
const EXT_MEM_K = 0x02;
const ALT_MEM_K = 0x1e0;
const E820_ENTRIES = 0x1e8;
const TYPE_OF_LOADER = 0x210;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const COMMAND_LINE_POINTER = 0x228;
const E820_MAP = 0x2d0;
const UNREGISTERED_LOADER = 0xff;

/** Parses a bzImage. Throws ImageError with one line. */
export function parseLinux(bytes: Uint8Array, name: string): Image {
  const linux = readLinuxHeader(bytes, name);
  const code = bytes.slice(linux.setupBytes);
  return {
    kind: 'linux',
    description: `a Linux kernel${linux.version ? ` ${linux.version}` : ''} (bzImage, boot protocol ${version(linux.protocol)})`,
    name,
    segments: [{ address: linux.load, virtualAddress: linux.load, data: code, memorySize: code.length }],
    entry: linux.setup ? SETUP_ENTRY : linux.load,
    bits: linux.setup ? 16 : 32,
    linux,
    symbols: [],
  };
}

/** Bytes of memory that this kernel needs before it can look at any, with an initrd of `initrdBytes`. */
export function linuxMemory(image: { linux: LinuxInfo } & Image, initrdBytes: number): number {
  return kernelEnd(image) + Math.ceil(initrdBytes / PAGE) * PAGE;
}

/** The kernel unpacks itself at its preferred address, or where it lies if that is higher. */
function kernelEnd(image: { linux: LinuxInfo } & Image): number {
  const { linux, segments } = image;
  const { alignment: a } = linux;
  const lowest = a ? Math.ceil(linux.load / a) * a : linux.load;
  const end = Math.max(lowest, linux.preferred) + linux.initSize;
  return Math.max(linux.load + segments[0].memorySize, end);
}

/** Loads kernel, initrd and boot_params. Throws ImageError when something does not fit. */
export function loadLinux(target: LoadTarget, image: Image, options: LinuxOptions = {}): LinuxEntry {
  if (image.kind !== 'linux') throw new ImageError(`${image.name}: is not a Linux kernel`);
  const { linux } = image;
  const initrd = onlyInitrd(image, options);
  const needed = linuxMemory(image, initrd?.data.length ?? 0);
  if (needed > target.size)
    throw new ImageError(
      `${image.name}: needs at least ${Math.ceil(needed / 2 ** 20)} MiB of memory to unpack itself${initrd ? ' beside its initrd' : ''}, but there are only ${target.size >> 20} MiB`,
    );
  loadSegments(target, image);
  loadCommandLine(target, image, linux, options.commandLine ?? '');

  const params = new Uint8Array(PAGE);
  const view = new DataView(params.buffer);
  params.set(linux.header, HEADER_AT);
  params[TYPE_OF_LOADER] = UNREGISTERED_LOADER;
  view.setUint32(COMMAND_LINE_POINTER, COMMAND_LINE, true);
  if (initrd) {
    const at = initrdAddress(linux, target.size, initrd.data.length, kernelEnd(image), image.name);
    target.load(at, initrd.data);
    view.setUint32(RAMDISK_IMAGE, at, true);
    view.setUint32(RAMDISK_SIZE, initrd.data.length, true);
  }
  fillScreen(params, view);
  fillMemory(params, view, options.memoryMap ?? pcMemoryMap(target.size), target.size);
  target.load(BOOT_PARAMS, params);
  target.load(GDT, descriptorTable());
  for (const piece of biosData()) target.load(piece.address, piece.data);
  return {
    eip: image.entry,
    esi: BOOT_PARAMS,
    codeSelector: BOOT_CS,
    dataSelector: BOOT_DS,
    gdt: { base: GDT, limit: 31 },
  };
}

/** Throws ImageError when there are more modules. */
export function onlyInitrd({ name }: Image, { modules = [] }: LinuxOptions): LinuxModule | undefined {
  if (modules.length > 1)
    throw new ImageError(`${name}: a Linux kernel takes one initrd, not ${modules.length} modules`);
  return modules[0];
}

/** Puts the command line where the header will say it is: 20000h. Throws ImageError when the kernel takes none as long. */
export function loadCommandLine(target: LoadTarget, { name }: Image, linux: LinuxInfo, text: string): void {
  if (text.length > linux.commandLineMax)
    throw new ImageError(
      `${name}: the command line has ${text.length} characters, and this kernel takes ${linux.commandLineMax}`,
    );
  target.load(COMMAND_LINE, latin1(text));
}

/** As high as memory and the kernel's own limit allow, on a page boundary, behind everything that the kernel uses. */
export function initrdAddress(
  linux: LinuxInfo,
  memory: number,
  length: number,
  above: number,
  name: string,
): number {
  const end = Math.min(memory, linux.initrdMax + 1);
  const at = Math.floor((end - length) / PAGE) * PAGE;
  if (at < above)
    throw new ImageError(
      `${name}: its initrd of ${length >> 10} KiB does not fit between the kernel's end (${hex(above)}) and ${hex(end)}`,
    );
  return at;
}

/** struct screen_info: a VGA in 80×25 text mode 3, cursor at the top. */
function fillScreen(params: Uint8Array, view: DataView): void {
  params[0x06] = 3; // orig_video_mode
  params[0x07] = 80; // orig_video_cols
  view.setUint16(0x0a, 3, true); // orig_video_ega_bx: colour, 256 KiB (int 10h, AH=12h BL=10h)
  params[0x0e] = 25; // orig_video_lines
  params[0x0f] = 1; // orig_video_isVGA
  view.setUint16(0x10, 16, true); // orig_video_points: height of a character
}

function fillMemory(params: Uint8Array, view: DataView, map: readonly MemoryRange[], size: number): void {
  const extendedKiB = (size >>> 10) - 1024;
  view.setUint16(EXT_MEM_K, Math.min(0xfc00, extendedKiB), true);
  view.setUint32(ALT_MEM_K, extendedKiB, true);
  params[E820_ENTRIES] = map.length;
  map.forEach((range, i) => {
    const at = E820_MAP + i * 20;
    view.setUint32(at, range.address, true);
    view.setUint32(at + 8, range.length, true);
    view.setUint32(at + 16, range.type, true);
  });
}

function descriptorTable(): Uint8Array {
  const table = new Uint8Array(32);
  const view = new DataView(table.buffer);
  [...CODE_DESCRIPTOR, ...DATA_DESCRIPTOR].forEach((word, i) => view.setUint32(BOOT_CS + i * 4, word, true));
  return table;
}

const latin1 = (text: string) =>
  Uint8Array.from(`${text}\0`, (c) => (c.charCodeAt(0) < 256 ? c.charCodeAt(0) : 0x3f));
