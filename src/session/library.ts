// Where guests come from: sources to assemble, or a finished image. The session asks; the page answers from its bundle,
// the terminal from its files, a learner from the editor.
import type { Assembly, assemble } from '../assembler/assemble.ts';
import type { Image } from '../images/image.ts';
import { parseImage } from '../images/load.ts';

export type GuestSource =
  | {
      kind: 'source';
      files: ReadonlyMap<string, string>;
      main: string /** The learner may not see it. */;
      sealed: boolean;
    }
  | { kind: 'image'; name: string; bytes: Uint8Array }
  /** Assembled before, from sources that the learner may see; what is known of them may still be filled in later. */
  | { kind: 'prebuilt'; bytes: Uint8Array; map: SourceMap };

export interface GuestLibrary {
  /** The guest's source or image; undefined when there is no such guest. */
  find(guest: string): GuestSource | undefined;
  /** Include files that every source may use, by path. */
  readonly includes: ReadonlyMap<string, string>;
  /** The BIOS that boots disks; undefined while it is not there. */
  firmware?(): Uint8Array | undefined;
  /** Null until it is there: images need none. */
  readonly assembler: typeof assemble | null;
}

/** What is known of the source behind an image. */
export type SourceMap = Pick<Assembly, 'lines' | 'symbols'>;

/** What building a guest takes of a library. */
export type BuildTools = Pick<GuestLibrary, 'includes' | 'assembler'>;

export type BuiltGuest =
  | { image: Image; assembly: SourceMap | null; bytes: Uint8Array; sealed: boolean; diagnostics: [] }
  | { image: null; assembly: Assembly; diagnostics: Assembly['diagnostics'] };

/** Assembles (when it is source) and parses. `name` goes into messages and onto the command line, so it is part of what the guest sees. Throws ImageError for an image that cannot be booted; source errors come back as diagnostics. */
export function buildGuest(source: GuestSource, library: BuildTools, name: string): BuiltGuest {
  if (source.kind === 'image')
    return {
      image: parseImage(source.bytes, name),
      assembly: null,
      bytes: source.bytes,
      sealed: true,
      diagnostics: [],
    };
  if (source.kind === 'prebuilt') {
    const { bytes, map } = source;
    return {
      image: parseImage(bytes, name),
      assembly: map,
      bytes,
      sealed: false,
      diagnostics: [],
    };
  }
  const { includes, assembler } = library;
  if (!assembler) throw new Error('a source is to be assembled, and nobody has provided the assembler');
  const files = new Map([...includes, ...source.files]);
  const assembly = assembler(files, source.main, { includePaths: includePaths(source.main) });
  if (assembly.diagnostics.some((d) => d.severity === 'error'))
    return { image: null, assembly, diagnostics: assembly.diagnostics };
  return {
    image: parseImage(assembly.bytes, name),
    assembly,
    bytes: assembly.bytes,
    sealed: source.sealed,
    diagnostics: [],
  };
}

/** Where `%include` looks: beside the main file, among the shared includes, and below guests/. */
export function includePaths(main: string): string[] {
  const folder = main.includes('/') ? main.slice(0, main.lastIndexOf('/') + 1) : '';
  return [...new Set([folder, 'include/', ''])];
}
