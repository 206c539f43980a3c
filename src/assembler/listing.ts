// The listing: every source line with the address and bytes it became. Columns as NASM's -l (NASM manual §2.1.3).
import type { Emission } from './output.ts';
import type { SourceLine } from './source.ts';

const BYTES_PER_LINE = 9;
const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');

/** Builds the listing of `visited` lines. Bytes are the final ones; addresses are virtual. */
export function listing(visited: readonly SourceLine[], emissions: readonly Emission[]): string {
  const byLine = new Map<SourceLine, Emission[]>();
  for (const emission of emissions) {
    const list = byLine.get(emission.at);
    if (list) list.push(emission);
    else byLine.set(emission.at, [emission]);
  }
  const out: string[] = [];
  let file = visited[0]?.file;
  for (const line of visited) {
    if (line.file !== file) out.push(`; ${(file = line.file)}`);
    const rows = (byLine.get(line) ?? []).flatMap(rowsOf);
    byLine.delete(line);
    const [first = ['', ''], ...rest] = rows;
    out.push(row(line.number, first, line.text));
    for (const more of rest) out.push(row(line.number, more, ''));
  }
  return `${out.join('\n')}\n`;
}

function row(number: number, [address, bytes]: readonly [string, string], text: string): string {
  return `${String(number).padStart(6)} ${address.padEnd(8)} ${bytes.padEnd(2 * BYTES_PER_LINE + 1)}  ${text}`.trimEnd();
}

function rowsOf(emission: Emission): (readonly [string, string])[] {
  const { section, offset, length } = emission;
  const start = section ? section.virtualAddress + offset : offset;
  if (!section || section.nobits) return [[hex(start, 8), `<res ${hex(length, 1)}h>`]];
  const rows: (readonly [string, string])[] = [];
  const shown = Math.min(length, BYTES_PER_LINE * 8);
  for (let i = 0; i < shown; i += BYTES_PER_LINE) {
    const bytes = section.bytes.subarray(offset + i, offset + Math.min(i + BYTES_PER_LINE, length));
    const more = i + BYTES_PER_LINE < length ? '-' : '';
    rows.push([hex(start + i, 8), [...bytes].map((b) => hex(b, 2)).join('') + more]);
  }
  if (shown < length) rows.push(['', `… ${length - shown} more`]);
  return rows;
}
