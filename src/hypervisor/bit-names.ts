// Words of registers as the names of the bits that are set, for people who look (SDM vol. 3 §2.3, §2.5). Pure.
import { vectorName } from '../trace/exits.ts';

/** The names of the bits that a word has, in the order given. */
export const bitNames = (names: Readonly<Record<string, number>>) => (low: number) =>
  Object.entries(names)
    .filter(([, bit]) => low & bit)
    .map(([name]) => name)
    .join(' ');

export const cr0Names = bitNames({
  PE: 1,
  MP: 2,
  EM: 4,
  TS: 8,
  ET: 16,
  NE: 32,
  WP: 1 << 16,
  AM: 1 << 18,
  NW: 1 << 29,
  CD: 1 << 30,
  PG: 1 << 31,
});

export const flagNames = bitNames({
  CF: 1,
  PF: 4,
  AF: 16,
  ZF: 64,
  SF: 128,
  TF: 256,
  IF: 512,
  DF: 1024,
  OF: 2048,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  ID: 1 << 21,
});

/** The exceptions of a bitmap by vector. */
export const vectorNames = (low: number): string =>
  Array.from({ length: 32 }, (_, n) => n)
    .filter((n) => (low >>> n) & 1)
    .map(vectorName)
    .join(' ');
