; int 14h: the serial port, by polling (National Semiconductor 16550 data sheet); int 17h: printers, of which there is none.

set_up_serial:
    mov word [B_SERIAL], 0x3f8
    mov dx, 0x3f8
    mov al, 0xe3                ; 9600 baud, 8 data bits
    jmp serial_parameters

serial_service:
    service_entry
    test dx, dx
    jnz .absent
    mov dx, [B_SERIAL]
    test dx, dx
    jz .absent
    dispatch_by_ah .table, 4, .absent
.absent:                        ; nothing changes
    service_exit
.table:
    dw serial_initialize, serial_send, serial_receive, serial_status

serial_initialize:
    call serial_parameters
    jmp serial_status

; AL: bits 7-5 baud rate, the rest as in the line control register. DX the port.
serial_parameters:
    push dx
    mov bl, al
    shr al, 5
    movzx si, al
    add si, si
    mov cx, [cs:.divisors + si]
    add dx, 3
    mov al, 0x80                ; divisor latch
    out dx, al
    sub dx, 3
    mov al, cl
    out dx, al
    inc dx
    mov al, ch
    out dx, al
    add dx, 2
    mov al, bl
    and al, 0x1f
    out dx, al
    sub dx, 2
    xor al, al                  ; no interrupts
    out dx, al
    pop dx
    ret
.divisors:
    dw 1047, 768, 384, 192, 96, 48, 24, 12

; AL out. AH bit 7: it could not be sent.
serial_send:
    mov bl, al
    push dx
    add dx, 4
    mov al, 3                   ; DTR, RTS
    out dx, al
    pop dx
    mov ah, 0x20
    call serial_wait
    jc .timeout
    push ax
    mov al, bl
    out dx, al
    pop ax
    mov [bp + R_AH], al
    ret
.timeout:
    or al, 0x80
    mov [bp + R_AH], al
    ret

serial_receive:
    push dx
    add dx, 4
    mov al, 1                   ; DTR
    out dx, al
    pop dx
    mov ah, 1
    call serial_wait
    jc serial_send.timeout
    and al, 0x1e
    mov [bp + R_AH], al
    in al, dx
    mov [bp + R_AL], al
    ret

serial_status:
    add dx, 5
    in al, dx
    mov [bp + R_AH], al
    inc dx
    in al, dx
    mov [bp + R_AL], al
    ret

; Until a bit of AH stands in the line status, a second at most. AL the status, carry when it did not.
serial_wait:
    push cx
    push dx
    add dx, 5
    mov cx, 0xffff
.again:
    in al, dx
    test al, ah
    jnz .there
    push ax
    in al, 0x61                 ; takes its time
    in al, 0x80
    pop ax
    loop .again
    pop dx
    pop cx
    stc
    ret
.there:
    pop dx
    pop cx
    clc
    ret

printer_service:
    service_entry
    cmp ah, 2
    ja .exit
    mov byte [bp + R_AH], 1     ; timeout
.exit:
    service_exit
