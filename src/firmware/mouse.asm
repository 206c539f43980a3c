; int 15h, C2h: the PS/2 mouse, and IRQ 12, which calls the user's handler with each packet. IBM PS/2 and PC BIOS Interface
; Technical Reference, "Pointing device interface".

mouse_service:
    push EBDA_SEGMENT
    pop fs
    mov al, [bp + R_AL]
    cmp al, 8
    jae .invalid
    movzx si, al
    add si, si
    jmp [cs:si + .table]
.invalid:
    mov byte [bp + R_AH], 1
    jmp system_carry
.table:
    dw mouse_enable, mouse_reset, mouse_rate, mouse_resolution, mouse_identity, mouse_initialize
    dw mouse_extended, mouse_handler

mouse_enable:
    mov al, 0xf4
    cmp byte [bp + R_BH], 0
    je .off
    test byte [fs:E_MOUSE_FLAGS2], 0x80
    jnz .send
    mov byte [bp + R_AH], 5     ; no handler
    jmp system_carry
.off:
    mov al, 0xf5
.send:
    mov byte [fs:E_MOUSE_FLAGS], 0
    call mouse_command
    jc mouse_failed
    call mouse_open
    jmp system_done

mouse_initialize:
    mov al, [bp + R_BH]         ; bytes of a packet
    dec al
    and al, 7
    and byte [fs:E_MOUSE_FLAGS2], 0x80
    or [fs:E_MOUSE_FLAGS2], al
mouse_reset:
    mov al, 0xff
    call mouse_command
    jc mouse_failed
    call keyboard_answer
    jc mouse_failed
    mov [bp + R_BL], al         ; AAh
    call keyboard_answer
    mov [bp + R_BH], al         ; 00h
    jmp system_done

mouse_rate:
    movzx si, byte [bp + R_BH]
    cmp si, 7
    jae mouse_service.invalid
    mov ah, [cs:si + .rates]
    mov al, 0xf3
    call mouse_command_with
    jc mouse_failed
    jmp system_done
.rates:
    db 10, 20, 40, 60, 80, 100, 200

mouse_resolution:
    mov ah, [bp + R_BH]
    cmp ah, 4
    jae mouse_service.invalid
    mov al, 0xe8
    call mouse_command_with
    jc mouse_failed
    jmp system_done

mouse_identity:
    mov al, 0xf2
    call mouse_command
    jc mouse_failed
    call keyboard_answer
    jc mouse_failed
    mov [bp + R_BH], al
    jmp system_done

mouse_extended:
    mov al, [bp + R_BH]
    cmp al, 2
    ja mouse_service.invalid
    cmp al, 0
    je .status
    add al, 0xe6 - 1            ; 1: scaling 1:1, 2: scaling 2:1
    call mouse_command
    jc mouse_failed
    jmp system_done
.status:
    mov al, 0xe9
    call mouse_command
    jc mouse_failed
    call keyboard_answer
    mov [bp + R_BL], al
    call keyboard_answer
    mov [bp + R_CL], al
    call keyboard_answer
    mov [bp + R_DL], al
    jmp system_done

mouse_handler:
    mov ax, [bp + R_ES]
    mov bx, [bp + R_BX]
    mov [fs:E_MOUSE_HANDLER], bx
    mov [fs:E_MOUSE_HANDLER + 2], ax
    and byte [fs:E_MOUSE_FLAGS2], 0x7f
    or ax, bx
    jz .none
    or byte [fs:E_MOUSE_FLAGS2], 0x80
.none:
    jmp system_done

mouse_failed:
    mov byte [bp + R_AH], 3     ; interface error
    jmp system_carry

; Both ports may interrupt.
mouse_open:
    mov al, 0x60
    call keyboard_command
    mov al, 0x47
    jmp keyboard_data

; Command AL, then AH. Carry when one is not acknowledged.
mouse_command_with:
    push ax
    call mouse_command
    pop ax
    jc .failed
    mov al, ah
    jmp mouse_byte
.failed:
    ret

; Command AL to the mouse, its interrupt off meanwhile. Carry when it does not acknowledge.
mouse_command:
    push ax
    mov al, 0x60
    call keyboard_command
    mov al, 0x45                ; translate, system flag, keyboard interrupt; the mouse may speak, but not interrupt
    call keyboard_data
    pop ax
mouse_byte:
    push ax
    mov al, 0xd4
    call keyboard_command
    pop ax
    call keyboard_data
    call keyboard_answer
    jc .failed
    cmp al, 0xfa
    je .fine
    stc
.failed:
    ret
.fine:
    clc
    ret

; IRQ 12: a byte of a packet; the last one calls the handler with status, x, y, 0 on the stack.
mouse_interrupt:
    push ds
    push es
    pushad
    cld
    in al, 0x64
    test al, 0x20
    jz .done
    in al, 0x60
    mov bx, EBDA_SEGMENT
    mov ds, bx
    test byte [E_MOUSE_FLAGS2], 0x80
    jz .done
    movzx bx, byte [E_MOUSE_FLAGS]
    and bx, 7
    mov [bx + E_MOUSE_PACKET], al
    mov cl, [E_MOUSE_FLAGS2]
    and cl, 7
    cmp bl, cl
    jae .complete
    inc byte [E_MOUSE_FLAGS]
    jmp .done
.complete:
    mov byte [E_MOUSE_FLAGS], 0
    movzx ax, byte [E_MOUSE_PACKET]
    push ax
    mov al, [E_MOUSE_PACKET + 1]
    push ax
    mov al, [E_MOUSE_PACKET + 2]
    push ax
    push word 0
    sti
    call far [E_MOUSE_HANDLER]
    cli
    add sp, 8
.done:
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    popad
    pop es
    pop ds
    iret
