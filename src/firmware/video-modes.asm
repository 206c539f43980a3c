; int 10h, 00h: what the registers hold in each mode (IBM VGA Technical Reference, mode tables), the colours of the DAC, and
; the font in plane 2. Modes 4-6 of the CGA and monochrome text are not there.

; A mode's table
M_COLUMNS       equ 0
M_LAST_ROW      equ 1
M_CHAR_HEIGHT   equ 2
M_PAGE_BYTES    equ 3
M_MISC          equ 5
M_SEQUENCER     equ 6           ; registers 1-4
M_CRTC          equ 10          ; 25 registers
M_GRAPHICS      equ 35          ; 9
M_ATTRIBUTE     equ 44          ; 21

; AL the mode; bit 7: its memory stays.
set_mode:
    and al, 0x7f
    cmp al, 0x13
    ja .none
    movzx bx, al
    add bx, bx
    mov si, [cs:.tables + bx]
    test si, si
    jnz .known
.none:
    ret
.known:
    call vbe_off
    mov [B_VIDEO_MODE], al
    movzx ax, byte [cs:si + M_COLUMNS]
    mov [B_COLUMNS], ax
    mov al, [cs:si + M_LAST_ROW]
    mov [B_LAST_ROW], al
    mov al, [cs:si + M_CHAR_HEIGHT]
    mov [B_CHAR_HEIGHT], ax
    mov ax, [cs:si + M_PAGE_BYTES]
    mov [B_PAGE_BYTES], ax
    xor eax, eax
    mov [B_PAGE_START], ax
    mov [B_CURSOR], eax
    mov [B_CURSOR + 4], eax
    mov [B_CURSOR + 8], eax
    mov [B_CURSOR + 12], eax
    mov [B_PAGE], al
    mov word [B_CRTC], 0x3d4
    mov word [B_CRT_MODE], 0x3029
    mov al, [bp + R_AL]
    and al, 0x80
    or al, 0x60
    mov [B_VIDEO_CONTROL], al
    mov byte [B_VIDEO_SWITCH], 0xf9
    mov byte [B_VIDEO_FLAGS], 0x51
    mov byte [B_DCC], 8
    call load_registers
    call load_colours
    call clear_screen
    call is_text
    jne .graphics
    mov ah, 16
    call load_rom_font
.graphics:
    push ds
    push word 0
    pop ds
    mov ax, font_8x16
    mov cl, [cs:si + M_CHAR_HEIGHT]
    cmp cl, 8
    jne .font
    mov ax, font_8x8
.font:
    cmp cl, 14
    jne .vector
    mov ax, font_8x14
.vector:
    mov [0x43 * 4], ax
    mov word [0x43 * 4 + 2], ROM_SEGMENT
    pop ds
    mov word [B_CURSOR_SHAPE], 0
    call is_text
    jne .answer
    mov cx, 0x0607
    call set_cursor_shape
    call show_cursor
.answer:
    mov al, 0x20                ; what other video BIOSes return
    call is_text
    jne .done
    mov al, 0x30
.done:
    mov [bp + R_AL], al
    ret
.tables:
    dw text_40, text_40, text_80, text_80, 0, 0, 0, 0, 0, 0, 0, 0, 0, mode_0d, mode_0e, 0
    dw mode_10, mode_11, mode_12, mode_13

; All registers from the table at CS:SI.
load_registers:
    push si
    mov dx, 0x3c4
    mov ax, 0x0100              ; reset while the clock changes
    out dx, ax
    mov dx, 0x3c2
    mov al, [cs:si + M_MISC]
    out dx, al
    add si, M_SEQUENCER
    mov dx, 0x3c4
    mov cx, 4
    mov ah, 1
    call .indexed
    mov ax, 0x0300
    out dx, ax
    mov dx, 0x3d4
    mov ax, 0x0e11              ; registers 0-7 are not protected
    out dx, ax
    mov cx, 25
    mov ah, 0
    call .indexed
    mov dx, 0x3ce
    mov cx, 9
    mov ah, 0
    call .indexed
    call attribute_index
    mov dx, 0x3c0
    mov cx, 21
    mov ah, 0
.attribute:
    mov al, ah
    out dx, al
    cs lodsb
    out dx, al
    inc ah
    loop .attribute
    mov al, 0x20
    out dx, al
    pop si
    ret
; CX registers from AH on, at the index port DX.
.indexed:
    mov al, ah
    out dx, al
    inc dx
    cs lodsb
    out dx, al
    dec dx
    inc ah
    loop .indexed
    ret

