// Hypercalls that our own kernels do not make, each against what Xen's public headers say of it (xen/include/public:
// version.h, features.h, vcpu.h, sched.h, memory.h, callback.h): asked by a kernel, with results in its own memory.
import { describe, expect, it } from 'vitest';
import { runKernel } from '../testing.ts';

/** One hypercall; its result is left in `result` for a look from outside. */
const call = (name: number, ...values: (number | string)[]) => `
${['ebx', 'ecx', 'edx', 'esi', 'edi']
  .slice(0, values.length)
  .map((register, n) => `        mov ${register}, ${values[n]}`)
  .join('\n')}
        call hypercall_page + ${name} * 32
        mov [result], eax
`;
const DATA = `
        align 4096, db 0
result: dd 0x77777777
        times 15 dd 0
field:  times 4080 db 0
`;

/** Runs a kernel to its end; reads results back through its tables as they are then. */
function after(body: string, options: Parameters<typeof runKernel>[1] = {}) {
  const found = runKernel(`${body}\n        put '.'\n        off\n${DATA}`, options);
  const { host, domain } = found;
  const image = host.events('hypercall');
  expect([domain.ending, found.text.slice(-1)]).toEqual(['the guest shut down', '.']);
  // `result` lies on the last page boundary of the image: search is not needed, the kernel passes its address.
  const base = image.find((e) => e.a === 1000)?.b ?? 0;
  return { ...found, base };
}

/** The kernel tells where `result` is, by a hypercall that does not exist. */
const where = `
        mov ebx, result
        mov eax, 1000
        int 0x82
`;

function results(body: string, options: Parameters<typeof runKernel>[1] = {}) {
  const found = after(where + body, options);
  const at = (offset: number) => found.host.word(found.domain, found.base + offset);
  const text = (offset: number) => {
    let read = '';
    for (let n = offset; ; n++) {
      const machine = found.host.technique.translate(found.domain.vcpus[0], found.base + n);
      const code = found.host.pc.memory.read8(machine);
      if (!code) return read;
      read += String.fromCharCode(code);
    }
  };
  return { ...found, at, text, result: at(0) | 0 };
}
const FIELD = 64;

describe('xen_version', () => {
  it('capabilities name both forms of i386 guests', () => {
    const { result, text } = results(call(17, 3, 'field'));
    expect(result).toBe(0);
    expect(text(FIELD)).toBe('xen-3.0-x86_32 xen-3.0-x86_32p ');
  });

  it.each([
    [false, 0xfc000000],
    [true, 0xf5800000],
  ])('platform parameters say where Xen begins: PAE %s', (pae, start) => {
    expect(results(call(17, 5, 'field'), { pae }).at(FIELD)).toBe(start);
  });

  it('features: submap 0 only; preserving A and D bits, clearing and copying pages; extended CR3 once it is on', () => {
    expect(results(call(17, 6, 'field')).at(FIELD + 4)).toBe(0x60);
    expect(results(call(21, 0, 3) + call(17, 6, 'field'), { pae: true }).at(FIELD + 4)).toBe(0x70);
    expect(results(`mov dword [field], 1\n${call(17, 6, 'field')}`).result).toBe(-22);
  });

  it('version 3.0, page size, and texts that fit their fields', () => {
    expect(results(call(17, 0, 0)).result).toBe(0x30000);
    expect(results(call(17, 7, 0)).result).toBe(4096);
    expect(results(call(17, 1, 'field')).text(FIELD)).toBe('.0');
    const { text } = results(call(17, 2, 'field'));
    expect([0, 64, 80, 112].map((n) => text(FIELD + n).length > 0)).toEqual([true, true, true, true]);
    expect(results(call(17, 99, 'field')).result).toBe(-38);
    expect(results(call(17, 3, 0x1000)).result, 'no memory there').toBe(-14);
  });
});

describe('vm_assist', () => {
  it('four types can be turned on and off; others are -EINVAL, other commands -ENOSYS', () => {
    const on = results([0, 1, 2, 3].map((type) => call(21, 0, type)).join('') + call(21, 1, 1));
    expect([on.result, on.kept.assists]).toEqual([0, 0b1101]);
    expect(results(call(21, 0, 4)).result).toBe(-22);
    expect(results(call(21, 2, 0)).result).toBe(-38);
  });
});

