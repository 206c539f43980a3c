// Shadow paging of guests that page with PAE, against the bare machine: the same guest, with the same tables of three levels, does
// the same accesses through its shadows and on a processor of its own. Faults, error codes, memory, accessed and dirty bits,
// and what a load of CR3 refuses must be the same; PDPTEs are believed as they were loaded.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costModel } from '../cost/processors.ts';
import { readLinear8, writeLinear8 } from '../machine/cpu/access.ts';
import { Cpu } from '../machine/cpu/cpu.ts';
import { isFault } from '../machine/cpu/fault.ts';
import { loadPdptes } from '../machine/cpu/page-walk.ts';
import { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Vcpu } from './domain.ts';
import { FrameTable, GuestMemory } from './frames.ts';
import { FaultIs } from './shadow-paging.ts';
import { shadowHost } from './testing/shadow-host.ts';
import { WideShadowPaging } from './wide-shadow-paging.ts';

const FRAMES = 48;
/** Frame 0: two tables of PDPTEs. Frames 1–4 directories, 5–8 page tables, the rest is data. */
const POINTERS = [0x000, 0x020];
const PAGING = 0x80010001 | 0;
const PAE = 0x20;
/** Where a directory's entries are tried: two of each end of two gigabytes. */
const PAGES = [0x00000123, 0x00201123, 0x40000123, 0x40203123, 0xc0000123, 0xc0202123];
const ports = { read: () => 0xff, write: () => {} };
const noInterrupts = { pending: () => false, acknowledge: () => 0 };

function processor(memory: PhysicalMemory): Cpu {
  const cpu = new Cpu(memory, costModel('prescott'), new Recorder(16), ports, noInterrupts);
  return cpu;
}

interface Access {
  linear: number;
  write: boolean;
  user: boolean;
}
const perform = (cpu: Cpu, { linear, write, user }: Access): string => {
  if (!write) return `read ${readLinear8(cpu, linear, user)}`;
  writeLinear8(cpu, linear, 0x5a, user);
  return 'written';
};
const faultText = (code: number, address: number) => `#PF(${code}) at ${address.toString(16)}`;

/** The guest on a machine of its own. */
class Bare {
  readonly memory = new PhysicalMemory(FRAMES * 4096);
  readonly cpu = processor(this.memory);

  cr0(value: number): boolean {
    const { cpu } = this;
    const loads = (cpu.cr0 ^ value) & 0xe0000000 && value < 0 && cpu.cr4 & PAE;
    return this.change(loads ? cpu.cr3 : -1, () => {
      cpu.cr0 = value;
    });
  }
  cr3(value: number): boolean {
    const { cpu } = this;
    return this.change(cpu.cr0 < 0 && cpu.cr4 & PAE ? value : -1, () => {
      cpu.cr3 = value;
    });
  }
  cr4(value: number): boolean {
    const { cpu } = this;
    const loads = (cpu.cr4 ^ value) & 0xb0 && cpu.cr0 < 0 && value & PAE;
    return this.change(loads ? cpu.cr3 : -1, () => {
      cpu.cr4 = value;
    });
  }
  /** @param pointers what to load PDPTEs from, -1 for none */
  private change(pointers: number, change: () => void): boolean {
    try {
      if (pointers >= 0) loadPdptes(this.cpu, pointers);
    } catch (caught) {
      if (!isFault(caught)) throw caught;
      return false;
    }
    change();
    this.cpu.tlb.flush();
    return true;
  }
  invalidate = (linear: number) => this.cpu.tlb.invalidate(linear);
  read = (physical: number) => this.memory.read32(physical);
  store = (physical: number, value: number) => this.memory.write32(physical, value);
  attempt(access: Access): string {
    try {
      return perform(this.cpu, access);
    } catch (caught) {
      if (!isFault(caught)) throw caught;
      return faultText(caught.errorCode, caught.address);
    }
  }
}

