// The multiboot header inside a kernel file (Multiboot Specification 0.6.96 §3.1): where it is, its flags, and the
// address fields that let a flat binary say where it wants to be.
import { hex, ImageError, MAX_SEGMENT_BYTES, type MultibootHeader, type Segment } from './image.ts';

const MAGIC = 0x1badb002;
/** The header must lie completely within these first bytes. */
const SEARCH = 8192;
const PAGE_ALIGN = 1;
const MEMORY_INFO = 2;
const VIDEO_MODE = 4;
const ADDRESS_FIELDS = 0x10000;

/** Offset of the header, or -1. It is on a 4-byte boundary and magic + flags + checksum make zero. */
export function findHeader(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(SEARCH, bytes.length) - 12;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    if (((MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true)) | 0) === 0) return at;
  }
  return -1;
}

/** True when the header at `at` says where a flat file goes. */
export function hasLoadAddresses(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 6] & (ADDRESS_FIELDS >> 16)) !== 0;
}

/** Offset in the file of what a header with load addresses loads first; a kernel's own file begins there, or with its setup code. */
export function loadOffset(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return at + 32 > bytes.length ? -1 : at - (view.getUint32(at + 12, true) - view.getUint32(at + 16, true));
}

/**
 * Reads the header at `at`.
 * @param elfEntry physical entry point of the ELF file around it, or null for a flat file
 * @returns the header, and with address fields the one segment that they describe
 */
export function readHeader(
  bytes: Uint8Array,
  at: number,
  name: string,
  elfEntry: number | null,
): { info: MultibootHeader; segment: Segment | null } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint32(at + 4, true);
  const unknown = flags & 0xffff & ~(PAGE_ALIGN | MEMORY_INFO | VIDEO_MODE);
  if (unknown)
    throw new ImageError(
      `${name}: its multiboot header requires features ${hex(unknown)} that no loader knows`,
    );
  const segment = flags & ADDRESS_FIELDS ? flatSegment(bytes, view, at, name) : null;
  const entry = segment ? view.getUint32(at + 28, true) : (elfEntry ?? 0);
  return {
    info: {
      flags,
      alignModules: (flags & PAGE_ALIGN) !== 0,
      wantsMemory: (flags & MEMORY_INFO) !== 0,
      wantsVideo: (flags & VIDEO_MODE) !== 0,
      entry,
    },
    segment,
  };
}

function flatSegment(bytes: Uint8Array, view: DataView, at: number, name: string): Segment {
  const fail = (why: string): never => {
    throw new ImageError(`${name}: the address fields of its multiboot header are wrong: ${why}`);
  };
  if (at + 32 > bytes.length) fail('the file ends before them');
  const [headerAddress, loadAddress, loadEnd, bssEnd] = [12, 16, 20, 24].map((n) =>
    view.getUint32(at + n, true),
  );
  if (loadAddress > headerAddress) fail('load_addr is above header_addr');
  const from = at - (headerAddress - loadAddress);
  if (from < 0) fail('load_addr lies before the beginning of the file');
  const length = loadEnd ? loadEnd - loadAddress : bytes.length - from;
  if (length <= 0) fail('load_end_addr is below load_addr');
  if (from + length > bytes.length)
    fail(`load_end_addr lies ${from + length - bytes.length} bytes beyond the end of the file (truncated?)`);
  const memorySize = bssEnd ? bssEnd - loadAddress : length;
  if (memorySize < length) fail('bss_end_addr is below load_end_addr');
  if (memorySize > MAX_SEGMENT_BYTES || loadAddress + memorySize > 2 ** 32)
    fail('it occupies more memory than any machine here has');
  return {
    address: loadAddress,
    virtualAddress: loadAddress,
    data: bytes.slice(from, from + length),
    memorySize,
  };
}
