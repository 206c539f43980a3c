// A kernel with PAE under Xen (ABI xen-3.0-x86_32p; xen/include/public/arch-x86/xen-x86_32.h): three levels of 64-bit
// entries, Xen's area from F5800000h, and both kinds of guest on one host.
import { describe, expect, it } from 'vitest';
import { violations } from './invariants.ts';
import { TYPE } from './layout.ts';
import { build, PvHost, runKernel, withPae } from './testing.ts';

const PAGE = 4096;
const NR_PAGES = 32,
  PT_BASE = 60,
  NR_PT_FRAMES = 64,
  MFN_LIST = 68;

function boot(body = 'off') {
  const host = new PvHost();
  const domain = host.boot(withPae(build(body)));
  const info = domain.vcpus[0].regs[6] >>> 0;
  const { memory } = host.pc;
  const at = (offset: number) => host.word(domain, info + offset);
  const kept = host.kept(domain);
  const types = (host.technique as unknown as { types: { typeOf(frame: number): number } }).types;
  const pointer = (n: number) => memory.read32(kept.current.baseFrame * PAGE + n * 8);
  return { host, domain, info, at, kept, types, memory, pointer };
}

/** EAX = machine frame of the page of a label; EBX is lost. */
const frameOf = (label: string) => `
        mov eax, [ebp + START_MFN_LIST]
        mov ebx, ${label} - XEN_VIRT_BASE
        shr ebx, 12
        mov eax, [eax + ebx * 4]`;
/** update_va_mapping(label, frame of label | flags). */
const remap = (label: string, flags: number, high = 0) => `
        ${frameOf(label)}
        mov ecx, eax
        shl ecx, 12
        or ecx, ${flags}
        mov edx, ${high}
        mov ebx, ${label}
        mov esi, UVMF_INVLPG
        ask update_va_mapping`;

describe('the start-of-day state with PAE', () => {
  it('the magic says so, and the tables have three levels: pointers, directories, tables', () => {
    const { host, domain, info, at, kept, types, memory, pointer } = boot();
    let magic = '';
    for (let n = 0; n < 15; n++)
      magic += String.fromCharCode(memory.read8(host.technique.translate(domain.vcpus[0], info + n)));
    expect(magic).toBe('xen-3.0-x86_32p');
    // The kernel is at C0000000h: one directory, the same that holds Xen's entries.
    expect([0, 1, 2].map(pointer)).toEqual([0, 0, 0]);
    expect(pointer(3) & 0xfff, 'a PDPTE has no rights').toBe(1);
    expect(types.typeOf(kept.current.baseFrame)).toBe(TYPE.pointers);
    expect(types.typeOf(pointer(3) >>> 12)).toBe(TYPE.topDirectory);
    const frames = at(NR_PT_FRAMES);
    for (let n = 0; n < frames; n++) {
      const linear = at(PT_BASE) + n * PAGE;
      const machine = host.technique.translate(domain.vcpus[0], linear);
      expect(types.typeOf(machine >>> 12)).toBe([TYPE.pointers, TYPE.topDirectory][n] ?? TYPE.table);
    }
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });

  it('mfn_list and the machine-to-physical table say the same, and the latter is at F5800000h', () => {
    const { host, domain, at } = boot();
    for (let page = 0; page < at(NR_PAGES); page += 17)
      expect(host.word(domain, at(MFN_LIST) + page * 4)).toBe(domain.memory.p2m[page]);
    const { text } = runKernel(
      `
        mov eax, [ebp + START_MFN_LIST]
        mov eax, [eax + 0x100 * 4]
        cmp dword [0xf5800000 + eax * 4], 0x100
        jne wrong
        put 'y'
        off
wrong:`,
      { pae: true },
    );
    expect(text).toBe('y');
  });

  it('flat segments end at F6800000h, behind that table; the rest of Xen is out of reach', () => {
    const { text, domain } = runKernel(
      `
        handle 13, protection
        mov eax, [0xf6800000 - 4 + 0]           ; still inside the segment, but nothing is there
        crash
protection:
        crash`,
      { pae: true },
    );
    expect([text, domain.state]).toEqual(['', 'crashed']);
    expect(domain.ending).toMatch(/exception 14/);
    const beyond = runKernel(
      `
        handle 13, protection
        mov eax, [0xf6800000]
        crash
protection:
        put 'G'
        off`,
      { pae: true },
    );
    expect(beyond.text).toBe('G');
  });

  it('CR4 says PAE, and CR3 is what the processor was given', () => {
    const { text, kept, host, domain } = runKernel(
      `
        mov eax, cr4
        test eax, 0x20
        jz wrong
        mov eax, cr3
        mov [seen], eax
        mov cr3, eax
        put 'y'
        off
wrong:  crash
seen:   dd 0`,
      { pae: true },
    );
    expect(text).toBe('y');
    expect(host.technique.registers(domain.vcpus[0]).CR3).toBe(kept.current.baseFrame * PAGE);
  });
});