describe('vcpu_op', () => {
  it('there is one processor, and it is up', () => {
    expect(results(call(24, 3, 0, 0)).result).toBe(1);
    expect(results(call(24, 3, 1, 0)).result).toBe(-2);
    expect(results(call(24, 0, 0, 'field')).result).toBe(-17);
  });

  it('runstate: running, and the times in the four states add up to the time since boot', () => {
    const { at, host } = results(call(24, 4, 0, 'field'));
    expect(at(FIELD)).toBe(0);
    const ns = (n: number) => at(FIELD + n) + at(FIELD + n + 4) * 2 ** 32;
    const sum = [12, 20, 28, 36].map(ns).reduce((a, b) => a + b);
    expect(ns(4), 'since when it runs').toBeLessThan(sum);
    expect(sum).toBeLessThan((host.hypervisor.now * 1e9) / host.pc.cost.clockHz);
  });

  it('a registered area is written whenever the guest gets the processor: blocked time grows while it sleeps', () => {
    const { at } = results(`
        mov dword [field + 100], field + 200
        ${call(24, 5, 0, 'field + 100')}
        ${call(24, 7, 0, 0)}
        mov edi, [ebp + START_SHARED_INFO]
        mov dword [field + 300], 3000000        ; 3 ms after the start
        mov dword [field + 304], 0
        mov dword [field + 308], 0
        ${call(24, 8, 0, 'field + 300')}
        mov ebx, field + 400                    ; the port of the timer
        mov dword [field + 400], 0
        mov dword [field + 404], 0
        mov ebx, EVTCHNOP_bind_virq
        mov ecx, field + 400
        ask event_channel_op
        mov eax, [field + 408]
        mov [field + 420], eax
        mov dword [field + 440], field + 420
        mov dword [field + 444], 1
        mov dword [field + 448], 0
        mov dword [field + 452], 0
        ${call(29, 3, 'field + 440')}`);
    const blocked = at(FIELD + 200 + 12 + 16);
    expect(at(FIELD + 200)).toBe(0);
    expect(blocked, 'nanoseconds').toBeGreaterThan(2_500_000);
    expect(blocked).toBeLessThan(3_000_000);
  });

  it('periodic timer: no less than a millisecond; single shot: a time that has passed is -ETIME when that is asked for', () => {
    expect(results(`mov dword [field], 999999\n${call(24, 6, 0, 'field')}`).result).toBe(-22);
    const { result, kept, host } = results(`mov dword [field], 2000000\n${call(24, 6, 0, 'field')}`);
    expect([result, kept.current.period]).toEqual([0, (host.pc.cost.clockHz * 2) / 1000]);
    expect(results(`mov dword [field], 1\nmov dword [field + 8], 1\n${call(24, 8, 0, 'field')}`).result).toBe(
      -62,
    );
    expect(results(call(24, 9, 0, 0)).kept.current.timer).toBe(Infinity);
  });

  it('vcpu_info can be moved once, into a page of the guest’s: events are announced there from then on', () => {
    const { at, kept, result } = results(`
        mov eax, [ebp + START_MFN_LIST]
        mov ebx, page - XEN_VIRT_BASE
        shr ebx, 12
        mov eax, [eax + ebx * 4]
        mov [field], eax
        mov dword [field + 8], 128
        ${call(24, 10, 0, 'field')}
        mov eax, [page + 128]
        mov [field + 32], eax
        mov dword [field], eax
        ${call(24, 10, 0, 'field')}
        jmp over
        align 4096, db 0
page:   times 4096 db 0
over:`);
    expect(at(FIELD + 32) & 0xffff, 'masked, and everything to be looked at').toBe(0x0101);
    expect(result, 'a second time').toBe(-22);
    expect(kept.current.vcpuInfo & 0xfff).toBe(128);
    expect(kept.current.vcpuInfo).not.toBe(kept.sharedInfo);
  });
});