/** The same guest under shadow paging, its frames scattered over a bigger machine. */
class Shadowed {
  readonly memory = new PhysicalMemory(0x400000);
  readonly cpu = processor(this.memory);
  readonly frames = new FrameTable(this.memory);
  readonly guest: GuestMemory;
  readonly shadow: WideShadowPaging;
  hidden = 0;

  constructor(limit?: number) {
    for (let n = 0; n < 7; n++) this.frames.allocate(5);
    this.guest = new GuestMemory(this.frames, 1, FRAMES * 4096);
    for (let n = 0; n < FRAMES; n++) {
      this.guest.populate(FRAMES - 1 - n, 1);
      if (n % 3 === 0) this.frames.allocate(5);
    }
    const host = shadowHost(this.frames);
    this.shadow = new WideShadowPaging(host, {} as Vcpu, this.guest, limit);
  }
  cr0 = (value: number) => this.shadow.loadCr0(value);
  cr3 = (value: number) => this.shadow.loadCr3(value);
  cr4 = (value: number) => this.shadow.loadCr4(value);
  invalidate = (linear: number) => this.shadow.invalidatePage(linear);
  read = (physical: number) => this.guest.read32(physical);
  /** As a store of the guest's own would be seen: a table with a shadow is told of. */
  store(physical: number, value: number): void {
    this.guest.write32(physical, value);
    this.guest.onDeviceWrite?.(physical >>> 12);
  }
  /** Tries until the processor is content, as the guest's instruction would be tried again after each hidden fault. */
  attempt(access: Access): string {
    const { shadow, cpu } = this;
    for (let turn = 0; turn < 10; turn++) {
      cpu.cr0 = PAGING;
      cpu.cr3 = shadow.root;
      cpu.cr4 = shadow.wide ? PAE : 0;
      cpu.tlb.flush();
      if (shadow.wide) loadPdptes(cpu, shadow.root);
      try {
        return perform(cpu, access);
      } catch (caught) {
        if (!isFault(caught)) throw caught;
        const was = shadow.pageFault(caught.address, caught.errorCode);
        if (was === FaultIs.guests) return faultText(shadow.guestError, caught.address);
        if (was === FaultIs.hole) return 'written';
        this.hidden++;
      }
    }
    throw new Error('no end of hidden faults');
  }
}

type Machine = Bare | Shadowed;
const setWide = (machine: Machine, physical: number, low: number, high = 0) => {
  machine.store(physical, low);
  machine.store(physical + 4, high);
};
/** Where an entry of a directory lies, and one of a table. */
const directoryEntry = (directory: number, linear: number) =>
  (1 + directory) * 4096 + ((linear >>> 18) & 0xff8);
const tableEntry = (table: number, linear: number) => (5 + table) * 4096 + ((linear >>> 9) & 0xff8);

/** Four directories that share four tables, and two address spaces in which the directories stand in another order. */
function prepare(machine: Machine): void {
  for (let n = 0; n < 4; n++) {
    setWide(machine, POINTERS[0] + n * 8, ((1 + n) << 12) | 1);
    setWide(machine, POINTERS[1] + n * 8, ((1 + ((n + 1) % 4)) << 12) | 1);
    for (const linear of PAGES) {
      setWide(machine, directoryEntry(n, linear), ((5 + ((n + (linear >>> 21)) % 4)) << 12) | 7);
      setWide(machine, tableEntry(n, linear), ((16 + n * 4 + ((linear >>> 12) & 3)) << 12) | 7);
    }
  }
  machine.cr4(PAE);
  machine.cr3(POINTERS[0]);
  expect(machine.cr0(PAGING)).toBe(true);
}