; The DAC as the mode wants it.
load_colours:
    test byte [B_VIDEO_FLAGS], 8
    jnz .done
    pusha
    mov dx, 0x3c6
    mov al, 0xff
    out dx, al
    mov dx, 0x3c8
    mov al, 0
    out dx, al
    inc dx
    cmp byte [B_VIDEO_MODE], 0x13
    je .wide
    mov bl, 0
.sixteen:
    mov bh, bl                  ; bits 5-0: r g b at a third, R G B at two thirds
    cmp byte [B_VIDEO_MODE], 0x0e
    ja .ega
    cmp byte [B_VIDEO_MODE], 0x0d
    jb .ega
    and bh, 0x17                ; in these modes bit 4 is the brightness
    test bh, 0x10
    jz .ega
    or bh, 0x38
    call .dac
    jmp .next
.ega:
    call .dac
.next:
    inc bl
    cmp bl, 64
    jb .sixteen
    mov cx, 192 * 3
    mov al, 0
.black:
    out dx, al
    loop .black
    popa
.done:
    ret
.dac:
    mov cl, 2
.component:
    mov ah, bh
    shr ah, cl
    mov al, 0
    test ah, 1
    jz .no_two_thirds
    mov al, 42
.no_two_thirds:
    test ah, 8
    jz .no_third
    add al, 21
.no_third:
    out dx, al
    dec cl
    jns .component
    ret

; Mode 13h: the sixteen colours, sixteen greys, and 24 hues of three saturations and three brightnesses.
.wide:
    mov si, .first_sixteen
    mov cx, 16
.low:
    cs lodsb
    mov bh, al
    call .dac_keep
    loop .low
    mov cx, 16
.grey:
    cs lodsb
    out dx, al
    out dx, al
    out dx, al
    loop .grey
    mov cx, 9                   ; brightness and saturation: five levels each
.ramp:
    push cx
    mov di, .hues
    mov ch, 24
.hue:
    mov ax, [cs:di]             ; bits 10-8 red, 6-4 green, 2-0 blue level
    add di, 2
    push ax
    movzx bx, ah
    mov al, [cs:bx + si]
    out dx, al
    pop ax
    push ax
    shr al, 4
    movzx bx, al
    mov al, [cs:bx + si]
    out dx, al
    pop ax
    and ax, 15
    mov bx, ax
    mov al, [cs:bx + si]
    out dx, al
    dec ch
    jnz .hue
    add si, 5
    pop cx
    loop .ramp
    mov cx, 8 * 3
    mov al, 0
    jmp .black
.dac_keep:
    push cx
    call .dac
    pop cx
    ret
.first_sixteen:
    db 0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
    db 0, 5, 8, 11, 14, 17, 20, 24, 28, 32, 36, 40, 45, 50, 56, 63
    db 0, 16, 31, 47, 63,   31, 39, 47, 55, 63,   45, 49, 54, 58, 63
    db 0, 7, 14, 21, 28,    14, 17, 21, 24, 28,   20, 22, 24, 26, 28
    db 0, 4, 8, 12, 16,     8, 10, 12, 14, 16,    11, 12, 13, 15, 16
.hues:
    dw 0x004, 0x104, 0x204, 0x304, 0x404, 0x403, 0x402, 0x401, 0x400, 0x410, 0x420, 0x430
    dw 0x440, 0x340, 0x240, 0x140, 0x040, 0x041, 0x042, 0x043, 0x044, 0x034, 0x024, 0x014

; Blanks in text modes, black in others, unless bit 7 of the mode said otherwise.
clear_screen:
    test byte [bp + R_AL], 0x80
    jnz .done
    push es
    xor di, di
    xor eax, eax
    mov cx, 0x4000
    mov dx, GRAPHICS_SEGMENT
    call is_text
    jne .fill
    mov dx, TEXT_SEGMENT
    mov eax, 0x07200720
    mov cx, 0x2000
.fill:
    mov es, dx
    rep stosd
    pop es
.done:
    ret

; Font of AH rows from ROM into plane 2. Keeps AH, SI.
load_rom_font:
    push es
    push si
    push ROM_SEGMENT
    pop es
    mov si, font_8x8
    mov dx, 8                   ; bytes of a character in ROM
    cmp ah, 8
    je .load
    mov si, font_8x14
    mov dx, 14
    cmp ah, 14
    je .load
    mov si, font_8x16
    mov dx, 16
.load:
    mov bx, 0
    mov cx, 256
    call load_font
    pop si
    pop es
    ret

