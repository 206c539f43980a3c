// INVLPG that leaves a table out of sync: what a shadow that is out of date must not bring back.
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

const FRAMES = 48;
const WINDOW = 0xffc00000;
const PAGING = 0x80010001 | 0;
const PSE = 0x10;
const ports = { read: () => 0xff, write: () => {} };
const noInterrupts = { pending: () => false, acknowledge: () => 0 };

function processor(memory: PhysicalMemory): Cpu {
  const cpu = new Cpu(memory, costModel('prescott'), new Recorder(16), ports, noInterrupts);
  cpu.cr0 = PAGING;
  cpu.cr4 = PSE;
  return cpu;
}

interface Machine {
  store(linear: number, value: number): void;
  invalidate(linear: number): void;
  reload(): void;
  read(linear: number): string;
  write(linear: number): string;
}

/** The window (PDE 1023, table in frame 15) maps every frame; the directory is frame 0. */
function tables(write32: (physical: number, value: number) => void): void {
  write32(0xffc, 0xf003);
  for (let f = 0; f < FRAMES; f++) write32(0xf000 + f * 4, (f << 12) | 3);
  for (let f = 16; f < FRAMES; f++) write32(f << 12, f);
}

class Bare implements Machine {
  readonly memory = new PhysicalMemory(FRAMES * 4096);
  readonly cpu = processor(this.memory);
  constructor() {
    tables((physical, value) => this.memory.write32(physical, value));
  }
  store = (linear: number, value: number) => writeLinear32(this.cpu, linear, value, false);
  invalidate = (linear: number) => this.cpu.tlb.invalidate(linear);
  reload = () => this.cpu.tlb.flush();
  read = (linear: number) => this.attempt(() => readLinear8(this.cpu, linear, true));
  write = (linear: number) => this.attempt(() => writeLinear8(this.cpu, linear, 0x5a, true));
  private attempt(access: () => unknown): string {
    try {
      return `${access()}`;
    } catch (caught) {
      if (!isFault(caught)) throw caught;
      return `#PF(${caught.errorCode})`;
    }
  }
}

class Shadowed implements Machine {
  readonly memory = new PhysicalMemory(0x400000);
  readonly cpu = processor(this.memory);
  readonly guest: GuestMemory;
  readonly shadow: ShadowPaging;
  constructor() {
    const frames = new FrameTable(this.memory);
    this.guest = new GuestMemory(frames, 1, FRAMES * 4096);
    for (let n = 0; n < FRAMES; n++) this.guest.populate(n, 1);
    tables((physical, value) => this.guest.write32(physical, value));
    const host = { frames, charge: () => 0, record: () => {} };
    this.shadow = new ShadowPaging(host, {} as Vcpu, this.guest);
    this.shadow.loadCr4(PSE);
    this.shadow.loadCr3(0);
    this.shadow.loadCr0(PAGING);
  }
  store(linear: number, value: number): void {
    expect(this.attempt(() => writeLinear32(this.cpu, linear, value, false))).toBe('undefined');
  }
  invalidate = (linear: number) => this.shadow.invalidatePage(linear);
  reload = () => void this.shadow.loadCr3(0);
  read = (linear: number) => this.attempt(() => readLinear8(this.cpu, linear, true));
  write = (linear: number) => this.attempt(() => writeLinear8(this.cpu, linear, 0x5a, true));
  private attempt(access: () => unknown): string {
    for (let turn = 0; turn < 10; turn++) {
      this.cpu.cr3 = this.shadow.root;
      this.cpu.tlb.flush();
      try {
        return `${access()}`;
      } catch (caught) {
        if (!isFault(caught)) throw caught;
        const was = this.shadow.pageFault(caught.address, caught.errorCode);
        if (was === FaultIs.guests) return `#PF(${this.shadow.guestError})`;
      }
    }
    throw new Error('no end of hidden faults');
  }
}

const X = 0;
const Y = 0x1000;
/** Table A is in frame 4; X and Y are its first two pages, at 20h and 21h, below PDE 0. */
const PDE = WINDOW;
const A = WINDOW + 0x4000;

function both(story: (machine: Machine) => string[]): void {
  expect(story(new Shadowed())).toEqual(story(new Bare()));
}

function begin(machine: Machine): void {
  machine.store(A, 0x20007);
  machine.store(A + 4, 0x21007);
  machine.store(PDE, 0x4007);
  machine.reload();
  machine.read(X);
  machine.read(Y);
}

describe('INVLPG with a table out of sync', () => {
  it('a page table that is freed and used again has none of its old entries (each page invalidated after its PDE went)', () => {
    both((machine) => {
      begin(machine);
      // munmap, as Linux does: entries, then the table, then INVLPG of each page.
      machine.store(A, 0);
      machine.store(A + 4, 0);
      machine.store(PDE, 0);
      machine.invalidate(X);
      machine.invalidate(Y);
      // The same frame is a table again, with one page in it.
      machine.store(A, 0x22007);
      machine.store(PDE, 0x4007);
      return [machine.read(X), machine.read(Y), machine.write(Y)];
    });
  });

  it('the same, at another place of the address space', () => {
    both((machine) => {
      begin(machine);
      machine.store(A, 0);
      machine.store(A + 4, 0);
      machine.store(PDE, 0);
      machine.invalidate(X);
      machine.invalidate(Y);
      machine.store(A, 0x22007);
      machine.store(PDE + 8, 0x4007);
      return [machine.read(0x800000 + X), machine.read(0x800000 + Y)];
    });
  });

  it('a directory entry that loses its U bit for a while does not bring back what was invalidated meanwhile', () => {
    both((machine) => {
      begin(machine);
      machine.store(A + 8, 0x23007);
      machine.store(PDE, 0x4003);
      machine.invalidate(X);
      machine.invalidate(Y);
      machine.store(A + 4, 0x24007);
      machine.invalidate(Y);
      machine.store(PDE, 0x4007);
      machine.invalidate(X);
      machine.invalidate(Y);
      return [machine.read(X), machine.read(Y)];
    });
  });

  it('a table that is put below a second directory entry is new there', () => {
    both((machine) => {
      begin(machine);
      machine.store(A + 4, 0x24007);
      machine.store(PDE + 4, 0x4007);
      return [machine.read(0x400000 + X), machine.read(0x400000 + Y)];
    });
  });

  it('drops what is remembered of all directory entries, whatever page it names (SDM vol. 3 §4.10.4.1)', () => {
    both((machine) => {
      begin(machine);
      const Z = 0x3000;
      machine.store(PDE + 8, 0x4007);
      const seen = [machine.read(0x800000)];
      // Table B in frame 5 takes the place of A below PDE 0; no page of it but X and Y can be remembered.
      machine.store(WINDOW + 0x500c, 0x25007);
      machine.store(PDE, 0x5007);
      machine.invalidate(0x800000);
      machine.store(A + 12, 0x23007);
      return [...seen, machine.read(0x800000 + Z), machine.read(Z)];
    });
  });

  it('a large page that gets a reserved bit is a page fault after INVLPG', () => {
    both((machine) => {
      machine.store(PDE + 4, 0x87);
      const before = machine.read(0x400000 + 0x20000);
      machine.store(PDE + 4, 0x20a7);
      machine.invalidate(0x400000 + 0x20000);
      return [before, machine.read(0x400000 + 0x20000)];
    });
  });

  it('a large page that gets a reserved bit is a page fault after CR3', () => {
    both((machine) => {
      machine.store(PDE + 4, 0x87);
      const before = machine.read(0x400000 + 0x20000);
      machine.store(PDE + 4, 0x20a7);
      machine.reload();
      return [before, machine.read(0x400000 + 0x20000)];
    });
  });
});