const page = fc.constantFrom(...PAGES);
const four = fc.integer({ min: 0, max: 3 });
/** Upper halves: nothing, an address above 4 GiB, a reserved bit, what would be execute-disable. */
const high = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constantFrom(1, 0x10, 0x80000000 | 0) },
);
const frame = fc.integer({ min: 0, max: FRAMES + 2 });
const flags = fc.constantFrom(0x00, 0x01, 0x03, 0x05, 0x07, 0x23, 0x27, 0x67, 0x63, 0x107);
const aStep = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('access' as const),
      page,
      write: fc.boolean(),
      user: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pte' as const), table: four, page, frame, flags, high }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('pde' as const),
      directory: four,
      page,
      table: four,
      flags: fc.constantFrom(0x00, 0x01, 0x03, 0x07, 0x27, 0x87, 0xc7, 0x83, 0xe5, 0x2087),
      high,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pdpte' as const),
      space: fc.integer({ min: 0, max: 1 }),
      n: four,
      directory: four,
      flags: fc.constantFrom(0x00, 0x01, 0x01, 0x01, 0x09, 0x03),
      high,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cr3' as const), space: fc.integer({ min: 0, max: 1 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('mode' as const), wp: fc.boolean(), pse: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('off' as const), page }) },
);
type Step = typeof aStep extends fc.Arbitrary<infer T> ? T : never;

function sameStory(steps: readonly Step[], limit?: number): void {
  const bare = new Bare();
  const shadowed = new Shadowed(limit);
  const both: Machine[] = [bare, shadowed];
  for (const machine of both) prepare(machine);
  /** Loads a control register on both. @returns false when it was refused */
  const load = (register: 'cr0' | 'cr3' | 'cr4', value: number): boolean => {
    const [there, here] = both.map((machine) => machine[register](value));
    expect(here, `${register} is loaded or refused`).toBe(there);
    return there;
  };
  /** What was there is forgotten by a load of CR3, or page by page where that is refused. */
  const set = (physical: number, low: number, upper: number) => {
    const present = bare.read(physical) & 1;
    for (const machine of both) setWide(machine, physical, low, upper);
    if (present && !load('cr3', bare.cpu.cr3))
      for (const page of PAGES) for (const machine of both) machine.invalidate(page);
  };
  for (const step of steps) {
    switch (step.do) {
      case 'access': {
        const access = { linear: step.page, write: step.write, user: step.user };
        expect(shadowed.attempt(access), JSON.stringify(access)).toBe(bare.attempt(access));
        break;
      }
      case 'pte':
        set(tableEntry(step.table, step.page), (step.frame << 12) | step.flags, step.high);
        break;
      case 'pde':
        set(
          directoryEntry(step.directory, step.page),
          (step.flags & 0x80 ? 0 : (5 + step.table) << 12) | step.flags,
          step.high,
        );
        break;
      case 'pdpte':
        // The processor goes on with those that it has loaded.
        for (const machine of both)
          setWide(
            machine,
            POINTERS[step.space] + step.n * 8,
            ((1 + step.directory) << 12) | step.flags,
            step.high,
          );
        break;
      case 'cr3':
        load('cr3', POINTERS[step.space]);
        break;
      case 'mode':
        load('cr0', step.wp ? PAGING : PAGING & ~0x10000);
        load('cr4', PAE | (step.pse ? 0x10 : 0));
        break;
      case 'off': {
        // Without paging, and back: two levels and three take turns in the shadows.
        const before = bare.cpu.cr0;
        load('cr0', 1);
        const access = { linear: step.page & 0x2fffff, write: false, user: false };
        expect(shadowed.attempt(access)).toBe(bare.attempt(access));
        if (!load('cr0', before)) return;
      }
    }
  }
  isolated(shadowed);
  for (let physical = 0; physical < FRAMES * 4096; physical += 4) {
    const [there, here] = both.map((machine) => machine.read(physical));
    if (here !== there)
      expect(`${physical.toString(16)}: ${here.toString(16)}`).toBe(
        `${physical.toString(16)}: ${there.toString(16)}`,
      );
  }
}