describe('sched_op', () => {
  it('poll comes back by its time-out when nothing happens', () => {
    const { result, host } = results(`
        mov dword [field], field + 64
        mov dword [field + 4], 0
        mov dword [field + 8], 4000000
        mov dword [field + 12], 0
        ${call(29, 3, 'field')}`);
    expect(result).toBe(0);
    expect((host.hypervisor.now * 1e9) / host.pc.cost.clockHz).toBeGreaterThan(4_000_000);
  });

  it('poll with more ports than it takes, or one that does not exist', () => {
    expect(results(`mov dword [field + 4], 129\n${call(29, 3, 'field')}`).result).toBe(-22);
    const bad = `mov dword [field], field + 64\nmov dword [field + 4], 1\nmov dword [field + 64], 1024\n`;
    expect(results(bad + call(29, 3, 'field')).result).toBe(-22);
  });
});

describe('memory_op', () => {
  const self = 'mov dword [field + 100], DOMID_SELF\n';

  it('reservations in pages, of oneself only', () => {
    expect(results(self + call(12, 3, 'field + 100')).result).toBe(1024);
    expect(results(self + call(12, 4, 'field + 100')).result).toBe(1024);
    expect(results(`mov dword [field + 100], 1\n${call(12, 3, 'field + 100')}`).result).toBe(-1);
    expect(results(call(12, 2, 0)).result).toBe(4096);
  });

  it('the memory map is one piece of RAM from 0', () => {
    const { at, result } = results(
      `mov dword [field], 8\nmov dword [field + 4], field + 100\n${call(12, 9, 'field')}`,
    );
    expect([result, at(FIELD)]).toEqual([0, 1]);
    expect([0, 4, 8, 12, 16].map((n) => at(FIELD + 100 + n))).toEqual([0, 0, 4 << 20, 0, 1]);
  });

  it.each([
    [false, 0xfc000000, 0xfc400000],
    [true, 0xf5800000, 0xf6800000],
  ])('the machine-to-physical table is mapped where it is: PAE %s', (pae, start, end) => {
    const { at } = results(call(12, 12, 'field'), { pae });
    expect([at(FIELD), at(FIELD + 4)]).toEqual([start, end]);
    expect(at(FIELD + 8)).toBe((end - start) / 4 - 1);
  });

  it('its frames are told in steps of 2 MiB', () => {
    const { at, host } = results(
      `mov dword [field], 4\nmov dword [field + 4], field + 100\n${call(12, 5, 'field')}`,
    );
    expect([at(FIELD + 8), at(FIELD + 100)]).toEqual([1, host.hypervisor.monitor.m2p >>> 12]);
  });

  /** A balloon of one page, the last of the domain's memory: `page` is its number. */
  const balloon = `
        mov eax, [ebp + START_MFN_LIST]
        mov eax, [eax + 1000 * 4]
        mov [field + 64], eax
        mov [field + 72], eax
        mov dword [field], field + 64
        mov dword [field + 4], 1
        mov dword [field + 8], 0
        mov dword [field + 12], 0
        mov dword [field + 16], DOMID_SELF
`;

  it('a frame given back is nobody’s and its reservation is smaller; populate_physmap brings another for the page', () => {
    const { at, result, domain, host } = results(`
        ${balloon}
        ${call(12, 1, 'field')}
        mov [field + 200], eax
        ${self}
        ${call(12, 3, 'field + 100')}
        mov [field + 204], eax
        mov dword [field + 64], 1000
        ${call(12, 6, 'field')}
        mov [field + 208], eax
        ${call(12, 3, 'field + 100')}`);
    expect([200, 204, 208].map((n) => at(FIELD + n))).toEqual([1, 1023, 1]);
    expect(result).toBe(1024);
    const frame = at(FIELD + 64);
    expect(domain.memory.p2m[1000]).toBe(frame);
    expect(host.hypervisor.frames.owner[frame]).toBe(1);
    expect(host.pc.memory.read32(host.hypervisor.monitor.m2p + frame * 4)).toBe(1000);
  });

  it('a frame that is still mapped stays the domain’s until it is not', () => {
    const { host, at, result } = results(`
        mov eax, [ebp + START_MFN_LIST]
        mov ebx, page - XEN_VIRT_BASE
        shr ebx, 12
        mov eax, [eax + ebx * 4]
        mov [field + 64], eax
        mov [field + 72], eax
        mov dword [field], field + 64
        mov dword [field + 4], 1
        mov dword [field + 16], DOMID_SELF
        ${call(12, 1, 'field')}
        mov eax, [page]
        mov [field + 200], eax
        mov ebx, page
        xor ecx, ecx
        xor edx, edx
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        mov dword [result], 0
        jmp over
        align 4096, db 0
page:   times 1024 dd 0x12345678
over:`);
    expect(result).toBe(0);
    expect(at(FIELD + 200), 'its content is there until the last mapping is gone').toBe(0x12345678);
    expect(host.hypervisor.frames.owner[at(FIELD + 72)]).toBe(-1);
    expect(host.pc.memory.read32(at(FIELD + 72) * 4096), 'and nobody reads it afterwards').toBe(0);
  });

  it('what is not the domain’s, or more than its maximum, ends the list where it stands', () => {
    const foreign = results(`${balloon}\nmov dword [field + 64], 1\n${call(12, 1, 'field')}`);
    expect(foreign.result).toBe(0);
    expect(results(balloon + call(12, 0, 'field')).result, 'nothing was given back').toBe(0);
    const shared = results(`${balloon}
        mov eax, [ebp + START_SHARED_INFO]
        shr eax, 12
        mov [field + 64], eax
        ${call(12, 1, 'field')}`);
    expect(shared.result, 'shared_info stays').toBe(0);
    expect(results(`${balloon}\nmov dword [field + 16], 0\n${call(12, 1, 'field')}`).result).toBe(-1);
  });

  it('exchange: one frame for another, the page keeps its number', () => {
    const { at, result, domain } = results(`
        ${balloon}
        mov dword [field + 20], field + 68
        mov dword [field + 24], 1
        mov dword [field + 28], 0
        mov dword [field + 36], DOMID_SELF
        mov dword [field + 40], 0
        mov dword [field + 68], 1000
        ${call(12, 11, 'field')}`);
    expect([result, at(FIELD + 40)]).toEqual([0, 1]);
    expect(domain.memory.p2m[1000]).toBe(at(FIELD + 68));
    expect(at(FIELD + 68)).not.toBe(at(FIELD + 72));
  });
});

