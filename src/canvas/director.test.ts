import { describe, expect, it } from 'vitest';
import { Channel, Device, Emulated, Kind, Shadow, type TraceEvent, Vendor } from '../trace/events.ts';
import { Director } from './director.ts';

const PENGUIN = {
  id: 0,
  name: 'Penguin',
  technique: 'paravirtualization',
  kernelRing: 1,
  nonRoot: false,
} as const;
const PANES = { id: 1, name: 'Panes', technique: 'vt-x', kernelRing: 0, nonRoot: true } as const;
const BARE = { id: 2, name: 'Bare', technique: 'native', kernelRing: 0, nonRoot: false } as const;

/** A director, and `play`: gives it events in order and tells each cue as `meaning from→to`, or `-` for no mark. */
function stage() {
  const director = new Director();
  director.setColumns([PENGUIN, PANES, BARE]);
  let seq = 0;
  const event = (domain: number, kind: number, ...args: number[]): TraceEvent => {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = args;
    return { seq: seq++, time: 0, kind, domain, vcpu: 0, eip: 0, a, b, c, d, e, cost: 0 };
  };
  const play = (domain: number, kind: number, ...args: number[]): string => {
    const cue = director.cue(event(domain, kind, ...args));
    if (!cue) return '-';
    const { from, to } = cue;
    if (from.domain !== to.domain)
      return `${cue.meaning} ${from.domain}:${from.place}→${to.domain}:${to.place}`;
    return `${cue.meaning} ${from.place === to.place ? `at ${to.place}` : `${from.place}→${to.place}`}`;
  };
  const lose = (count: number) => {
    seq += count;
  };
  return { play, lose };
}

describe('a paravirtualized guest', () => {
  it('makes system calls without the hypervisor', () => {
    const { play } = stage();
    expect(play(0, Kind.interrupt, 0x80, -1, 3, 1, 2)).toBe('syscall user→kernel');
    expect(play(0, Kind.ring, 1, 3)).toBe('syscall kernel→user');
  });

  it('knocks by hypercall: down, handled, up', () => {
    const { play } = stage();
    play(0, Kind.interrupt, 0x80, -1, 3, 1, 2);
    expect(play(0, Kind.interrupt, 0x82, -1, 1, 0, 2)).toBe('hypercall at kernel');
    expect(play(0, Kind.exit, 0x82, 0, 0, 2, Vendor.xen)).toBe('hypercall kernel→hypervisor');
    expect(play(0, Kind.hypercall, 18, 0, 5, 0, 5)).toBe('hypercall at hypervisor');
    expect(play(0, Kind.pageTable, 0x1000, 0x2067, 1, 0)).toBe('paging hypervisor→mmu');
    expect(play(0, Kind.ring, 0, 1)).toBe('hypercall at kernel');
    expect(play(0, Kind.entry, -1, 1)).toBe('hypercall hypervisor→kernel');
  });

  it('falls through when it traps', () => {
    const { play } = stage();
    expect(play(0, Kind.ring, 1, 3)).toBe('-');
    expect(play(0, Kind.interrupt, 14, 6, 3, 0, 0)).toBe('exit at user');
    expect(play(0, Kind.exit, 14, 0x1000, 6, 0, Vendor.xen)).toBe('exit user→hypervisor');
    expect(play(0, Kind.inject, 14, 6, 0)).toBe('inject at hypervisor');
    expect(play(0, Kind.entry, 14, 1)).toBe('inject hypervisor→kernel');
  });

  it('gets its events by upcall', () => {
    const { play } = stage();
    expect(play(0, Kind.exit, 0x20, 0, 0, 0, Vendor.xen)).toBe('inject guest→hypervisor');
    expect(play(0, Kind.upcall, 2, 1, 0)).toBe('inject at hypervisor');
    expect(play(0, Kind.entry, -1, 3)).toBe('inject hypervisor→user');
  });

  it('is shown where it lies silently', () => {
    expect(stage().play(0, Kind.hole, 12, 0x202, 2)).toBe('hole at kernel');
  });
});

describe('an unmodified guest under VT-x', () => {
  it('exits, is emulated, and is entered again', () => {
    const { play } = stage();
    play(1, Kind.interrupt, 0x30, -1, 3, 0, 2);
    expect(play(1, Kind.exit, 28, 3, 0, 3, Vendor.vmx)).toBe('exit kernel→hypervisor');
    expect(play(1, Kind.emulate, Emulated.crWrite, 3, 0x5000)).toBe('paging at hypervisor');
    expect(play(1, Kind.shadow, Shadow.switchRoot, 0, 0x5000, 0x9000)).toBe('paging hypervisor→mmu');
    expect(play(1, Kind.entry, -1, 0)).toBe('exit hypervisor→kernel');
  });

  it('does not claim a ring, or a reason, after events were left out', () => {
    const { play, lose } = stage();
    play(1, Kind.interrupt, 0x30, -1, 3, 0, 2);
    lose(100);
    expect(play(1, Kind.exit, 30, 0x200009, 0, 1, Vendor.vmx)).toBe('exit guest→hypervisor');
    lose(100);
    expect(play(1, Kind.ring, 0, 3)).toBe('-');
    lose(100);
    expect(play(0, Kind.entry, -1, 1)).toBe('-');
    lose(100);
    expect(play(1, Kind.entry, -1, 0)).toBe('exit hypervisor→kernel');
  });

  it('is interrupted by the hardware, not by its own doing', () => {
    const { play } = stage();
    expect(play(-1, Kind.irq, 0x20, 0)).toBe('inject timer→hypervisor');
    expect(play(1, Kind.exit, 1, 0, 0, 0, Vendor.vmx)).toBe('inject guest→hypervisor');
  });

  it('has virtual devices, inside the hypervisor; what comes out of them leaves it', () => {
    const { play } = stage();
    expect(play(1, Kind.device, Device.serial, 1, 0x3f8, 65, 1)).toBe('device at hypervisor');
    expect(play(1, Kind.device, Device.keyboard, 0, 0x60, 30, 1)).toBe('device at hypervisor');
    expect(play(1, Kind.output, 65, Channel.serial)).toBe('device hypervisor→serial');
  });
});

describe('the bare machine', () => {
  it('has nobody in between', () => {
    const { play } = stage();
    expect(play(2, Kind.device, Device.pit, 1, 0x43, 0x34, 1)).toBe('device kernel→timer');
    expect(play(2, Kind.addressSpace, 0x5000, 0x4000)).toBe('paging kernel→mmu');
    expect(play(2, Kind.irq, 0x21, 1)).toBe('inject keyboard→kernel');
    expect(play(2, Kind.interrupt, 0x21, -1, 3, 0, 1)).toBe('inject user→kernel');
    expect(play(2, Kind.ring, 0, 3)).toBe('inject kernel→user');
  });
});

describe('the host', () => {
  it('programs the hardware itself', () => {
    expect(stage().play(-1, Kind.device, Device.pit, 1, 0x40, 0x2d, 1)).toBe('device hypervisor→timer');
  });

  it('goes from one guest to the other, or to rest', () => {
    const { play } = stage();
    expect(play(-1, Kind.schedule, 0, 1, 1)).toBe('schedule 0:hypervisor→1:hypervisor');
    expect(play(-1, Kind.schedule, 1, -1, 2)).toBe('schedule 1:hypervisor→-1:processor');
  });

  it('has no marks for a domain that is not on the stage', () => {
    expect(stage().play(9, Kind.exit, 28, 3, 0, 3, Vendor.vmx)).toBe('-');
  });
});
