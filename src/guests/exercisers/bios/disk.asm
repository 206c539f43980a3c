; int 13h: diskette 0 and, when it is there, hard disk 80h: parameters, sectors by both addresses, errors.
%include "bios.inc"

    mov ah, 0x08
    mov dl, 0
    xor di, di
    int 0x13
    pushf
    push es
    pop ax
    mov ax, 0
    mov es, ax
    popf
    line 'diskette 08', bx, cx, dx, cf
    mov ah, 0x15
    mov dl, 0
    int 0x13
    and ah, 1
    line 'diskette 15', cf
    mov dl, 0
    call read_chs_pieces
    mov ax, 0x0201              ; sectors that are not there
    mov bx, buffer
    mov cx, 0x0013              ; 19
    mov dx, 0x0000
    int 0x13
    line 'diskette sector 19', cf
    mov ax, 0x0201
    mov bx, buffer
    mov cx, 0x0000
    mov dx, 0x0000
    int 0x13
    line 'diskette sector 0', cf
    mov ax, 0x0201
    mov cx, 1
    mov dx, 0x0203
    mov bx, buffer
    int 0x13
    line 'no such diskette', cf
    ; a sector is written and read again
    mov di, buffer
    mov cx, 256
    mov ax, 0x1357
    rep stosw
    mov ax, 0x0301
    mov bx, buffer
    mov cx, 0x4f12
    mov dx, 0x0100
    int 0x13
    line 'diskette 03', ax, cf
    mov di, buffer
    mov cx, 256
    xor ax, ax
    rep stosw
    mov ax, 0x0201
    mov bx, buffer
    mov cx, 0x4f12
    mov dx, 0x0100
    int 0x13
    mov dx, [buffer + 510]
    line 'diskette 02 again', ax, dx, cf
    mov ax, 0x0402
    mov bx, buffer
    mov cx, 0x0101
    mov dx, 0x0000
    int 0x13
    line 'diskette 04', ax, cf
    mov ah, 0x01
    mov dl, 0
    int 0x13
    line 'diskette 01', ah, cf

    mov ah, 0x08
    mov dl, 0x80
    int 0x13
    jc finish
    line 'disk 08', cx, dx, cf
    mov ax, 0
    mov es, ax
    mov ah, 0x15
    mov dl, 0x80
    int 0x13
    line 'disk 15', ax, cx, dx, cf
    mov dl, 0x80
    call read_chs_pieces
    mov ax, 0x0201
    mov bx, buffer
    mov cx, 0x0040              ; sector 0
    mov dx, 0x0080
    int 0x13
    line 'disk sector 0', ah, cf
    mov ax, 0x0201
    mov bx, buffer
    mov cx, 0xffff              ; cylinder 1023
    mov dx, 0x0080
    int 0x13
    line 'disk cylinder 1023', ah, cf
    mov ah, 0x41
    mov bx, 0x55aa
    mov dl, 0x80
    int 0x13
    line '13/41', ah, bx, cx, cf
    mov si, packet
    mov ah, 0x42
    mov dl, 0x80
    int 0x13
    mov cx, [packet + 2]
    line '13/42', ah, cx, cf
    call sum
    mov dword [packet + 8], 0x7fffffff
    mov word [packet + 2], 1
    mov si, packet
    mov ah, 0x42
    mov dl, 0x80
    int 0x13
    mov cx, [packet + 2]
    line '13/42 beyond', cf
    mov di, buffer
    mov cx, 512
    mov ax, 0x2468
    rep stosw
    mov dword [packet + 8], 1000
    mov word [packet + 2], 2
    mov si, packet
    mov ax, 0x4300
    mov dl, 0x80
    int 0x13
    line '13/43', ah, cf
    mov di, buffer
    mov cx, 512
    xor ax, ax
    rep stosw
    mov word [packet + 2], 3
    mov si, packet
    mov ah, 0x42
    mov dl, 0x80
    int 0x13
    line '13/42 again', ah, cf
    call sum
    mov si, packet
    mov ah, 0x44
    mov dl, 0x80
    int 0x13
    line '13/44', ah, cf
    mov word [parameters], 0x1a
    mov si, parameters
    mov ah, 0x48
    mov dl, 0x80
    int 0x13
    mov bx, [parameters]
    mov cx, [parameters + 4]
    mov dx, [parameters + 8]
    line '13/48', ah, bx, cx, dx, cf
    mov bx, [parameters + 12]
    mov cx, [parameters + 16]
    mov dx, [parameters + 24]
    line '13/48', bx, cx, dx
    mov word [parameters], 0x10
    mov si, parameters
    mov ah, 0x48
    mov dl, 0x80
    int 0x13
    line '13/48 short', ah, cf
    mov ah, 0x01
    mov dl, 0x80
    int 0x13
    line 'disk 01', cf
    mov ah, 0x10
    mov dl, 0x80
    int 0x13
    line 'disk 10', ah, cf
    mov ah, 0x00
    mov dl, 0x80
    int 0x13
    line 'disk 00', ah, cf
    mov ah, 0x55
    mov dl, 0x80
    int 0x13
    line 'disk 55', ah, cf
    mov al, [0x475]
    line 'disks', al
    jmp finish

; Some sectors of drive DL: one, then a few, then over the end of a track.
read_chs_pieces:
    mov [drive], dl
    mov cx, 0x0301
    mov dh, 0
    mov al, 1
    call .read
    mov cx, 0x0205
    mov dh, 1
    mov al, 3
    call .read
    mov cx, 0x1002
    mov dh, 1
    mov al, 1
.read:
    mov dl, [drive]
    mov ah, 0x02
    mov bx, buffer
    int 0x13
    line 'read', ax, cf
; Sum of the first three sectors of the buffer.
sum:
    push ax
    push cx
    push si
    mov si, buffer
    mov cx, 768
    xor edx, edx
.next:
    lodsw
    movzx eax, ax
    rol edx, 3
    add edx, eax
    loop .next
    mov si, .name
    call say
    mov eax, edx
    call hex_dword
    call new_line
    pop si
    pop cx
    pop ax
    ret
.name: db 'sum ', 0

drive: db 0
buffer equ 0xc000               ; behind the program
packet:
    db 0x10, 0
    dw 3
    dw buffer, 0
    dq 77
parameters: times 32 db 0

finish:
%include "end.inc"
