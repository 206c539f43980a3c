; IRQ 0, 18.2 times a second: the tick count since midnight, the diskette motor, and the user's int 1Ch. IBM PC AT
; Technical Reference, BIOS listing "TIMER_INT".

TICKS_OF_A_DAY  equ 0x1800b0

timer_interrupt:
    push ds
    push eax
    push dx
    push word BDA_SEGMENT
    pop ds
    mov eax, [B_TICKS]
    inc eax
    cmp eax, TICKS_OF_A_DAY
    jb .same_day
    xor eax, eax
    inc byte [B_MIDNIGHT]
.same_day:
    mov [B_TICKS], eax
    cmp byte [B_FLOPPY_TIMEOUT], 0
    je .motor_done
    dec byte [B_FLOPPY_TIMEOUT]
    jnz .motor_done
    and byte [B_FLOPPY_MOTOR], 0xf0
    mov dx, 0x3f2
    mov al, 0x0c
    out dx, al
.motor_done:
    int 0x1c
    cli
    mov al, 0x20
    out 0x20, al
    pop dx
    pop eax
    pop ds
    iret
