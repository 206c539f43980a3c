// Our own letters, five dots wide and eight high, of code page 437: eight rows of two hexadecimal digits, bit 4 on the left,
// the eighth row for descenders. Frames, shades and blocks are drawn by rule (font.ts), accents are put on letters there.

/** From 01h: signs. */
const SIGNS = `
0e111b1115110e00 0e1f151f111b0e00 0a1f1f1f0e040000 00040e1f0e040000 040e151f15040e00 040e1f1f15040e00
00000e0e0e000000 0000000000000000 000e1111110e0000 0000000000000000 0703050e12120c00 0e11110e041f0400
07050404 0c1c1800 0f090f09091b1b00 00150e1b0e150000 10181c1e1c181000 0103070f07030100 040e150415 0e0400
0a0a0a0a0a000a00 0f15150d05050500 0e100c0a06010e00 000000001f1f1f00 040e15150e041f00 040e150404040400
040404 04150e0400 0004021f02040000 0004081f08040000 000010101 01f0000 000a111f110a0000 0004040e0e1f0000
001f0e0e04040000`;

/** From 20h: ASCII. */
const ASCII = `
0000000000000000 0404040404000400 0a0a0a0000000000 0a0a1f0a1f0a0a00 040f140e051e0400 1819020408130300
0c12140815120d00 0404080000000000 0204080808040200 0804020202040800 0004150e15040000 0004041f04040000
0000000000 0c0408 0000001f00000000 00000000000c0c00 0001020408100000
0e11111511110e00 040c140404041f00 0e11010608101f00 0e11010601110e00 02060a121f020200 1f10101e01011e00
0608101e11110e00 1f01020204040400 0e11110e11110e00 0e11110f01020c00 000c0c000c0c0000 000c0c000c040800
0204081008040200 00001f001f000000 0804020102040800 0e11010204000400
0e11171515170e00 040a11111f111100 1e11111e11111e00 0e11101010110e00 1c12111111121c00 1f10101e10101f00
1f10101e10101000 0e11101311110f00 1111111f11111100 0e04040404040e00 0702020202120c00 1112141814121100
1010101010101f00 111b151511111100 1119191513131100 0e11111111110e00 1e11111e10101000 0e11111115120d00
1e11111e14121100 0f10100e01011e00 1f04040404040400 1111111111110e00 1111110a0a040400 11111115151b1100
110a0a040a0a1100 11110a0404040400 1f01020408101f00 0e08080808080e00 0010080402010000 0e02020202020e00
040a110000000000 000000000000001f
0804020000000000 00000e010f110f00 1010161911111e00 00000e1110110e00 01010d1311110f00 00000e111f100e00
0609081c08080800 00000f11110f010e 1010161911111100 04000c0404040e00 020006020202120c 1010121418141200
0c04040404040e00 00001a1515151500 0000161911111100 00000e1111110e00 00001e11111e1010 00000f11110f0101
0000161910101000 00000f100e011e00 08081c0808090600 0000111111130d00 00001111110a0400 0000111515150a00
0000110a040a1100 00001111110f010e 00001f0204081f00 0304040804040300 0404040404040404 1804040204041800
0000081502000000 00040a11111f0000`;

/** From 9Bh, without the four accented letters A0h–A5h, which are made. */
const MONEY_AND_MARKS = `
040e1514150e0400 0609081c08081f00 110a041f041f0400 1c14141f15141700 0205040e04041408`;
/** From A6h. */
const FRACTIONS = `
060a0e000e000000 0e0a0e000e000000 0400040810110e00 00001f1010000000 00001f0101000000 1012140b11020700
1012140a16070200 0400040404040400 00050a140a050000 00140a050a140000`;
/** From E0h: Greek letters and mathematics. */
const MATHEMATICS = `
00000d1212120d00 0c12141611111600 1f10101010101000 00001f0a0a0a0a00 1f10080408101f00 00000f1212120c00
00001212121d1010 00001f0404040200 040e1515150e0400 0e11111f11110e00 0e1111110a0a1b00 0708040e11110e00
00000a15150a0000 00020e15150e0800 0006080e08060000 000e111111111100 001f001f001f0000 04041f0404001f00
0804020408001f00 0204080402001f00 0205050404040404 0404040404141408 0004001f00040000 000d12000d120000
0c12120c00000000 0000000c0c000000 0000000400000000 070404 04140c0400 1615151500000000 0c0204080e000000
00000e0e0e0e0000`;