describe('page-table updates with PAE', () => {
  const area = `
        align 4096, db 0
target: times 4096 db 'A'
other:  times 4096 db 'B'
`;

  it('update_va_mapping takes an entry of 64 bits, and refuses an address above 4 GiB', () => {
    const { text, host, domain, kept } = runKernel(
      `
        ${frameOf('other')}
        mov ecx, eax
        shl ecx, 12
        or ecx, 0x61
        mov ebx, target
        xor edx, edx
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        test eax, eax
        jnz wrong
        mov al, [target]
        mov [character], al
        put al
        ${remap('target', 0x63, 1)}
        cmp eax, -22
        jne wrong
        ${remap('target', 0x63, 0x80000000)}
        cmp eax, -22
        jne wrong
        put 'y'
        off
wrong:  crash
        ${area}`,
      { pae: true },
    );
    expect(text).toBe('By');
    expect(violations(host.hypervisor, kept)).toEqual([]);
    expect(domain.state).toBe('halted');
  });

  it('mmu_update works on entries of 8 bytes: half an entry is no address of one', () => {
    const { text } = runKernel(
      `
        ${frameOf('table')}
        shl eax, 12
        mov [request], eax                      ; an ordinary page of our own
        mov dword [request + 8], 0x11111111
        mov dword [request + 12], 0x22222222
        call update
        test eax, eax
        jnz wrong
        cmp dword [table], 0x11111111
        jne wrong
        cmp dword [table + 4], 0x22222222
        jne wrong
        add dword [request], 4
        call update
        cmp eax, -22
        jne wrong
        put 'y'
        off
wrong:  crash
update: mov ebx, request
        mov ecx, 1
        xor edx, edx
        mov esi, DOMID_SELF
        hypercall HYPERVISOR_mmu_update
        ret
request: dd 0, 0, 0, 0
        align 4096, db 0
table:  times 4096 db 0`,
      { pae: true },
    );
    expect(text).toBe('y');
  });

  it('a new address space: pointers pinned as level 3, a directory below 1 GiB, new base pointer; then the pointer changes under the processor', () => {
    const { text, host, kept, domain } = runKernel(
      `
        ; level 1 maps a page at 0; level 2 leads there; pointers lead to both GiB
        ${frameOf('page')}
        shl eax, 12
        or eax, 0x67
        mov [level1], eax
        ${frameOf('level1')}
        shl eax, 12
        or eax, 0x67
        mov [level2], eax
        ${frameOf('level2')}
        shl eax, 12
        or eax, 0x67                            ; rights in a pointer are ignored
        mov [pointers], eax
        mov eax, [ebp + START_PT_BASE]
        mov eax, [eax + 3 * 8]
        mov [top], eax                          ; the old top directory belongs to the old pointers
        mov [pointers + 3 * 8], eax
        ${remap('level1', 0x61)}
        ${remap('level2', 0x61)}
        ${remap('pointers', 0x61)}
        ${frameOf('pointers')}
        mov [base], eax
        mov dword [command], 2                  ; pin level 3
        call extended
        cmp eax, -22                            ; refused: a top directory cannot be shared
        jne wrong
        put '1'
        ; directly into the pointers in use instead
        ${frameOf('level2')}
        shl eax, 12
        or eax, 1
        mov [request + 8], eax
        mov eax, cr3
        mov [request], eax
        mov ebx, request
        mov ecx, 1
        xor edx, edx
        mov esi, DOMID_SELF
        ask mmu_update
        test eax, eax
        jnz wrong
        mov al, [0]                             ; at once: the processor has the new pointers
        put al
        ; the top GiB never changes
        mov eax, cr3
        add eax, 3 * 8
        mov [request], eax
        mov eax, [top]
        mov [request + 8], eax
        mov ebx, request
        mov ecx, 1
        xor edx, edx
        mov esi, DOMID_SELF
        ask mmu_update
        cmp eax, -22
        jne wrong
        put '3'
        off
wrong:  crash
extended:
        mov eax, [base]
        mov [command + 4], eax
        mov ebx, command
        mov ecx, 1
        xor edx, edx
        mov esi, DOMID_SELF
        hypercall HYPERVISOR_mmuext_op
        ret
command: dd 0, 0, 0
request: dd 0, 0, 0, 0
base:   dd 0
top:    dd 0
        align 4096, db 0
page:   times 4096 db 'p'
level1: times 4096 db 0
level2: times 4096 db 0
pointers: times 4096 db 0`,
      { pae: true },
    );
    expect(domain.ending).toBe('the guest shut down');
    expect(text).toBe('1p3');
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });
});

describe('both kinds of guest on one host', () => {
  it('take turns; the processor has the tables of whoever runs, and the hypervisor its own in between', () => {
    const host = new PvHost();
    const body = `
        mov edi, 20
again:  mov ecx, 30000
        loop $
        put 'x'
        mov ebx, SCHEDOP_yield
        ask sched_op
        dec edi
        jnz again
        off`;
    const image = build(body);
    const domains = [host.boot(image, 1), host.boot(withPae(image), 2), host.boot(withPae(image), 3)];
    host.run(100_000_000);
    expect(domains.map((d) => [d.state, d.consoleOutput])).toEqual(
      domains.map(() => ['halted', 'x'.repeat(20)]),
    );
    expect(host.pc.cpu.cr4 & 0x20, 'nobody runs').toBe(0);
    const turns = host.events('schedule').map((e) => e.b);
    expect(new Set(turns)).toEqual(new Set([-1, 1, 2, 3]));
    for (const domain of domains) expect(violations(host.hypervisor, host.kept(domain))).toEqual([]);
  });

  it('a guest with PAE that is taken away while it runs leaves the processor usable', () => {
    const host = new PvHost();
    const first = host.boot(withPae(build('again: jmp again')), 1);
    host.run(1_000_000);
    host.loop.leaveGuest();
    host.hypervisor.destroyDomain(first.id);
    expect(host.hypervisor.frames.owner.includes(1)).toBe(false);
    const second = host.boot(build('put "2"\noff'), 2);
    host.run(1_000_000);
    expect(second.consoleOutput).toBe('2');
  });
});
