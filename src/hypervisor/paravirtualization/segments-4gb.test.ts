// Thread-local storage at negative offsets, as the GNU C library has it: a segment of 4 GiB that Xen has cut.
import { describe, expect, it } from 'vitest';
import { violations } from './invariants.ts';
import { runKernel } from './testing.ts';

/** GS = a data segment of 4 GiB whose base is tls, in a GDT page of our own; types are turned on. */
const kernel = (types: number[], body: string) => `
        mov eax, tls
        mov [gdt + 10], ax
        shr eax, 16
        mov [gdt + 12], al
        mov [gdt + 15], ah
        mov eax, [ebp + START_MFN_LIST]
        mov ebx, gdt - XEN_VIRT_BASE
        shr ebx, 12
        mov eax, [eax + ebx * 4]
        mov [frames], eax
        mov ecx, eax
        shl ecx, 12
        or ecx, 0x61
        xor edx, edx
        mov ebx, gdt
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        mov ebx, frames
        mov ecx, 2
        ask set_gdt
        test eax, eax
        jnz wrong
        ${types.map((type) => `xor ebx, ebx\nmov ecx, ${type}\nask vm_assist\n`).join('')}
        handle 13, protection
        mov eax, 9
        mov gs, eax
        ${body}
        off
protection:
        put 'G'
        off
wrong:  crash
frames: dd 0
        db 'n'
tls:    db 'p'
        align 4096, db 0
gdt:    dq 0
        dw 0xffff, 0
        db 0, 0xb3, 0xcf, 0
        times 4080 db 0`;

describe.each([false, true])('segments of 4 GiB, PAE %s', (pae) => {
  it('negative and positive offsets, in turns', () => {
    const { text, host, kept } = runKernel(
      kernel(
        [0],
        `mov al, [gs:0]
        put al
        mov al, [gs:-1]
        put al
        mov ecx, -1
        mov al, [gs:ecx]
        put al
        mov al, [gs:0]
        put al`,
      ),
      { pae },
    );
    expect(text).toBe('pnnp');
    expect(host.events('exit').filter((e) => e.a === 13)).toHaveLength(2);
    expect(violations(host.hypervisor, kept)).toEqual([]);
  });

  it('never reach Xen, in neither form: that is a general protection fault for the guest', () => {
    for (const address of ['MACH2PHYS_VIRT_START + 0x1000000', '0xfc400000', '0xfffffff0']) {
      const { text, host, kept } = runKernel(
        kernel([0], `mov al, [gs:-1]\nmov ecx, ${address} - 1\nsub ecx, tls\nmov al, [gs:ecx]`),
        { pae },
      );
      expect(text, address).toBe('G');
      expect(violations(host.hypervisor, kept)).toEqual([]);
    }
  });

  it('without the assist it is the guest’s fault; with the notification it hears of each by exception 15', () => {
    expect(runKernel(kernel([], 'mov al, [gs:-1]'), { pae }).text).toBe('G');
    const { text } = runKernel(
      kernel(
        [0, 1],
        `handle 15, notice
        mov al, [gs:-1]
        put al
        off
notice: put '!'
        push eax
        jmp hypercall_page + HYPERVISOR_iret * 32 + 1`,
      ),
      { pae },
    );
    expect(text).toBe('!n');
  });
});
