// Page-type counting: what a hostile kernel may not make of its frames.
import { beforeEach, describe, expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { Hypervisor } from '../hypervisor.ts';
import { PTE } from './abi.ts';
import { type Layout, PAE, TWO_LEVELS } from './layout.ts';
import { PageTypes, TYPE } from './page-types.ts';
import type { PvDomain } from './pv-domain.ts';

const FIRST_HYPERVISOR_PDE = 1008;

const DOMAIN = 3;
const STRANGER = 4;
/** What page types look at of a domain. */
const domainOf = (layout: Layout, sharedEntries: number[]): PvDomain =>
  ({ domain: { id: DOMAIN }, layout, sharedEntries: Int32Array.from(sharedEntries) }) as unknown as PvDomain;
const MAP = PTE.present | PTE.user;

describe('page types', () => {
  let hypervisor: Hypervisor;
  let types: PageTypes;
  let pv: PvDomain;
  let mine: number[];
  let theirs: number;
  const write = (frame: number, index: number, value: number) =>
    hypervisor.pc.memory.write32(frame * 4096 + index * 4, value);
  const entry = (frame: number, flags: number) => (frame << 12) | flags;

  beforeEach(() => {
    hypervisor = new Hypervisor(
      new Pc(costModel('prescott'), new Recorder(), 8 << 20, { startDate: '2005-12-05T10:00:00' }),
    );
    types = new PageTypes(hypervisor);
    pv = domainOf(TWO_LEVELS, [...hypervisor.monitor.sharedEntries]);
    pv.sharedEntries[2] = 0x123063;
    mine = Array.from({ length: 6 }, () => hypervisor.frames.allocate(DOMAIN));
    theirs = hypervisor.frames.allocate(STRANGER);
  });

  it('accepts a table that maps own frames, and counts its writable mappings', () => {
    write(mine[0], 0, entry(mine[1], MAP | PTE.writable));
    expect(types.take(pv, mine[0], TYPE.table)).toBe(true);
    expect(types.typeOf(mine[1])).toBe(TYPE.writable);
    types.drop(pv, mine[0]);
    expect(types.typeOf(mine[1])).toBe(TYPE.none);
  });

  it('refuses a table that maps a frame of somebody else, even read-only', () => {
    write(mine[0], 5, entry(theirs, MAP));
    expect(types.take(pv, mine[0], TYPE.table)).toBe(false);
    write(mine[0], 5, entry(hypervisor.monitor.idt >>> 12, MAP));
    expect(types.take(pv, mine[0], TYPE.table)).toBe(false);
    write(mine[0], 5, entry(0xfffff, MAP));
    expect(types.take(pv, mine[0], TYPE.table)).toBe(false);
  });

  it('refuses a writable mapping of a page table, in either order', () => {
    expect(types.take(pv, mine[0], TYPE.table)).toBe(true);
    write(mine[1], 0, entry(mine[0], MAP | PTE.writable));
    expect(types.take(pv, mine[1], TYPE.table)).toBe(false);
    write(mine[1], 0, entry(mine[0], MAP));
    expect(types.take(pv, mine[1], TYPE.table)).toBe(true);
    write(mine[2], 0, entry(mine[3], MAP | PTE.writable));
    expect(types.take(pv, mine[2], TYPE.table)).toBe(true);
    expect(types.take(pv, mine[3], TYPE.table)).toBe(false);
  });

  it('refuses a table that maps itself writable', () => {
    write(mine[0], 0, entry(mine[0], MAP | PTE.writable));
    expect(types.take(pv, mine[0], TYPE.table)).toBe(false);
    expect(types.typeOf(mine[0])).toBe(TYPE.none);
  });

  it('gives back everything when one entry of many is refused', () => {
    write(mine[0], 0, entry(mine[1], MAP | PTE.writable));
    write(mine[0], 900, entry(theirs, MAP));
    expect(types.take(pv, mine[0], TYPE.table)).toBe(false);
    expect(types.typeOf(mine[1])).toBe(TYPE.none);
  });

  it('puts the hypervisor into every directory, whatever the guest wrote there', () => {
    write(mine[0], FIRST_HYPERVISOR_PDE, entry(mine[1], MAP | PTE.writable));
    expect(types.take(pv, mine[0], TYPE.directory)).toBe(true);
    expect(hypervisor.pc.memory.read32(mine[0] * 4096 + FIRST_HYPERVISOR_PDE * 4)).toBe(
      hypervisor.monitor.sharedEntries[0],
    );
    expect(hypervisor.pc.memory.read32(mine[0] * 4096 + 1010 * 4) & ~0xfff).toBe(0x123000);
  });

  it('refuses 4 MiB pages, and a directory that is a table elsewhere', () => {
    write(mine[0], 0, entry(mine[1], MAP | PTE.large));
    expect(types.take(pv, mine[0], TYPE.directory)).toBe(false);
    write(mine[0], 0, entry(mine[1], MAP));
    expect(types.take(pv, mine[0], TYPE.directory)).toBe(true);
    expect(types.take(pv, mine[1], TYPE.directory)).toBe(false);
  });

  it('keeps a pinned page validated while nobody uses it', () => {
    expect(types.pin(pv, mine[0], TYPE.table)).toBe(true);
    expect(types.pin(pv, mine[0], TYPE.table)).toBe(false);
    expect(types.typeOf(mine[0])).toBe(TYPE.table);
    expect(types.unpin(pv, mine[0])).toBe(true);
    expect(types.unpin(pv, mine[0])).toBe(false);
    expect(types.typeOf(mine[0])).toBe(TYPE.none);
  });

  it('a frame that is given back is free after its last reference, read-only mappings counted', () => {
    write(mine[0], 0, entry(mine[1], MAP));
    expect(types.take(pv, mine[0], TYPE.table)).toBe(true);
    expect(types.countsOf(mine[1])).toEqual({ uses: 0, references: 1 });
    expect(types.giveBack(pv, mine[1])).toBe(true);
    expect(hypervisor.frames.owner[mine[1]], 'still mapped').toBe(DOMAIN);
    expect(types.take(pv, mine[1], TYPE.writable), 'but to be used no more').toBe(false);
    expect(types.giveBack(pv, mine[1])).toBe(false);
    types.drop(pv, mine[0]);
    expect(hypervisor.frames.owner[mine[1]]).toBe(-1);
    expect(types.giveBack(pv, mine[2])).toBe(true);
    expect(hypervisor.frames.owner[mine[2]]).toBe(-1);
    expect(types.giveBack(pv, theirs)).toBe(false);
  });
});

describe('page types with PAE', () => {
  let hypervisor: Hypervisor;
  let types: PageTypes;
  let pv: PvDomain;
  let mine: number[];
  const write = (frame: number, index: number, value: number, high = 0) => {
    hypervisor.pc.memory.write32(frame * 4096 + index * 8, value);
    hypervisor.pc.memory.write32(frame * 4096 + index * 8 + 4, high);
  };
  const entry = (frame: number, flags: number) => (frame << 12) | flags;

  beforeEach(() => {
    hypervisor = new Hypervisor(
      new Pc(costModel('prescott'), new Recorder(), 8 << 20, { startDate: '2005-12-05T10:00:00' }),
    );
    types = new PageTypes(hypervisor);
    pv = domainOf(PAE, new Array(84).fill(0x555063));
    mine = Array.from({ length: 8 }, () => hypervisor.frames.allocate(DOMAIN));
    // Pointers, three directories of which the last is the top GiB's, one table, one page.
    write(mine[0], 0, entry(mine[1], PTE.present));
    write(mine[0], 3, entry(mine[2], PTE.present));
    write(mine[1], 511, entry(mine[3], MAP | PTE.writable));
    write(mine[3], 7, entry(mine[4], MAP | PTE.writable));
  });

  it('four pointers, then directories, then tables; the hypervisor stands in the top directory from entry 428 on', () => {
    write(mine[2], 428, entry(mine[4], MAP | PTE.writable), 0xff);
    expect(types.take(pv, mine[0], TYPE.pointers)).toBe(true);
    expect(mine.slice(0, 6).map((frame) => types.typeOf(frame))).toEqual([
      TYPE.pointers,
      TYPE.directory,
      TYPE.topDirectory,
      TYPE.table,
      TYPE.writable,
      TYPE.none,
    ]);
    const { memory } = hypervisor.pc;
    expect([427, 428, 511].map((n) => memory.read32(mine[2] * 4096 + n * 8))).toEqual([
      0, 0x555063, 0x555063,
    ]);
    expect(memory.read32(mine[2] * 4096 + 428 * 8 + 4)).toBe(0);
    types.drop(pv, mine[0]);
    expect(mine.map((frame) => types.typeOf(frame))).toEqual(mine.map(() => TYPE.none));
  });

  it.each([
    ['no top directory', 0, 3, 0, 0],
    ['a pointer with a bit of large pages, which the processor has reserved', 0, 1, 0x81, 0],
    ['an address above 4 GiB', 3, 0, 0x67, 1],
    ['execute-disable, which this processor has not', 3, 0, 0x67, 0x80000000],
    ['a page of 2 MiB', 1, 0, 0xe7, 0],
    ['a table that is a directory', 1, 0, 0x27, 0],
  ])('refuses %s', (_, table, index, low, high) => {
    write(mine[table], index, low && (low === 0x27 ? entry(mine[1], MAP) : entry(mine[5], low)), high);
    expect(types.take(pv, mine[0], TYPE.pointers)).toBe(false);
    expect(mine.map((frame) => types.countsOf(frame).references)).toEqual(mine.map(() => 0));
  });

  it('the top directory belongs to one table of pointers alone, and is never pinned as an ordinary one', () => {
    expect(types.take(pv, mine[0], TYPE.pointers)).toBe(true);
    write(mine[5], 3, entry(mine[2], PTE.present));
    expect(types.take(pv, mine[5], TYPE.pointers)).toBe(false);
    expect(types.pin(pv, mine[2], TYPE.directory)).toBe(false);
    expect(types.pin(pv, mine[1], TYPE.directory)).toBe(true);
    write(mine[6], 0, entry(mine[2], PTE.present));
    expect(types.take(pv, mine[6], TYPE.pointers)).toBe(false);
  });
});
