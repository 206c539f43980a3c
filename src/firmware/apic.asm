; The local APIC as a virtual wire: the interrupt controllers' line reaches the processor through LINT0, NMI through LINT1
; (Intel MultiProcessor Specification 1.4 §3.6.2.2). Without this a processor that has one takes no interrupt.

APIC_BASE   equ 0xfee00000
APIC_SPURIOUS equ 0xf0
APIC_LINT0  equ 0x350
APIC_LINT1  equ 0x360

set_up_apic:
    mov eax, 1
    cpuid
    test edx, 1 << 9
    jz .none
    push es
    call flat_es
    mov dword [es:dword APIC_BASE + APIC_SPURIOUS], 0x1ff     ; enabled
    mov dword [es:dword APIC_BASE + APIC_LINT0], 0x700        ; ExtINT
    mov dword [es:dword APIC_BASE + APIC_LINT1], 0x400        ; NMI
    pop es
.none:
    ret

; ES gets base 0 and a limit of 4 GiB, which stays until it is loaded in real mode (where only the base changes; the limit
; goes with the next protected mode). Interrupts must be off. Uses EAX.
flat_es:
    push ds
    lgdt [cs:flat_table_register]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp short .protected
.protected:
    push word 0x10
    pop es
    and al, 0xfe
    mov cr0, eax
    jmp short .real
.real:
    pop ds
    ret
