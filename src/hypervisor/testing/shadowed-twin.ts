// One small guest twice, on a machine of its own and under shadow paging: what its user reads and writes must be the same.
import { expect } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { readLinear8, writeLinear8, writeLinear32 } from '../../machine/cpu/access.ts';
import { Cpu } from '../../machine/cpu/cpu.ts';
import { isFault } from '../../machine/cpu/fault.ts';
import { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Vcpu } from '../domain.ts';
import { FrameTable, GuestMemory } from '../frames.ts';
import { FaultIs, ShadowPaging } from '../shadow-paging.ts';
import { shadowHost } from './shadow-host.ts';

/** Frames of the guest. */
export const FRAMES = 48;
/** PDE 1023: through it every frame can be written to. */
export const WINDOW = 0xffc00000;
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

/** One guest with its page tables, and what it may do. Accesses are the user's, and tell a value or the fault. */
export interface Machine {
  store(linear: number, value: number): void;
  invalidate(linear: number): void;
  reload(): void;
  read(linear: number): string;
  write(linear: number): string;
  word(physical: number): number;
}

/** The window (PDE 1023, table in frame 15) maps every frame; the directory is frame 0. */
function tables(write32: (physical: number, value: number) => void): void {
  write32(0xffc, 0xf003);
  for (let f = 0; f < FRAMES; f++) write32(0xf000 + f * 4, (f << 12) | 3);
  for (let f = 16; f < FRAMES; f++) write32(f << 12, f);
}

/** On a machine of its own. */
export class Bare implements Machine {
  readonly memory = new PhysicalMemory(FRAMES * 4096);
  readonly cpu = processor(this.memory);
  constructor() {
    tables((physical, value) => this.memory.write32(physical, value));
  }
  store = (linear: number, value: number) => writeLinear32(this.cpu, linear, value, false);
  invalidate = (linear: number) => this.cpu.tlb.invalidate(linear);
  reload = () => this.cpu.tlb.flush();
  word = (physical: number) => this.memory.read32(physical);
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

/** Under shadow paging. */
export class Shadowed implements Machine {
  readonly memory = new PhysicalMemory(0x400000);
  readonly cpu = processor(this.memory);
  readonly guest: GuestMemory;
  readonly shadow: ShadowPaging;
  private root = -1;
  private seen: number | null = -1;
  /**
   * @param count when this changes, the TLB is flushed; null = before each access
   * @param limit shadow pages at most
   */
  constructor(
    private readonly count: 'changes' | 'reductions' | null = null,
    limit?: number,
  ) {
    const frames = new FrameTable(this.memory);
    this.guest = new GuestMemory(frames, 1, FRAMES * 4096);
    for (let n = 0; n < FRAMES; n++) this.guest.populate(n, 1);
    tables((physical, value) => this.guest.write32(physical, value));
    const host = shadowHost(frames);
    this.shadow = new ShadowPaging(host, {} as Vcpu, this.guest, limit);
    if (count) this.shadow.remembered = { forgetPage: (linear) => this.cpu.tlb.invalidate(linear) };
    this.shadow.loadCr4(PSE);
    this.shadow.loadCr3(0);
    this.shadow.loadCr0(PAGING);
  }
  store(linear: number, value: number): void {
    expect(this.attempt(() => writeLinear32(this.cpu, linear, value, false))).toBe('undefined');
  }
  invalidate = (linear: number) => this.shadow.invalidatePage(linear);
  reload = () => void this.shadow.loadCr3(0);
  word = (physical: number) => this.guest.read32(physical);
  read = (linear: number) => this.attempt(() => readLinear8(this.cpu, linear, true));
  write = (linear: number) => this.attempt(() => writeLinear8(this.cpu, linear, 0x5a, true));
  private attempt(access: () => unknown): string {
    for (let turn = 0; turn < 10; turn++) {
      const now = this.count && this.shadow[this.count];
      if (now === null || this.root !== this.shadow.root || this.seen !== now) this.cpu.tlb.flush();
      this.cpu.cr3 = this.root = this.shadow.root;
      this.seen = now;
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
