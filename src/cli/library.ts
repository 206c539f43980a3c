// Guests for the terminal: our own from src/guests/, and whatever file the user names.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import '../session/provide-all.ts';
import { assemble } from '../assembler/assemble.ts';
import { assembleFirmware } from '../firmware/firmware.ts';
import { GUESTS } from '../guests/catalog.ts';
import { MAX_IMAGE_BYTES } from '../images/image.ts';
import type { GuestLibrary, GuestSource } from '../session/library.ts';

const FIRMWARE_FOLDER = fileURLToPath(new URL('../firmware/', import.meta.url));
const GUEST_FOLDER = fileURLToPath(new URL('../guests/', import.meta.url));

export class UsageError extends Error {}

/** All assembly files below a folder, by path relative to it. */
export function readSources(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  const walk = (at: string) => {
    for (const entry of readdirSync(at, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (/\.(asm|inc)$/.test(entry.name)) files.set(relative(folder, path), readFileSync(path, 'utf8'));
    }
  };
  walk(folder);
  return files;
}

/** The library of this checkout. `extra` are guests of the command line by name. */
export function nodeLibrary(extra: ReadonlyMap<string, GuestSource> = new Map()): GuestLibrary {
  const files = readSources(GUEST_FOLDER);
  let firmware: Uint8Array | undefined;
  return {
    includes: files,
    assembler: assemble,
    firmware: () => (firmware ??= assembleFirmware(readSources(FIRMWARE_FOLDER))),
    find(guest) {
      const given = extra.get(guest);
      if (given) return given;
      const entry = GUESTS.find((g) => g.id === guest);
      return entry && { kind: 'source', files, main: entry.main, sealed: entry.sealed };
    },
  };
}

/** A file of the user's, whatever is in it. Throws UsageError when it is not there, is no file, is too large or may not be read. */
export function readBytes(path: string): Uint8Array {
  const known = statSync(path, { throwIfNoEntry: false });
  if (!known) throw new UsageError(`${path}: there is no such file, guest or scenario`);
  if (!known.isFile()) throw new UsageError(`${path}: is not a file`);
  if (known.size > MAX_IMAGE_BYTES) throw new UsageError(`${path}: larger than ${MAX_IMAGE_BYTES >> 20} MiB`);
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
}

/** A guest file named on the command line: source to assemble, or an image. Throws UsageError. */
export function guestFile(path: string): GuestSource {
  if (!/\.(asm|s|inc|nasm)$/i.test(path))
    return { kind: 'image', name: basename(path), bytes: readBytes(path) };
  const folder = dirname(path);
  const near = folder === '.' || folder.length > 1 ? readNear(folder) : new Map<string, string>();
  near.set(basename(path), new TextDecoder().decode(readBytes(path)));
  return { kind: 'source', files: near, main: basename(path), sealed: false };
}

/** Files that a source may include: those beside it and below, up to a sensible number. */
function readNear(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  const walk = (at: string, depth: number) => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && depth < 3 && !entry.name.startsWith('.') && entry.name !== 'node_modules')
        walk(path, depth + 1);
      else if (/\.(asm|inc|mac)$/.test(entry.name) && files.size < 500 && statSync(path).size < 1 << 20)
        files.set(relative(folder, path), readFileSync(path, 'utf8'));
    }
  };
  walk(folder, 0);
  return files;
}
