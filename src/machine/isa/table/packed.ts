// Packed integers: MMX (SDM vol. 1 ch. 9) on mm registers and m64, and the same operations of SSE2 (ch. 11) on xmm registers and
// m128, which have the mandatory prefix 66. Each line below makes both rows, or one.
import { type Row, rows } from './row.ts';

/** Operations with two packed operands: opcode, name, what they do. `mm` or `xmm` in front: only for those registers. */
const BINARY = `
60 punpcklbw Interleaves the low bytes
61 punpcklwd Interleaves the low words
62 punpckldq Interleaves the low doublewords
63 packsswb Narrows words to bytes with signed saturation
64 pcmpgtb Compares signed bytes; all ones where greater
65 pcmpgtw Compares signed words; all ones where greater
66 pcmpgtd Compares signed doublewords; all ones where greater
67 packuswb Narrows words to bytes with unsigned saturation
68 punpckhbw Interleaves the high bytes
69 punpckhwd Interleaves the high words
6A punpckhdq Interleaves the high doublewords
6B packssdw Narrows doublewords to words with signed saturation
74 pcmpeqb Compares bytes; all ones where equal
75 pcmpeqw Compares words; all ones where equal
76 pcmpeqd Compares doublewords; all ones where equal
D1 psrlw Shifts words right
D2 psrld Shifts doublewords right
D3 psrlq Shifts quadwords right
D4 paddq Adds quadwords
D5 pmullw Multiplies words and keeps the low halves
D8 psubusb Subtracts bytes with unsigned saturation
D9 psubusw Subtracts words with unsigned saturation
DA pminub Takes the smaller of unsigned bytes
DB pand Ands all bits
DC paddusb Adds bytes with unsigned saturation
DD paddusw Adds words with unsigned saturation
DE pmaxub Takes the larger of unsigned bytes
DF pandn Ands the source with the inverted destination
E0 pavgb Averages unsigned bytes, rounding up
E1 psraw Shifts words right with their signs
E2 psrad Shifts doublewords right with their signs
E3 pavgw Averages unsigned words, rounding up
E4 pmulhuw Multiplies unsigned words and keeps the high halves
E5 pmulhw Multiplies signed words and keeps the high halves
E8 psubsb Subtracts bytes with signed saturation
E9 psubsw Subtracts words with signed saturation
EA pminsw Takes the smaller of signed words
EB por Ors all bits
EC paddsb Adds bytes with signed saturation
ED paddsw Adds words with signed saturation
EE pmaxsw Takes the larger of signed words
EF pxor Exclusive-ors all bits
F1 psllw Shifts words left
F2 pslld Shifts doublewords left
F3 psllq Shifts quadwords left
F4 pmuludq Multiplies unsigned even doublewords to quadwords
F5 pmaddwd Multiplies signed words and adds neighbours
F6 psadbw Sums the absolute differences of unsigned bytes
F8 psubb Subtracts bytes
F9 psubw Subtracts words
FA psubd Subtracts doublewords
FB psubq Subtracts quadwords
FC paddb Adds bytes
FD paddw Adds words
FE paddd Adds doublewords
`
  .trim()
  .split('\n')
  .map((line) => line.split(' '));

/** Shifts by an immediate: opcode, digit. */
const SHIFTS: Readonly<Record<string, readonly [string, number]>> = {
  psrlw: ['71', 2],
  psraw: ['71', 4],
  psllw: ['71', 6],
  psrld: ['72', 2],
  psrad: ['72', 4],
  pslld: ['72', 6],
  psrlq: ['73', 2],
  psllq: ['73', 6],
};

const binary = BINARY.map(([opcode, name, ...does]) => {
  const shift = SHIFTS[name];
  const immediate = shift
    ? `
  ${name} mmrr,imm8      0F ${shift[0]} /${shift[1]} np
  ${name} xmmrr,imm8  66 0F ${shift[0]} /${shift[1]}`
    : '';
  return `
  # ${name} | SDM 2B ${name.toUpperCase()} | ${does.join(' ')}.
  ${name} mm,mmrm          0F ${opcode} /r np
  ${name} xmm,xmmrm128  66 0F ${opcode} /r${immediate}`;
}).join('\n');

