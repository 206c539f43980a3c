// The opcodes that random programs are made of (test-programs.ts): those that the fast path knows more often than not, and
// some that it leaves to their executors. SDM vol. 2 appendix A.

/** Bytes behind ModRM: `b` a byte, `v` by the operand size, `s` a count. */
type Tail = '' | 'b' | 'v' | 's';
/** Opcode, what stands in ModRM.reg (-1: a register), what follows. */
type Coded = readonly [opcode: readonly number[], reg: number, tail: Tail];

const CLASSIC = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((n): Coded[] => [
  ...[0, 1, 2, 3].map((k): Coded => [[n * 8 + k], -1, '']),
  [[0x80], n, 'b'],
  [[0x81], n, 'v'],
  [[0x83], n, 'b'],
]);
const SHIFTS = [0, 1, 4, 5, 6, 7].flatMap((n): Coded[] => [
  [[0xc1], n, 's'],
  [[0xd1], n, ''],
  [[0xd3], n, ''],
]);
/** With ModRM. */
export const CODED: readonly Coded[] = [
  ...CLASSIC,
  ...CLASSIC,
  ...SHIFTS,
  ...SHIFTS,
  ...[0x84, 0x85, 0x88, 0x89, 0x8a, 0x8b, 0x88, 0x89, 0x8a, 0x8b].map((n): Coded => [[n], -1, '']),
  ...[0, 2, 3].flatMap((n): Coded[] => [
    [[0xf6], n, n === 0 ? 'b' : ''],
    [[0xf7], n, n === 0 ? 'v' : ''],
  ]),
  ...[0, 1].flatMap((n): Coded[] => [
    [[0xfe], n, ''],
    [[0xff], n, ''],
  ]),
  [[0xc6], 0, 'b'],
  [[0xc7], 0, 'v'],
  [[0x8d], -1, ''],
  [[0x8d], -1, ''],
  [[0x0f, 0xaf], -1, ''],
  [[0x69], -1, 'v'],
  [[0x6b], -1, 'b'],
  ...[0xb6, 0xb7, 0xbe, 0xbf].map((n): Coded => [[0x0f, n], -1, '']),
  [[0xff], 6, ''],
  [[0x8f], 0, ''],
  // Not for the fast path.
  [[0x0f, 0x1f], 0, ''],
  [[0x86], -1, ''],
  [[0x87], -1, ''],
  [[0xc0], 4, 's'],
  [[0xd2], 1, ''],
  [[0xd1], 2, ''],
  [[0xf7], 4, ''],
  [[0xf6], 6, ''],
  [[0x0f, 0xa3], -1, ''],
  [[0x0f, 0xba], 5, 's'],
  [[0x0f, 0x44], -1, ''],
  [[0x0f, 0x9c], 0, ''],
  [[0x0f, 0xc1], -1, ''],
  [[0x0f, 0xb1], -1, ''],
];
/** Without operands that ModRM names. */
export const PLAIN: readonly (readonly number[])[] = [
  ...[0x90, 0x98, 0x99, 0xf5, 0xf8, 0xf9, 0x9e, 0x9f, 0x27, 0xfc, 0x9c, 0x60, 0xc8].map((n) => [n]),
  [0xa5],
  [0xab],
  [0xf3, 0xab],
  [0xf3, 0x90],
  [0xcd, 0x30],
];
export const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
