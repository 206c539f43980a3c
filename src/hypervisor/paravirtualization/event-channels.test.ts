// Event channels as Xen 3.0 has them (xen/include/public/event_channel.h, xen/common/event_channel.c): bits in shared_info
// that stand for interrupts, hypercalls that bind them, and the upcall that tells a kernel.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Domain } from '../domain.ts';
import { Console } from '../xen/console.ts';
import { EventChannels } from '../xen/event-channels.ts';
import { ERROR, EVTCHNOP, SHARED_INFO } from './abi.ts';
import { GuestAccess } from './guest-access.ts';
import type { PvDomain } from './pv-domain.ts';
import { build, PvHost, runKernel } from './testing.ts';
import '../xen/provide.ts';

describe('event_channel_op', () => {
  let host: PvHost;
  let domain: Domain;
  let pv: PvDomain;
  let events: EventChannels;
  let access: GuestAccess;
  /** A page of the guest's into which arguments are put. */
  const ARGUMENT = 0xc0300000;
  const operate = (command: number, ...words: number[]): number => {
    words.forEach((word, n) => access.write32(pv, ARGUMENT + n * 4, word));
    return events.operate(domain.vcpus[0], pv, command, ARGUMENT);
  };
  const result = (word: number) => host.word(domain, ARGUMENT + word * 4);
  const shared = (offset: number) => host.pc.memory.read32(pv.sharedInfo + offset) >>> 0;
  const mask = (offset: number, value: number) => host.pc.memory.write32(pv.sharedInfo + offset, value);
  const pendingEvent = () => host.pc.memory.read8(pv.sharedInfo + SHARED_INFO.upcallPending);

  beforeEach(() => {
    host = new PvHost();
    domain = host.boot(build('off'));
    pv = host.kept(domain);
    access = new GuestAccess(host.hypervisor);
    const console = new Console(host.hypervisor, access);
    events = new EventChannels(host.hypervisor, access, (of) => console.drain(of));
  });

  it('bind_virq gives a port of its own, once for each virtual interrupt, on the processor that there is', () => {
    expect(operate(EVTCHNOP.bindVirq, 0, 0)).toBe(0);
    const timer = result(2);
    expect(timer).toBeGreaterThan(2); // store and console have theirs from the builder
    expect(operate(EVTCHNOP.bindVirq, 1, 0)).toBe(0);
    expect(result(2)).not.toBe(timer);
    expect(operate(EVTCHNOP.bindVirq, 0, 0)).toBe(ERROR.exist);
    expect(operate(EVTCHNOP.bindVirq, 24, 0)).toBe(ERROR.inval);
    expect(operate(EVTCHNOP.bindVirq, 2, 1)).toBe(ERROR.inval);
  });

  it('an event sets the pending bit; unless the port is masked also the selector, and the upcall is due', () => {
    operate(EVTCHNOP.bindVirq, 0, 0);
    const port = result(2);
    events.raiseVirq(domain.vcpus[0], pv, 0);
    expect(shared(SHARED_INFO.evtchnPending)).toBe(1 << port);
    expect([shared(SHARED_INFO.pendingSelector), pendingEvent()], 'every port starts masked').toEqual([0, 0]);
    expect(operate(EVTCHNOP.unmask, port)).toBe(0);
    expect(shared(SHARED_INFO.evtchnMask) & (1 << port)).toBe(0);
    expect([shared(SHARED_INFO.pendingSelector), pendingEvent()], 'unmasking lets it through').toEqual([
      1, 1,
    ]);
  });

  it('an event that is pending already changes nothing: it is a level, not a count', () => {
    operate(EVTCHNOP.bindVirq, 0, 0);
    mask(SHARED_INFO.evtchnMask, 0);
    events.raiseVirq(domain.vcpus[0], pv, 0);
    mask(SHARED_INFO.pendingSelector, 0);
    events.raiseVirq(domain.vcpus[0], pv, 0);
    expect(shared(SHARED_INFO.pendingSelector)).toBe(0);
  });

  it('an unmasked event wakes a processor that blocks, a masked one does not', () => {
    const [vcpu] = domain.vcpus;
    operate(EVTCHNOP.bindIpi, 0);
    const port = result(1);
    vcpu.state = 'blocked';
    expect(operate(EVTCHNOP.send, port)).toBe(0);
    expect(vcpu.state).toBe('blocked');
    operate(EVTCHNOP.unmask, port);
    expect(vcpu.state).toBe('runnable');
  });

  it('ports of other words are found by the selector', () => {
    for (let n = 0; n < 40; n++) operate(EVTCHNOP.bindIpi, 0);
    expect(result(1)).toBeGreaterThanOrEqual(32);
    mask(SHARED_INFO.evtchnMask + 4, 0);
    operate(EVTCHNOP.send, result(1));
    expect(shared(SHARED_INFO.pendingSelector)).toBe(2);
    expect(shared(SHARED_INFO.evtchnPending + 4)).toBe(1 << (result(1) & 31));
  });

  it('status tells what a port is; close frees it, and its number is given again', () => {
    const status = (port: number) => {
      expect(operate(EVTCHNOP.status, 0x7ff0, port)).toBe(0);
      return result(2);
    };
    operate(EVTCHNOP.bindVirq, 0, 0);
    const port = result(2);
    expect(status(port), 'EVTCHNSTAT_virq').toBe(4);
    expect(operate(EVTCHNOP.close, port)).toBe(0);
    expect(status(port), 'EVTCHNSTAT_closed').toBe(0);
    expect(operate(EVTCHNOP.close, port)).toBe(ERROR.inval);
    operate(EVTCHNOP.bindIpi, 0);
    expect(result(1)).toBe(port);
    expect(status(port), 'EVTCHNSTAT_ipi').toBe(5);
    operate(EVTCHNOP.allocUnbound, 0x7ff0, 0);
    expect(status(result(1)), 'EVTCHNSTAT_unbound').toBe(1);
  });

  it('there are 1024 ports; port 0 is nobody’s', () => {
    let last = 0;
    for (let n = 0; n < 2000 && last === 0; n++) last = operate(EVTCHNOP.bindIpi, 0);
    expect(last).toBe(ERROR.nospc);
    expect(pv.ports.length).toBe(1024);
    expect(pv.ports[0].kind).toBe('free');
    for (const command of [EVTCHNOP.send, EVTCHNOP.close, EVTCHNOP.unmask])
      for (const port of [0, 1024, 0xffffffff]) expect(operate(command, port)).toBe(ERROR.inval);
  });

  it('what concerns real interrupts is not offered, nor a domain that is not there', () => {
    expect(operate(EVTCHNOP.bindInterdomain, 99, 1)).toBe(ERROR.srch);
    for (const command of [EVTCHNOP.bindPirq, 77]) expect(operate(command, 1, 1)).toBe(ERROR.nosys);
  });
});

