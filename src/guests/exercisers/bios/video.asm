; int 10h: text in modes 3 and 1, teletype and scrolling, graphics in 13h and 12h, palette. What the screen memory holds is
; told as sums over it.
%include "bios.inc"

%macro text_sum 1
    mov si, %%name
    mov cx, 80 * 25
    call text_checksum
    jmp %%over
%%name: db %1, 0
%%over:
%endmacro

    mov ax, 0x0003
    int 0x10
    line 'mode 3', al
    call show_data
    mov ah, 0x0f
    int 0x10
    line '10/0F', ax, bx
    text_sum 'clear'
    mov ah, 0x03
    mov bh, 0
    int 0x10
    line '10/03', cx, dx
    mov ah, 0x01
    mov cx, 0x0607
    int 0x10
    mov ah, 0x02
    mov bh, 0
    mov dx, 0x0a14
    int 0x10
    mov ah, 0x09
    mov al, 'X'
    mov bx, 0x001e
    mov cx, 5
    int 0x10
    mov ah, 0x08
    mov bh, 0
    int 0x10
    line '10/08', ax
    mov ah, 0x0a
    mov al, 'y'
    mov bx, 0x0000
    mov cx, 2
    int 0x10
    mov ah, 0x08
    mov bh, 0
    int 0x10
    line '10/08 after 0A', ax
    mov ah, 0x03
    mov bh, 0
    int 0x10
    line 'cursor stays', dx
    text_sum 'cells'
    ; teletype with everything it obeys, to the lower right corner and over it
    mov ah, 0x02
    mov bh, 0
    mov dx, 0x184c
    int 0x10
    mov si, words
.tty:
    lodsb
    test al, al
    jz .told
    mov ah, 0x0e
    mov bx, 0x0007
    int 0x10
    jmp .tty
.told:
    mov ah, 0x03
    mov bh, 0
    int 0x10
    line 'after teletype', dx
    text_sum 'scrolled'
    mov ax, 0x0602
    mov bh, 0x4f
    mov cx, 0x0510
    mov dx, 0x1440
    int 0x10
    text_sum 'window up 2'
    mov ax, 0x0703
    mov bh, 0x2e
    mov cx, 0x0003
    mov dx, 0x1836
    int 0x10
    text_sum 'window down 3'
    mov ax, 0x0600
    mov bh, 0x17
    mov cx, 0x0810
    mov dx, 0x0c20
    int 0x10
    text_sum 'window cleared'
    mov ax, 0x06ff              ; more rows than there are
    mov bh, 0x70
    mov cx, 0x0000
    mov dx, 0x00ff
    int 0x10
    text_sum 'wide window'
    ; strings
    mov ax, 0x1301
    mov bx, 0x0035
    mov cx, 11
    mov dx, 0x0346
    mov bp, string
    int 0x10
    mov ah, 0x03
    mov bh, 0
    int 0x10
    line 'after string', dx
    mov ax, 0x1302
    mov bx, 0x0000
    mov cx, 3
    mov dx, 0x0505
    mov bp, coloured
    int 0x10
    mov ah, 0x03
    mov bh, 0
    int 0x10
    line 'string that leaves the cursor', dx
    text_sum 'strings'
    ; pages
    mov ah, 0x02
    mov bh, 1
    mov dx, 0x0101
    int 0x10
    mov ax, 0x0941
    mov bx, 0x0170
    mov cx, 3
    int 0x10
    mov ax, 0x0501
    int 0x10
    mov ah, 0x0f
    int 0x10
    line 'page 1', ax, bx
    mov ah, 0x08
    mov bh, 1
    int 0x10
    line 'cell of page 1', ax
    mov ax, [0x44e]
    line 'page start', ax
    mov al, 0x0c
    call crtc
    mov bh, al
    mov al, 0x0d
    call crtc
    mov bl, al
    line 'CRTC start', bx
    mov al, 0x0e
    call crtc
    mov bh, al
    mov al, 0x0f
    call crtc
    mov bl, al
    line 'CRTC cursor', bx

    mov ax, 0x1a00
    int 0x10
    line '10/1A', al, bx
    mov ah, 0x12
    mov bx, 0xff10
    int 0x10
    mov cl, 0                   ; switches differ
    line '10/12/10', bx
    mov ax, 0x1130
    mov bh, 6
    int 0x10
    mov ax, 0
    mov es, ax
    line '10/11/30', cx, dx
    mov ax, 0x1007
    mov bl, 6
    int 0x10
    line '10/10/07', bx
    mov ax, 0x1000
    mov bx, 0x2a06
    int 0x10
    mov ax, 0x1007
    mov bl, 6
    int 0x10
    line '10/10/00', bx
    mov ax, 0x1010
    mov bx, 0x0011
    mov cx, 0x1528
    mov dh, 0x3f
    int 0x10
    mov ax, 0x1015
    mov bx, 0x0011
    xor cx, cx
    xor dx, dx
    int 0x10
    mov dl, 0
    line '10/10/15', cx, dx

    mov ax, 0x0001
    int 0x10
    line 'mode 1', al
    call show_data
    mov ah, 0x0f
    int 0x10
    line '10/0F', ax, bx

    mov ax, 0x0013
    int 0x10
    line 'mode 13', al
    call show_data
    call palette_sum
    mov ax, 0xa000
    mov es, ax
    call graphics_sum
    mov ax, 0x0c5a              ; pixel 300, 150
    mov bh, 0
    mov cx, 300
    mov dx, 150
    int 0x10
    mov ax, 0x0d00
    mov bh, 0
    int 0x10
    line '10/0D', al
    call graphics_sum
    mov ax, 0
    mov es, ax

    mov ax, 0x0012
    int 0x10
    line 'mode 12', al
    call show_data
    mov ax, 0x0c0d
    mov bh, 0
    mov cx, 637
    mov dx, 470
    int 0x10
    mov ax, 0x0c8b              ; exclusive or
    int 0x10
    mov ax, 0x0d00
    int 0x10
    line '10/0D', al
    mov ax, 0x0083              ; back, memory stays
    int 0x10
    mov ah, 0x0f
    int 0x10
    line 'mode 83', al
    mov ax, 0x0003
    int 0x10
    text_sum 'clear again'
    jmp finish

