; int 10h, 4Fh: VESA BIOS Extension 3.0, as far as loaders and small systems use it, over the Bochs display interface
; (registers behind 1CEh and 1CFh). The linear frame buffer is where Bochs has it.

DISPI_INDEX     equ 0x1ce
DISPI_DATA      equ 0x1cf
DISPI_WIDTH     equ 1
DISPI_HEIGHT    equ 2
DISPI_DEPTH     equ 3
DISPI_ENABLE    equ 4
DISPI_BANK      equ 5
DISPI_VIRTUAL_WIDTH equ 6
DISPI_X         equ 8
DISPI_Y         equ 9
FRAME_BUFFER    equ 0xe0000000
FRAME_BUFFER_BLOCKS equ 256     ; of 64 KiB
; Where the present mode is kept, in the extended data area
E_VBE_MODE      equ 0x1f8
; Video mode in the data area while a mode of this file is set: no service draws text there.
NO_VGA_MODE     equ 0xff

vbe_service:
    push EBDA_SEGMENT
    pop fs
    call vbe_present
    jne vbe_unsupported
    cmp al, 9
    ja vbe_unsupported
    movzx si, al
    add si, si
    mov di, [bp + R_DI]
    mov es, [bp + R_ES]
    jmp [cs:si + .table]
.table:
    dw vbe_information, vbe_mode_information, vbe_set_mode, vbe_get_mode, vbe_unsupported, vbe_bank
    dw vbe_line_length, vbe_display_start, vbe_dac_width, vbe_palette

vbe_unsupported:
    mov word [bp + R_AX], 0x0100
    ret
vbe_failed:
    mov word [bp + R_AX], 0x014f
    ret
vbe_done:
    mov word [bp + R_AX], 0x004f
    ret

; Zero flag: the adapter has the interface. Keeps all registers.
vbe_present:
    push ax
    push dx
    mov al, 0
    call dispi_read
    and ax, 0xfff0
    cmp ax, 0xb0c0
    pop dx
    pop ax
    ret

; Register AL into AX; AX into register BL. Use DX.
dispi_read:
    mov dx, DISPI_INDEX
    mov ah, 0
    out dx, ax
    inc dx
    in ax, dx
    ret
dispi_write:
    mov dx, DISPI_INDEX
    push ax
    movzx ax, bl
    out dx, ax
    pop ax
    inc dx
    out dx, ax
    ret

; A VGA mode is about to be set: the adapter is a VGA again. Keeps all registers but FS.
vbe_off:
    push EBDA_SEGMENT
    pop fs
    call vbe_present
    jne .done
    push ax
    push bx
    push dx
    mov ah, 0
    and al, 0x7f
    mov [fs:E_VBE_MODE], ax
    xor ax, ax
    mov bl, DISPI_ENABLE
    call dispi_write
    pop dx
    pop bx
    pop ax
.done:
    ret

; 4F00h: 256 bytes at ES:DI, or 512 when they begin with VBE2.
vbe_information:
    mov cx, 256 / 2
    cmp dword [es:di], 0x32454256
    jne .short
    mov cx, 512 / 2
.short:
    push di
    xor ax, ax
    rep stosw
    pop di
    mov dword [es:di], 0x41534556       ; VESA
    mov word [es:di + 4], 0x0300
    mov word [es:di + 6], .oem
    mov word [es:di + 8], ROM_SEGMENT
    mov word [es:di + 14], vbe_mode_list
    mov word [es:di + 16], ROM_SEGMENT
    mov word [es:di + 18], FRAME_BUFFER_BLOCKS
    jmp vbe_done
.oem:
    db 'Ringside', 0

; Mode CX (without its flags): SI its entry. Carry: there is none.
vbe_find:
    and cx, 0x1ff
    mov si, vbe_modes
.next:
    cmp word [cs:si], 0xffff
    je .none
    cmp [cs:si], cx
    je .found
    add si, 8
    jmp .next
.found:
    clc
    ret
.none:
    stc
    ret

; Bytes of a line of entry SI in AX.
vbe_line:
    mov ax, [cs:si + 6]
    add ax, 7
    shr ax, 3
    imul ax, [cs:si + 2]
    ret

