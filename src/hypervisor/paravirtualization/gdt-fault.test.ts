// Selectors that lie behind the guest's own descriptors, from its kernel and from its programs: what they get is #GP with the
// selector in the error code, as under Xen (and as on a machine whose GDT ends there), never the page fault of Xen's tables.
import { describe, expect, it } from 'vitest';
import { runKernel } from './testing.ts';

/** Runs `body` with a #GP handler that leaves the error code in `error` and ends; a #PF handler says `P`. */
const guarded = (body: string) => `
        handle 13, protection
        handle 14, page_fault
        ${body}
        put '-'
        off
protection:
        mov ecx, FLAT_RING1_DS                  ; the way to ring 3 has made them null
        mov ds, ecx
        mov es, ecx
        mov eax, [esp]
        mov ebx, eax
        and ebx, ~0xfff8
        jnz odd
        shr eax, 3
        cmp eax, [wanted]
        jne odd
        put 'G'
        off
odd:    put '?'
        off
page_fault:
        put 'P'
        off
wanted: dd 0
`;
/** To ring 3, at `label`, by IRET. */
const user = (label: string) => `
        push dword FLAT_RING3_DS
        push dword stack_top
        push dword 0x202
        push dword FLAT_RING3_CS
        push dword ${label}
        iret
`;
/** The kernel's pages are not open to ring 3 unless they are made so: all of its first MiB. */
const open = `
        mov edi, XEN_VIRT_BASE + XEN_LOAD_OFFSET
next:   mov eax, edi
        sub eax, XEN_VIRT_BASE
        shr eax, 12
        mov ecx, [ebp + START_MFN_LIST]
        mov ecx, [ecx + eax * 4]
        shl ecx, 12
        or ecx, 0x67
        xor edx, edx
        mov ebx, edi
        mov esi, UVMF_INVLPG
        push edi
        ask update_va_mapping
        pop edi
        add edi, 4096
        cmp edi, stack_top
        jb next
        mov ebx, FLAT_RING1_SS
        mov ecx, stack_top - 2048
        ask stack_switch
`;

describe.each([false, true])('selectors behind the guest’s GDT, PAE %s', (pae) => {
  const text = (body: string, wanted: number) =>
    runKernel(guarded(`mov dword [wanted], ${wanted >>> 3}\n${body}`), { pae }).text;

  it.each([
    ['the first entry that a guest has none of', 0x0009],
    ['in the middle', 0x5551],
    ['the last before Xen’s page', 0xdff9],
    ['behind Xen’s page', 0xf009],
    ['the last of all', 0xfff9],
  ])('at ring 1: %s', (_, selector) => {
    expect(text(`mov eax, ${selector}\nmov es, eax`, selector)).toBe('G');
    expect(text(`jmp ${selector}:0x1000`, selector)).toBe('G');
  });

  it.each([0x000b, 0x5553, 0xdffb, 0xf00b, 0xfffb])('at ring 3: %i', (selector) => {
    const program = `${open}${user('program')}\nprogram: mov eax, ${selector}\nmov ds, eax\nud2`;
    expect(text(program, selector)).toBe('G');
  });

  it('in a frame for IRET, and in a gate that the processor would take by itself', () => {
    expect(text('pushfd\npush dword 0x5551\npush dword start\niret', 0x5551)).toBe('G');
    const gate = `
        mov byte [trap_entry], 0x80
        mov byte [trap_entry + 1], 3
        mov word [trap_entry + 2], 0x5551
        mov dword [trap_entry + 4], start
        mov ebx, trap_entry
        ask set_trap_table
        ${open}${user('program')}
program: int 0x80`;
    expect(text(gate, 0x5551)).toBe('G');
  });

  it('what the guest itself misses stays its page fault', () => {
    expect(text('mov eax, [0x1000]', 0)).toBe('P');
  });
});
