// Integer arithmetic and logic: the eight classic operations, test, inc/dec, neg/not, multiply, divide, decimal adjust.
// SDM vol. 2 "Instruction set reference"; opcode layout vol. 2 appendix A.
import { hex, type Row, rows } from './row.ts';

/** The eight operations of the 00..3F block and of group 1; cmp writes nothing, so LOCK is not for it. */
const CLASSIC: readonly (readonly [name: string, volume: string, summary: string])[] = [
  ['add', '2A', 'Adds the source to the destination and sets the six arithmetic flags.'],
  ['or', '2B', 'Bitwise OR into the destination; CF and OF become 0.'],
  ['adc', '2A', 'Adds the source and CF to the destination: the next limb of a long addition.'],
  ['sbb', '2B', 'Subtracts the source and CF from the destination: the next limb of a long subtraction.'],
  ['and', '2A', 'Bitwise AND into the destination; CF and OF become 0.'],
  ['sub', '2B', 'Subtracts the source from the destination and sets the six arithmetic flags.'],
  ['xor', '2D', 'Bitwise exclusive OR into the destination; CF and OF become 0.'],
  ['cmp', '2A', 'Sets the flags as a subtraction would, and keeps both operands.'],
];

const classic = CLASSIC.map(([name, volume, summary], n) => {
  const op = (low: number) => hex(n * 8 + low);
  const lock = name === 'cmp' ? '' : 'lock';
  return `
    # ${name} | SDM ${volume} ${name.toUpperCase()} | ${summary}
    ${name} rm8,r8     ${op(0)} /r ${lock}
    ${name} rmv,rv     ${op(1)} /r ${lock}
    ${name} r8,rm8     ${op(2)} /r
    ${name} rv,rmv     ${op(3)} /r
    ${name} rmv,imm8s  83 /${n} ${lock}
    ${name} al,imm8    ${op(4)}
    ${name} av,immv    ${op(5)}
    ${name} rm8,imm8   80 /${n} ${lock}
    ${name} rmv,immv   81 /${n} ${lock}
    ${name} rm8,imm8   82 /${n} ${lock} decode-only`;
}).join('\n');

export const ALU: Row[] = rows(`
  ${classic}

  # test | SDM 2B TEST | Sets the flags as an AND would, and keeps both operands.
  test rm8,r8    84 /r
  test rmv,rv    85 /r
  test r8,rm8    84 /r
  test rv,rmv    85 /r
  test al,imm8   A8
  test av,immv   A9
  test rm8,imm8  F6 /0
  test rmv,immv  F7 /0
  test rm8,imm8  F6 /1 decode-only
  test rmv,immv  F7 /1 decode-only

  # inc | SDM 2A INC | Adds 1; CF keeps its value.
  inc rv+  40
  inc rm8  FE /0 lock
  inc rmv  FF /0 lock
  # dec | SDM 2A DEC | Subtracts 1; CF keeps its value.
  dec rv+  48
  dec rm8  FE /1 lock
  dec rmv  FF /1 lock
  # not | SDM 2B NOT | Inverts every bit; no flag changes.
  not rm8  F6 /2 lock
  not rmv  F7 /2 lock
  # neg | SDM 2B NEG | Two's complement negation; CF tells whether the operand was nonzero.
  neg rm8  F6 /3 lock
  neg rmv  F7 /3 lock

  # mul | SDM 2B MUL | Unsigned multiply of the accumulator; double-width product in AX, DX:AX or EDX:EAX.
  mul rm8  F6 /4
  mul rmv  F7 /4
  # imul-wide | SDM 2A IMUL | Signed multiply of the accumulator; double-width product in AX, DX:AX or EDX:EAX.
  imul rm8  F6 /5
  imul rmv  F7 /5
  # imul | SDM 2A IMUL | Signed multiply, product truncated to the operand size; CF and OF tell when bits were lost.
  imul rv,rmv        0F AF /r
  imul rv,rmv,imm8s  6B /r
  imul rv,rmv,immv   69 /r
  imul rv,imm8s      6B /r
  imul rv,immv       69 /r
  # div | SDM 2A DIV | Unsigned divide of the double-width accumulator; #DE on zero or when the quotient does not fit.
  div rm8  F6 /6
  div rmv  F7 /6
  # idiv | SDM 2A IDIV | Signed divide of the double-width accumulator; #DE on zero or when the quotient does not fit.
  idiv rm8  F6 /7
  idiv rmv  F7 /7

  # cbw | SDM 2A CBW/CWDE | Widens the accumulator by its sign: AL to AX, or AX to EAX.
  cwde -  98 o32
  cbw  -  98 o16
  # cwd | SDM 2A CWD/CDQ | Fills DX or EDX with the sign of the accumulator, ready for a signed divide.
  cdq -  99 o32
  cwd -  99 o16

  # daa | SDM 2A DAA | Corrects AL to two packed decimal digits after an addition.
  daa -  27
  # das | SDM 2A DAS | Corrects AL to two packed decimal digits after a subtraction.
  das -  2F
  # aaa | SDM 2A AAA | Corrects AL to one unpacked decimal digit after an addition, carrying into AH.
  aaa -  37
  # aas | SDM 2A AAS | Corrects AL to one unpacked decimal digit after a subtraction, borrowing from AH.
  aas -  3F
  # aam | SDM 2A AAM | Splits AL into quotient (AH) and remainder (AL) by the immediate, 10 unless given; #DE on 0.
  aam imm8  D4
  aam -     D4 0A
  # aad | SDM 2A AAD | Joins AH and AL into AL = AL + AH × immediate, 10 unless given, before a divide.
  aad imm8  D5
  aad -     D5 0A
`);