/** No shadow entry leads to a frame that is neither the domain's nor (above the leaves) a shadow page, and none is above 4 GiB. */
function isolated({ shadow, guest, memory, frames }: Shadowed): void {
  if (!shadow.wide) return;
  const own = new Set(guest.p2m);
  const wrong: string[] = [];
  const check = (table: number, level: number, count: number) => {
    for (let n = 0; n < count; n++) {
      const [low, upper] = [memory.read32(table + n * 8), memory.read32(table + n * 8 + 4)];
      const owner = frames.owner[low >>> 12];
      const right = level > 1 ? owner === -2 && !(low & 0x80) : own.has(low >>> 12) || owner === guest.owner;
      if (upper || (low & 1 && !right) || (level === 3 && low & 0x1e6))
        wrong.push(`level ${level}, entry ${n}: ${low.toString(16)} ${upper.toString(16)}`);
      else if (low & 1 && level > 1) check((low & 0xfffff000) >>> 0, level - 1, 512);
    }
  };
  check(shadow.root, 3, 4);
  expect(wrong).toEqual([]);
}

describe('shadow paging of a guest with PAE', () => {
  it('tells the same story as the bare machine, whatever the guest does to its tables', () => {
    fc.assert(
      fc.property(fc.array(aStep, { minLength: 5, maxLength: 60 }), (steps) => sameStory(steps)),
      { numRuns: 150, seed: 2006 },
    );
  });

  it('tells it with no more than twelve shadow pages', () => {
    fc.assert(
      fc.property(fc.array(aStep, { minLength: 20, maxLength: 60 }), (steps) => sameStory(steps, 12)),
      { numRuns: 60, seed: 2007 },
    );
  });

  it('believes PDPTEs as they were when CR3 was loaded', () => {
    const machine = new Shadowed();
    prepare(machine);
    const access = { linear: PAGES[2], write: false, user: true };
    expect(machine.attempt(access)).toBe('read 0');
    setWide(machine, POINTERS[0] + 8, 0);
    expect(machine.attempt(access)).toBe('read 0');
    machine.shadow.invalidatePage(access.linear);
    expect(machine.attempt(access), 'INVLPG does not read them').toBe('read 0');
    machine.cr3(POINTERS[0]);
    expect(machine.attempt(access)).toBe(faultText(4, access.linear));
  });

  it('refuses PDPTEs with reserved bits, and goes on with those it has', () => {
    const machine = new Shadowed();
    prepare(machine);
    for (const [low, upper] of [
      [0x1003, 0],
      [0x1021, 0],
      [0x1001, 0x10],
    ]) {
      setWide(machine, POINTERS[1], low, upper);
      expect(machine.cr3(POINTERS[1])).toBe(false);
      expect(machine.shadow.control.cr3).toBe(POINTERS[0]);
    }
    expect(machine.attempt({ linear: PAGES[0], write: true, user: true })).toBe('written');
    // What is not present may say what it likes.
    setWide(machine, POINTERS[1], 0x1e6, -1);
    expect(machine.cr3(POINTERS[1])).toBe(true);
  });

  it('keeps the shadows of several address spaces: coming back costs no hidden fault', () => {
    const machine = new Shadowed();
    prepare(machine);
    const visit = (space: number) => {
      machine.cr3(POINTERS[space]);
      for (const linear of PAGES) machine.attempt({ linear, write: true, user: true });
    };
    for (const space of [0, 1, 0, 1]) visit(space);
    const before = machine.hidden;
    for (const space of [0, 1]) visit(space);
    expect(machine.hidden).toBe(before);
  });

  it('gives every frame back', () => {
    const machine = new Shadowed();
    const { free } = machine.frames;
    prepare(machine);
    for (const linear of PAGES) machine.attempt({ linear, write: true, user: true });
    machine.shadow.release();
    expect(machine.frames.free).toBeGreaterThanOrEqual(free);
  });
});
