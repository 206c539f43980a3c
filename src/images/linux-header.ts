// The setup header of a Linux bzImage: what the kernel says of itself to a boot loader (Linux Documentation/arch/x86/
// boot.rst, "The Real-Mode Kernel Header"). Programs that borrow the format (iPXE, memdisk) have setup
// code only, and no 32-bit entry.
import { hex, ImageError, type LinuxInfo } from './image.ts';

const SECTOR = 512;
/** First byte of the header: the count of setup sectors. */
export const HEADER_AT = 0x1f1;
const SIGNATURE = 'HdrS';
const SIGNATURE_AT = 0x202;
/** Offsets in the file, and in boot_params. */
const SETUP_SECTORS = 0x1f1;
const HEADER_END = 0x201;
const VERSION = 0x206;
const VERSION_TEXT = 0x20e;
const LOAD_FLAGS = 0x211;
const CODE32_START = 0x214;
const INITRD_MAX = 0x22c;
const ALIGNMENT = 0x230;
const RELOCATABLE = 0x234;
const XLOAD_FLAGS = 0x236;
const COMMAND_LINE_SIZE = 0x238;
const PREFERRED = 0x258;
const INIT_SIZE = 0x260;

/** Where the part behind the setup code goes when the header does not say. */
const DEFAULT_START = 0x100000;
/** The jump at the beginning of the setup code, where we put that. */
export const SETUP_ENTRY = 0x10200;
const LOADED_HIGH = 1;
const KERNEL_64 = 1;
/** What older protocols imply. */
const OLD_INITRD_MAX = 0x37ffffff;
const OLD_COMMAND_LINE = 255;

/** True when the bytes carry the signature of a Linux kernel with a setup header. */
export function isLinux(bytes: Uint8Array): boolean {
  return (
    bytes.length > SIGNATURE_AT + 4 &&
    bytes[0x1fe] === 0x55 &&
    bytes[0x1ff] === 0xaa &&
    [...SIGNATURE].every((c, i) => bytes[SIGNATURE_AT + i] === c.charCodeAt(0))
  );
}

/** Reads the setup header. Throws ImageError when the kernel cannot be started by the 32-bit protocol. */
export function readLinuxHeader(bytes: Uint8Array, name: string): LinuxInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerEnd = SIGNATURE_AT + bytes[HEADER_END];
  const setupEnd = ((bytes[SETUP_SECTORS] || 4) + 1) * SECTOR;
  if (setupEnd >= bytes.length || headerEnd > setupEnd)
    throw new ImageError(`${name}: a Linux kernel that ends inside its setup code: the file is truncated`);
  const protocol = view.getUint16(VERSION, true);
  /** A field that came with a protocol version, as a number; else what was understood before. */
  const word = (since: number, at: number, before: number) =>
    protocol >= since && at + 4 <= headerEnd ? view.getUint32(at, true) : before;
  const old = `${name}: an old Linux kernel`;
  if (protocol < 0x200 || !(bytes[LOAD_FLAGS] & LOADED_HIGH))
    throw new ImageError(
      `${old} (zImage): it is loaded below 1 MiB by real-mode code. Accepted are bzImages`,
    );
  if (protocol < 0x202)
    throw new ImageError(
      `${old}: its boot protocol is ${version(protocol)}; accepted is 2.02 (Linux 2.4) or later`,
    );
  if (protocol >= 0x20c && bytes[XLOAD_FLAGS] & KERNEL_64)
    throw new ImageError(
      `${name}: a 64-bit Linux kernel (x86-64), and this processor has 32 bits: take the i386 or i686 build`,
    );
  const load = view.getUint32(CODE32_START, true) || DEFAULT_START;
  const realMode = view.getUint32(CODE32_START, true) === 0;
  const relocatable = protocol >= 0x205 && bytes[RELOCATABLE] !== 0;
  const preferred = word(0x20a, PREFERRED, load);
  const initSize = word(0x20a, INIT_SIZE, 0);
  const initrdMax = word(0x203, INITRD_MAX, OLD_INITRD_MAX);
  if (load + bytes.length - setupEnd > 2 ** 30 || preferred + initSize > 2 ** 31)
    throw new ImageError(
      `${name}: its setup header asks for memory at ${hex(preferred)}, beyond any machine`,
    );
  return {
    protocol,
    version: versionText(bytes, view.getUint16(VERSION_TEXT, true), setupEnd),
    setupBytes: setupEnd,
    header: bytes.slice(HEADER_AT, headerEnd),
    setup: realMode ? bytes.slice(0, setupEnd) : null,
    load,
    alignment: relocatable ? word(0x205, ALIGNMENT, 0) : 0,
    relocatable,
    preferred,
    initSize,
    initrdMax,
    commandLineMax: word(0x206, COMMAND_LINE_SIZE, OLD_COMMAND_LINE) || OLD_COMMAND_LINE,
  };
}

export const version = (protocol: number) =>
  `${protocol >> 8}.${(protocol & 0xff).toString(16).padStart(2, '0')}`;

/** `6.1.0-50-686 (debian-kernel@…) #1 …`: the string that the header points at, its first word. */
function versionText(bytes: Uint8Array, pointer: number, setupEnd: number): string {
  if (!pointer) return '';
  let text = '';
  for (let at = pointer + SECTOR; at < setupEnd && text.length < 60; at++) {
    const c = bytes[at];
    if (c <= 32 || c > 126) break;
    text += String.fromCharCode(c);
  }
  return text;
}
