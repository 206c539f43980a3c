// Shadow paging against the bare machine: the same guest, with the same page tables, does the same accesses through its
// shadows and on a processor of its own. Faults, error codes, memory, accessed and dirty bits must be the same.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costModel } from '../cost/processors.ts';
import { readLinear8, writeLinear8, writeLinear32 } from '../machine/cpu/access.ts';
import { Cpu } from '../machine/cpu/cpu.ts';
import { isFault } from '../machine/cpu/fault.ts';
import { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Vcpu } from './domain.ts';
import { FrameTable, GuestMemory } from './frames.ts';
import { FaultIs, ShadowPaging } from './shadow-paging.ts';
import { shadowHost } from './testing/shadow-host.ts';

const FRAMES = 48;
/** The window: page-directory entry 1023 maps every guest frame for the kernel, through the table in frame 15. */
const WINDOW = 0xffc00000;
const PAGING = 0x80010001 | 0;
const ports = { read: () => 0xff, write: () => {} };
const noInterrupts = { pending: () => false, acknowledge: () => 0 };

function processor(memory: PhysicalMemory): Cpu {
  const cpu = new Cpu(memory, costModel('prescott'), new Recorder(16), ports, noInterrupts);
  cpu.cr0 = PAGING;
  return cpu;
}

type Access = { linear: number; write: boolean; user: boolean };

/** The guest on a machine of its own. */
class Bare {
  readonly memory = new PhysicalMemory(FRAMES * 4096);
  readonly cpu = processor(this.memory);
  control(cr0: number, cr3: number, cr4: number): void {
    Object.assign(this.cpu, { cr0, cr3, cr4 });
    this.cpu.tlb.flush();
  }
  invalidate = (linear: number) => this.cpu.tlb.invalidate(linear);
  read = (physical: number) => this.memory.read32(physical);
  attempt(access: Access): string {
    try {
      if (access.write) writeLinear8(this.cpu, access.linear, 0x5a, access.user);
      else return `read ${readLinear8(this.cpu, access.linear, access.user)}`;
      return 'written';
    } catch (caught) {
      if (!isFault(caught)) throw caught;
      return `#PF(${caught.errorCode}) at ${caught.address.toString(16)}`;
    }
  }
  store(linear: number, value: number): void {
    writeLinear32(this.cpu, linear, value, false);
  }
}

/** The same guest under shadow paging, its frames scattered over a bigger machine. */
class Shadowed {
  readonly memory = new PhysicalMemory(0x400000);
  readonly cpu = processor(this.memory);
  readonly frames = new FrameTable(this.memory);
  readonly guest: GuestMemory;
  readonly shadow: ShadowPaging;
  hidden = 0;

  constructor(limit?: number) {
    for (let n = 0; n < 7; n++) this.frames.allocate(5);
    this.guest = new GuestMemory(this.frames, 1, FRAMES * 4096);
    for (let n = 0; n < FRAMES; n++) {
      this.guest.populate(FRAMES - 1 - n, 1);
      if (n % 3 === 0) this.frames.allocate(5);
    }
    const host = shadowHost(this.frames);
    this.shadow = new ShadowPaging(host, {} as Vcpu, this.guest, limit);
  }
  control(cr0: number, cr3: number, cr4: number): void {
    const now = this.shadow.control;
    if (cr4 !== now.cr4) this.shadow.loadCr4(cr4);
    if (cr0 !== now.cr0) this.shadow.loadCr0(cr0);
    this.shadow.loadCr3(cr3);
  }
  invalidate = (linear: number) => this.shadow.invalidatePage(linear);
  read = (physical: number) => this.guest.read32(physical);
  /** Tries until the processor is content, as the guest's instruction would be tried again after each hidden fault. */
  attempt(access: Access): string {
    for (let turn = 0; turn < 10; turn++) {
      this.cpu.cr3 = this.shadow.root;
      this.cpu.tlb.flush();
      try {
        if (access.write) writeLinear8(this.cpu, access.linear, 0x5a, access.user);
        else return `read ${readLinear8(this.cpu, access.linear, access.user)}`;
        return 'written';
      } catch (caught) {
        if (!isFault(caught)) throw caught;
        const was = this.shadow.pageFault(caught.address, caught.errorCode);
        if (was === FaultIs.guests) return `#PF(${this.shadow.guestError}) at ${caught.address.toString(16)}`;
        if (was === FaultIs.hole) return 'written';
        this.hidden++;
      }
    }
    throw new Error('no end of hidden faults');
  }
  store(linear: number, value: number): void {
    for (let turn = 0; turn < 10; turn++) {
      this.cpu.cr3 = this.shadow.root;
      this.cpu.tlb.flush();
      try {
        writeLinear32(this.cpu, linear, value, false);
        return;
      } catch (caught) {
        if (!isFault(caught)) throw caught;
        expect(this.shadow.pageFault(caught.address, caught.errorCode)).toBe(FaultIs.filled);
      }
    }
    throw new Error('no end of hidden faults');
  }
}

