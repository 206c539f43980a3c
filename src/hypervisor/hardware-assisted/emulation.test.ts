// What the silicon cannot run of a guest and the emulator does: real mode on first-generation VT-x, the way between the
// modes, hardware task switches, devices in memory; and what the silicon can: virtual-8086 tasks and floating point. Each
// small kernel says on VT-x, in every way there is, what it says on the bare machine.
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../machine/cpu/vmx/exit-reasons.ts';
import { build, needsNasm, PAGING, runNative, runWay, said, TestHost, WAYS } from './testing.ts';

/** Prints EAX in hexadecimal; a subroutine for 32-bit code. */
const HEX = `
        jmp over_hex
hex:    pushad
        mov ecx, 8
.next:  rol eax, 4
        mov ebx, eax
        and ebx, 15
        push eax
        mov al, [.digits + ebx]
        out 0xe9, al
        pop eax
        loop .next
        mov al, ' '
        out 0xe9, al
        popad
        ret
.digits: db '0123456789ABCDEF'
over_hex:`;

/** A 16-bit code and data segment with base 0 at 18h and 20h, a TSS at 28h and at 30h, a task gate for vector 50h. */
const LARGER_GDT = `
        jmp over_gdt
        align 8
gdt2:   dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff, 0x000093000000ffff
tss_a_descriptor: dw 0x67, 0, 0x8900, 0
tss_b_descriptor: dw 0x67, 0, 0x8900, 0
user_code: dq 0x00cffb000000ffff, 0x00cff3000000ffff
gdt2_end:
gdt2_pointer: dw gdt2_end - gdt2 - 1
        dd gdt2
over_gdt:
        mov eax, 0x200000
        mov [tss_a_descriptor + 2], ax
        shr eax, 16
        mov [tss_a_descriptor + 4], al
        mov eax, 0x200100
        mov [tss_b_descriptor + 2], ax
        shr eax, 16
        mov [tss_b_descriptor + 4], al
        lgdt [gdt2_pointer]`;

const REAL_MODE_AND_BACK = `
${HEX}
${LARGER_GDT}
        ; the 16-bit part to 8000h
        mov esi, real_part
        mov edi, 0x8000
        mov ecx, real_part_end - real_part
        rep movsb
        sgdt [0x7f00]
        mov dword [0x7f10], protected
        mov word [0x7f14], 8
        mov dword [0x21 * 4], 0x08000000 | (handler - real_part)
        mov esp, 0x7000
        jmp 0x18:0x8000
real_part:
        bits 16
        mov ax, 0x20
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov eax, cr0
        and al, 0xfe
        mov cr0, eax
        jmp 0x800:.real - real_part
.real:  mov ax, 0x800
        mov ds, ax
        mov es, ax
        xor ax, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        lidt [cs:real_idt - real_part]
        mov bx, 'r'
        int 0x21                ; through the table at 0
        pushf
        pop ax                  ; NT and IOPL can be set in real mode
        or ax, 0x7000
        push ax
        popf
        pushf
        pop ax
        shr ax, 12
        and al, 7
        add al, '0'
        out 0xe9, al
        push 0
        popf
        sti
        pushf
        pop ax
        cli
        shr ax, 9
        and al, 1
        add al, '0'
        out 0xe9, al
        smsw ax
        and al, 1
        add al, '0'
        out 0xe9, al
        mov bx, cs
        mov al, bh
        add al, '0'
        out 0xe9, al
        ; a division error through vector 0
        mov word [fs:0], divided - real_part
        mov word [fs:2], 0x800
        xor cx, cx
        mov ax, 1
        div cx
after_division:
        ; and back: GDT, PE, far jump
        o32 lgdt [fs:0x7f00]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        o32 jmp far [fs:target]
divided:
        push bp
        mov bp, sp
        add word [bp + 2], 2    ; over the DIV
        pop bp
        mov al, 'd'
        out 0xe9, al
        iret
handler: mov al, bl
        out 0xe9, al
        iret
real_idt: dw 0x3ff
        dd 0
target  equ 0x7f10
        times 2 db 0
real_part_end:
        bits 32
        align 4
protected:
        mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov eax, cr0
        and eax, 0x80000001
        call hex
        off`;