describe('the upcall', () => {
  const setUp = `
        mov dword [callback_argument], VIRQ_TIMER
        mov ebx, EVTCHNOP_bind_virq
        mov ecx, callback_argument
        ask event_channel_op
        mov ebx, FLAT_RING1_CS
        mov ecx, callback
        mov edx, FLAT_RING1_CS
        mov esi, callback
        ask set_callbacks
        mov eax, [callback_argument + 8]
        mov [callback_argument], eax
        mov ebx, EVTCHNOP_unmask
        mov ecx, callback_argument
        ask event_channel_op`;
  const callback = `
        align 4, db 0
callback_argument: dd 0, 0, 0
callback:`;

  it('finds events masked, and the mask of before in the upper half of the pushed CS', () => {
    const { text, host } = runKernel(`
${setUp}
        sti                                     ; emulated: clears evtchn_upcall_mask
loiter: jmp loiter
${callback}
        cmp dword [esp + 4], FLAT_RING1_CS      ; it came while unmasked: the saved mask is 0
        jne wrong
        test dword [esp + 8], 0x200             ; and the pushed IF says the same
        jz wrong
        cli                                     ; the mask is 1 here; no harm in saying it again
        mov [esp - 64], esp
        put 'u'
        off
wrong:`);
    expect(text).toBe('u');
    const [upcall] = host.events('upcall');
    expect(upcall.a, 'the port').toBeGreaterThan(0);
    expect(upcall.b, 'its word').toBe(1 << upcall.a);
  });

  it('does not come while the guest masks it, however often the timer ticks', () => {
    const { host, text } = runKernel(`
${setUp}
        mov ecx, 3000000                        ; several ticks
spin:   dec ecx
        jnz spin
        put 'a'
        sti
        nop
        put 'c'
        off
${callback}
        put 'b'
        ask iret`);
    expect(text.startsWith('ab')).toBe(true);
    expect(host.events('upcall').length).toBeGreaterThan(0);
  });

  it('whose frame the guest’s stack cannot take ends the domain', () => {
    const { domain } = runKernel(`
${setUp}
        mov esp, 0x1000
        sti
loiter: jmp loiter
${callback}`);
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(/event upcall: the ring-1 stack cannot take the frame \(ESP 00001000h\)/);
  });
});
