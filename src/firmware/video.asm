; int 10h: cursor, characters, modes, palette, fonts. IBM PS/2 and PC BIOS Interface Technical Reference, "Interrupt 10h";
; registers as in the IBM VGA Technical Reference. The screen is written through its memory, never through a hook.

; What a mode is, B_CRT_MODE's neighbour: see video-modes.asm
MODE_TEXT       equ 0
MODE_PLANAR     equ 1
MODE_LINEAR     equ 2

video_service:
    service_entry
    cmp ah, 0x4f
    je .vbe
    dispatch_by_ah .table, 0x1d, .exit
.vbe:
    call vbe_service
.exit:
    service_exit
.table:
    dw set_mode, set_cursor_shape, set_cursor, get_cursor, light_pen, set_page, scroll_up, scroll_down
    dw read_cell, write_cells, write_characters, set_colour, write_pixel, read_pixel, teletype, get_mode
    dw palette_service, font_service, alternate_select, write_string, video_nothing, video_nothing
    dw video_nothing, video_nothing, video_nothing, video_nothing, display_combination, video_state
    dw video_nothing

video_nothing:
    ret

light_pen:
    mov byte [bp + R_AH], 0
    ret

; 01h: CH first, CL last line of the cursor, given for characters of eight lines and stretched to the real ones.
set_cursor_shape:
    mov [B_CURSOR_SHAPE], cx
    cmp byte [B_CHAR_HEIGHT], 14
    jb .as_is
    test byte [B_VIDEO_CONTROL], 1      ; no stretching wanted
    jnz .as_is
    test ch, 0x20
    jnz .as_is
    cmp ch, 8
    jae .as_is
    cmp cl, 8
    jae .as_is
    mov al, ch
    inc al
    cmp al, cl
    mov al, ch
    mov ch, 0
    je .two_lines
    test al, al
    jz .to_the_end
    mov ch, al
    shl ch, 1
.to_the_end:
    shl cl, 1
    jmp .as_is
.two_lines:
    shl cl, 1
    mov ch, cl
    dec ch
.as_is:
    mov al, 0x0a
    mov ah, ch
    call write_crtc
    mov al, 0x0b
    mov ah, cl
    jmp write_crtc

; AH into register AL of the CRT controller.
write_crtc:
    push dx
    mov dx, [B_CRTC]
    out dx, ax
    pop dx
    ret

; 02h: page BH, row DH, column DL.
set_cursor:
    and bx, 0x0700
    movzx si, bh
    add si, si
    mov [si + B_CURSOR], dx
    cmp bh, [B_PAGE]
    jne .other_page
    call show_cursor
.other_page:
    ret

; The hardware's cursor to where the shown page has it.
show_cursor:
    push ax
    push bx
    push dx
    movzx bx, byte [B_PAGE]
    add bx, bx
    mov dx, [bx + B_CURSOR]
    mov al, [B_COLUMNS]
    mul dh
    mov dh, 0
    add ax, dx
    mov bx, [B_PAGE_START]
    shr bx, 1
    add bx, ax
    mov al, 0x0e
    mov ah, bh
    call write_crtc
    mov al, 0x0f
    mov ah, bl
    call write_crtc
    pop dx
    pop bx
    pop ax
    ret

get_cursor:
    and bx, 0x0700
    movzx si, bh
    add si, si
    mov ax, [si + B_CURSOR]
    mov [bp + R_DX], ax
    mov ax, [B_CURSOR_SHAPE]
    mov [bp + R_CX], ax
    ret

; 05h: page AL is shown.
set_page:
    cmp al, 7
    ja .done
    mov [B_PAGE], al
    movzx ax, al
    mul word [B_PAGE_BYTES]
    mov [B_PAGE_START], ax
    mov bx, ax
    cmp byte [B_VIDEO_MODE], 7
    ja .bytes                   ; in graphics modes an address is a byte
    shr bx, 1
.bytes:
    mov al, 0x0c
    mov ah, bh
    call write_crtc
    mov al, 0x0d
    mov ah, bl
    call write_crtc
    call show_cursor
.done:
    ret

get_mode:
    mov al, [B_VIDEO_MODE]
    mov ah, [B_VIDEO_CONTROL]
    and ah, 0x80                ; memory was not cleared
    or al, ah
    mov ah, [B_COLUMNS]
    mov [bp + R_AX], ax
    mov al, [B_PAGE]
    mov [bp + R_BH], al
    ret

; 11h: fonts. Of the loading calls, those that set a height change rows; our screens show one font.
font_service:
    cmp al, 0x30
    je .information
    mov bl, al
    and bl, 0x0f
    mov ah, 16
    cmp bl, 4
    je .load
    mov ah, 14
    cmp bl, 1
    je .load
    mov ah, 8
    cmp bl, 2
    je .load
    cmp bl, 3
    je .done                    ; block specifier
    mov ah, [bp + R_BH]         ; a font of the caller's
    cmp bl, 0
    jne .done
    cmp al, 0x20
    jae .graphics
    call load_user_font
    jmp .resize
