// Time as Xen 3.0 gives it to a kernel (xen/include/public/xen.h, struct vcpu_time_info; xen/arch/x86/time.c;
// xen/common/schedule.c): a stamp from which the guest computes nanoseconds by itself, ticks while it runs, one timer.
import { describe, expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { SHARED_INFO } from './abi.ts';
import { build, PvHost, runKernel } from './testing.ts';

const HZ = costModel('prescott').clockHz;

/** A kernel that counts its timer interrupts in `ticks`. */
const counting = (body: string) => `
        mov ebx, EVTCHNOP_bind_virq
        mov ecx, port
        ask event_channel_op
        mov eax, [port + 8]
        mov [port], eax
        mov ebx, EVTCHNOP_unmask
        mov ecx, port
        ask event_channel_op
        mov ebx, FLAT_RING1_CS
        mov ecx, callback
        mov edx, ebx
        mov esi, ecx
        ask set_callbacks
${body}
        align 4, db 0
port:   dd VIRQ_TIMER, 0, 0
ticks:  dd 0
callback:
        push eax
        push ebx
        inc dword [ticks]
        mov eax, [ebp + START_MFN_LIST]         ; shared_info is no page of ours: make it one at [shared]
        mov ebx, [shared]
        mov eax, [port]
        mov byte [ebx + VCPU_UPCALL_PENDING], 0
        mov dword [ebx + VCPU_PENDING_SEL], 0
        btr [ebx + SHARED_PENDING], eax
        pop ebx
        pop eax
        push eax                                ; the frame that HYPERVISOR_iret wants: EAX below it
        jmp hypercall_page + HYPERVISOR_iret * 32 + 1
shared: dd XEN_VIRT_BASE + 0x3fd000
`;

/** Maps shared_info at [shared], as a kernel does that wants to see its events. */
const mapShared = `
        mov ebx, [shared]
        mov ecx, [ebp + START_SHARED_INFO]
        or ecx, 3
        xor edx, edx
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        test eax, eax
        jnz wrong`;

/** The text of a domain's words in shared_info. */
const look = (host: PvHost, domain: ReturnType<PvHost['boot']>) => {
  const at = host.kept(domain).sharedInfo;
  return (offset: number) => host.pc.memory.read32(at + offset) >>> 0;
};
const wide = (low: number, high: number) => high * 2 ** 32 + low;

describe('vcpu_time_info', () => {
  it('lets the guest turn its time-stamp counter into nanoseconds: ((TSC - stamp) << shift) * multiplier >> 32', () => {
    const host = new PvHost();
    const domain = host.boot(build('again: jmp again'));
    host.run(HZ / 10);
    const word = look(host, domain);
    const shift = (word(SHARED_INFO.tscShift) << 24) >> 24;
    const multiplier = word(SHARED_INFO.tscMultiplier);
    expect(multiplier, 'normalized: the top bit is set').toBeGreaterThanOrEqual(2 ** 31);
    const second = shift >= 0 ? HZ * 2 ** shift : HZ / 2 ** -shift;
    expect((second * multiplier) / 2 ** 32 / 1e9).toBeCloseTo(1, 8);
  });

  it('is stamped at every entry, and its version is even when nobody writes', () => {
    const host = new PvHost();
    const domain = host.boot(build('again: jmp again'));
    host.run(HZ / 50);
    const word = look(host, domain);
    const stamp = wide(word(SHARED_INFO.tscTimestamp), word(SHARED_INFO.tscTimestamp + 4));
    const system = wide(word(SHARED_INFO.systemTime), word(SHARED_INFO.systemTime + 4));
    const version = word(SHARED_INFO.timeVersion);
    expect(version % 2).toBe(0);
    expect(system).toBe(Math.floor((stamp * 1e9) / HZ));
    const entries = host.events('entry', 1).length;
    host.run(HZ / 50);
    expect(word(SHARED_INFO.timeVersion) - version).toBe(2 * (host.events('entry', 1).length - entries));
    expect(wide(word(SHARED_INFO.tscTimestamp), word(SHARED_INFO.tscTimestamp + 4))).toBeGreaterThan(stamp);
  });

  it('the wall clock at boot is the host’s: 5 December 2005, the day Xen 3.0 came out', () => {
    const host = new PvHost();
    const seconds = look(host, host.boot(build('off')))(SHARED_INFO.wallclockSeconds);
    expect(new Date(seconds * 1000).toISOString()).toBe('2005-12-05T10:00:00.000Z');
  });
});

describe('VIRQ_TIMER', () => {
  it('ticks a hundred times a second while the guest runs', () => {
    const { host } = runKernel(
      counting(`
${mapShared}
        sti
again:  jmp again
wrong:  crash`),
      { cycles: HZ / 2 },
    );
    const ticks = host.events('upcall').length;
    expect(ticks).toBeGreaterThanOrEqual(48);
    expect(ticks).toBeLessThanOrEqual(50);
  });

  it('does not tick while the guest blocks: only the timer that it set wakes it, at that time', () => {
    const { host, domain } = runKernel(
      counting(`
${mapShared}
        mov ebx, 300000000                      ; absolute nanoseconds since the host started
        xor ecx, ecx
        ask set_timer_op
        mov ebx, SCHEDOP_block
        ask sched_op
        off
wrong:  crash`),
      { cycles: HZ },
    );
    expect(domain.state).toBe('halted');
    const upcalls = host.events('upcall');
    expect(upcalls.length).toBe(1);
    expect(upcalls[0].time / HZ).toBeGreaterThanOrEqual(0.3);
    expect(upcalls[0].time / HZ).toBeLessThan(0.301);
  });

  it('ticks that were missed while others ran are one tick', () => {
    const host = new PvHost();
    const domain = host.boot(
      build(
        counting(`
${mapShared}
        sti
again:  jmp again
wrong:  crash`),
      ),
    );
    host.run(HZ / 20);
    const before = host.events('upcall', 1).length;
    domain.state = 'paused';
    host.loop.run(host.hypervisor.now + HZ);
    domain.state = 'running';
    host.run(HZ / 1000);
    expect(host.events('upcall', 1).length - before).toBe(1);
  });
});

describe('set_timer_op', () => {
  it('a time that is over fires at once; 0 turns the timer off', () => {
    const { host, domain } = runKernel(
      counting(`
${mapShared}
        mov ebx, 1
        xor ecx, ecx
        ask set_timer_op
        mov ebx, SCHEDOP_block
        ask sched_op
        put '1'
        mov ebx, 900000000
        xor ecx, ecx
        ask set_timer_op
        xor ebx, ebx
        xor ecx, ecx
        ask set_timer_op
        mov ebx, SCHEDOP_block
        ask sched_op
        put '2'
wrong:  crash`),
      { cycles: 2 * HZ },
    );
    expect(domain.consoleOutput).toBe('1');
    expect(host.events('upcall')[0].time / HZ).toBeLessThan(0.001);
    expect(domain.vcpus[0].state).toBe('blocked');
  });
});