/** Both machines start with four directories that share the window; with paging off these stores are physical. */
function prepare(machine: Bare | Shadowed): void {
  machine.control(1, 0, 0);
  if (machine instanceof Shadowed) for (let n = 0; n < 4; n++) machine.store(n * 4096 + 0xffc, 0xf003);
  else for (let n = 0; n < 4; n++) machine.memory.write32(n * 4096 + 0xffc, 0xf003);
  for (let f = 0; f < FRAMES; f++) {
    if (machine instanceof Shadowed) machine.store(0xf000 + f * 4, (f << 12) | 3);
    else machine.memory.write32(0xf000 + f * 4, (f << 12) | 3);
  }
  machine.control(PAGING, 0, 0x10);
  for (let n = 0; n < 4; n++) {
    for (let k = 0; k < 4; k++) {
      machine.store(WINDOW + n * 4096 + k * 4, ((4 + ((n + k) % 4)) << 12) | 7);
      machine.store(WINDOW + (4 + n) * 4096 + k * 4, ((16 + n * 4 + k) << 12) | 7);
    }
  }
  machine.control(PAGING, 0, 0x10);
}

const anEntry = fc.record({
  frame: fc.integer({ min: 0, max: FRAMES + 2 }),
  flags: fc.constantFrom(0x00, 0x01, 0x03, 0x05, 0x07, 0x23, 0x27, 0x67, 0x63, 0x87, 0x83),
});
const aStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('access' as const),
      page: fc.integer({ min: 0, max: 3 }),
      table: fc.integer({ min: 0, max: 3 }),
      write: fc.boolean(),
      user: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pte' as const),
      table: fc.integer({ min: 4, max: 7 }),
      n: fc.integer({ min: 0, max: 3 }),
      entry: anEntry,
      byPage: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pde' as const),
      directory: fc.integer({ min: 0, max: 3 }),
      n: fc.integer({ min: 0, max: 3 }),
      table: fc.integer({ min: 4, max: 7 }),
      flags: fc.constantFrom(0x00, 0x01, 0x03, 0x07, 0x27, 0x87),
      byPage: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('cr3' as const), directory: fc.integer({ min: 0, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('mode' as const), wp: fc.boolean(), pse: fc.boolean() }),
  },
);

function sameStory(
  steps: readonly (typeof aStep extends fc.Arbitrary<infer T> ? T : never)[],
  limit?: number,
): void {
  const bare = new Bare();
  const shadowed = new Shadowed(limit);
  const both = [bare, shadowed];
  for (const machine of both) prepare(machine);
  let cr0 = PAGING,
    cr3 = 0,
    cr4 = 0x10;
  const reload = () => {
    for (const machine of both) machine.control(cr0, cr3, cr4);
  };
  // An entry that was present must be flushed from the TLB; a new one need not, and is not.
  const set = (physical: number, entry: number, byPage: boolean, pages: readonly number[]) => {
    const wasPresent = bare.read(physical) & 1;
    for (const machine of both) machine.store(WINDOW + physical, entry);
    if (!wasPresent) return;
    if (!byPage) reload();
    else for (const page of pages) for (const machine of both) machine.invalidate(page);
  };
  const pageOf = (table: number, page: number) => (table << 22) + (page << 12);
  const FOUR = [0, 1, 2, 3];
  for (const step of steps) {
    switch (step.do) {
      case 'access': {
        const access = {
          linear: (step.table << 22) + (step.page << 12) + 0x123,
          write: step.write,
          user: step.user,
        };
        expect(shadowed.attempt(access), JSON.stringify(access)).toBe(bare.attempt(access));
        break;
      }
      case 'pte':
        set(
          step.table * 4096 + step.n * 4,
          (step.entry.frame << 12) | step.entry.flags,
          step.byPage,
          FOUR.map((n) => pageOf(n, step.n)),
        );
        break;
      case 'pde':
        set(
          step.directory * 4096 + step.n * 4,
          (step.flags & 0x80 ? 0 : step.table << 12) | step.flags,
          step.byPage,
          FOUR.map((page) => pageOf(step.n, page)),
        );
        break;
      case 'cr3':
        cr3 = step.directory << 12;
        reload();
        break;
      case 'mode':
        cr0 = step.wp ? PAGING : PAGING & ~0x10000;
        cr4 = step.pse ? 0x10 : 0;
        reload();
    }
  }
  for (let physical = 0; physical < FRAMES * 4096; physical += 4) {
    if (shadowed.read(physical) !== bare.read(physical)) {
      expect(`${physical.toString(16)}: ${shadowed.read(physical).toString(16)}`).toBe(
        `${physical.toString(16)}: ${bare.read(physical).toString(16)}`,
      );
    }
  }
  isolated(shadowed);
}

/** No shadow entry leads to a frame that is neither the domain's nor (for directories) a shadow page. */
function isolated({ shadow, guest, memory, frames }: Shadowed): void {
  const own = new Set([...guest.p2m]);
  for (let n = 0; n < 1024; n++) {
    const pde = memory.read32(shadow.root + n * 4);
    if (!(pde & 1)) continue;
    expect(frames.owner[pde >>> 12]).toBe(-2);
    for (let k = 0; k < 1024; k++) {
      const pte = memory.read32(((pde & 0xfffff000) >>> 0) + k * 4);
      if (pte & 1) expect(own.has(pte >>> 12) || frames.owner[pte >>> 12] === guest.owner).toBe(true);
    }
  }
}

