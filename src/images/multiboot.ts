// What a multiboot loader leaves for the kernel: the information structure in memory and the machine state at its first
// instruction (Multiboot Specification 0.6.96 §3.2, §3.3).
import { hex, type Image, ImageError, imageEnd, type LoadTarget, loadSegments } from './image.ts';

/** Memory types of the map: 1 = usable. */
const MemoryType = { available: 1, reserved: 2, acpi: 3, nvs: 4 } as const;
export interface MemoryRange {
  address: number;
  length: number;
  type: number;
}
interface MultibootModule {
  name: string;
  data: Uint8Array;
}
export interface MultibootOptions {
  commandLine?: string;
  modules?: readonly MultibootModule[];
  /** Defaults to `pcMemoryMap(target.size)`. */
  memoryMap?: readonly MemoryRange[];
  loaderName?: string;
}
/** Registers at the entry; CS and the data segments are flat 4 GiB, CR0.PE = 1, CR0.PG = 0, EFLAGS.IF = 0, A20 open. */
export interface MultibootEntry {
  eip: number;
  eax: number;
  ebx: number;
}

const LOADER_MAGIC = 0x2badb002;
const INFO_BYTES = 88;
const PAGE = 4096;
/** Information flags: memory sizes, command line, modules, memory map, loader name. */
const FLAGS = { memory: 1, commandLine: 4, modules: 8, memoryMap: 0x40, loaderName: 0x200 };
/** The extended BIOS data area of a PC begins here: conventional memory ends. */
const CONVENTIONAL_END = 0x9fc00;
const MAX_COMMAND_LINE = 4096;

/** The memory map of a PC without ACPI tables and with `size` bytes. */
export function pcMemoryMap(size: number): MemoryRange[] {
  const map: MemoryRange[] = [
    { address: 0, length: Math.min(size, CONVENTIONAL_END), type: MemoryType.available },
    { address: CONVENTIONAL_END, length: 0xa0000 - CONVENTIONAL_END, type: MemoryType.reserved },
    { address: 0xf0000, length: 0x10000, type: MemoryType.reserved },
  ];
  if (size > 0x100000) map.push({ address: 0x100000, length: size - 0x100000, type: MemoryType.available });
  return map;
}

/** Loads the image, its modules and the information structure. Throws ImageError when something does not fit. */
export function loadMultiboot(
  target: LoadTarget,
  image: Image,
  options: MultibootOptions = {},
): MultibootEntry {
  if (image.kind !== 'multiboot') throw new ImageError(`${image.name}: is not a multiboot kernel`);
  loadSegments(target, image);
  const modules = placeModules(target, image, options.modules ?? []);
  const map = options.memoryMap ?? pcMemoryMap(target.size);
  // The command line begins with the kernel's own name, as boot loaders have it.
  const commandLine = latin1(`${image.name} ${options.commandLine ?? ''}`.trim().slice(0, MAX_COMMAND_LINE));
  const loaderName = latin1(options.loaderName ?? 'Ringside');
  const moduleNames = modules.map((m) => latin1(m.name.slice(0, 255)));

  const mapBytes = map.length * 24;
  const total =
    INFO_BYTES +
    mapBytes +
    modules.length * 16 +
    commandLine.length +
    loaderName.length +
    moduleNames.reduce((n, s) => n + s.length, 0);
  const base = placeInfo(image, total);
  const block = new Uint8Array(total);
  const view = new DataView(block.buffer);
  const word = (at: number, value: number) => view.setUint32(at, value, true);
  let free = INFO_BYTES;
  const take = (length: number) => {
    const at = free;
    free += length;
    return at;
  };
  const text = (bytes: Uint8Array) => {
    const at = take(bytes.length);
    block.set(bytes, at);
    return base + at;
  };

  const mapAt = take(mapBytes);
  const modulesAt = take(modules.length * 16);
  map.forEach((range, i) => {
    const at = mapAt + i * 24;
    word(at, 20); // the size field does not count itself
    word(at + 4, range.address);
    word(at + 12, range.length);
    word(at + 20, range.type);
  });
  modules.forEach((module, i) => {
    const at = modulesAt + i * 16;
    word(at, module.start);
    word(at + 4, module.end);
    word(at + 8, text(moduleNames[i]));
  });
  word(
    0,
    FLAGS.memory |
      FLAGS.commandLine |
      FLAGS.memoryMap |
      FLAGS.loaderName |
      (modules.length ? FLAGS.modules : 0),
  );
  word(4, Math.min(target.size, CONVENTIONAL_END) >> 10);
  word(8, Math.max(0, upperMemory(map)) >>> 10);
  word(16, text(commandLine));
  word(20, modules.length);
  word(24, modules.length ? base + modulesAt : 0);
  word(44, mapBytes);
  word(48, base + mapAt);
  word(64, text(loaderName));
  target.load(base, block);
  return { eip: image.multiboot.entry, eax: LOADER_MAGIC, ebx: base };
}

/** Bytes from 1 MiB up to the first hole. */
function upperMemory(map: readonly MemoryRange[]): number {
  return map.find((r) => r.type === MemoryType.available && r.address === 0x100000)?.length ?? 0;
}

/** Modules lie on page boundaries behind the kernel. */
function placeModules(target: LoadTarget, image: Image, modules: readonly MultibootModule[]) {
  let at = Math.max(0x100000, Math.ceil(imageEnd(image) / PAGE) * PAGE);
  return modules.map(({ name, data }) => {
    const start = at;
    const end = start + data.length;
    if (end > target.size)
      throw new ImageError(
        `${image.name}: module ${name} does not fit into memory (it would end at ${hex(end)})`,
      );
    target.load(start, data);
    at = Math.ceil(end / PAGE) * PAGE;
    return { name, start, end };
  });
}

/** As high as possible in conventional memory, away from everything that the image occupies. */
function placeInfo(image: Image, length: number): number {
  let at = CONVENTIONAL_END - length;
  // Each pass goes below one segment, so it ends after as many as there are.
  for (let pass = 0; pass <= image.segments.length; pass++) {
    at -= at % 16;
    if (at < 0x500) break; // the interrupt table and BIOS data stay
    const hit = image.segments.find((s) => at < s.address + s.memorySize && s.address < at + length);
    if (!hit) return at;
    at = hit.address - length;
  }
  throw new ImageError(`${image.name}: leaves no conventional memory for the multiboot information`);
}

const latin1 = (text: string) =>
  Uint8Array.from(`${text}\0`, (c) => (c.charCodeAt(0) < 256 ? c.charCodeAt(0) : 0x3f));