describe('debug registers', () => {
  it('are the guest’s own while it runs, and nobody’s afterwards', () => {
    const { result, host } = results(call(8, 0, 0x1234) + call(8, 7, 0x401) + call(9, 0));
    expect(result).toBe(0x1234);
    expect([host.pc.cpu.dr[0], host.pc.cpu.dr[7]]).toEqual([0, 0x400]);
  });

  it.each([
    ['an address of Xen', 0, 0xfc000000, -1],
    ['breakpoints on ports', 7, 0x20001, -1],
    ['general detect', 7, 0x2000, -1],
    ['a register that does not exist', 4, 0, -22],
  ])('%s is refused', (_, register, value, error) => {
    expect(results(call(8, register, value)).result).toBe(error);
  });

  it('a data breakpoint of the guest’s is its own #DB', () => {
    const { text } = runKernel(`
        handle 1, debug
        ${call(8, 0, 'watched')}
        ${call(8, 7, 0x000d0001)}
        mov dword [watched], 1
        crash
debug:  put 'D'
        ${call(9, 6)}
        test eax, 1
        jz wrong
        put '0'
        off
wrong:  crash
watched: dd 0
${DATA}`);
    expect(text).toBe('D0');
  });
});

describe('callbacks', () => {
  it('callback_op registers what set_callbacks does, and knows the other types', () => {
    const register = (type: number) =>
      `mov dword [field], ${type}\nmov dword [field + 4], FLAT_RING1_CS\nmov dword [field + 8], 0x1234\n${call(30, 0, 'field')}`;
    expect(results(register(0)).kept.current.eventCallback).toEqual({ selector: 0xe019, address: 0x1234 });
    expect(results(register(1)).kept.current.failsafeCallback).toEqual({ selector: 0xe019, address: 0x1234 });
    expect(results(register(2)).result, 'syscall is of 64 bits').toBe(-22);
    expect(results(register(4)).result).toBe(0);
    expect(results(`mov dword [field], 0\n${call(30, 1, 'field')}`).result).toBe(-22);
  });
});