; 4F01h: 256 bytes at ES:DI.
vbe_mode_information:
    call vbe_find
    jc vbe_failed
    push di
    mov cx, 128
    xor ax, ax
    rep stosw
    pop di
    mov word [es:di], 0x009b    ; supported, colour, graphics, linear frame buffer
    mov byte [es:di + 2], 7     ; window A: there, readable, writeable
    mov word [es:di + 4], 64
    mov word [es:di + 6], 64
    mov word [es:di + 8], GRAPHICS_SEGMENT
    call vbe_line
    mov [es:di + 16], ax
    mov [es:di + 0x32], ax
    mov bx, ax
    mov ax, [cs:si + 2]
    mov [es:di + 18], ax
    mov ax, [cs:si + 4]
    mov [es:di + 20], ax
    mul bx                      ; bytes of a picture
    mov cx, ax
    mov bx, dx
    mov word [es:di + 22], 0x1008       ; character 8x16
    mov byte [es:di + 24], 1    ; planes
    mov al, [cs:si + 6]
    mov [es:di + 25], al
    mov byte [es:di + 26], 1    ; banks
    mov byte [es:di + 30], 1
    inc bx
    mov ax, FRAME_BUFFER_BLOCKS
    xor dx, dx
    div bx
    dec al
    mov [es:di + 29], al        ; further pictures
    mov [es:di + 0x34], al
    mov [es:di + 0x35], al
    mov dword [es:di + 40], FRAME_BUFFER
    mov byte [es:di + 27], 4    ; packed pixels
    mov bx, .masks_15
    mov al, [cs:si + 6]
    cmp al, 8
    je vbe_done
    mov byte [es:di + 27], 6    ; direct colour
    cmp al, 15
    je .masks
    mov bx, .masks_16
    cmp al, 16
    je .masks
    mov bx, .masks_24
    cmp al, 24
    je .masks
    mov bx, .masks_32
.masks:
    mov eax, [cs:bx]
    mov [es:di + 31], eax
    mov [es:di + 0x36], eax
    mov eax, [cs:bx + 4]
    mov [es:di + 35], eax
    mov [es:di + 0x3a], eax
    jmp vbe_done
; Size and position of red, green, blue and what is left.
.masks_15: db 5, 10, 5, 5, 5, 0, 1, 15
.masks_16: db 5, 11, 6, 5, 5, 0, 0, 0
.masks_24: db 8, 16, 8, 8, 8, 0, 0, 0
.masks_32: db 8, 16, 8, 8, 8, 0, 8, 24

; 4F02h: BX the mode; bit 14: linear, bit 15: memory stays.
vbe_set_mode:
    mov bx, [bp + R_BX]
    mov cx, bx
    and cx, 0x3fff
    cmp cx, 0x100
    jae .extended
    mov al, cl
    and al, 0x7f
    test bh, 0x80
    jz .clears
    or al, 0x80
.clears:
    mov ah, 0
    int 0x10
    jmp vbe_done
.extended:
    test cx, 0x3e00
    jnz vbe_failed
    call vbe_find
    jc vbe_failed
    push bx
    xor ax, ax
    mov bl, DISPI_ENABLE
    call dispi_write
    mov ax, [cs:si + 2]
    mov bl, DISPI_WIDTH
    call dispi_write
    mov ax, [cs:si + 4]
    mov bl, DISPI_HEIGHT
    call dispi_write
    mov ax, [cs:si + 6]
    mov bl, DISPI_DEPTH
    call dispi_write
    pop cx
    mov ax, 0x41                ; on, linear
    test ch, 0x80
    jz .clear
    or al, 0x80
.clear:
    mov bl, DISPI_ENABLE
    call dispi_write
    xor ax, ax
    mov bl, DISPI_BANK
    call dispi_write
    and ch, 0x7f
    mov [fs:E_VBE_MODE], cx
    mov byte [B_VIDEO_MODE], NO_VGA_MODE
    jmp vbe_done

vbe_get_mode:
    mov ax, [fs:E_VBE_MODE]
    mov [bp + R_BX], ax
    jmp vbe_done

; 4F05h: window A shows bank DX; BH 1 asks.
vbe_bank:
    cmp byte [bp + R_BL], 0
    jne vbe_failed
    cmp byte [bp + R_BH], 1
    ja vbe_failed
    je .ask
    mov ax, [bp + R_DX]
    cmp ax, FRAME_BUFFER_BLOCKS
    jae vbe_failed
    mov bl, DISPI_BANK
    call dispi_write
    jmp vbe_done
