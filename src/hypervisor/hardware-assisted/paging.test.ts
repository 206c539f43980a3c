// A guest's paging under shadow tables: what it sees must be what its own tables say (SDM vol. 3 ch. 4).
import { expect, it } from 'vitest';
import { Shadow } from '../../trace/events.ts';
import { needsNasm, PAGING, runKernel } from './testing.ts';

needsNasm('shadow paging', () => {
  it('hidden faults are hidden: the guest sees only those that its own tables cause', () => {
    const { host, domain, text } = runKernel(`
        gate 14, page_fault
${PAGING}
        mov dword [table + 0x300 * 4], 0
        invlpg [0x300000]
        mov eax, [0x200000]
        mov [0x200000], eax
        mov eax, [0x300000]
        put 'z'
        off
page_fault:
        mov eax, cr2
        cmp eax, 0x300000
        jne hang
        cmp dword [esp], 0
        jne hang
        put 'p'
        mov dword [table + 0x300 * 4], 0x200003
        add esp, 4
        iret`);
    expect(text).toBe('pz');
    const faults = host.events('shadow').filter((e) => e.a === Shadow.guestFault);
    expect(faults.map((e) => e.b)).toEqual([0x300000]);
    expect(domain.state).toBe('halted');
  });

  it('accessed and dirty bits appear in the guest’s own tables', () => {
    const { text } = runKernel(`
${PAGING}
        mov eax, [0x200000]
        mov ebx, [table + 0x200 * 4]
        mov [0x200000], eax
        mov ecx, [table + 0x200 * 4]
        cmp ebx, 0x200023
        jne hang
        cmp ecx, 0x200063
        jne hang
        put 'a'
        off`);
    expect(text).toBe('a');
  });

  it('4-MiB pages work, and write protection holds for ring 0 when CR0.WP is 1', () => {
    const { text } = runKernel(`
        gate 14, page_fault
        mov eax, 0x10
        mov cr4, eax
        mov dword [directory], 0x83
        mov dword [directory + 4], 0x81  ; the same 4 MiB once more, read-only
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov dword [0x600000], 1          ; WP = 0: ring 0 writes where it likes
        mov eax, cr0
        or eax, 0x10000
        mov cr0, eax
        mov dword [0x600000], 2
        put 'n'
        cmp dword [0x200000], 1
        jne hang
        put '1'
        off
page_fault:
        cmp dword [esp], 3
        jne hang
        put 'w'
        add dword [esp + 4], 10          ; over MOV [imm32], imm32
        add esp, 4
        iret`);
    expect(text).toBe('wn1');
  });

  it('address spaces switch without new hidden faults once both have been seen', () => {
    const { host, domain } = runKernel(`
${PAGING}
        mov dword [0x300000], table + 3  ; a second directory, in the guest's page 300h
        mov ecx, 50
again:  mov eax, 0x300000
        mov cr3, eax
        mov eax, directory
        mov cr3, eax
        loop again
        off`);
    expect(domain.state).toBe('halted');
    const fills = host.events('shadow').filter((e) => e.a === Shadow.fill).length;
    expect(host.events('shadow').filter((e) => e.a === Shadow.switchRoot).length).toBeGreaterThanOrEqual(100);
    expect(fills).toBeLessThan(30);
  });

  it('where there is no memory, reads are ones and writes are lost, with any instruction', () => {
    const { text, domain } = runKernel(`
        mov eax, [0x800000]
        cmp eax, -1
        jne hang
        mov dword [0x800000], 0x1234
        mov eax, [0x800000]
        cmp eax, -1
        jne hang
        mov edi, 0x900ff0                ; over a page border
        mov ecx, 8
        xor eax, eax
        rep stosd
        cmp edi, 0x901010
        jne hang
        inc dword [0x800000]
        mov eax, [0x900ffc]
        cmp eax, -1
        jne hang
        pushfd
        pop eax
        test eax, 0x100                  ; no trap flag is left over
        jnz hang
        put 'v'
        off`);
    expect(text).toBe('v');
    expect(domain.state).toBe('halted');
  });
});