function parse(text: string): number[][] {
  const digits = text.replace(/\s+/g, '');
  const glyphs: number[][] = [];
  for (let at = 0; at < digits.length; at += 16) {
    const rows: number[] = [];
    for (let row = 0; row < 8; row++)
      rows.push(Number.parseInt(digits.slice(at + row * 2, at + row * 2 + 2), 16));
    glyphs.push(rows);
  }
  return glyphs;
}

/** Rows 0 and 1 of an accent. */
const ACCENTS: Readonly<Record<string, readonly [number, number]>> = {
  acute: [0x02, 0x04],
  grave: [0x08, 0x04],
  circumflex: [0x04, 0x0a],
  diaeresis: [0x11, 0x00],
  ring: [0x0c, 0x0c],
  tilde: [0x0d, 0x16],
};

/** Letters with accents: code, letter, accent. */
const ACCENTED: readonly (readonly [number, string, string])[] = [
  [0x80, 'C', 'cedilla'],
  [0x81, 'u', 'diaeresis'],
  [0x82, 'e', 'acute'],
  [0x83, 'a', 'circumflex'],
  [0x84, 'a', 'diaeresis'],
  [0x85, 'a', 'grave'],
  [0x86, 'a', 'ring'],
  [0x87, 'c', 'cedilla'],
  [0x88, 'e', 'circumflex'],
  [0x89, 'e', 'diaeresis'],
  [0x8a, 'e', 'grave'],
  [0x8b, 'i', 'diaeresis'],
  [0x8c, 'i', 'circumflex'],
  [0x8d, 'i', 'grave'],
  [0x8e, 'A', 'diaeresis'],
  [0x8f, 'A', 'ring'],
  [0x90, 'E', 'acute'],
  [0x93, 'o', 'circumflex'],
  [0x94, 'o', 'diaeresis'],
  [0x95, 'o', 'grave'],
  [0x96, 'u', 'circumflex'],
  [0x97, 'u', 'grave'],
  [0x98, 'y', 'diaeresis'],
  [0x99, 'O', 'diaeresis'],
  [0x9a, 'U', 'diaeresis'],
  [0xa0, 'a', 'acute'],
  [0xa1, 'i', 'acute'],
  [0xa2, 'o', 'acute'],
  [0xa3, 'u', 'acute'],
  [0xa4, 'n', 'tilde'],
  [0xa5, 'N', 'tilde'],
];

/** Eight rows of each of the 256 characters; empty where font.ts draws by rule. */
export function drawnGlyphs(): number[][] {
  const glyphs: number[][] = Array.from({ length: 256 }, () => [0, 0, 0, 0, 0, 0, 0, 0]);
  const put = (first: number, text: string): void => {
    parse(text).forEach((rows, i) => {
      glyphs[first + i] = rows;
    });
  };
  put(0x01, SIGNS);
  put(0x20, ASCII);
  put(0x91, '00001a050f141b00 0f14141e14141700');
  put(0x9b, MONEY_AND_MARKS);
  put(0xa6, FRACTIONS);
  put(0xe0, MATHEMATICS);
  for (const [code, letter, accent] of ACCENTED)
    glyphs[code] = accented(glyphs[letter.charCodeAt(0)], accent);
  return glyphs;
}

function accented(letter: readonly number[], accent: string): number[] {
  if (accent === 'cedilla') return [...letter.slice(0, 7), 0x0c];
  const [first, second] = ACCENTS[accent];
  // Small letters and the i without its dot have two rows to spare; a capital gives up one or two of its seven.
  if (letter[1] === 0) return [first, second, ...letter.slice(2)];
  if (second === 0 && letter[0] !== first) return [first, ...[0, 1, 2, 4, 5, 6].map((row) => letter[row]), 0];
  return [first, second, ...[0, 2, 3, 5, 6].map((row) => letter[row]), 0];
}
