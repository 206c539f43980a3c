// The guest's local descriptor table (xen/arch/x86/mm.c map_ldt_shadow_page): set by mmuext_op, mapped page by page when the
// processor reads a descriptor of it, checked then, and no longer writable.
import { describe, expect, it } from 'vitest';
import { violations } from './invariants.ts';
import { TYPE } from './layout.ts';
import { runKernel } from './testing.ts';

/** mmuext_op SET_LDT. */
const setLdt = (base: string, entries: number) => `
        mov dword [command], 13
        mov dword [command + 4], ${base}
        mov dword [command + 8], ${entries}
        mov ebx, command
        mov ecx, 1
        xor edx, edx
        mov esi, DOMID_SELF
        ask mmuext_op
`;
/** Maps the page of a label with these rights. */
const remap = (label: string, rights: number) => `
        mov eax, [ebp + START_MFN_LIST]
        mov ebx, ${label} - XEN_VIRT_BASE
        shr ebx, 12
        mov ecx, [eax + ebx * 4]
        shl ecx, 12
        or ecx, ${rights}
        xor edx, edx
        mov ebx, ${label}
        mov esi, UVMF_INVLPG
        ask update_va_mapping
`;
const END = `
wrong:  crash
command: dd 0, 0, 0
message: db 'xyz', 0
        align 4096, db 0
table:
`;
/** Data segment of ring 1 at a base. */
const segment = (limit: string, access = 0xb2, flags = 0x40) =>
  `dw ${limit}, 0\ndb 0, ${access}, ${flags}, 0\n`;
const fill = (label: string) => `
        mov eax, message
        mov [${label} + 2], ax
        shr eax, 16
        mov [${label} + 4], al
        mov [${label} + 7], ah`;

describe.each([false, true])('the local descriptor table, PAE %s', (pae) => {
  it('is used by the processor: a segment of the guest’s with its own base and limit', () => {
    const { text, kept, host } = runKernel(
      `${fill('table + 8')}
        ${remap('table', 0x61)}
        ${setLdt('table', 4)}
        test eax, eax
        jnz wrong
        handle 13, protection
        mov eax, 12                             ; entry 1 of the LDT, RPL 0
        mov gs, eax
        mov al, [gs:1]
        put al
        mov al, [gs:4]                          ; behind the limit
        crash
protection:
        put 'G'
        off
        ${END}
        ${segment('0')}
        ${segment('3')}
        times 4080 db 0`,
      { pae },
    );
    expect(text).toBe('yG');
    expect(kept.current.ldtFrames).toHaveLength(1);
    const types = (host.technique as unknown as { types: { typeOf(frame: number): number } }).types;
    expect(types.typeOf(kept.current.ldtFrames[0])).toBe(TYPE.gdt);
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });

  it('a page that is writable cannot be one: the guest gets the fault at its own address', () => {
    const { text } = runKernel(
      `${fill('table + 8')}
        ${setLdt('table', 4)}
        handle 14, page
        mov eax, 12
        mov gs, eax
        crash
page:   mov eax, cr2
        cmp eax, table + 8
        jne wrong
        put 'P'
        off
        ${END}
        ${segment('0')}
        ${segment('3')}
        times 4080 db 0`,
      { pae },
    );
    expect(text).toBe('P');
  });

  it('unmapping its page and mapping it writable takes it out of use; what was written is checked when it is used again', () => {
    const { text, kept, host } = runKernel(
      `${fill('table + 8')}
        ${remap('table', 0x61)}
        ${setLdt('table', 4)}
        mov eax, 12
        mov gs, eax
        xor eax, eax
        mov gs, eax
        ${remap('table', 0x63)}
        cmp eax, -22                            ; refused while the LDT holds the page
        jne wrong
        ${remap('table', 0)}
        ${remap('table', 0x63)}
        test eax, eax
        jnz wrong
        put 'a'
        mov dword [table + 12], 0x0000e200      ; an LDT descriptor in an LDT
        ${remap('table', 0x61)}
        handle 14, page
        mov eax, 12
        mov gs, eax
        crash
page:   put 'P'
        off
        ${END}
        ${segment('0')}
        ${segment('3')}
        times 4080 db 0`,
      { pae },
    );
    expect(text).toBe('aP');
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });

  it.each([
    ['not on a page', 'table + 4', 4],
    ['more than 8192 descriptors', 'table', 8193],
    ['inside Xen', '0xfc000000', 4],
  ])('%s is refused', (_, base, entries) => {
    const { text } = runKernel(
      `${setLdt(base, entries)}
        cmp eax, -22
        jne wrong
        put 'n'
        off
        ${END}
        times 4096 db 0`,
      { pae },
    );
    expect(text).toBe('n');
  });

  it('without entries there is none; the processor’s register is null for whoever comes next', () => {
    const { text, host } = runKernel(
      `${fill('table + 8')}
        ${remap('table', 0x61)}
        ${setLdt('table', 4)}
        mov eax, 12
        mov gs, eax
        xor eax, eax
        mov gs, eax
        ${setLdt('0', 0)}
        handle 13, protection
        mov eax, 12
        mov gs, eax
        crash
protection:
        put 'G'
        off
        ${END}
        ${segment('0')}
        ${segment('3')}
        times 4080 db 0`,
      { pae },
    );
    expect(text).toBe('G');
    expect(host.pc.cpu.segments[6].selector).toBe(0);
  });
});
