// The character set of the PC's text screens (code page 437) as Unicode, and the sixteen colours of an attribute byte.

const LOW = ' ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼';
const HIGH =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀' +
  'αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

/** The character that a code shows as. */
export function glyph(code: number): string {
  if (code < 0x20) return LOW[code];
  if (code === 0x7f) return '⌂';
  return code < 0x80 ? String.fromCharCode(code) : HIGH[code - 0x80];
}

/** Colours 0–15 as the VGA's default palette gives them. */
export const TEXT_COLOURS = [
  '#000000',
  '#0000aa',
  '#00aa00',
  '#00aaaa',
  '#aa0000',
  '#aa00aa',
  '#aa5500',
  '#aaaaaa',
  '#555555',
  '#5555ff',
  '#55ff55',
  '#55ffff',
  '#ff5555',
  '#ff55ff',
  '#ffff55',
  '#ffffff',
] as const;

/** The text of a screen, one line a row, trailing blanks cut: for screen readers and tests. */
export function screenText(columns: number, rows: number, cells: Uint8Array): string {
  const lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    let line = '';
    for (let column = 0; column < columns; column++) line += glyph(cells[(row * columns + column) * 2]);
    lines.push(line.replaceAll('\u00a0', ' ').trimEnd());
  }
  while (lines.length > 0 && lines[lines.length - 1] === '') lines.pop();
  return lines.join('\n');
}