.load:
    cmp al, 0x20
    jae .graphics
    call load_rom_font
.resize:
    test byte [bp + R_AL], 0x10
    jz .done
    cmp ah, 2
    jb .done
    call set_character_height
.done:
    ret
; 20h-24h: the font of graphics modes.
.graphics:
    push ds
    push word 0
    pop ds
    mov si, [bp + R_BP]
    mov bx, [bp + R_ES]
    cmp al, 0x20
    jne .not_upper
    mov [0x1f * 4], si
    mov [0x1f * 4 + 2], bx
    pop ds
    ret
.not_upper:
    cmp al, 0x21
    je .set
    mov bx, ROM_SEGMENT
    mov si, font_8x16
    mov cl, 16
    cmp ah, 16
    je .height
    mov si, font_8x14
    mov cl, 14
    cmp ah, 14
    je .height
    mov si, font_8x8
    mov cl, 8
.height:
    mov [bp + R_CL], cl
.set:
    mov [0x43 * 4], si
    mov [0x43 * 4 + 2], bx
    pop ds
    mov al, [bp + R_CL]
    mov [B_CHAR_HEIGHT], al
    ret
; 30h: pointer to font BH in ES:BP, height in CX, last row in DL.
.information:
    movzx cx, byte [B_CHAR_HEIGHT]
    mov [bp + R_CX], cx
    mov al, [B_LAST_ROW]
    mov [bp + R_DL], al
    mov bl, bh
    mov si, 0x1f * 4
    cmp bl, 0
    je .vector
    mov si, 0x43 * 4
    cmp bl, 1
    je .vector
    mov ax, font_8x14
    cmp bl, 2
    je .rom
    cmp bl, 5
    je .rom
    mov ax, font_8x8
    cmp bl, 3
    je .rom
    mov ax, font_8x8 + 128 * 8
    cmp bl, 4
    je .rom
    mov ax, font_8x16
.rom:
    mov [bp + R_BP], ax
    mov word [bp + R_ES], ROM_SEGMENT
    ret
.vector:
    push word 0
    pop es
    mov ax, [es:si]
    mov [bp + R_BP], ax
    mov ax, [es:si + 2]
    mov [bp + R_ES], ax
    ret

; 12h: BL chooses. 10h: what the adapter is; 30h scan lines, 31h-34h, 36h switches that are acknowledged.
alternate_select:
    cmp bl, 0x10
    je .information
    cmp bl, 0x30
    jb .done
    cmp bl, 0x36
    ja .done
    cmp bl, 0x34
    je .cursor
    cmp bl, 0x32
    je .fine
    cmp bl, 0x35
    je .done
.fine:
    mov byte [bp + R_AL], 0x12
.done:
    ret
.cursor:
    and byte [B_VIDEO_CONTROL], 0xfe
    and al, 1
    or [B_VIDEO_CONTROL], al
    jmp .fine
.information:
    mov word [bp + R_BX], 0x0003        ; colour, 256 KiB
    mov word [bp + R_CX], 0x0009        ; feature bits, switches
    ret

; 1Ah: a VGA with a colour screen, and nothing beside it.
display_combination:
    cmp al, 1
    ja .done
    jb .read
    mov [B_DCC], bl
.read:
    mov byte [bp + R_AL], 0x1a
    test al, al
    jnz .done
    mov word [bp + R_BX], 0x0008
.done:
    ret

; 1Bh: functionality and state into 64 bytes at ES:DI.
video_state:
    test bx, bx
    jnz .done
    mov es, [bp + R_ES]
    mov di, [bp + R_DI]
    mov ax, .functions
    stosw
    mov ax, ROM_SEGMENT
    stosw
    mov si, B_VIDEO_MODE
    mov cx, 0x1e
    rep movsb                   ; mode .. palette as they stand in the data area
    mov al, [B_LAST_ROW]
    inc al
    stosb
    mov ax, [B_CHAR_HEIGHT]
    stosw
    mov al, 0x08                ; active display, none beside
    stosb
    xor al, al
    stosb
    mov ax, 16                  ; colours
    cmp byte [B_VIDEO_MODE], 0x13
    jne .colours
    mov ax, 256
.colours:
    stosw
    mov al, 8                   ; pages
    stosb
    mov al, 2                   ; 400 scan lines
    stosb
    xor ax, ax
    stosw                       ; character blocks
    mov al, 0x21
    stosb
    xor al, al
    mov cx, 3
    rep stosb
    mov al, 3                   ; 256 KiB
    stosb
    xor al, al
    mov cx, 14
    rep stosb
    mov byte [bp + R_AL], 0x1b
.done:
    ret
.functions:
    dd 0x000fe00f               ; modes 0-3, 0Dh-13h
    db 0, 0, 0
    db 7                        ; 200, 350, 400 scan lines
    db 8, 2
    dw 0x0cff
    db 0, 0, 0x0e, 0
