; Hardware interrupts that no service of its own handles, and the two shortest services: int 11h equipment, int 12h base
; memory. IBM PS/2 and PC BIOS Interface Technical Reference.

; Nobody knows why: tell the controller that it is over.
spurious_slave:
    push ax
    mov al, 0x20
    out 0xa0, al
    pop ax
spurious_master:
    push ax
    mov al, 0x20
    out 0x20, al
    pop ax
    iret

; IRQ 9 stands for IRQ 2 of the first PC.
redirected_interrupt:
    push ax
    mov al, 0x20
    out 0xa0, al
    pop ax
    int 0x0a
    iret

; IRQ 13: the coprocessor has an error. The latch is cleared, and the NMI handler looks after it, as on the first PC.
coprocessor_interrupt:
    push ax
    xor al, al
    out 0xf0, al
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    pop ax
    int 2
    iret

; IRQ 14 and 15: a disk has finished.
disk_interrupt:
    push ax
    push ds
    push word BDA_SEGMENT
    pop ds
    mov byte [B_DISK_INT], 0xff
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    pop ds
    pop ax
    iret

equipment_service:
    push ds
    push word BDA_SEGMENT
    pop ds
    mov ax, [B_EQUIPMENT]
    pop ds
    iret

memory_service:
    push ds
    push word BDA_SEGMENT
    pop ds
    mov ax, [B_BASE_KIB]
    pop ds
    iret
