// `ringside assemble`: NASM's dialect to a flat binary, with diagnostics as the page shows them.

import { parseArgs } from 'node:util';
import { assemble } from '../assembler/assemble.ts';
import { includePaths } from '../session/library.ts';
import { guestFile, nodeLibrary, UsageError } from './library.ts';
import { writeOut } from './trace-file.ts';

/** Assembles one file; 0 when it has no errors, 1 otherwise. */
export function assembleCommand(words: string[]): number {
  const { values, positionals } = parseArgs({
    args: words,
    options: { output: { type: 'string', short: 'o' }, listing: { type: 'boolean' } },
    allowPositionals: true,
    strict: true,
  });
  if (positionals.length !== 1) throw new UsageError('assemble: name one source file');
  const source = guestFile(positionals[0]);
  if (source.kind !== 'source') throw new UsageError(`${positionals[0]}: not an assembly source (.asm)`);
  const assembly = assemble(new Map([...nodeLibrary().includes, ...source.files]), source.main, {
    includePaths: includePaths(source.main),
  });
  for (const d of assembly.diagnostics)
    console.error(
      `${d.file}:${d.line}:${d.column}: ${d.severity}: ${d.message}${d.suggestion ? ` (${d.suggestion})` : ''}`,
    );
  if (assembly.diagnostics.some((d) => d.severity === 'error')) return 1;
  if (values.listing) writeOut('-', assembly.listing());
  if (values.output) writeOut(values.output, assembly.bytes);
  else if (!values.listing) console.log(`${assembly.bytes.length} bytes at ${assembly.origin.toString(16)}h`);
  return 0;
}