; The screen: %SI says what, sum of all words times their place.
text_checksum:
    call say
    push es
    mov ax, 0xb800
    mov es, ax
    xor di, di
    xor edx, edx
.next:
    movzx eax, word [es:di]
    rol edx, 3
    add edx, eax
    add di, 2
    loop .next
    pop es
    mov al, ' '
    call put
    mov eax, edx
    call hex_dword
    jmp new_line

graphics_sum:
    xor di, di
    xor edx, edx
    mov cx, 64000
.next:
    movzx eax, byte [es:di]
    rol edx, 3
    add edx, eax
    inc di
    loop .next
    mov si, .name
    call say
    mov eax, edx
    call hex_dword
    jmp new_line
.name: db 'pixels ', 0

palette_sum:
    mov dx, 0x3c7
    mov al, 0
    out dx, al
    add dx, 2
    mov cx, 768
    xor ebx, ebx
.next:
    in al, dx
    movzx eax, al
    rol ebx, 3
    add ebx, eax
    loop .next
    mov si, .name
    call say
    mov eax, ebx
    call hex_dword
    jmp new_line
.name: db 'colours ', 0

; AL = register AL of the CRT controller.
crtc:
    mov dx, 0x3d4
    out dx, al
    inc dx
    in al, dx
    ret

; What the data area says of the mode.
show_data:
    mov si, .name
    call say
    mov si, 0x449
    mov cx, 0x07
    call .bytes
    mov si, 0x460
    mov cx, 5
    call .bytes
    mov si, 0x484
    mov cx, 3
    call .bytes
    jmp new_line
.bytes:
    lodsb
    call hex_byte
    mov al, ' '
    call put
    loop .bytes
    ret
.name: db 'data ', 0

words: db 'end', 13, 10, 'of', 8, 'F line', 7, 13, 10, 'next', 13, 0
string: db 'hello', 13, 10, 'world'
coloured: db 'a', 0x12, 'b', 0x34, 'c', 0x56

finish:
%include "end.inc"
