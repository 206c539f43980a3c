; int 10h: characters in text modes, and what is the same in all modes: teletype and strings. A cell is a word of memory at
; B800h: character, attribute. Graphics modes are drawn by video-graphics.asm.

TEXT_SEGMENT equ 0xb800
GRAPHICS_SEGMENT equ 0xa000

; Zero flag set in text modes.
is_text:
    push ax
    mov al, [B_VIDEO_MODE]
    cmp al, 7
    je .done
    cmp al, 3
    ja .done                    ; zero is clear here
    cmp al, al
.done:
    pop ax
    ret

; Row DH, column DL of page BH as an offset in DI, with ES at the screen; in graphics modes the upper left of the character.
; Uses AX.
cell_address:
    push dx
    push bx
    movzx ax, bh
    mul word [B_PAGE_BYTES]
    mov di, ax
    pop bx
    pop dx
    mov al, [B_COLUMNS]
    mul dh
    call is_text
    jne .graphics
    add ax, ax
    add di, ax
    movzx ax, dl
    add ax, ax
    add di, ax
    mov ax, TEXT_SEGMENT
    mov es, ax
    ret
.graphics:
    push dx
    movzx dx, dl
    push dx
    mul word [B_CHAR_HEIGHT]
    pop dx
    cmp byte [B_VIDEO_MODE], 0x13
    jne .planar
    xor di, di                  ; one page
    shl ax, 3
    shl dx, 3
.planar:
    add di, ax
    add di, dx
    pop dx
    mov ax, GRAPHICS_SEGMENT
    mov es, ax
    ret

; Row and column of page BH's cursor in DX.
cursor_of_page:
    and bh, 7
    movzx si, bh
    add si, si
    mov dx, [si + B_CURSOR]
    ret

; 08h
read_cell:
    call cursor_of_page
    call is_text
    jne read_graphics_cell
    call cell_address
    mov ax, [es:di]
    mov [bp + R_AX], ax
    ret

; 09h: CX times character AL with attribute BL, the cursor stays.
write_cells:
    call cursor_of_page
    call is_text
    jne write_graphics_cells
    jcxz .done
    push ax
    call cell_address
    pop ax
    mov ah, bl
    rep stosw
.done:
    ret

; 0Ah: the same, attributes stay.
write_characters:
    call cursor_of_page
    call is_text
    jne write_graphics_cells
    jcxz .done
    push ax
    call cell_address
    pop ax
.next:
    stosb
    inc di
    loop .next
.done:
    ret

; 0Eh: AL on the shown page behind the cursor; bell, backspace, line feed and return are obeyed; the screen scrolls.
teletype:
    mov bh, [B_PAGE]
    call teletype_character
    jmp show_cursor

; AL to page BH; in graphics modes in colour BL. Keeps all registers but SI.
teletype_character:
    push ax
    push bx
    push cx
    push dx
    push di
    push es
    call cursor_of_page
    cmp al, 7
    je .done                    ; the bell is not heard here
    cmp al, 8
    je .backspace
    cmp al, 10
    je .line_feed
    cmp al, 13
    je .return
    push dx
    call is_text
    je .cell
    call draw_character
    jmp .drawn
.cell:
    push ax
    call cell_address
    pop ax
    stosb
.drawn:
    pop dx
    inc dl
    cmp dl, [B_COLUMNS]
    jb .place
    mov dl, 0
.line_feed:
    inc dh
    cmp dh, [B_LAST_ROW]
    jbe .place
    dec dh
    mov [si + B_CURSOR], dx
    push si
    push dx
    call scroll_page
    pop dx
    pop si
    jmp .place
.backspace:
    cmp dl, 0
    je .place
    dec dl
    jmp .place
.return:
    mov dl, 0
.place:
    mov [si + B_CURSOR], dx
.done:
    pop es
    pop di
    pop dx
    pop cx
    pop bx
    pop ax
    ret

; Page BH one row up; the new row takes the attribute of the cell at the cursor's row.
scroll_page:
    mov bl, bh
    mov ah, 0
    call is_text
    jne .scroll
    push dx
    call cell_address
    mov ah, [es:di + 1]
    pop dx
.scroll:
    mov bh, ah                  ; attribute
    xor cx, cx
    mov dh, [B_LAST_ROW]
    mov dl, [B_COLUMNS]
    dec dl
    mov al, 1
    mov ah, bl                  ; page
    jmp scroll_window_up

; 13h: string at ES:BP, CX characters, page BH, from DH, DL; AL bit 0: the cursor moves, bit 1: attributes in between.
write_string:
    cmp al, 3
    ja .done
    jcxz .done
    and bh, 7
    movzx si, bh
    add si, si
    push word [si + B_CURSOR]
    mov [si + B_CURSOR], dx
    mov si, [bp + R_BP]
.next:
    mov es, [bp + R_ES]
    mov al, [es:si]
    inc si
    test byte [bp + R_AL], 2
    jz .attribute_known
    mov bl, [es:si]
    inc si
.attribute_known:
    push si
    cmp al, 7
    je .control
    cmp al, 8
    je .control
    cmp al, 10
    je .control
    cmp al, 13
    je .control
    push cx
    push ax
    mov cx, 1
    call write_cells
    pop ax
    pop cx
.control:
    call teletype_character
    pop si
    loop .next
    pop ax
    test byte [bp + R_AL], 1
    jnz .moved
    movzx si, bh
    add si, si
    mov [si + B_CURSOR], ax
.moved:
    call show_cursor
.done:
    ret

; 06h and 07h: AL rows of the window CH, CL - DH, DL on the shown page, blank rows with attribute BH. AL 0: all of it.
scroll_up:
    mov ah, [B_PAGE]
    call clip_window
    jc scroll_done
    jmp scroll_window_up
scroll_down:
    mov ah, [B_PAGE]
    call clip_window
    jc scroll_done
    jmp scroll_window_down
scroll_done:
    ret

; The window to within the screen; carry when nothing of it is.
clip_window:
    cmp dh, [B_LAST_ROW]
    jbe .rows
    mov dh, [B_LAST_ROW]
.rows:
    cmp dl, [B_COLUMNS]
    jb .columns
    mov dl, [B_COLUMNS]
    dec dl
.columns:
    cmp ch, dh
    ja .nothing
    cmp cl, dl
    ja .nothing
    clc
    ret
.nothing:
    stc
    ret
