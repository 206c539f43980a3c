; Scrolling a window of characters, the same way in all modes: a row of text is one line of cells, a row of graphics as many
; lines as a character is high. Planes are copied through the latches (write mode 1) and filled by set/reset.

; Locals of scroll_window
S_WIDTH equ 0                   ; bytes of a line of the window
S_MOVE  equ 2                   ; lines that move, lines that are filled
S_FILL  equ 4
S_STEP  equ 6                   ; bytes from line to line, negative downwards
S_CELL  equ 8                   ; what fills

; AL rows of the window CH, CL - DH, DL on page AH, blank ones with attribute BH. Use all registers but BP.
scroll_window_up:
    xor si, si
    jmp scroll_window
scroll_window_down:
    mov si, 1
scroll_window:
    cmp byte [B_VIDEO_MODE], NO_VGA_MODE
    je .nothing
    push bp
    sub sp, 10
    mov bp, sp
    mov byte [bp + S_CELL], ' '
    mov [bp + S_CELL + 1], bh
    call is_text
    je .cell_known
    mov [bp + S_CELL], bh       ; a colour
.cell_known:
    movzx di, dl
    movzx bx, cl
    sub di, bx
    inc di
    mov [bp + S_WIDTH], di
    movzx di, dh
    movzx bx, ch
    sub di, bx
    inc di                      ; rows of the window
    movzx bx, al
    test bx, bx
    jz .all
    cmp bx, di
    jbe .some
.all:
    mov bx, di
.some:
    mov [bp + S_FILL], bx
    sub di, bx
    mov [bp + S_MOVE], di
    mov di, [B_COLUMNS]
    mov bx, 1                   ; lines of a row
    call is_text
    je .text
    mov bl, [B_CHAR_HEIGHT]
    cmp byte [B_VIDEO_MODE], 0x13
    jne .measured
    shl di, 3
    shl word [bp + S_WIDTH], 3
    jmp .measured
.text:
    add di, di
    shl word [bp + S_WIDTH], 1
.measured:
    push dx
    mov dx, [bp + S_MOVE]
    imul dx, bx
    mov [bp + S_MOVE], dx
    mov dx, [bp + S_FILL]
    imul dx, bx
    mov [bp + S_FILL], dx
    pop dx
    test si, si
    jz .from_the_top
    mov ch, dh
.from_the_top:
    mov dx, cx
    push di                     ; bytes of a line
    push bx
    mov bh, ah
    call cell_address
    pop bx
    pop ax
    test si, si
    jz .up
    dec bx                      ; downwards from the last line of the last row
    imul bx, ax
    add di, bx
    neg ax
.up:
    mov [bp + S_STEP], ax
    mov bx, [bp + S_FILL]
    imul bx, ax                 ; from a line to its source
    mov dx, ax
    call planes_copy
.move:
    cmp word [bp + S_MOVE], 0
    je .moved
    dec word [bp + S_MOVE]
    push di
    lea si, [bx + di]
    mov cx, [bp + S_WIDTH]
    es rep movsb
    pop di
    add di, dx
    jmp .move
.moved:
    mov ax, [bp + S_CELL]
    call planes_fill
    call is_text
    je .fill
    mov ah, al
.fill:
    push di
    mov cx, [bp + S_WIDTH]
    shr cx, 1
    rep stosw
    jnc .even
    stosb
.even:
    pop di
    add di, dx
    dec word [bp + S_FILL]
    jnz .fill
    call planes_plain
    add sp, 10
    pop bp
.nothing:
    ret

; Carry when the mode has planes. Keeps everything.
is_planar:
    cmp byte [B_VIDEO_MODE], 0x0d
    jb .no
    cmp byte [B_VIDEO_MODE], 0x13
    ret
.no:
    clc
    ret

; What is read goes where it is written: write mode 1, all planes.
planes_copy:
    call is_planar
    jnc .done
    push ax
    push dx
    mov dx, 0x3c4
    mov ax, 0x0f02
    out dx, ax
    mov dx, 0x3ce
    mov ax, 0x0105
    out dx, ax
    pop dx
    pop ax
.done:
    ret

; Every byte written becomes eight pixels of colour AL.
planes_fill:
    call is_planar
    jnc .done
    push ax
    push dx
    mov dx, 0x3ce
    mov ah, al
    mov al, 0
    out dx, ax
    mov ax, 0x0f01
    out dx, ax
    mov ax, 0x0005
    out dx, ax
    pop dx
    pop ax
.done:
    ret

; As a mode set leaves them.
planes_plain:
    call is_planar
    jnc .done
    push ax
    push dx
    mov dx, 0x3c4
    mov ax, 0x0f02
    out dx, ax
    mov dx, 0x3ce
    mov ax, 0x0000
    out dx, ax
    mov ax, 0x0001
    out dx, ax
    mov ax, 0x0003
    out dx, ax
    mov ax, 0x0005
    out dx, ax
    mov ax, 0xff08
    out dx, ax
    pop dx
    pop ax
.done:
    ret
