// Writable page tables (VMASST_TYPE_writable_pagetables): a kernel writes its level-1 table as if it were its own, and what
// it wrote is checked before anybody could use it.
import { describe, expect, it } from 'vitest';
import { violations } from './invariants.ts';
import { runKernel } from './testing.ts';

/** A table of our own for 40000000h (`table`), hooked into the directory, mapped read-only at its label. */
const prepare = (pae: boolean) => `
        mov ebx, 0
        mov ecx, 2
        ask vm_assist
        ${frame('target')}
        mov [target_frame], eax
        ${frame('table')}
        mov [table_frame], eax
        mov ebx, table
        mov ecx, eax
        shl ecx, 12
        or ecx, 0x61
        xor edx, edx
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        ; the directory that there is: with PAE a new one for the second GiB
        ${
          pae
            ? `${frame('directory')}
        mov [directory_frame], eax
        mov ecx, [table_frame]
        shl ecx, 12
        or ecx, 0x67
        mov [directory], ecx
        mov ebx, directory
        mov ecx, [directory_frame]
        shl ecx, 12
        or ecx, 0x61
        xor edx, edx
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        mov eax, cr3
        add eax, 8
        mov [request], eax
        mov eax, [directory_frame]
        shl eax, 12
        or eax, 1`
            : `mov eax, cr3
        add eax, 0x100 * 4
        mov [request], eax
        mov eax, [table_frame]
        shl eax, 12
        or eax, 0x67`
        }
        mov [request + 8], eax
        mov ebx, request
        mov ecx, 1
        xor edx, edx
        mov esi, DOMID_SELF
        ask mmu_update
        test eax, eax
        jnz wrong
        mov eax, [target_frame]
        shl eax, 12
        or eax, 0x67
`;
const frame = (label: string) => `
        mov eax, [ebp + START_MFN_LIST]
        mov ebx, ${label} - XEN_VIRT_BASE
        shr ebx, 12
        mov eax, [eax + ebx * 4]`;
const END = `
wrong:  crash
request: dd 0, 0, 0, 0
target_frame: dd 0
table_frame: dd 0
directory_frame: dd 0
        align 4096, db 0
target: times 4096 db 'T'
table:  times 4096 db 0
directory: times 4096 db 0
`;

describe.each([false, true])('writable page tables, PAE %s', (pae) => {
  const size = pae ? 8 : 4;

  it('a plain store into a page table maps a page; many stores cost one trap', () => {
    const { text, host, kept } = runKernel(
      `${prepare(pae)}
        mov ecx, 64
        mov edi, table
fill:   mov [edi], eax
        add edi, ${size}
        loop fill
        mov al, [0x40000000 + 63 * 4096]
        put al
        off
        ${END}`,
      { pae },
    );
    expect(text).toBe('T');
    const faults = host.events('exit').filter((e) => e.a === 14);
    expect(
      faults.map((e) => e.b >>> 0),
      'the first store; the first use of what was unhooked',
    ).toHaveLength(2);
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });

  it('an entry that leads elsewhere ends the domain, and the table is as before', () => {
    const { domain, host, kept } = runKernel(
      `${prepare(pae)}
        mov dword [table], 0x67                 ; machine frame 0
        mov al, [0x40000000]
        put al
        off
        ${END}`,
      { pae },
    );
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toContain('writable page tables: the guest wrote 67h');
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });

  it('a writable mapping of a page table is no acceptable entry either', () => {
    const { domain, host, kept } = runKernel(
      `${prepare(pae)}
        mov eax, [table_frame]
        shl eax, 12
        or eax, 0x67
        mov [table], eax
        put '!'
        off
        ${END}`,
      { pae },
    );
    expect([domain.state, domain.consoleOutput]).toEqual(['crashed', '']);
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });

  it('a hypercall in between finds the table hooked in, and checked', () => {
    const { text, host, kept } = runKernel(
      `${prepare(pae)}
        mov [table + ${size}], eax
        mov ebx, 0x40001000
        mov ecx, [target_frame]
        shl ecx, 12
        or ecx, 0x61
        xor edx, edx
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        test eax, eax
        jnz wrong
        mov al, [0x40001000]
        put al
        off
        ${END}`,
      { pae },
    );
    expect(text).toBe('T');
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });

  it('without the assist, and at ring 3, it is an ordinary page fault', () => {
    const { text } = runKernel(
      `${prepare(pae)}
        push eax
        mov ebx, 1
        mov ecx, 2
        ask vm_assist
        handle 14, page
        pop eax
        mov [table], eax
        crash
page:   put 'P'
        off
        ${END}`,
      { pae },
    );
    expect(text).toBe('P');
  });
});