/** Two tasks: JMP there, CALL back and IRET, and one behind a task gate. */
const TASKS = `
${HEX}
${LARGER_GDT}
        mov edi, 0x200000
        mov ecx, 0x80
        xor eax, eax
        rep stosd
        ; task B: starts at task_b with flat segments
        mov dword [0x200100 + 32], task_b
        mov dword [0x200100 + 36], 2
        mov dword [0x200100 + 40], 0x1234
        mov dword [0x200100 + 56], 0x1f0000
        mov dword [0x200100 + 72], 0x10
        mov dword [0x200100 + 76], 8
        mov dword [0x200100 + 80], 0x10
        mov dword [0x200100 + 84], 0x10
        mov eax, cr3
        mov [0x200000 + 28], eax
        mov [0x200100 + 28], eax
        mov ax, 0x28
        ltr ax
        mov ecx, 0xabcd
        call 0x30:0
        put 'a'
        mov eax, ecx
        call hex
        str ax
        movzx eax, ax
        call hex
        mov eax, cr0            ; TS is set by a switch
        and eax, 8
        call hex
        clts
        ; through a task gate in the IDT, with a software interrupt
        mov dword [idt + 0x50 * 8], 0x300000
        mov dword [idt + 0x50 * 8 + 4], 0x8500
        int 0x50
        put 'g'
        jmp 0x30:0
task_b: call hex
        str ax
        movzx eax, ax
        call hex
        pushfd
        pop eax
        and eax, 0x4000         ; NT
        call hex
        movzx eax, word [0x200100] ; the link
        call hex
        iret
        put 'B'
        mov eax, 0x77
        iret
        put 'j'
        off`;

/** A virtual-8086 task of the guest's own: INT leaves it to the kernel, IN and OUT by the permission bitmap. */
const VIRTUAL_8086 = `
${HEX}
${LARGER_GDT}
${PAGING}
        mov edi, table          ; ring 3 may use the first 4 MiB
        mov ecx, 1024
.user:  or dword [edi], 4
        add edi, 4
        loop .user
        or dword [directory], 4
        mov eax, cr3
        mov cr3, eax
        mov edi, 0x200000
        mov ecx, 0x80
        xor eax, eax
        rep stosd
        mov dword [0x200004], stack_end
        mov dword [0x200008], 0x10
        mov word [0x200066], 0x68
        mov word [tss_a_descriptor], 0x2067
        mov ax, 0x28
        ltr ax
        gate 13, protection
        gate 0x21, service
        mov byte [idt + 0x21 * 8 + 5], 0xee
        mov esi, virtual_part
        mov edi, 0x9000
        mov ecx, virtual_end - virtual_part
        rep movsb
        push dword 0            ; GS FS DS ES
        push dword 0
        push dword 0x900
        push dword 0
        push dword 0            ; SS:ESP
        push dword 0x8000
        push dword 0x20002      ; VM
        push dword 0x900
        push dword 0
        iret
protection:
        mov ax, 0x10            ; null since the task was left
        mov ds, ax
        pop eax                 ; error code
        call hex
        mov eax, [esp]
        call hex
        movzx eax, word [esp + 4]
        call hex
        mov eax, [esp + 8]
        and eax, 0x20000
        call hex
        add dword [esp], 1
        inc dword [protections]
        cmp dword [protections], 3
        jae .end
        iret
.end:   off
protections: dd 0
service: put 's'
        iret
virtual_part:
        bits 16
        mov al, 'v'
        out 0xe9, al
        cli                     ; IOPL 0: #GP
        pushf                   ; #GP
        mov al, 'w'
        out 0xe9, al
        sti
        hlt
virtual_end:
        bits 32`;

const FLOATING_POINT = (seed: number) => `
${HEX}
        fninit
        fild dword [.seed]
        mov ecx, 4000
.more:  fld1
        faddp
        fld st0
        fsqrt
        fstp st0
        loop .more
        fistp dword [.out]
        mov eax, [.out]
        call hex
        mov eax, cr4
        or eax, 0x600
        mov cr4, eax
        movups xmm1, [.lanes]
        mov ecx, 20000
.lane:  addps xmm1, xmm1
        mulps xmm1, [.half]
        loop .lane
        movups [.lanes], xmm1
        mov eax, [.lanes]
        call hex
        off
.seed:  dd ${seed}
.out:   dd 0
        align 16
.lanes: dd ${seed}.0, 2.0, 3.0, 4.0
.half:  dd 0.5, 0.5, 0.5, 0.5`;

