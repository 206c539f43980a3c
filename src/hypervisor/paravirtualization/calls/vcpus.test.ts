// More than one virtual processor (xen/include/public/vcpu.h, event_channel.h; xen/common/domain.c, xen/arch/x86/domain.c of
// Xen 3.x): how the second one is made, what a context may not contain, and whose events, timers and runstates are whose.
// A guest that does it in assembly: guests/exercisers/two-processors.
import { beforeEach, describe, expect, it } from 'vitest';
import { type FrontEnd, PAGES, XenHost } from '../../xen/testing.ts';
import { EVTCHNOP, SHARED_INFO, VCPU_INFO_SIZE, VIRQ } from '../abi.ts';
import { miscounts, violations } from '../invariants.ts';
import type { PvDomain } from '../pv-domain.ts';
import { RUNSTATE } from '../pv-vcpu.ts';
import { CONTEXT, USER_REGS, VCPUOP } from './numbers.ts';

const VCPU_OP = 24;
const CONTEXT_AT = PAGES + 8 * 4096;
const EFAULT = -14,
  EEXIST = -17,
  EINVAL = -22,
  ENOENT = -2;

describe.each([false, true])('a domain with two virtual processors, PAE %s', (pae) => {
  let host: XenHost;
  let guest: FrontEnd;
  let pv: PvDomain;
  const types = () => (host.technique as unknown as { types: Parameters<typeof miscounts>[1] }).types;
  const op = (operation: number, which: number, argument = CONTEXT_AT) =>
    guest.call(VCPU_OP, operation, which, argument);
  const set = (offset: number, ...words: number[]) => guest.words(CONTEXT_AT + offset, ...words);
  const user = (name: keyof typeof USER_REGS, value: number) =>
    set(CONTEXT.userRegs + USER_REGS[name], value);
  const entry = (at: number) => host.technique.access.entryOf(pv, at);
  const shared = (offset: number) => host.pc.memory.read32(pv.sharedInfo + offset) >>> 0;
  const info = (which: number, offset: number) => host.pc.memory.read8(pv.vcpus[which].vcpuInfo + offset);
  const open = (port: number) => guest.event(EVTCHNOP.unmask, port);
  const bind = (command: number, ...words: number[]) => guest.event(command, ...words);
  /** A context as good as can be: the address space that there is. */
  const goodContext = () => {
    host.pc.memory.load(guest.frame(8) * 4096, new Uint8Array(4096));
    set(CONTEXT.cr3, pv.vcpus[0].baseFrame * 4096);
    user('eip', 0xc0100000);
    user('esp', 0xc0181000);
    user('cs', 0xe019);
    for (const name of ['ss', 'ds', 'es'] as const) user(name, 0xe021);
  };
  const start = () => {
    goodContext();
    expect([op(VCPUOP.initialise, 1), op(VCPUOP.up, 1)]).toEqual([0, 0]);
  };

  beforeEach(() => {
    host = new XenHost();
    guest = host.boot(1, { pae, vcpus: 2 });
    pv = guest.guest as unknown as PvDomain;
  });

  it('has the first one up; the second is offline until it has a state', () => {
    expect([0, 1, 2, 32, -1].map((which) => op(VCPUOP.isUp, which))).toEqual([1, 0, ENOENT, EINVAL, EINVAL]);
    expect(op(VCPUOP.up, 1), 'it has no registers').toBe(EINVAL);
    expect(op(VCPUOP.getRunstateInfo, 1)).toBe(0);
    expect(guest.guest.access.read32(guest.guest, CONTEXT_AT)).toBe(RUNSTATE.offline);
    expect(guest.domain.vcpus[1].state).toBe('blocked');
    expect(guest.ask(2, 'cpu/1/availability\0').payload, 'the toolstack says that there are two').toBe(
      'online',
    );
  });

  it('takes what the context says', () => {
    goodContext();
    user('eax', 11);
    user('ebp', 22);
    user('edi', 33);
    user('eflags', 0x3000 | 0x20000 | 0x4000 | 1);
    user('cs', 0xe018);
    set(CONTEXT.traps + 14 * 8, 14 | (4 << 8) | (0xe018 << 16), 0xc0100800);
    set(CONTEXT.kernelSs, 0xe020, 0xc0182000);
    set(CONTEXT.eventCallback, 0xe018, 0xc0100900, 0xe019, 0xc0100a00);
    expect(op(VCPUOP.initialise, 1)).toBe(0);
    const v = pv.vcpus[1];
    expect([0, 5, 7].map((n) => v.vcpu.regs[n])).toEqual([11, 22, 33]);
    expect(v.frame.eflags, 'IF; no IOPL, no V86, no nested task').toBe(0x203);
    expect(v.frame.cs, 'ring 1 at least').toBe(0xe019);
    expect(v.traps[14]).toEqual({ dpl: 0, masksEvents: true, selector: 0xe019, address: 0xc0100800 | 0 });
    expect(v.kernelStack).toEqual({ selector: 0xe021, pointer: 0xc0182000 | 0 });
    expect(v.eventCallback).toEqual({ selector: 0xe019, address: 0xc0100900 | 0 });
    expect(v.failsafeCallback.address).toBe(0xc0100a00 | 0);
    expect(pv.vcpus[0].traps[14], 'the first one’s are its own').toBe(null);
    expect([op(VCPUOP.initialise, 1), op(VCPUOP.initialise, 0)]).toEqual([EEXIST, EEXIST]);
  });

  it('takes floating-point registers when the context says that it has any', () => {
    goodContext();
    set(0, 0x2800_027f, 0x20, 0, 0, 0, 0, 0x1f80);
    set(32, 0x12345678, 0x80000000, 0x4000);
    set(160, 1, 2, 3, 4);
    set(CONTEXT.flags, 1);
    expect(op(VCPUOP.initialise, 1)).toBe(0);
    const { floatingPoint } = pv.vcpus[1].vcpu;
    expect([floatingPoint.control, floatingPoint.top, floatingPoint.occupied]).toEqual([0x27f, 5, 0x20]);
    expect([floatingPoint.lo[5], floatingPoint.hi[5] >>> 0, floatingPoint.se[5]]).toEqual([
      0x12345678, 0x80000000, 0x4000,
    ]);
    expect([...floatingPoint.xmm.slice(0, 4)]).toEqual([1, 2, 3, 4]);
  });

  it.each<[string, () => void]>([
    ['no address space', () => set(CONTEXT.cr3, 0)],
    ['a page of data as an address space', () => set(CONTEXT.cr3, guest.frame(20) * 4096)],
    ['a level-1 table as one', () => set(CONTEXT.cr3, entry(PAGES) & ~0xfff)],
    ['somebody else’s', () => set(CONTEXT.cr3, pvOf(host.boot(2, { pae })).vcpus[0].baseFrame * 4096)],
    ['the monitor’s', () => set(CONTEXT.cr3, host.hypervisor.monitor.pageDirectory)],
    ['descriptors in a page that it can write', () => set(CONTEXT.gdtFrames, guest.frame(20)) ?? set(CONTEXT.gdtEntries, 512)],
    ['descriptors in a page table', () => set(CONTEXT.gdtFrames, entry(PAGES) >>> 12) ?? set(CONTEXT.gdtEntries, 1)],
    ['fifteen pages of descriptors', () => set(CONTEXT.gdtEntries, 7169)],
    ['four milliards of descriptors', () => set(CONTEXT.gdtEntries, -1)],
    ['an LDT in Xen', () => set(CONTEXT.ldtBase, 0xfc400000, 8)],
    ['an LDT that is not at the beginning of a page', () => set(CONTEXT.ldtBase, PAGES + 8, 8)],
    ['an LDT that is too long', () => set(CONTEXT.ldtBase, PAGES, 8193)],
    ['reserved bits of MXCSR', () => set(CONTEXT.flags, 1) ?? set(24, 0x10000)],
  ])('refuses %s, and keeps nothing of it', (_, spoil) => {
    goodContext();
    spoil();
    const counts = [entry(PAGES) >>> 12, pv.vcpus[0].baseFrame, guest.frame(20)].map((f) => types().countsOf(f));
    expect(op(VCPUOP.initialise, 1)).toBe(EINVAL);
    expect([op(VCPUOP.up, 1), op(VCPUOP.isUp, 1)]).toEqual([EINVAL, 0]);
    expect([entry(PAGES) >>> 12, pv.vcpus[0].baseFrame, guest.frame(20)].map((f) => types().countsOf(f))).toEqual(counts);
    expect(miscounts(host.hypervisor, types(), pv)).toEqual([]);
    start();
  }); // biome-ignore format: a table

  it('refuses a context that is not there, whole or in part', () => {
    expect(op(VCPUOP.initialise, 1, 0x1000)).toBe(EFAULT);
    expect(op(VCPUOP.initialise, 1, 0xfc000000)).toBe(EFAULT);
    goodContext();
    guest.call(14, PAGES + 9 * 4096, 0, 0, 2);
    expect(op(VCPUOP.initialise, 1, CONTEXT_AT + 4096 - 600)).toBe(EFAULT);
    expect(pv.vcpus[1].initialised).toBe(false);
  });

  it('leaves out breakpoints in Xen, and on ports', () => {
    goodContext();
    set(CONTEXT.debugRegisters, 0xfc400000, 0x1234, 0, 0, 0, 0, 0, 0x00020001);
    expect(op(VCPUOP.initialise, 1)).toBe(0);
    expect(op(VCPUOP.up, 1)).toBe(0);
    expect(guest.callOn(1, 9, 0), 'DR0').toBe(0);
    expect(guest.callOn(1, 9, 1), 'DR1').toBe(0x1234);
    expect(guest.callOn(1, 9, 7) & 0xff, 'DR7').toBe(0);
  });
  it('an address space in use by any of them stays', () => {
    start();
    expect(types().countsOf(pv.vcpus[0].baseFrame).uses).toBe(3);
    guest.words(PAGES, PAGES + 64, 1, 0, 0, 0x7ff0);
    guest.words(PAGES + 64, pv.vcpus[1].baseFrame);
    expect(guest.call(12, 1, PAGES), 'given back').toBe(0);
    expect(violations(host.hypervisor, pv)).toEqual([]);
    expect(miscounts(host.hypervisor, types(), pv)).toEqual([]);
  });

  it('each has timer events of its own; those of the whole domain are the first one’s', () => {
    const port = (virq: number, which: number) => bind(EVTCHNOP.bindVirq, virq, which, 0);
    const timers = [0, 1].map((which) => port(VIRQ.timer, which).words[2]);
    expect(timers[0]).not.toBe(timers[1]);
    expect(port(VIRQ.timer, 1).result).toBe(EEXIST);
    expect(port(VIRQ.timer, 2).result).toBe(ENOENT);
    expect(port(VIRQ.console, 1).result).toBe(EINVAL);
    start();
    for (const timer of timers) open(timer);
    const soon = (host.hypervisor.now * 1e9) / host.pc.cost.clockHz + 1000;
    expect(guest.callOn(1, 15, soon | 0, 0)).toBe(0);
    expect([pv.vcpus[0].timer, pv.vcpus[1].timer]).toEqual([Infinity, expect.any(Number)]);
    host.technique.advance(guest.domain, pv.vcpus[1].timer);
    expect([0, 1].map((which) => info(which, SHARED_INFO.upcallPending))).toEqual([0, 1]);
    expect(shared(SHARED_INFO.evtchnPending)).toBe(1 << timers[1]);
    // Only one's own timer can be set.
    expect(op(VCPUOP.stopSingleshotTimer, 1)).toBe(EINVAL);
  });

  it('an IPI is for whom it is bound; other ports can be moved', () => {
    start();
    const ipi = bind(EVTCHNOP.bindIpi, 1, 0).words[1];
    expect(bind(EVTCHNOP.bindIpi, 2, 0).result).toBe(ENOENT);
    open(ipi);
    guest.domain.vcpus[1].state = 'blocked';
    guest.event(EVTCHNOP.send, ipi);
    expect([0, 1].map((which) => info(which, SHARED_INFO.upcallPending))).toEqual([0, 1]);
    expect(pv.vcpus[1].vcpuInfo).toBe(pv.sharedInfo + VCPU_INFO_SIZE);
    expect(guest.domain.vcpus[1].state).toBe('runnable');
    expect(guest.event(EVTCHNOP.status, 0x7ff0, ipi).words.slice(2, 4), 'an IPI, of the second').toEqual([
      5, 1,
    ]);

    expect(guest.event(EVTCHNOP.bindVcpu, ipi, 0).result).toBe(EINVAL);
    const timer = bind(EVTCHNOP.bindVirq, VIRQ.timer, 0, 0).words[2];
    expect(guest.event(EVTCHNOP.bindVcpu, timer, 1).result).toBe(EINVAL);
    const other = host.boot(2);
    const offered = guest.offer(other.domid);
    expect(guest.event(EVTCHNOP.bindVcpu, offered, 1).result).toBe(0);
    expect(guest.event(EVTCHNOP.bindVcpu, offered, 2).result).toBe(ENOENT);
    expect(guest.event(EVTCHNOP.bindVcpu, 999, 1).result).toBe(EINVAL);
    const theirs = other.event(EVTCHNOP.bindInterdomain, guest.domid, offered).words[2];
    open(offered);
    host.pc.memory.write8(pv.vcpus[1].vcpuInfo, 0);
    other.event(EVTCHNOP.send, theirs);
    expect([0, 1].map((which) => info(which, SHARED_INFO.upcallPending))).toEqual([0, 1]);
  });

  it('one that is down is not woken; the last one cannot go', () => {
    start();
    const ipi = bind(EVTCHNOP.bindIpi, 1, 0).words[1];
    open(ipi);
    expect(op(VCPUOP.down, 1)).toBe(0);
    const [first, second] = guest.domain.vcpus;
    expect([op(VCPUOP.isUp, 1), second.state, pv.vcpus[1].runstate]).toEqual([
      0,
      'blocked',
      RUNSTATE.offline,
    ]);
    guest.event(EVTCHNOP.send, ipi);
    expect([second.state, host.technique.pendingEvent(second)]).toEqual(['blocked', false]);
    expect(op(VCPUOP.down, 0)).toBe(EINVAL);
    expect(op(VCPUOP.up, 1)).toBe(0);
    expect(second.state).toBe('runnable');
    expect([op(VCPUOP.down, 0), op(VCPUOP.isUp, 0), pv.vcpus[0].up]).toEqual([0, 0, false]);
    expect(guest.callOn(1, VCPU_OP, VCPUOP.up, 0, 0)).toBe(0);
    expect(first.state).toBe('runnable');
  });

  it('TLB operations for some processors need a mask, and mean who is in it', () => {
    start();
    const extended = (command: number, mask: number) => {
      guest.words(PAGES, command, PAGES, mask);
      return guest.call(26, PAGES, 1, 0, 0x7ff0);
    };
    guest.words(PAGES + 256, 2);
    for (const command of [8, 9]) {
      expect(extended(command, PAGES + 256)).toBe(0);
      expect(extended(command, 0x1000)).toBe(EFAULT);
    }
    for (const command of [10, 11]) expect(extended(command, 0x1000), 'all: no mask is read').toBe(0);
  });
});

const pvOf = (front: FrontEnd) => front.guest as unknown as PvDomain;
