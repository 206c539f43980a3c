// ELF for the Intel386 (Tool Interface Standard ELF 1.2; System V ABI Intel386 supplement): header, program headers,
// sections, notes and symbols, with every offset checked against the file.
import { hex, ImageError, type ImageSymbol, MAX_SEGMENT_BYTES } from './image.ts';

const PT_LOAD = 1;
const PT_NOTE = 4;
const SHT_SYMTAB = 2;
const SHT_NOTE = 7;
const SHT_NOBITS = 8;
/** More than any kernel has; bounds the work that a hostile header can ask for. */
const MAX_HEADERS = 256;
const MAX_SYMBOLS = 200_000;

interface LoadSegment {
  virtual: number;
  physical: number;
  data: Uint8Array;
  memorySize: number;
}
interface Section {
  name: string;
  type: number;
  data: Uint8Array;
  link: number;
}
export interface Note {
  name: string;
  type: number;
  data: Uint8Array;
}
export interface Elf {
  entry: number;
  segments: LoadSegment[];
  notes: Note[];
  /** Contents of a section by name, when there is one. */
  section(name: string): Uint8Array | null;
  symbols(): ImageSymbol[];
}

export function isElf(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46
  );
}

const MACHINES: Record<number, string> = {
  2: 'SPARC',
  6: '80486',
  8: 'MIPS',
  20: 'PowerPC',
  21: '64-bit PowerPC',
  40: 'ARM',
  43: '64-bit SPARC',
  50: 'Itanium',
  62: 'x86-64',
  183: '64-bit ARM',
  243: 'RISC-V',
};