describe('shadow paging', () => {
  it('tells the same story as the bare machine, whatever the guest does to its tables', () => {
    fc.assert(
      fc.property(fc.array(aStep, { minLength: 5, maxLength: 60 }), (steps) => sameStory(steps)),
      { numRuns: 150, seed: 2005 },
    );
  });

  it('tells it with no more than eight shadow pages', () => {
    fc.assert(
      fc.property(fc.array(aStep, { minLength: 20, maxLength: 60 }), (steps) => sameStory(steps, 8)),
      { numRuns: 60, seed: 2006 },
    );
  });

  it('keeps the shadows of several address spaces: coming back costs no hidden fault', () => {
    const machine = new Shadowed();
    prepare(machine);
    const spaces = [0, 1, 2].map((n) => n << 12);
    for (const cr3 of spaces) {
      machine.store(WINDOW + cr3, 0x4007);
      machine.store(WINDOW + 0x4000, 0x20007);
      machine.control(PAGING, cr3, 0x10);
      machine.attempt({ linear: 0x10, write: true, user: true });
    }
    const before = machine.hidden;
    for (const cr3 of spaces) {
      machine.control(PAGING, cr3, 0x10);
      expect(machine.attempt({ linear: 0x10, write: true, user: true })).toBe('written');
    }
    expect(machine.hidden).toBe(before);
  });

  it('goes on believing a stale entry until the guest flushes, as a TLB does', () => {
    const machine = new Shadowed();
    prepare(machine);
    machine.store(WINDOW, 0x4007);
    machine.store(WINDOW + 0x4000, 0x20007);
    expect(machine.attempt({ linear: 0, write: true, user: true })).toBe('written');
    machine.store(WINDOW + 0x4000, 0);
    expect(machine.attempt({ linear: 0, write: true, user: true })).toBe('written');
    machine.shadow.invalidatePage(0);
    expect(machine.attempt({ linear: 0, write: true, user: true })).toBe('#PF(6) at 0');
  });

  it('traps the first store to a table in use, and not the second', () => {
    const machine = new Shadowed();
    prepare(machine);
    machine.store(WINDOW, 0x4007);
    machine.store(WINDOW + 0x4000, 0x20007);
    machine.attempt({ linear: 0, write: false, user: true });
    machine.store(WINDOW + 0x4004, 0x20007);
    const faults = countFaults(machine, () => machine.store(WINDOW + 0x4008, 0x21007));
    expect(faults).toBe(0);
    // INVLPG says something of one entry only.
    machine.shadow.invalidatePage(0x2000);
    expect(countFaults(machine, () => machine.store(WINDOW + 0x400c, 0x22007))).toBe(0);
    machine.control(PAGING, 0, 0x10);
    expect(countFaults(machine, () => machine.store(WINDOW + 0x4008, 0x22007))).toBe(1);
  });

  it('has the entry that INVLPG names at once, if the guest has used the page before', () => {
    const machine = new Shadowed();
    prepare(machine);
    machine.store(WINDOW, 0x4007);
    machine.store(WINDOW + 0x4000, 0x20007);
    machine.attempt({ linear: 0, write: true, user: true });
    for (const entry of [0x20066, 0x21067]) {
      machine.store(WINDOW + 0x4000, entry);
      machine.shadow.invalidatePage(0);
    }
    const faults = countFaults(machine, () => machine.attempt({ linear: 0, write: true, user: true }));
    expect([faults, machine.read(0x21000)]).toEqual([0, 0x5a]);
  });

  it('reads ones where the guest has no memory, and asks for help to write there', () => {
    const machine = new Shadowed();
    machine.control(1, 0, 0);
    expect(machine.attempt({ linear: 0x3000000, write: false, user: false })).toBe('read 255');
    expect(machine.shadow.pageFault(0x3000000, 2)).toBe(FaultIs.hole);
    machine.shadow.openHole(0x3000000);
    machine.cpu.cr3 = machine.shadow.root;
    machine.cpu.tlb.flush();
    writeLinear8(machine.cpu, 0x3000000, 1, false);
    machine.shadow.closeHole(0x3000000);
    expect(machine.attempt({ linear: 0x3000000, write: false, user: false })).toBe('read 255');
  });

  it('gives every frame back', () => {
    const machine = new Shadowed();
    const free = machine.frames.free;
    prepare(machine);
    machine.shadow.release();
    expect(machine.frames.free).toBeGreaterThanOrEqual(free);
  });
});

function countFaults(machine: Shadowed, work: () => void): number {
  const { shadow } = machine;
  const original = shadow.pageFault.bind(shadow);
  let count = 0;
  shadow.pageFault = (linear, code) => {
    count++;
    return original(linear, code);
  };
  work();
  shadow.pageFault = original;
  return count;
}