/** CR0.NE is 0, then 1. The first handler only says that errors are to be ignored, the second forgets them. */
const NUMERIC_ERRORS = `
        gate 0x2d, error
        gate 16, fault
        mov al, 0x11
        out 0x20, al
        out 0xa0, al
        mov al, 0x20
        out 0x21, al
        mov al, 0x28
        out 0xa1, al
        mov al, 4
        out 0x21, al
        mov al, 2
        out 0xa1, al
        mov al, 1
        out 0x21, al
        out 0xa1, al
        mov al, 0xfb
        out 0x21, al
        mov al, 0xdf
        out 0xa1, al
        sti
        mov eax, cr0
        and al, 0xdf
        mov cr0, eax
        smsw ax
        test al, 0x20
        jnz hang
        call divide
        put 'd'
        fwait
        put 'g'
        fld1                            ; IGNNE#: the error still stands, and nothing waits
        put 'h'
        fnclex
        mov dword [forget], 1
        call divide
        fwait
        put 'i'
        mov eax, cr0
        or al, 0x20
        mov cr0, eax
        call divide
        fwait
        put 'j'
        off
divide: fninit
        push dword 0x360                ; division by zero unmasked
        fldcw [esp]
        pop eax
        fldz
        fld1
        fdiv st0, st1
        ret
error:  push eax
        put 'e'
        mov al, 0
        out 0xf0, al
        cmp dword [forget], 0
        je .over
        fnclex
.over:  mov al, 0x20
        out 0xa0, al
        out 0x20, al
        pop eax
        iret
fault:  put 'f'
        fnclex
        iret
forget: dd 0`;

needsNasm('what VT-x cannot run, and the emulator does', () => {
  describe.each([
    ['real mode and back', REAL_MODE_AND_BACK, /^r710\d/],
    ['hardware task switches', TASKS, /a.*g/],
    ['a virtual-8086 task of the guest', VIRTUAL_8086, /^v/],
    ['x87 and SSE', FLOATING_POINT(5), /^00000FA5/],
    ['floating-point errors by IRQ 13 and by #MF', NUMERIC_ERRORS, /^degheifj$/],
  ])('%s', (_, body, shape) => {
    const native = runNative(body);
    it('means something', () => expect(native).toMatch(shape));
    it.each(WAYS)('is what it is on the bare machine: $processor, $paging', (way) => {
      const { text, domain } = runWay(body, way);
      expect({ text, ending: domain.ending }).toEqual({
        text: native,
        ending: 'the guest switched the machine off',
      });
    });
  });

  it('real mode leaves by #GP on the first generation, and not at all on an unrestricted guest', () => {
    const first = runWay(REAL_MODE_AND_BACK, WAYS[0]);
    expect(first.exits.get(EXIT.exceptionOrNmi)!).toBeGreaterThan(5);
    const unrestricted = runWay(REAL_MODE_AND_BACK, WAYS[2]);
    expect(unrestricted.exits.get(EXIT.crAccess) ?? 0).toBe(0);
    // The fault of the DIV is not among those that leave.
    expect(unrestricted.exits.get(EXIT.exceptionOrNmi) ?? 0).toBe(0);
  });

  it('a task switch is an exit of its own, told in the trace', () => {
    const { host, exits } = runWay(TASKS, WAYS[0]);
    expect(exits.get(EXIT.taskSwitch)).toBe(5);
    expect(host.events('emulate').filter((e) => e.a === 25)).toHaveLength(5);
  });

  it('two guests have floating-point registers of their own, in slices', () => {
    const host = new TestHost(32, {}, 'nehalem');
    const a = host.boot(build(FLOATING_POINT(5)), 1, 4, { paging: 'nested' });
    const b = host.boot(build(FLOATING_POINT(9)), 2, 4);
    host.run();
    expect([said(a), said(b)]).toEqual([runNative(FLOATING_POINT(5)), runNative(FLOATING_POINT(9))]);
  });

  it.each(WAYS)('memory that is not there takes nothing and gives ones: $processor, $paging', (way) => {
    const body = `${HEX}
        mov dword [0x600000], 5
        mov eax, [0x600000]
        call hex
        mov eax, 0x11
        xchg eax, [0x7ffffc]
        call hex
        off`;
    expect(runWay(body, way).text).toBe(runNative(body));
  });

  it.each(WAYS)('a stack without memory ends as on the bare machine: $processor, $paging', (way) => {
    const { domain } = runWay('mov esp, 0x600000\nint 0x30', way);
    expect(domain.state).toBe('crashed');
  });
});
