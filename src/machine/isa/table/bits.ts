// Shifts, rotates, double shifts, bit tests and scans, setcc.
// SDM vol. 2 SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD, BT…, BSF, BSR, SETcc.
import { conditional, hex, type Row, rows } from './row.ts';

const SHIFTS: readonly (readonly [name: string, operation: string, manual: string, summary: string])[] = [
  [
    'rol',
    'rol',
    'SDM 2B RCL/RCR/ROL/ROR',
    'Rotates left; the bit that leaves at the top enters at the bottom and CF.',
  ],
  [
    'ror',
    'ror',
    'SDM 2B RCL/RCR/ROL/ROR',
    'Rotates right; the bit that leaves at the bottom enters at the top and CF.',
  ],
  ['rcl', 'rcl', 'SDM 2B RCL/RCR/ROL/ROR', 'Rotates left through CF.'],
  ['rcr', 'rcr', 'SDM 2B RCL/RCR/ROL/ROR', 'Rotates right through CF.'],
  ['shl/sal', 'shl', 'SDM 2B SAL/SAR/SHL/SHR', 'Shifts left; zeros enter, the last bit out goes to CF.'],
  [
    'shr',
    'shr',
    'SDM 2B SAL/SAR/SHL/SHR',
    'Shifts right as unsigned; zeros enter, the last bit out goes to CF.',
  ],
  ['shl/sal', 'shl', 'SDM 2B SAL/SAR/SHL/SHR', 'Shifts left; zeros enter, the last bit out goes to CF.'],
  [
    'sar',
    'sar',
    'SDM 2B SAL/SAR/SHL/SHR',
    'Shifts right as signed; copies of the sign enter, the last bit out goes to CF.',
  ],
];

/** Group 2. /6 repeats /4 in every processor, but no assembler writes it. */
const shifts = SHIFTS.map(([name, operation, manual, summary], n) => {
  const note = n === 6 ? 'decode-only' : '';
  return `
    # ${operation} | ${manual} | ${summary}
    ${name} rm8,one   D0 /${n} ${note}
    ${name} rmv,one   D1 /${n} ${note}
    ${name} rm8,cl    D2 /${n} ${note}
    ${name} rmv,cl    D3 /${n} ${note}
    ${name} rm8,imm8  C0 /${n} ${note}
    ${name} rmv,imm8  C1 /${n} ${note}`;
}).join('\n');

const sets = Array.from({ length: 16 }, (_, cc) => {
  // SETcc ignores ModRM.reg; assemblers write 0.
  const rest = [1, 2, 3, 4, 5, 6, 7].map(
    (reg) => `${conditional('set', cc)} rm8  0F ${hex(0x90 + cc)} /${reg} cc=${cc} decode-only`,
  );
  return [`${conditional('set', cc)} rm8  0F ${hex(0x90 + cc)} /0 cc=${cc}`, ...rest].join('\n');
}).join('\n');

export const BITS: Row[] = rows(`
  ${shifts}
  # shld | SDM 2B SHLD | Shifts left, filling from the top bits of a second register.
  shld rmv,rv,imm8  0F A4 /r
  shld rmv,rv,cl    0F A5 /r
  # shrd | SDM 2B SHRD | Shifts right, filling from the low bits of a second register.
  shrd rmv,rv,imm8  0F AC /r
  shrd rmv,rv,cl    0F AD /r

  # bt | SDM 2A BT | Copies the chosen bit to CF; a register bit number reaches beyond the memory operand.
  bt rmv,rv    0F A3 /r
  bt rmv,imm8  0F BA /4
  # bts | SDM 2A BTS | Copies the chosen bit to CF, then sets it.
  bts rmv,rv    0F AB /r lock
  bts rmv,imm8  0F BA /5 lock
  # btr | SDM 2A BTR | Copies the chosen bit to CF, then clears it.
  btr rmv,rv    0F B3 /r lock
  btr rmv,imm8  0F BA /6 lock
  # btc | SDM 2A BTC | Copies the chosen bit to CF, then inverts it.
  btc rmv,rv    0F BB /r lock
  btc rmv,imm8  0F BA /7 lock
  # bsf | SDM 2A BSF | Number of the lowest set bit; ZF=1 when there is none.
  bsf rv,rmv  0F BC /r
  # bsr | SDM 2A BSR | Number of the highest set bit; ZF=1 when there is none.
  bsr rv,rmv  0F BD /r

  # setcc | SDM 2B SETcc | Stores 1 when the condition holds, else 0.
  ${sets}
`);
