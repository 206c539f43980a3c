// String instructions and string I/O. Opcode bit 0 tells bytes (0) from words or doublewords (1).
// SDM vol. 2 MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS, REP.
import { type Row, rows } from './row.ts';

const KINDS: readonly (readonly [
  name: string,
  opcode: string,
  wide: string,
  rep: string,
  heading: string,
])[] = [
  [
    'movs',
    'A4',
    'A5',
    'rep',
    'movs | SDM 2B MOVS | Copies one element from DS:(E)SI to ES:(E)DI and moves both pointers by DF.',
  ],
  [
    'cmps',
    'A6',
    'A7',
    'repcc',
    'cmps | SDM 2A CMPS | Compares the elements at DS:(E)SI and ES:(E)DI and moves both pointers by DF.',
  ],
  [
    'stos',
    'AA',
    'AB',
    'rep',
    'stos | SDM 2B STOS | Stores the accumulator at ES:(E)DI and moves the pointer by DF.',
  ],
  [
    'lods',
    'AC',
    'AD',
    'rep',
    'lods | SDM 2A LODS | Loads the accumulator from DS:(E)SI and moves the pointer by DF.',
  ],
  [
    'scas',
    'AE',
    'AF',
    'repcc',
    'scas | SDM 2B SCAS | Compares the accumulator with the element at ES:(E)DI and moves the pointer by DF.',
  ],
  [
    'ins',
    '6C',
    '6D',
    'rep',
    'ins io | SDM 2A INS | Reads port DX into ES:(E)DI and moves the pointer; #GP as for IN.',
  ],
  [
    'outs',
    '6E',
    '6F',
    'rep',
    'outs io | SDM 2B OUTS | Writes the element at DS:(E)SI to port DX and moves the pointer; #GP as for OUT.',
  ],
];

export const STRING: Row[] = rows(
  KINDS.map(
    ([name, byte, wide, rep, heading]) => `
    # ${heading}
    ${name}b -  ${byte} ${rep}
    ${name}d -  ${wide} ${rep} o32
    ${name}w -  ${wide} ${rep} o16`,
  ).join('\n'),
);
