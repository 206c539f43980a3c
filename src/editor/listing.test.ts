// Disassembly here is the machine's own; the bytes are a small routine with a long instruction to fall out of step with.
import { describe, expect, it } from 'vitest';
import { disassembleRange } from '../machine/isa/disassemble.ts';
import { parseAddress } from '../shell/words.ts';
import { Listing, linesBefore, lineText } from './listing.ts';

const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
// push ebp; mov ebp,esp; mov eax,[0x90909090+ecx*4]; nop; inc eax; leave; ret
const code = hex('5589e58b048d9090909090904090c9c3');
const ORIGIN = 0x1000;
const lines = (from: number, count = 99) =>
  disassembleRange(code, from - ORIGIN, 32, from, count).map((line) => ({
    ...line,
    bytes: [...line.bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
  }));

describe('a listing', () => {
  it('grows forward, and finds lines by address', () => {
    const listing = new Listing();
    listing.replace(lines(ORIGIN, 2));
    expect(listing.end).toBe(0x1003);
    listing.append(lines(0x1003));
    expect(listing.lines.map(({ address }) => address)).toEqual(lines(ORIGIN).map(({ address }) => address));
    expect(listing.lineOf(0x1001)).toBe(2);
    expect(listing.lineOf(0x1002)).toBeNull();
    const length = listing.lines.length;
    listing.append(lines(ORIGIN, 2));
    expect(listing.lines.length).toBe(length);
  });

  it('grows backward by lines that meet it, and leaves out the first ones, which may be out of step', () => {
    const listing = new Listing();
    listing.replace(lines(0x100c));
    const added = listing.prepend(lines(ORIGIN));
    expect(added).toBeGreaterThan(0);
    expect(listing.end).toBe(ORIGIN + code.length);
    const known = new Set(lines(ORIGIN).map(({ address }) => address));
    for (const { address } of listing.lines) expect(known).toContain(address);
  });

  it('takes nothing that misses it', () => {
    expect(linesBefore(lines(ORIGIN), 0x1002)).toEqual([]);
    expect(linesBefore([], 0x1002)).toEqual([]);
  });

  it('notices that memory has changed', () => {
    const listing = new Listing();
    listing.replace(lines(ORIGIN));
    expect(listing.agrees(lines(0x1003, 3))).toBe(true);
    expect(listing.agrees([{ address: 0x1001, bytes: '90', text: 'nop' }])).toBe(false);
  });

  it('writes the instruction first, then its bytes', () => {
    expect(lineText({ address: 0, bytes: '89 e5', text: 'mov ebp, esp' })).toBe(
      'mov     ebp, esp                   ; 89 e5',
    );
    expect(lineText({ address: 0, bytes: 'c3', text: 'ret' })).toMatch(/^ret {32}; c3$/);
  });
});

describe('addresses', () => {
  it.each([
    ['0xC0100000', 0xc0100000],
    ['c0100000', 0xc0100000],
    ['0010_0000h', 0x100000],
    ['$ff', 255],
  ])('%s', (text, value) => {
    expect(parseAddress(text)).toBe(value);
  });
  it.each(['', 'main', '123456789', '0x'])('%j is none', (text) => {
    expect(parseAddress(text)).toBeNull();
  });
});