/** Reads an executable ELF32 for the i386. Throws ImageError with what is wrong. */
export function readElf(bytes: Uint8Array, name: string): Elf {
  const fail = (why: string): never => {
    throw new ImageError(`${name}: ${why}`);
  };
  if (bytes.length < 52) fail(`looks like ELF, but ends inside its header (${bytes.length} bytes of 52)`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(18, true);
  if (bytes[4] === 2)
    fail(
      `is a 64-bit ELF file (${MACHINES[machine] ?? `machine ${machine}`}); this machine is 32-bit: build with -m32`,
    );
  if (bytes[4] !== 1 || bytes[5] !== 1)
    fail('is an ELF file of another byte order or class; 32-bit little-endian is accepted');
  if (machine !== 3)
    fail(`is an ELF file for ${MACHINES[machine] ?? `machine ${machine}`}; the i386 (machine 3) is accepted`);
  const type = view.getUint16(16, true);
  if (type === 1) fail('is an ELF object file that was not linked; link it into an executable');
  if (type === 3)
    fail('is a shared or position-independent ELF file; link it with -no-pie at a fixed address');
  if (type !== 2) fail(`is an ELF file of type ${type}; an executable (type 2) is accepted`);
  return {
    entry: view.getUint32(24, true),
    segments: readSegments(bytes, view, fail),
    notes: readNotes(bytes, view),
    section: (wanted) =>
      readSections(bytes, view).find((s) => s.name === wanted && s.type !== SHT_NOBITS)?.data ?? null,
    symbols: () => readSymbols(readSections(bytes, view)),
  };
}

function readSegments(bytes: Uint8Array, view: DataView, fail: (why: string) => never): LoadSegment[] {
  const segments: LoadSegment[] = [];
  for (const h of programHeaders(view, fail)) {
    if (h.type !== PT_LOAD || h.memorySize === 0) continue;
    const where = `segment at ${hex(h.physical)}`;
    if (h.fileSize > h.memorySize) fail(`${where}: has more bytes in the file than in memory`);
    if (h.offset + h.fileSize > bytes.length) fail(`${where}: lies beyond the end of the file (truncated?)`);
    if (h.memorySize > MAX_SEGMENT_BYTES)
      fail(`${where}: occupies ${hex(h.memorySize)} bytes, more than any machine here has`);
    if (h.physical + h.memorySize > 2 ** 32 || h.virtual + h.memorySize > 2 ** 32)
      fail(`${where}: runs over the end of the address space`);
    segments.push({
      virtual: h.virtual,
      physical: h.physical,
      data: bytes.slice(h.offset, h.offset + h.fileSize),
      memorySize: h.memorySize,
    });
  }
  if (!segments.length) fail('is an ELF file without anything to load');
  segments.sort((a, b) => a.physical - b.physical);
  for (let i = 1; i < segments.length; i++) {
    const before = segments[i - 1];
    if (before.physical + before.memorySize > segments[i].physical)
      fail(`segments at ${hex(before.physical)} and ${hex(segments[i].physical)} overlap`);
  }
  return segments;
}

interface ProgramHeader {
  type: number;
  offset: number;
  virtual: number;
  physical: number;
  fileSize: number;
  memorySize: number;
}

function programHeaders(view: DataView, fail: (why: string) => never): ProgramHeader[] {
  const offset = view.getUint32(28, true);
  const size = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (count === 0) fail('is an ELF file without program headers');
  if (size < 32 || count > MAX_HEADERS)
    fail(`has ${count} program headers of ${size} bytes, which cannot be right`);
  if (offset + size * count > view.byteLength) fail('ends before its program headers (truncated?)');
  return Array.from({ length: count }, (_, i) => {
    const word = (n: number) => view.getUint32(offset + i * size + n * 4, true);
    return {
      type: word(0),
      offset: word(1),
      virtual: word(2),
      physical: word(3),
      fileSize: word(4),
      memorySize: word(5),
    };
  });
}

/** Sections are not needed to boot, so a damaged table gives fewer of them and no error. */
function readSections(bytes: Uint8Array, view: DataView): Section[] {
  const offset = view.getUint32(32, true);
  const size = view.getUint16(46, true);
  const count = view.getUint16(48, true);
  const namesIndex = view.getUint16(50, true);
  if (!offset || size < 40 || count > 4096 || offset + size * count > bytes.length) return [];
  const word = (i: number, n: number) => view.getUint32(offset + i * size + n * 4, true);
  const data = (i: number) => {
    const from = word(i, 4);
    const length = word(i, 5);
    return word(i, 1) === SHT_NOBITS || from + length > bytes.length
      ? new Uint8Array(0)
      : bytes.subarray(from, from + length);
  };
  const names = namesIndex < count ? data(namesIndex) : new Uint8Array(0);
  return Array.from({ length: count }, (_, i) => ({
    name: cString(names, word(i, 0)),
    type: word(i, 1),
    data: data(i),
    link: word(i, 6),
  }));
}

/** Notes of PT_NOTE segments and of SHT_NOTE sections: either is enough for a loader. */
function readNotes(bytes: Uint8Array, view: DataView): Note[] {
  const areas: Uint8Array[] = [];
  for (const h of programHeaders(view, () => {
    throw new ImageError('unreachable: checked before');
  })) {
    if (h.type === PT_NOTE && h.offset + h.fileSize <= bytes.length)
      areas.push(bytes.subarray(h.offset, h.offset + h.fileSize));
  }
  if (!areas.length)
    areas.push(
      ...readSections(bytes, view)
        .filter((s) => s.type === SHT_NOTE)
        .map((s) => s.data),
    );
  return areas.flatMap(parseNotes);
}

function parseNotes(area: Uint8Array): Note[] {
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
  const notes: Note[] = [];
  for (let at = 0; at + 12 <= area.length; ) {
    const nameSize = view.getUint32(at, true);
    const dataSize = view.getUint32(at + 4, true);
    const data = at + 12 + align4(nameSize);
    // The last one may claim more than the file has, as GRUB's does: what is there counts.
    if (data >= area.length && dataSize) break;
    notes.push({
      name: cString(area.subarray(0, at + 12 + nameSize), at + 12),
      type: view.getUint32(at + 8, true),
      data: area.subarray(data, data + dataSize),
    });
    at = data + align4(dataSize);
  }
  return notes;
}

function readSymbols(sections: Section[]): ImageSymbol[] {
  const table = sections.find((s) => s.type === SHT_SYMTAB);
  if (!table) return [];
  const names = sections[table.link]?.data ?? new Uint8Array(0);
  const view = new DataView(table.data.buffer, table.data.byteOffset, table.data.byteLength);
  const symbols: ImageSymbol[] = [];
  for (let at = 16; at + 16 <= table.data.length && symbols.length < MAX_SYMBOLS; at += 16) {
    const kind = view.getUint8(at + 12) & 15;
    const section = view.getUint16(at + 14, true);
    const name = cString(names, view.getUint32(at, true));
    if (kind <= 2 && section !== 0 && name)
      symbols.push({ name, address: view.getUint32(at + 4, true), size: view.getUint32(at + 8, true) });
  }
  return symbols.sort((a, b) => a.address - b.address);
}

const align4 = (n: number) => n + ((4 - (n % 4)) % 4);

/** Text up to the next zero byte, at most 255 characters; control characters are shown as dots. */
export function cString(bytes: Uint8Array, from = 0): string {
  let text = '';
  for (let i = from; i < bytes.length && bytes[i] && text.length < 255; i++)
    text += bytes[i] < 32 ? '.' : String.fromCharCode(bytes[i]);
  return text;
}