export const PACKED: Row[] = rows(`
  ${binary}
  # punpcklqdq | SDM 2B PUNPCKLBW… | Interleaves the low quadwords.
  punpcklqdq xmm,xmmrm128  66 0F 6C /r
  # punpckhqdq | SDM 2B PUNPCKHBW… | Interleaves the high quadwords.
  punpckhqdq xmm,xmmrm128  66 0F 6D /r
  # psrldq | SDM 2B PSRLDQ | Shifts the whole register right by bytes.
  psrldq xmmrr,imm8  66 0F 73 /3
  # pslldq | SDM 2B PSLLDQ | Shifts the whole register left by bytes.
  pslldq xmmrr,imm8  66 0F 73 /7
  # pshufw | SDM 2B PSHUFW | Chooses each word of the destination from the source.
  pshufw mm,mmrm,imm8  0F 70 /r np
  # pshufd | SDM 2B PSHUFD | Chooses each doubleword of the destination from the source.
  pshufd xmm,xmmrm128,imm8  66 0F 70 /r
  # pshufhw | SDM 2B PSHUFHW | Chooses each high word from the source's high words; copies the low half.
  pshufhw xmm,xmmrm128,imm8  F3 0F 70 /r
  # pshuflw | SDM 2B PSHUFLW | Chooses each low word from the source's low words; copies the high half.
  pshuflw xmm,xmmrm128,imm8  F2 0F 70 /r
  # pinsrw | SDM 2B PINSRW | Replaces one word.
  pinsrw mm,rr32,imm8      0F C4 /r np
  pinsrw mm,m16,imm8       0F C4 /r np
  pinsrw xmm,rr32,imm8  66 0F C4 /r
  pinsrw xmm,m16,imm8   66 0F C4 /r
  # pextrw | SDM 2B PEXTRW | Copies one word to a general register.
  pextrw r32,mmrr,imm8      0F C5 /r np
  pextrw r32,xmmrr,imm8  66 0F C5 /r
  # pmovmskb | SDM 2B PMOVMSKB | Collects the sign bits of the bytes.
  pmovmskb r32,mmrr      0F D7 /r np
  pmovmskb r32,xmmrr  66 0F D7 /r
  # maskmov | SDM 2B MASKMOVQ, MASKMOVDQU | Stores the bytes chosen by a mask to [(E)DI].
  maskmovq mm,mmrr          0F F7 /r np
  maskmovdqu xmm,xmmrr   66 0F F7 /r

  # movd | SDM 2B MOVD/MOVQ | Copies a doubleword; the rest of the destination becomes zero.
  movd mm,rm32      0F 6E /r np
  movd rm32,mm      0F 7E /r np
  movd xmm,rm32  66 0F 6E /r
  movd rm32,xmm  66 0F 7E /r
  # movq | SDM 2B MOVQ | Copies a quadword; the rest of the destination becomes zero.
  movq mm,mmrm         0F 6F /r np
  movq mmrm,mm         0F 7F /r np
  movq xmm,xmmrm64  F3 0F 7E /r
  movq xmmrm64,xmm  66 0F D6 /r
  # movq2dq | SDM 2B MOVQ2DQ | Copies an mm register to the low half of an xmm register.
  movq2dq xmm,mmrr  F3 0F D6 /r
  # movdq2q | SDM 2B MOVDQ2Q | Copies the low half of an xmm register to an mm register.
  movdq2q mm,xmmrr  F2 0F D6 /r
  # movdqa | SDM 2B MOVDQA | Copies sixteen bytes; memory must be aligned.
  movdqa xmm,xmmrm128  66 0F 6F /r
  movdqa xmmrm128,xmm  66 0F 7F /r
  # movdqu | SDM 2B MOVDQU | Copies sixteen bytes.
  movdqu xmm,xmmrm128  F3 0F 6F /r
  movdqu xmmrm128,xmm  F3 0F 7F /r
  # movntq | SDM 2B MOVNTQ | Stores eight bytes around the caches.
  movntq m64,mm  0F E7 /r np
  # movntdq | SDM 2B MOVNTDQ | Stores sixteen aligned bytes around the caches.
  movntdq m128,xmm  66 0F E7 /r
  # movnti | SDM 2B MOVNTI | Stores a doubleword around the caches.
  movnti m32,r32  0F C3 /r np
  # emms | SDM 2A EMMS | Marks all floating-point registers as empty, after MMX code.
  emms -  0F 77 np
`);
