; ringside-guest
; A hostile kernel that believes it owns a PC: it maps every physical frame there could be and writes to it, builds page
; tables that lead nowhere, in a circle and beyond memory, lets devices write into its tables, loads what it can into every
; register, and touches every port. It says how much it tried; under VT-x a test looks whether any byte outside its domain
; has changed. The command line is a digit: how it ends (hostile/pc-endings.inc); `!` behind it: do only that.

%include "exercisers/hostile/counting.inc"

%define LOAD 0x100000
%define SPRAY 0xDEADBEEF
%define WINDOW 0x00800000                       ; linear page whose entry is replaced again and again
%define LARGE  0x00C00000                       ; 4 MiB of linear space whose directory entry is

        bits    32
        org     LOAD
image:  dd      0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        dd      image, LOAD, image_end, memory_end, start

start:  cld
        mov     esp, stack_top
        mov     ecx, [ebx]                      ; multiboot information: the command line, and how much memory we have
        test    ecx, 4
        jz      .bare
        mov     eax, [ebx + 16]
.word:  mov     ecx, [eax]                      ; the first word is the image's name
        inc     eax
        cmp     cl, " "
        je      .argument
        test    cl, cl
        jnz     .word
.argument:
        shr     ecx, 8
        mov     [command], ecx
.bare:  mov     eax, [ebx + 8]
        shr     eax, 2
        add     eax, 256
        mov     [frames], eax
        lgdt    [gdt_pointer]
        jmp     8:.flat
.flat:  mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     eax, 24
        ltr     ax
        mov     ecx, 256                        ; whatever interrupts goes on at [resume]
        mov     edi, idt
        mov     edx, fault
.gate:  mov     [edi], dx
        mov     word [edi + 2], 8
        mov     word [edi + 4], 0x8E00
        mov     eax, edx
        shr     eax, 16
        mov     [edi + 6], ax
        add     edi, 8
        loop    .gate
        lidt    [idt_pointer]

; Paging: 8 MiB identity, and one more table for the window.
        mov     edi, table
        mov     eax, 3
        mov     ecx, 2048
.fill:  stosd
        add     eax, 4096
        loop    .fill
        mov     dword [directory], table + 3
        mov     dword [directory + 4], table + 4096 + 3
        mov     dword [directory + 8], window_table + 3
        mov     eax, directory
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax
        cmp     byte [command + 1], "!"
        je      ending

        call    forge_mappings
        call    forge_devices
        call    forge_registers
        call    tell
        mov     esi, line
.say:   lodsb
        out     0xE9, al
        loop    .say
        jmp     ending

%include "exercisers/hostile/pc-mappings.inc"
%include "exercisers/hostile/pc-devices.inc"
%include "exercisers/hostile/pc-registers.inc"
%include "exercisers/hostile/pc-endings.inc"

        counting_code

; Any exception or interrupt: forget the frame, whatever it was.
fault:  mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, stack_top
        add     esp, [depth]
        push    dword 2
        popfd
        jmp     [resume]

        align   8, db 0
gdt:    dq      0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
        dw      0x67, tss - LOAD, 0x8910, 0       ; our TSS, and one for a task switch
        dq      0x0000E90000000067
gdt_pointer:
        dw      39
        dd      gdt
idt_pointer:
        dw      0x7FF
        dd      idt
nowhere:
        dw      0xFFFF
        dd      0xFFFFF000
nothing:
        dw      0
        dd      0
        align   4, db 0
        counting_data
command:        dd 0
frames:         dd 0                            ; page frames that we have
depth:          dd -4                           ; what is on our stack below an attempt: one return address
        align   4, db 0
tss:    dd      0, inner_stack_top, 16
        times   23 dd 0
image_end:
        section .bss align=4096
        alignb  4096
directory:      resb 4096
table:          resb 8192
window_table:   resb 4096
scratch:        resb 8192
idt:            resb 2048
                resb 2048
inner_stack_top:
                resb 4096
stack_top:
memory_end:
