; int 10h, 0Bh and 10h: palette and DAC. IBM VGA Technical Reference, "Attribute controller" and "Video digital-to-analog
; converter".

; The attribute controller takes an index next. Uses AL.
attribute_index:
    push dx
    mov dx, [B_CRTC]
    add dx, 6
    in al, dx
    pop dx
    ret

; BH into register BL of the attribute controller, and the screen stays on.
write_attribute:
    push dx
    call attribute_index
    mov dx, 0x3c0
    mov al, bl
    and al, 0x1f
    out dx, al
    mov al, bh
    out dx, al
    mov al, 0x20
    out dx, al
    pop dx
    ret

; Register BL into BH.
read_attribute:
    push dx
    call attribute_index
    mov dx, 0x3c0
    mov al, bl
    and al, 0x1f
    out dx, al
    inc dx
    in al, dx
    mov bh, al
    call attribute_index
    dec dx
    mov al, 0x20
    out dx, al
    pop dx
    ret

; 0Bh, BH 0: border colour BL.
set_colour:
    test bh, bh
    jnz .done
    mov bh, bl
    mov bl, 0x11
    call write_attribute
.done:
    ret

palette_service:
    movzx si, al
    cmp si, 0x1c
    jae .done
    add si, si
    jmp [cs:si + .table]
.done:
    ret
.table:
    dw write_attribute, palette_border, palette_all, palette_blink, video_nothing, video_nothing
    dw video_nothing, palette_read, palette_border_read, palette_all_read
    times 6 dw video_nothing
    dw dac_write, video_nothing, dac_write_block, video_nothing, video_nothing, dac_read, video_nothing
    dw dac_read_block, dac_mask, dac_mask_read, video_nothing, dac_to_grey

palette_border:
    mov bl, 0x11
    jmp write_attribute

; 16 colours and the border from ES:DX.
palette_all:
    mov es, [bp + R_ES]
    mov si, dx
    mov bl, 0
.next:
    mov bh, [es:si]
    inc si
    call write_attribute
    inc bl
    cmp bl, 16
    jb .next
    mov bh, [es:si]
    jmp palette_border

; BL 1: bit 7 of an attribute blinks; 0: bright background.
palette_blink:
    mov cl, bl
    mov bl, 0x10
    call read_attribute
    and bh, 0xf7
    and cl, 1
    shl cl, 3
    or bh, cl
    jmp write_attribute

palette_read:
    call read_attribute
    mov [bp + R_BH], bh
    ret

palette_border_read:
    mov bl, 0x11
    jmp palette_read

palette_all_read:
    mov es, [bp + R_ES]
    mov di, dx
    mov bl, 0
.next:
    call read_attribute
    mov al, bh
    stosb
    inc bl
    cmp bl, 16
    jb .next
    mov bl, 0x11
    call read_attribute
    mov al, bh
    stosb
    ret

; Colour BX = red DH, green CH, blue CL.
dac_write:
    mov ah, dh
    mov dx, 0x3c8
    mov al, bl
    out dx, al
    inc dx
    mov al, ah
    out dx, al
    mov al, ch
    out dx, al
    mov al, cl
    out dx, al
    ret

; CX colours from BX on, at ES:DX.
dac_write_block:
    mov es, [bp + R_ES]
    mov si, dx
    mov dx, 0x3c8
    mov al, bl
    out dx, al
    inc dx
    imul cx, cx, 3
    jcxz .done
.next:
    es lodsb
    out dx, al
    loop .next
.done:
    ret

dac_read:
    mov dx, 0x3c7
    mov al, bl
    out dx, al
    add dx, 2
    in al, dx
    mov [bp + R_DH], al
    in al, dx
    mov [bp + R_CH], al
    in al, dx
    mov [bp + R_CL], al
    ret

dac_read_block:
    mov es, [bp + R_ES]
    mov di, dx
    mov dx, 0x3c7
    mov al, bl
    out dx, al
    add dx, 2
    imul cx, cx, 3
    jcxz .done
.next:
    in al, dx
    stosb
    loop .next
.done:
    ret

dac_mask:
    mov dx, 0x3c6
    mov al, bl
    out dx, al
    ret

dac_mask_read:
    mov dx, 0x3c6
    in al, dx
    mov [bp + R_BL], al
    ret

; CX colours from BX on become grey: 30 % red, 59 % green, 11 % blue.
dac_to_grey:
    jcxz .done
.next:
    push bx
    push cx
    mov dx, 0x3c7
    mov al, bl
    out dx, al
    add dx, 2
    in al, dx
    mov ah, 77
    mul ah
    mov si, ax
    in al, dx
    mov ah, 151
    mul ah
    add si, ax
    in al, dx
    mov ah, 28
    mul ah
    add ax, si
    mov cl, ah
    mov ch, ah
    mov dh, ah
    call dac_write
    pop cx
    pop bx
    inc bx
    loop .next
.done:
    ret
