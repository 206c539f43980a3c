; int 10h, 4Fh: what the video BIOS says of some modes, and that they can be set. Lists of modes and addresses differ from
; BIOS to BIOS: told is what a program relies on.
%include "bios.inc"

    mov dword [buffer], 0x32454256
    mov ax, 0x4f00
    mov di, buffer
    int 0x10
    mov bx, [buffer]
    mov cx, [buffer + 2]
    mov dx, [buffer + 18]
    line '4F00', ax, bx, cx, dx
    mov si, modes
.next:
    lodsw
    test ax, ax
    jz .told
    push si
    mov cx, ax
    mov ax, 0x4f01
    mov di, buffer
    int 0x10
    mov dx, cx
    mov bx, [buffer + 0x10]
    line '4F01', ax, bx, dx
    mov ax, [buffer + 0x12]
    mov bx, [buffer + 0x14]
    mov ch, [buffer + 0x19]
    mov cl, [buffer + 0x1b]
    mov dx, [buffer]
    and dx, 0x91                ; supported, graphics, linear
    line ' size, depth, model', ax, bx, cx, dx
    mov ax, [buffer + 31]
    mov bx, [buffer + 33]
    mov cx, [buffer + 35]
    line ' masks', ax, bx, cx
    pop si
    jmp .next
.told:
    mov ax, 0x4f01
    mov cx, 0x01fe
    mov di, buffer
    int 0x10
    line '4F01 of no mode', ax
    mov ax, 0x4f02
    mov bx, 0x4114
    int 0x10
    line '4F02', ax
    mov ax, 0x4f03
    int 0x10
    line '4F03', ax, bx
    mov ax, 0x4f06
    mov bl, 1
    int 0x10
    mov dx, 0
    line '4F06', ax, bx, cx
    mov ax, 0x4f07
    mov bx, 0
    mov cx, 8
    mov dx, 16
    int 0x10
    mov ax, 0x4f07
    mov bx, 1
    int 0x10
    mov bl, 0
    line '4F07', ax, bx, cx, dx
    mov ax, 0x4f02              ; banks are for modes without a linear frame buffer
    mov bx, 0x0103
    int 0x10
    line '4F02', ax
    mov ax, 0x4f05
    mov bx, 0
    mov dx, 3
    int 0x10
    mov ax, 0x4f05
    mov bx, 0x0100
    mov dx, 0
    int 0x10
    line '4F05', ax, dx
    mov ax, 0x4f02
    mov bx, 0x01fe
    int 0x10
    line '4F02 of no mode', ax
    mov ax, 0x4f02
    mov bx, 0x0003
    int 0x10
    line '4F02 text', ax
    mov ax, 0x4f03
    int 0x10
    line '4F03', ax, bx
    jmp finish

modes: dw 0x100, 0x101, 0x103, 0x111, 0x112, 0x114, 0x115, 0x118, 0x143, 0
buffer equ 0xc000

finish:
%include "end.inc"