describe('what a domain without privileges is refused', () => {
  it.each([
    ['update_va_mapping_otherdomain of another domain', 22, [0, 0, 0, 0, 0], -1],
    ['physdev_op', 33, [0, 0], -1],
    ['set_segment_base (64 bits)', 25, [0, 0], -38],
    ['domctl', 36, [0], -38],
  ])('%s', (_, number, values, error) => {
    expect(results(call(number, ...values)).result).toBe(error);
  });
});

describe('mmuext_op on pages', () => {
  const extended = (command: number, first: string, second: string) => `
        mov dword [field], ${command}
        mov eax, ${first}
        mov [field + 4], eax
        mov eax, ${second}
        mov [field + 8], eax
        ${call(26, 'field', 1, 0, 'DOMID_SELF')}`;
  const frames = `
        mov edi, [ebp + START_MFN_LIST]
        mov eax, [edi + 1000 * 4]
        mov [field + 200], eax
        mov eax, [edi + 0x100 * 4]
        mov [field + 204], eax
        mov eax, [ebp + START_PT_BASE]
        sub eax, XEN_VIRT_BASE
        shr eax, 12
        mov eax, [edi + eax * 4]
        mov [field + 208], eax`;

  it('CLEAR_PAGE and COPY_PAGE write pages, and no page table', () => {
    const copied = results(frames + extended(17, '[field + 200]', '[field + 204]'));
    const { host, at } = copied;
    const words = (frame: number) => [0, 4, 8].map((n) => host.pc.memory.read32(frame * 4096 + n));
    expect([copied.result, words(at(FIELD + 200))]).toEqual([0, words(at(FIELD + 204))]);
    const cleared = results(
      frames + extended(17, '[field + 200]', '[field + 204]') + extended(16, '[field + 200]', '0'),
    );
    expect(cleared.result).toBe(0);
    expect(cleared.host.pc.memory.read32(cleared.at(FIELD + 200) * 4096)).toBe(0);
    for (const command of [16, 17]) {
      expect(
        results(frames + extended(command, '[field + 208]', '[field + 204]')).result,
        'a directory',
      ).toBe(-22);
      expect(results(frames + extended(command, '1', '1')).result, 'somebody else’s').toBe(-22);
    }
  });

  it('levels that there are not are taken no notice of; what is no command, nobody knows', () => {
    expect(results(extended(3, '0', '0')).result).toBe(0);
    expect(results(extended(2, '0', '0')).result).toBe(0);
    expect(results(extended(2, '0', '0'), { pae: true }).result).toBe(-22);
    expect(results(extended(15, '0', '0')).result).toBe(-38);
    expect(results(extended(99, '0', '0')).result).toBe(-38);
  });
});

describe('CPUID behind the prefix of Xen', () => {
  it('tells about Xen, and hides what a guest has no use for', () => {
    const cpuid = (leaf: string) => `
        mov eax, ${leaf}
        db 0x0f, 0x0b, 'xen', 0x0f, 0xa2
        mov [field], eax
        mov [field + 4], ebx
        mov [field + 8], ecx
        mov [field + 12], edx`;
    const xen = results(cpuid('0x40000000'));
    expect(xen.at(FIELD)).toBe(0x40000002);
    expect(xen.text(FIELD + 4).slice(0, 12)).toBe('XenVMMXenVMM');
    expect(results(cpuid('0x40000001')).at(FIELD)).toBe(0x30000);
    const { at } = results(cpuid('1'));
    expect(at(FIELD + 12) & (1 << 6), 'PAE stays').not.toBe(0);
    expect(at(FIELD + 12) & (1 << 3), 'PSE is not for guests').toBe(0);
    expect(at(FIELD + 8) & (1 << 5), 'nor is VMX').toBe(0);
  });
});
