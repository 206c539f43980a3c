// The failsafe callback (set_callbacks; xen/arch/x86/x86_32/entry.S): Xen cannot go back to the guest as the guest asked, and
// tells it so, with the selectors that it could not load.
import { describe, expect, it } from 'vitest';
import { runKernel } from './testing.ts';

const REGISTER = `
        mov ebx, FLAT_RING1_CS
        mov ecx, upcall
        mov edx, FLAT_RING1_CS
        mov esi, failsafe
        ask set_callbacks`;
/** A GDT page of our own, with a data segment at 8 that can be taken away. */
const GDT = `
        mov eax, [ebp + START_MFN_LIST]
        mov ebx, gdt - XEN_VIRT_BASE
        shr ebx, 12
        mov eax, [eax + ebx * 4]
        mov [frames], eax
        mov ecx, eax
        shl ecx, 12
        mov [machine], ecx
        or ecx, 0x61
        xor edx, edx
        mov ebx, gdt
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        mov ebx, frames
        mov ecx, 2
        ask set_gdt
        test eax, eax
        jnz wrong`;
const END = `
upcall: crash
wrong:  crash
frames: dd 0
machine: dd 0
        align 4096, db 0
gdt:    dq 0
        dw 0xffff, 0
        db 0, 0xb3, 0x40, 0                     ; ring 1 data
        times 4080 db 0`;

describe.each([false, true])('the failsafe callback, PAE %s', (pae) => {
  it('hears of a selector whose segment is gone', () => {
    const { text, domain } = runKernel(
      `${REGISTER}${GDT}
        mov eax, 9
        mov gs, eax
        mov ebx, [machine]                      ; the segment goes while GS holds it
        add ebx, 8
        xor ecx, ecx
        xor edx, edx
        xor esi, esi
        ask update_descriptor
        crash
failsafe:
        cmp dword [esp + 12], 9                 ; DS ES FS GS, then EIP CS EFLAGS
        jne wrong
        cmp word [esp + 20], FLAT_RING1_CS
        jne wrong
        mov eax, gs
        test eax, eax
        jnz wrong
        put 'f'
        off
        ${END}`,
      { pae },
    );
    expect([text, domain.state]).toEqual(['f', 'halted']);
  });

  it('hears of a CS that the processor refuses; without a callback that is the end', () => {
    const back = `
        push dword 0x200
        push dword 0x0051                       ; no such descriptor
        push dword failsafe
        push eax
        jmp hypercall_page + HYPERVISOR_iret * 32 + 1
failsafe:
        put 'f'
        off
        ${END}`;
    expect(runKernel(REGISTER + back, { pae }).text).toBe('f');
    const { domain } = runKernel(back, { pae });
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(/^the guest cannot be entered: CS:EIP 51:/);
  });
});
