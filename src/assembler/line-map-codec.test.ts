// Packing a line map loses nothing that anybody asks of it.
import { describe, expect, it } from 'vitest';
import { assemble } from './assemble.ts';
import { packLines, unpackLines } from './line-map-codec.ts';

const source = `
        org 0xC0100000
%macro twice 1
        inc %1
        inc %1
%endmacro
start:  mov eax, 1
        twice ecx
        times 300 nop
        %include "other.inc"
        section .data
value:  dd 1, 2, 3
        section .bss
        resb 100
`;

describe('packed line maps', () => {
  const { lines, bytes } = assemble(
    new Map([
      ['main.asm', source],
      ['other.inc', 'ret\n\nret\n'],
    ]),
    'main.asm',
  );

  it('answer every address and every line as before', () => {
    const back = unpackLines(packLines(lines));
    for (let n = 0; n < bytes.length + 64; n++) {
      expect(back.at(0xc0100000 + n)).toEqual(lines.at(0xc0100000 + n));
      expect(back.atOffset(n)).toEqual(lines.atOffset(n));
    }
    for (let line = 1; line < 20; line++) {
      expect(back.addressOf('main.asm', line)).toBe(lines.addressOf('main.asm', line));
      expect(back.offsetOf('other.inc', line)).toBe(lines.offsetOf('other.inc', line));
    }
  });

  it('say so when they are cut off', () => {
    const packed = packLines(lines);
    expect(() => unpackLines(packed.subarray(0, packed.length - 3))).toThrow(RangeError);
  });
});
