; int 10h in graphics modes: characters from the font at int 43h, and single pixels. Planar modes have four planes of a bit
; a pixel at A000h, mode 13h a byte a pixel. IBM VGA Technical Reference, "Graphics controller".

; 09h, 0Ah: CX times character AL in colour BL at row DH, column DL.
write_graphics_cells:
    jcxz .done
.next:
    call draw_character
    inc dl
    cmp dl, [B_COLUMNS]
    jae .done
    loop .next
.done:
    ret

; Character AL in colour BL at row DH, column DL of page BH. Bit 7 of the colour: exclusive or (not in mode 13h).
draw_character:
    cmp byte [B_VIDEO_MODE], NO_VGA_MODE
    je .none
    pusha
    push ds
    push es
    push fs
    push ax
    call cell_address
    pop ax
    push word 0
    pop fs
    mov ch, [B_CHAR_HEIGHT]
    movzx dx, byte [B_COLUMNS]
    mul ch
    mov si, ax
    lds ax, [fs:0x43 * 4]
    add si, ax
    push word BDA_SEGMENT
    pop fs
    cmp byte [fs:B_VIDEO_MODE], 0x13
    je .linear
    mov cl, 1                   ; the plane
.plane:
    push dx
    mov dx, 0x3c4
    mov al, 2
    mov ah, cl
    out dx, ax
    pop dx
    test bl, 0x80
    jz .replace
    push dx
    mov dx, 0x3ce
    mov ax, 0x1803
    out dx, ax
    pop dx
.replace:
    push si
    push di
    push cx
.row:
    lodsb
    test bl, cl
    jnz .in_colour
    mov al, 0
.in_colour:
    mov ah, [es:di]             ; fills the latches
    mov [es:di], al
    add di, dx
    dec ch
    jnz .row
    pop cx
    pop di
    pop si
    add cl, cl
    cmp cl, 16
    jb .plane
    mov dx, 0x3c4
    mov ax, 0x0f02
    out dx, ax
    mov dx, 0x3ce
    mov ax, 0x0003
    out dx, ax
    jmp .done
.linear:
    shl dx, 3
    sub dx, 8
.line:
    lodsb
    mov ah, al
    mov cl, 8
.pixel:
    mov al, 0
    add ah, ah
    jnc .dark
    mov al, bl
.dark:
    stosb
    dec cl
    jnz .pixel
    add di, dx
    dec ch
    jnz .line
.done:
    pop fs
    pop es
    pop ds
    popa
.none:
    ret

; 08h in graphics: the picture at the cursor is looked for in the font. AL 0 when it is no character.
read_graphics_cell:
    mov word [bp + R_AX], 0
    ret

; Pixel at column CX, row DX of page BH: DI its byte, CL its bit in planar modes, ES the screen.
pixel_address:
    mov ax, GRAPHICS_SEGMENT
    mov es, ax
    mov al, [B_COLUMNS]
    mov ah, 0
    cmp byte [B_VIDEO_MODE], 0x13
    je .linear
    push dx
    mul dx
    mov di, ax
    movzx ax, bh
    mul word [B_PAGE_BYTES]
    add di, ax
    pop dx
    mov ax, cx
    shr ax, 3
    add di, ax
    and cl, 7
    xor cl, 7
    ret
.linear:
    shl ax, 3
    push dx
    mul dx
    pop dx
    add ax, cx
    mov di, ax
    ret

; 0Ch: colour AL; bit 7: exclusive or.
write_pixel:
    call is_text
    je .done
    mov bl, al
    call pixel_address
    cmp byte [B_VIDEO_MODE], 0x13
    je .linear
    mov ah, 1
    shl ah, cl
    mov dx, 0x3ce
    mov al, 8                   ; bit mask
    out dx, ax
    mov ax, 0x0205              ; write mode 2: data are a colour
    out dx, ax
    test bl, 0x80
    jz .replace
    mov ax, 0x1803
    out dx, ax
.replace:
    mov al, [es:di]
    mov [es:di], bl
    jmp planes_plain
.linear:
    mov [es:di], bl
.done:
    ret

; 0Dh
read_pixel:
    call is_text
    je .done
    call pixel_address
    cmp byte [B_VIDEO_MODE], 0x13
    je .linear
    mov dx, 0x3ce
    mov bx, 0x0300              ; BH the plane, BL the colour
.plane:
    mov al, 4
    mov ah, bh
    out dx, ax
    mov al, [es:di]
    shr al, cl
    and al, 1
    add bl, bl
    or bl, al
    dec bh
    jns .plane
    mov ax, 0x0004
    out dx, ax
    mov [bp + R_AL], bl
.done:
    ret
.linear:
    mov al, [es:di]
    mov [bp + R_AL], al
    ret
