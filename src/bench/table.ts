// Columns of numbers for the terminal.

/** Rows of cells as text: the first column to the left, the others to the right. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, n) => Math.max(...rows.map((row) => (row[n] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, n) => (n ? cell.padStart(widths[n]) : cell.padEnd(widths[n])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
