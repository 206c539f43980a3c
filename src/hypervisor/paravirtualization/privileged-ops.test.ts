// Privileged instructions at ring 1: which of them Xen 3.0 carries out in the kernel's name (xen/arch/x86/traps.c,
// emulate_privileged_op), and which come back to the guest as the #GP(0) that the processor raised.
import { describe, expect, it } from 'vitest';
import { Emulated } from '../../trace/events.ts';
import { runKernel } from './testing.ts';

/** Runs instructions in front of a #GP handler that prints `G` and its error code, and goes on behind `length` bytes. */
const guarded = (instructions: string, length: number) =>
  runKernel(`
        handle 13, protection
${instructions}
        put '.'
        off
protection:
        put 'G'
        cmp dword [esp], 0
        jne wrong
        add esp, 4
        add dword [esp], ${length}
        push eax
        jmp hypercall_page + HYPERVISOR_iret * 32 + 1
wrong:`);

describe('the virtual interrupt flag', () => {
  it('CLI and STI set and clear evtchn_upcall_mask, not EFLAGS.IF', () => {
    const { text, kept, host } = runKernel(`
        sti
        pushfd
        pop eax
        test eax, 0x200                         ; the real flag is on at any time
        jz wrong
        cli
        pushfd
        pop eax
        test eax, 0x200
        jz wrong
        put 'y'
        off
wrong:`);
    expect(text).toBe('y');
    expect(kept.current.upcallMask).toBe(1);
    expect(host.events('emulate').map((e) => e.a)).toEqual([Emulated.sti, Emulated.cli]);
  });
});

describe('control registers', () => {
  it('CR0: TS may be changed, by MOV and by CLTS; everything else must stay', () => {
    const { text, kept, host } = runKernel(`
        handle 13, protection
        mov eax, cr0
        test eax, 8
        jnz wrong
        or eax, 8
        mov cr0, eax                            ; as a kernel does when it switches processes
        mov eax, cr0
        test eax, 8
        jz wrong
        clts
        mov ebx, cr0
        test ebx, 8
        jnz wrong
        mov eax, ebx
        and eax, ~0x10000                       ; write protection: never
        mov cr0, eax
        put '!'
protection:
        put 'G'
        off
wrong:`);
    expect(text).toBe('G');
    expect(kept.current.taskSwitched).toBe(false);
    expect(host.events('emulate').map((e) => e.a)).toEqual([
      Emulated.crRead,
      Emulated.crWrite,
      Emulated.crRead,
      Emulated.clts,
      Emulated.crRead,
    ]);
  });

  it('CR0.TS is the processor’s while the guest runs: its next FPU instruction is #NM, and TS is 0 in the handler', () => {
    const { text, domain } = runKernel(`
        handle 7, unavailable
        fninit
        mov ebx, 1
        ask fpu_taskswitch
        fld1
        fistp dword [esp - 4]
        cmp dword [esp - 4], 1
        jne wrong
        put 'y'
        off
unavailable:
        put 'N'
        fninit                                  ; no CLTS: Xen has done that
        push eax
        jmp hypercall_page + HYPERVISOR_iret * 32 + 1
wrong:`);
    expect(domain.ending).toBe('the guest shut down');
    expect(text).toBe('Ny');
  });

  it('CR2 is the address of the last page fault, CR3 the machine address of the directory in use', () => {
    const { text, kept, host } = runKernel(`
        handle 14, fault
        mov eax, [0x12345678]
fault:  mov eax, cr2
        cmp eax, 0x12345678
        jne wrong
        mov eax, cr3
        mov esp, eax                            ; ESP is a register like any other here
        mov eax, cr2
        mov esp, cr3
        mov ebx, cr3
        cmp esp, ebx
        jne wrong
        mov esp, stack_top
        put 'y'
        off
wrong:  mov esp, stack_top`);
    expect(text).toBe('y');
    const reads = host.events('emulate').filter((e) => e.a === Emulated.crRead && e.b === 3);
    expect(reads.map((e) => e.c >>> 0)).toEqual(new Array(3).fill(kept.current.baseFrame * 4096));
  });

  it('MOV to CR3 switches to a validated directory, and refuses a frame that is none', () => {
    const { text, domain } = runKernel(`
        handle 13, protection
        mov eax, cr3
        mov cr3, eax
        put 'a'
        mov eax, [ebp + START_CONSOLE_MFN]
        shl eax, 12
        mov cr3, eax
        put '!'
protection:
        put 'G'
        off`);
    expect(text).toBe('aG');
    expect(domain.state).toBe('halted');
  });

  it('CR4 reads as it was written, whatever the hypervisor makes of it; SSE is on', () => {
    const { text, domain } = runKernel(`
        mov eax, cr4
        test eax, 0x600                         ; OSFXSR, OSXMMEXCPT
        jz wrong
        and eax, ~0x90
        mov cr4, eax
        mov ebx, cr4
        cmp eax, ebx
        jne wrong
        movaps xmm0, xmm1
        off
wrong:`);
    expect([domain.state, text]).toEqual(['halted', '']);
  });
});

