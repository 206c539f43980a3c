// The assembler: NASM's dialect (`nasm -f bin`, 16 and 32 bits) → bytes, line map, symbols, diagnostics.
// Pure: no files, no clock; the same sources give the same result. Encodings come from machine/isa/table.ts alone.
import { Assembler } from './assembler.ts';
import type { Diagnostic } from './diagnostics.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { LineMap, type LineSpan } from './line-map.ts';
import { listing } from './listing.ts';
import type { Emission } from './output.ts';
import { type Resolver, SourceFiles } from './preprocessor/files.ts';
import { image, layOut } from './sections.ts';

export type { Diagnostic } from './diagnostics.ts';
export type { Limits } from './limits.ts';
export { LineMap } from './line-map.ts';
export type { Resolver } from './preprocessor/files.ts';

export interface AssembleOptions {
  /** As if each were a `%define` before the first line. */
  readonly defines?: Readonly<Record<string, string>>;
  /** Folders in which `%include` looks after the name as written; `include` unless given. */
  readonly includePaths?: readonly string[];
  readonly limits?: Partial<Limits>;
}

export interface Assembly {
  /** The image; empty when there are errors. */
  readonly bytes: Uint8Array;
  /** Address of the first byte (`org`). */
  readonly origin: number;
  /** Errors first in each file's order; no errors means that `bytes` is good. */
  readonly diagnostics: readonly Diagnostic[];
  readonly lines: LineMap;
  /** Address or value of every label; local labels as `parent.local`. */
  readonly symbols: ReadonlyMap<string, number>;
  /** The source with addresses and bytes beside it. */
  listing(): string;
}

/**
 * Assembles `main`. `files` gives the text of a file by name (or undefined). Never throws on bad input: look for
 * diagnostics of severity `error`. Work is bounded by `limits`.
 */
export function assemble(
  files: ReadonlyMap<string, string> | Resolver,
  main: string,
  options: AssembleOptions = {},
): Assembly {
  const resolve: Resolver = typeof files === 'function' ? files : (name) => files.get(name);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const sources = new SourceFiles(main, resolve, options.includePaths ?? ['include'], limits);
  const assembler = new Assembler(sources, options.defines ?? {}, limits);
  const complete = assembler.run();
  const { origin } = assembler;
  const { sections, emissions } = assembler.output;
  const withBytes = layOut(sections, origin, limits.outputBytes, assembler.passing);
  const failed = !complete || assembler.parsing.errors + assembler.passing.errors > 0;
  const bytes = failed ? new Uint8Array(0) : image(sections, withBytes, origin);
  const shown = failed ? [] : emissions;
  return {
    bytes,
    origin,
    diagnostics: sorted([...assembler.parsing.list, ...assembler.passing.list]),
    lines: new LineMap(() => (failed ? [] : spans(emissions, origin))),
    symbols: symbols(assembler),
    listing: () => listing(assembler.visited, shown),
  };
}

/** By file in order of appearance, then by line and column. */
function sorted(list: Diagnostic[]): Diagnostic[] {
  const files = [...new Set(list.map((d) => d.file))];
  return list.sort(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}

function spans(emissions: readonly Emission[], origin: number): LineSpan[] {
  const result: LineSpan[] = [];
  for (const { at, section, offset, length } of emissions) {
    if (!section || length === 0) continue;
    result.push({
      file: at.file,
      line: at.number,
      offset: section.nobits ? -1 : section.loadAddress - origin + offset,
      address: section.virtualAddress + offset,
      length,
    });
  }
  return result;
}

function symbols(assembler: Assembler): Map<string, number> {
  const result = new Map<string, number>();
  for (const { name, value } of assembler.symbols.defined()) {
    if (value.unknown || value.hasRegisters) continue;
    let address = Number(value.n);
    for (const { of, times } of value.terms) if (of.type === 'base') address += of.address() * Number(times);
    result.set(name, address);
  }
  return result;
}