; int 10h, 11h/00h: CX characters of BH rows from DX on, at ES:BP. AH the rows.
load_user_font:
    push es
    push si
    mov ah, [bp + R_BH]
    mov bx, [bp + R_DX]
    mov cx, [bp + R_CX]
    mov es, [bp + R_ES]
    mov si, [bp + R_BP]
    movzx dx, ah
    jcxz .done
    call load_font
.done:
    pop si
    pop es
    ret

; CX characters of AH rows from BX on, from ES:SI, DX bytes apart, into plane 2. Keeps AH.
load_font:
    push ax
    push bp
    mov bp, dx
    mov dx, 0x3c4
    push ax
    mov ax, 0x0402
    out dx, ax
    mov ax, 0x0704
    out dx, ax
    mov dx, 0x3ce
    mov ax, 0x0005
    out dx, ax
    mov ax, 0x0406              ; A000h, 64 KiB
    out dx, ax
    pop ax
    push ds
    push es
    pop ds
    push GRAPHICS_SEGMENT
    pop es
.character:
    mov di, bx
    shl di, 5
    push cx
    push si
    movzx cx, ah
    rep movsb
    pop si
    pop cx
    add si, bp
    inc bx
    loop .character
    pop ds
    mov dx, 0x3c4
    mov ax, 0x0302
    out dx, ax
    mov ax, 0x0204
    out dx, ax
    mov dx, 0x3ce
    mov ax, 0x1005
    out dx, ax
    mov ax, 0x0e06
    out dx, ax
    pop bp
    pop ax
    ret

; Text rows of AH lines: as many as fit into 400.
set_character_height:
    mov [B_CHAR_HEIGHT], ah
    mov byte [B_CHAR_HEIGHT + 1], 0
    push ax
    mov dx, 0x3d4
    mov al, 9
    out dx, al
    inc dx
    in al, dx
    and al, 0xe0
    dec ah
    or al, ah
    out dx, al
    pop ax
    mov bl, ah
    mov ax, 400
    div bl
    dec al
    mov [B_LAST_ROW], al
    inc al
    mul byte [B_COLUMNS]
    add ax, ax
    add ax, 0x100
    mov al, 0
    mov [B_PAGE_BYTES], ax
    mov cx, [B_CURSOR_SHAPE]
    jmp set_cursor_shape

; Columns, last row, height, bytes of a page; miscellaneous output; sequencer, CRT, graphics and attribute controller.
; 0, 1: 40x25 text
text_40:
    db 40, 24, 16
    dw 0x0800
    db 0x67
    db 0x08, 0x03, 0x00, 0x02
    db 0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00
    db 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
    db 0x0c, 0x00, 0x0f, 0x08, 0x00
; 2, 3: 80x25 text
text_80:
    db 80, 24, 16
    dw 0x1000
    db 0x67
    db 0x00, 0x03, 0x00, 0x02
    db 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00
    db 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
    db 0x0c, 0x00, 0x0f, 0x08, 0x00
; 0Dh: 320x200, 16 colours
mode_0d:
    db 40, 24, 8
    dw 0x2000
    db 0x63
    db 0x09, 0x0f, 0x00, 0x06
    db 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
    db 0x01, 0x00, 0x0f, 0x00, 0x00
; 0Eh: 640x200, 16 colours
mode_0e:
    db 80, 24, 8
    dw 0x4000
    db 0x63
    db 0x01, 0x0f, 0x00, 0x06
    db 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xe3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
    db 0x01, 0x00, 0x0f, 0x00, 0x00
; 10h: 640x350, 16 colours
mode_10:
    db 80, 24, 14
    dw 0x8000
    db 0xa3
    db 0x01, 0x0f, 0x00, 0x06
    db 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x40, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0x83, 0x85, 0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
    db 0x01, 0x00, 0x0f, 0x00, 0x00
; 11h: 640x480, two colours
mode_11:
    db 80, 29, 16
    dw 0xa000
    db 0xe3
    db 0x01, 0x0f, 0x00, 0x06
    db 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff
    db 0x00, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f
    db 0x01, 0x00, 0x0f, 0x00, 0x00
; 12h: 640x480, 16 colours
mode_12:
    db 80, 29, 16
    dw 0xa000
    db 0xe3
    db 0x01, 0x0f, 0x00, 0x06
    db 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
    db 0x01, 0x00, 0x0f, 0x00, 0x00
; 13h: 320x200, 256 colours
mode_13:
    db 40, 24, 8
    dw 0x2000
    db 0x63
    db 0x01, 0x0f, 0x00, 0x0e
    db 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f
    db 0x41, 0x00, 0x0f, 0x00, 0x00
