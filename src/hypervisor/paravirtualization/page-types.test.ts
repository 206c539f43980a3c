// Page-type counting: what a hostile kernel may not make of its frames.
import { beforeEach, describe, expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { Hypervisor } from '../hypervisor.ts';
import { FIRST_HYPERVISOR_PDE, PTE } from './abi.ts';
import { PageTypes, TYPE } from './page-types.ts';

const DOMAIN = 3;
const STRANGER = 4;
const MAP = PTE.present | PTE.user;

describe('page types', () => {
  let hypervisor: Hypervisor;
  let types: PageTypes;
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
    mine = Array.from({ length: 6 }, () => hypervisor.frames.allocate(DOMAIN));
    theirs = hypervisor.frames.allocate(STRANGER);
  });

  it('accepts a table that maps own frames, and counts its writable mappings', () => {
    write(mine[0], 0, entry(mine[1], MAP | PTE.writable));
    expect(types.take(DOMAIN, mine[0], TYPE.table, 0)).toBe(true);
    expect(types.typeOf(mine[1])).toBe(TYPE.writable);
    types.drop(DOMAIN, mine[0]);
    expect(types.typeOf(mine[1])).toBe(TYPE.none);
  });

  it('refuses a table that maps a frame of somebody else, even read-only', () => {
    write(mine[0], 5, entry(theirs, MAP));
    expect(types.take(DOMAIN, mine[0], TYPE.table, 0)).toBe(false);
    write(mine[0], 5, entry(hypervisor.monitor.idt >>> 12, MAP));
    expect(types.take(DOMAIN, mine[0], TYPE.table, 0)).toBe(false);
    write(mine[0], 5, entry(0xfffff, MAP));
    expect(types.take(DOMAIN, mine[0], TYPE.table, 0)).toBe(false);
  });

  it('refuses a writable mapping of a page table, in either order', () => {
    expect(types.take(DOMAIN, mine[0], TYPE.table, 0)).toBe(true);
    write(mine[1], 0, entry(mine[0], MAP | PTE.writable));
    expect(types.take(DOMAIN, mine[1], TYPE.table, 0)).toBe(false);
    write(mine[1], 0, entry(mine[0], MAP));
    expect(types.take(DOMAIN, mine[1], TYPE.table, 0)).toBe(true);
    write(mine[2], 0, entry(mine[3], MAP | PTE.writable));
    expect(types.take(DOMAIN, mine[2], TYPE.table, 0)).toBe(true);
    expect(types.take(DOMAIN, mine[3], TYPE.table, 0)).toBe(false);
  });

  it('refuses a table that maps itself writable', () => {
    write(mine[0], 0, entry(mine[0], MAP | PTE.writable));
    expect(types.take(DOMAIN, mine[0], TYPE.table, 0)).toBe(false);
    expect(types.typeOf(mine[0])).toBe(TYPE.none);
  });

  it('gives back everything when one entry of many is refused', () => {
    write(mine[0], 0, entry(mine[1], MAP | PTE.writable));
    write(mine[0], 900, entry(theirs, MAP));
    expect(types.take(DOMAIN, mine[0], TYPE.table, 0)).toBe(false);
    expect(types.typeOf(mine[1])).toBe(TYPE.none);
  });

  it('puts the hypervisor into every directory, whatever the guest wrote there', () => {
    write(mine[0], FIRST_HYPERVISOR_PDE, entry(mine[1], MAP | PTE.writable));
    expect(types.take(DOMAIN, mine[0], TYPE.directory, 0x123000)).toBe(true);
    expect(hypervisor.pc.memory.read32(mine[0] * 4096 + FIRST_HYPERVISOR_PDE * 4)).toBe(
      hypervisor.monitor.sharedEntries[0],
    );
    expect(hypervisor.pc.memory.read32(mine[0] * 4096 + 1010 * 4) & ~0xfff).toBe(0x123000);
  });

  it('refuses 4 MiB pages, and a directory that is a table elsewhere', () => {
    write(mine[0], 0, entry(mine[1], MAP | PTE.large));
    expect(types.take(DOMAIN, mine[0], TYPE.directory, 0)).toBe(false);
    write(mine[0], 0, entry(mine[1], MAP));
    expect(types.take(DOMAIN, mine[0], TYPE.directory, 0)).toBe(true);
    expect(types.take(DOMAIN, mine[1], TYPE.directory, 0)).toBe(false);
  });

  it('keeps a pinned page validated while nobody uses it', () => {
    expect(types.pin(DOMAIN, mine[0], TYPE.table, 0)).toBe(true);
    expect(types.pin(DOMAIN, mine[0], TYPE.table, 0)).toBe(false);
    expect(types.typeOf(mine[0])).toBe(TYPE.table);
    expect(types.unpin(DOMAIN, mine[0])).toBe(true);
    expect(types.unpin(DOMAIN, mine[0])).toBe(false);
    expect(types.typeOf(mine[0])).toBe(TYPE.none);
  });
});