describe('other privileged instructions', () => {
  it.each([
    ['wbinvd', 2],
    ['mov eax, 0x400\nmov dr7, eax', 3],
    ['mov eax, dr6', 3],
    ['mov ecx, 0x8b\nrdmsr', 2],
  ])('%s is carried out', (instruction, length) => {
    expect(guarded(instruction, length).text).toBe('.');
  });

  it.each([
    ['hlt', 1],
    ['in al, 0x60', 2],
    ['out 0x80, al', 2],
    ['lgdt [esp]', 4],
    ['lidt [esp]', 4],
    ['ltr ax', 3],
    ['lldt ax', 3],
    ['invlpg [0]', 7],
    ['mov dr4, eax', 3],
    ['mov eax, dr5', 3],
    ['mov eax, -8\nmov dr0, eax', 3],
    ['invd', 2],
    ['lmsw ax', 3],
    ['mov ecx, 0x1b\nrdmsr', 2],
    ['mov ecx, 0x174\nwrmsr', 2],
    ['mov ecx, 0x10\nwrmsr', 2],
  ])('%s is #GP(0): the kernel has to ask instead', (instruction, length) => {
    const { text, host } = guarded(instruction, length);
    expect(text).toBe('G.');
    expect(host.events('emulate')).toEqual([]);
  });

  it('nothing is carried out for a program at ring 3', () => {
    const { text, host } = runKernel(`
        handle 13, protection
        mov ebx, FLAT_RING1_SS
        mov ecx, stack_top
        ask stack_switch
        mov ebx, application                    ; its page is open to ring 3 from now on
        mov ecx, ebx
        sub ecx, XEN_VIRT_BASE
        shr ecx, 12
        mov eax, [ebp + START_MFN_LIST]
        mov ecx, [eax + ecx * 4]
        shl ecx, 12
        or ecx, 5
        xor edx, edx
        mov esi, UVMF_INVLPG
        ask update_va_mapping
        push dword FLAT_RING3_SS
        push dword 0
        push dword 0x200
        push dword FLAT_RING3_CS
        push dword application
        push eax
        jmp hypercall_page + HYPERVISOR_iret * 32 + 1
protection:
        mov eax, FLAT_RING1_DS                  ; the way up has made DS and ES null
        mov ds, eax
        mov es, eax
        cmp dword [esp + 4], application + 1
        jne wrong
        cmp word [esp + 8], FLAT_RING3_CS
        jne wrong
        put 'G'
        off
wrong:  crash
        align 4096
application:
        nop
        cli
        align 4096`);
    expect(text).toBe('G');
    expect(host.events('emulate')).toEqual([]);
  });

  it('without a handler for #GP the domain ends, and the ending names the place', () => {
    const { domain } = runKernel('hlt');
    expect(domain.state).toBe('crashed');
    expect(domain.ending).toMatch(/^exception 13 at c01[0-9a-f]{5}h: it registered no handler for it$/);
  });
});