.ask:
    mov al, DISPI_BANK
    call dispi_read
    mov [bp + R_DX], ax
    jmp vbe_done

; 4F06h: BL 0 sets CX pixels a line, 1 asks.
vbe_line_length:
    mov cx, [fs:E_VBE_MODE]
    call vbe_find
    jc vbe_failed
    cmp byte [bp + R_BL], 1
    ja vbe_failed
    je .ask
    mov ax, [bp + R_CX]
    mov bl, DISPI_VIRTUAL_WIDTH
    call dispi_write
.ask:
    mov al, DISPI_VIRTUAL_WIDTH
    call dispi_read
    mov [bp + R_CX], ax
    mov bx, [cs:si + 6]
    add bx, 7
    shr bx, 3
    mul bx
    mov [bp + R_BX], ax
    mov al, DISPI_VIRTUAL_WIDTH + 1
    call dispi_read
    mov [bp + R_DX], ax
    jmp vbe_done

; 4F07h: the picture begins at pixel CX of line DX; BL 1 asks.
vbe_display_start:
    mov al, [bp + R_BL]
    and al, 0x7f
    cmp al, 1
    ja vbe_failed
    je .ask
    mov ax, [bp + R_CX]
    mov bl, DISPI_X
    call dispi_write
    mov ax, [bp + R_DX]
    mov bl, DISPI_Y
    call dispi_write
    jmp vbe_done
.ask:
    mov al, DISPI_X
    call dispi_read
    mov [bp + R_CX], ax
    mov al, DISPI_Y
    call dispi_read
    mov [bp + R_DX], ax
    mov byte [bp + R_BH], 0
    jmp vbe_done

; 4F08h: six bits a colour, and no other width.
vbe_dac_width:
    cmp byte [bp + R_BL], 1
    ja vbe_failed
    mov byte [bp + R_BH], 6
    jmp vbe_done

; 4F09h: CX colours from DX on at ES:DI, as blue, green, red, 0; BL 0 sets, 1 asks, 80h sets.
vbe_palette:
    mov cx, [bp + R_CX]
    mov al, [bp + R_DX]
    mov ah, [bp + R_BL]
    and ah, 0x7f
    cmp ah, 1
    ja vbe_failed
    jcxz .done
    je .ask
    mov dx, 0x3c8
    out dx, al
    inc dx
.set:
    mov al, [es:di + 2]
    out dx, al
    mov al, [es:di + 1]
    out dx, al
    mov al, [es:di]
    out dx, al
    add di, 4
    loop .set
    jmp vbe_done
.ask:
    mov dx, 0x3c7
    out dx, al
    add dx, 2
.get:
    in al, dx
    mov [es:di + 2], al
    in al, dx
    mov [es:di + 1], al
    in al, dx
    mov [es:di], al
    mov byte [es:di + 3], 0
    add di, 4
    loop .get
.done:
    jmp vbe_done

; Number, width, height, bits of a pixel: VESA's own, and those that Bochs gave to 32 bits.
vbe_modes:
    dw 0x100, 640, 400, 8,      0x101, 640, 480, 8
    dw 0x103, 800, 600, 8,      0x105, 1024, 768, 8
    dw 0x107, 1280, 1024, 8
    dw 0x110, 640, 480, 15,     0x111, 640, 480, 16,    0x112, 640, 480, 24
    dw 0x113, 800, 600, 15,     0x114, 800, 600, 16,    0x115, 800, 600, 24
    dw 0x116, 1024, 768, 15,    0x117, 1024, 768, 16,   0x118, 1024, 768, 24
    dw 0x119, 1280, 1024, 15,   0x11a, 1280, 1024, 16,  0x11b, 1280, 1024, 24
    dw 0x140, 320, 200, 32,     0x141, 640, 400, 32,    0x142, 640, 480, 32
    dw 0x143, 800, 600, 32,     0x144, 1024, 768, 32,   0x145, 1280, 1024, 32
    dw 0xffff
vbe_mode_list:
    dw 0x100, 0x101, 0x103, 0x105, 0x107, 0x110, 0x111, 0x112, 0x113, 0x114, 0x115, 0x116, 0x117, 0x118
    dw 0x119, 0x11a, 0x11b, 0x140, 0x141, 0x142, 0x143, 0x144, 0x145, 0xffff
