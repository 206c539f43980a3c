// What a kernel finds when it starts under Xen 3.0 without PAE (xen/include/public/xen.h "Start-of-day memory layout",
// tools/libxc/xc_linux_build.c): read through the guest's own page tables, or by the guest itself.
import { describe, expect, it } from 'vitest';
import { TYPE } from './page-types.ts';
import { build, PvHost, runKernel } from './testing.ts';

const PAGE = 4096;
/** Offsets of struct start_info on i386, from the public header. */
const NR_PAGES = 32,
  SHARED_INFO = 36,
  STORE_MFN = 44,
  CONSOLE_MFN = 52,
  CONSOLE_EVTCHN = 56,
  PT_BASE = 60,
  NR_PT_FRAMES = 64,
  MFN_LIST = 68,
  MOD_START = 72,
  MOD_LEN = 76,
  CMD_LINE = 80;

function boot(options: Parameters<PvHost['boot']>[2] = {}) {
  const host = new PvHost();
  const domain = host.boot(build('off'), 1, options);
  const info = domain.vcpus[0].regs[6] >>> 0;
  const at = (offset: number) => host.word(domain, info + offset);
  const text = (linear: number) => {
    let found = '';
    for (let n = 0; ; n++) {
      const machine = host.technique.translate(domain.vcpus[0], linear + n);
      const code = host.pc.memory.read8(machine);
      if (!code) return found;
      found += String.fromCharCode(code);
    }
  };
  const entry = (linear: number) => {
    const directory = host.kept(domain).current.baseFrame * PAGE;
    const table = host.pc.memory.read32(directory + (linear >>> 22) * 4) & ~0xfff;
    return host.pc.memory.read32(table + ((linear >>> 12) & 1023) * 4);
  };
  return { host, domain, info, at, text, entry };
}

describe('the start-of-day state', () => {
  it('ESI points to start_info, whose magic names the interface; the command line is in it', () => {
    const { info, at, text } = boot({ commandLine: 'console=xvc0 quiet' });
    expect(text(info)).toBe('xen-3.0-x86_32');
    expect(text(info + CMD_LINE)).toBe('console=xvc0 quiet');
    expect(at(NR_PAGES)).toBe(1024);
    expect(at(MOD_START)).toBe(0);
  });

  it('a command line that does not fit is cut, and ends all the same', () => {
    const { info, text } = boot({ commandLine: 'x'.repeat(5000) });
    expect(text(info + CMD_LINE)).toBe('x'.repeat(1023));
  });

  it('the kernel is at ring 1 of the flat segments, with events masked and interrupts on', () => {
    const { host, domain } = boot();
    const { CS, SS, EFLAGS, 'virtual IF': virtualIf } = host.technique.registers(domain.vcpus[0]);
    expect([CS, SS]).toEqual([0xe019, 0xe021]);
    expect(EFLAGS & 0x3200, 'IF 1, IOPL 0').toBe(0x200);
    expect(virtualIf).toBe(0);
  });

  it('mfn_list says which machine frame each pseudo-physical page is; machine_to_phys the other way', () => {
    const { host, domain, at } = boot();
    const m2p = host.hypervisor.monitor.m2p;
    for (let page = 0; page < 1024; page++) {
      const frame = host.word(domain, at(MFN_LIST) + page * 4);
      expect(frame).toBe(domain.memory.p2m[page]);
      expect(host.hypervisor.frames.owner[frame]).toBe(1);
      expect(host.pc.memory.read32(m2p + frame * 4)).toBe(page);
    }
  });

  it('memory above the kernel is handed out in the order of the ABI: image, module, frame list, start_info, tables, stack', () => {
    const data = new TextEncoder().encode('an initial ramdisk');
    const { host, domain, at, info } = boot({ modules: [{ name: 'initrd', data }] });
    expect(at(MOD_LEN)).toBe(data.length);
    expect(host.word(domain, at(MOD_START)) & 0xffff).toBe(0x6e61);
    const order = [at(MOD_START), at(MFN_LIST), info, at(PT_BASE), host.kept(domain).current.frame.esp >>> 0];
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(at(MOD_START) % PAGE).toBe(0);
    // At least 512 KiB of padding are mapped behind the stack.
    expect(() => host.word(domain, order[4] + 512 * 1024 - 4)).not.toThrow();
  });

  it('page tables start with the directory, are mapped read-only, and are typed as what they are', () => {
    const { host, domain, at, entry } = boot();
    const { types } = host.technique as unknown as { types: { typeOf(frame: number): number } };
    const frames = at(NR_PT_FRAMES);
    expect(frames).toBeGreaterThanOrEqual(2);
    for (let n = 0; n < frames; n++) {
      const linear = at(PT_BASE) + n * PAGE;
      const pte = entry(linear);
      expect(pte & 3, 'present, not writable').toBe(1);
      expect(types.typeOf(pte >>> 12)).toBe(n === 0 ? TYPE.directory : TYPE.table);
    }
    expect(entry(at(PT_BASE)) >>> 12).toBe(host.kept(domain).current.baseFrame);
    expect(entry(at(MFN_LIST)) & 3, 'other pages are writable').toBe(3);
  });

  it('shared_info, store and console are frames of the domain; the console has a port', () => {
    const { host, at } = boot();
    const { owner } = host.hypervisor.frames;
    expect(at(SHARED_INFO) % PAGE).toBe(0);
    for (const frame of [at(SHARED_INFO) / PAGE, at(STORE_MFN), at(CONSOLE_MFN)])
      expect(owner[frame]).toBe(1);
    expect(at(CONSOLE_EVTCHN)).toBeGreaterThan(0);
  });

  it('the hypercall page holds MOV EAX, n; INT 82h; RET, and the slot of iret saves EAX first', () => {
    const { host, domain } = boot();
    const page = host.kept(domain).hypercallPage >>> 0;
    expect(host.word(domain, page + 18 * 32)).toBe(0x000012b8);
    expect(host.word(domain, page + 18 * 32 + 4)).toBe(0xc382cd00);
    expect(host.word(domain, page + 23 * 32)).toBe(0x0017b850);
  });

  it('the guest itself can read all this at its linear addresses', () => {
    const { text } = runKernel(`
        cmp dword [ebp], 'xen-'
        jne wrong
        mov eax, [ebp + START_MFN_LIST]
        mov eax, [eax + 0x100 * 4]              ; machine frame of the page that we run in
        cmp dword [MACH2PHYS_VIRT_START + eax * 4], 0x100
        jne wrong
        put 'y'
        off
wrong:`);
    expect(text).toBe('y');
  });
});

describe('what cannot be built', () => {
  it.each([
    ['any kernel', 0, 1, 'needs at least 2 MiB'],
    ['one that does not fit itself', 0x200000, 2, /needs memory up to 30[0-9A-F]{4}h.*2048 KiB/],
    ['one that leaves no room for its page tables', 0xf8000, 2, 'with its page tables needs more than 2 MiB'],
  ])('%s, %i bytes of .bss, in %i MiB of memory', (_, bss, memoryMiB, reason) => {
    const host = new PvHost();
    const image = build(`off\nsection .bss\nresb ${bss}\nsection .text`);
    expect(() => host.boot(image, 1, { memoryMiB })).toThrow(reason);
    expect(host.hypervisor.frames.owner.includes(1), 'nothing is left behind').toBe(false);
    const free = host.hypervisor.frames.free;
    expect(() => host.boot(image, 1, { memoryMiB })).toThrow(reason);
    expect(host.hypervisor.frames.free).toBe(free);
  });
});
