; int 11h, 12h, 14h, 15h, 16h and 1Ah: memory, waiting, keys from the buffer, the clock.
%include "bios.inc"

    int 0x11
    and ax, 0x023f              ; diskettes, display, serial ports
    line 'equipment', ax
    int 0x12
    line 'base memory', ax

    mov ah, 0x88
    int 0x15
    pushf                       ; some BIOSes keep tables at the end of memory: to the next MiB
    add ax, 0x3ff
    and ax, 0xfc00
    popf
    line '15/88', ax, cf
    mov ax, 0xe801
    xor bx, bx
    xor cx, cx
    xor dx, dx
    int 0x15
    pushf
    add bx, 15
    and bx, 0xfff0
    add dx, 15
    and dx, 0xfff0
    popf
    line '15/E801', ax, bx, cx, dx, cf

    ; E820: what lies above 1 MiB and is not memory differs from machine to machine; sizes to the next MiB there.
    xor ebx, ebx
.range:
    mov eax, 0xe820
    mov edx, 0x534d4150
    mov ecx, 20
    mov di, buffer
    int 0x15
    jc .ranges_done
    cmp eax, 0x534d4150
    jne .ranges_done
    push ebx
    cmp dword [buffer + 16], 1
    je .print
    cmp dword [buffer], 0x100000
    ja .skip
.print:
    mov eax, [buffer + 8]
    cmp dword [buffer], 0x100000
    jb .exact
    add eax, 0xfffff
    and eax, 0xfff00000
.exact:
    mov [buffer + 8], eax
    mov si, .range_name
    call say
    mov eax, [buffer]
    call hex_dword
    mov al, ' '
    call put
    mov eax, [buffer + 8]
    call hex_dword
    mov al, ' '
    call put
    mov eax, [buffer + 16]
    call hex_word
    mov al, ' '
    call put
    mov ax, cx
    call hex_word
    call new_line
.skip:
    pop ebx
    test ebx, ebx
    jnz .range
.ranges_done:
    jmp .after_ranges
.range_name: db '15/E820 ', 0
.after_ranges:
    mov eax, 0xe820
    mov edx, 0x12345678
    mov ecx, 20
    xor ebx, ebx
    mov di, buffer
    int 0x15
    line '15/E820 without SMAP', ah, cf

    mov ax, 0x2401
    int 0x15
    line 'A20 on', ah, cf
    mov ax, 0x2402
    int 0x15
    line 'A20 status', ax, cf
    mov ax, 0x2403
    int 0x15
    line 'A20 support', ah, bx, cf
    mov ax, 0x2400
    int 0x15
    mov ax, 0x2402
    int 0x15
    line 'A20 off', ax, cf
    mov ax, 0x2401
    int 0x15

    ; 87h: a word above 1 MiB and back
    mov word [buffer], 0x5aa5
    mov cx, 1
    mov si, move_up
    mov ah, 0x87
    int 0x15
    line '15/87 up', ah, cf
    mov word [buffer], 0
    mov cx, 1
    mov si, move_down
    mov ah, 0x87
    int 0x15
    pushf
    mov bx, [buffer]
    popf
    line '15/87 down', ah, bx, cf

    mov ah, 0x86                ; 2 ms
    mov cx, 0
    mov dx, 2000
    int 0x15
    line '15/86', cf
    mov ah, 0xc0
    int 0x15
    pushf
    mov ax, [es:bx]
    mov cx, [es:bx + 2]
    xor dx, dx
    mov es, dx
    popf
    line '15/C0', ax, cf
    mov ah, 0xc1
    int 0x15
    pushf
    mov ax, es
    xor dx, dx
    mov es, dx
    popf
    line '15/C1', ax, cf
    mov ah, 0x4f
    mov al, 0x1e
    stc
    int 0x15
    line '15/4F', al, cf
    mov ah, 0x41
    int 0x15
    line '15/41', ah, cf
    mov ax, 0x5300
    xor bx, bx
    mov ah, 0x77
    int 0x15
    line '15/77', ah, cf

    ; Keys that int 16h itself puts into the buffer.
    mov ah, 0x01
    int 0x16
    line 'no key', zf
    mov ah, 0x02
    int 0x16
    line 'shifts', al
    mov cx, 0x1e61              ; a
    call store
    mov cx, 0x48e0              ; up of the grey keys
    call store
    mov cx, 0x8500              ; F11: only the new calls know it
    call store
    mov cx, 0xe00d              ; enter of the keypad
    call store
    mov ah, 0x01
    int 0x16
    line '16/01', ax, zf
    mov ah, 0x00
    int 0x16
    line '16/00', ax
    mov ah, 0x11
    int 0x16
    line '16/11', ax, zf
    mov ah, 0x00
    int 0x16
    line '16/00 grey', ax
    mov ah, 0x10
    int 0x16
    line '16/10 F11', ax
    mov ah, 0x10
    int 0x16
    line '16/10 enter', ax
    mov cx, 0xe00d
    call store
    mov ah, 0x00
    int 0x16
    line '16/00 enter', ax
    mov cx, 16
.fill:
    push cx
    mov cx, 0x1e61
    call store
    pop cx
    loop .fill
    mov ah, 5
    mov cx, 0x1e61
    int 0x16
    line '16/05 full', al
    mov cx, 16
.empty:
    mov ah, 1
    int 0x16
    jz .emptied
    mov ah, 0
    int 0x16
    loop .empty
.emptied:
    mov ax, cx
    line 'stored', ax

    ; The clock: the minute may turn, the day not.
    mov ah, 0x04
    int 0x1a
    line '1A/04', cx, dx, cf
    mov ah, 0x02
    int 0x1a
    pushf
    mov cl, 0
    mov dx, 0
    popf
    line '1A/02', cx, cf
    mov ah, 0x05
    mov cx, 0x1999
    mov dx, 0x1231
    int 0x1a
    line '1A/05', cf
    mov ah, 0x03
    mov cx, 0x2358
    mov dx, 0x0000
    int 0x1a
    line '1A/03', cf
    mov ah, 0x04
    int 0x1a
    line '1A/04 set', cx, dx, cf
    mov ah, 0x02
    int 0x1a
    pushf
    mov dx, 0
    popf
    line '1A/02 set', cx, cf
    mov ah, 0x01
    mov cx, 0x0012
    mov dx, 0x3456
    int 0x1a
    mov ah, 0x00
    int 0x1a
    and dx, 0xff00
    line '1A/00', ax, cx, dx
    ; ticks go on
    mov bx, [0x46c]
    sti
.tick:
    cmp bx, [0x46c]
    je .tick
    line 'ticks pass'
    call sent
    mov ah, 0x03
    mov dx, 0
    int 0x14
    and ax, 0x6000
    line '14/03', ax
    mov ah, 0x03
    mov dx, 3
    int 0x14
    line '14/03 absent', ah
    jmp finish

store:
    mov ah, 5
    int 0x16
    ret

move_up:
    times 16 db 0
    dw 0xffff, buffer
    db 0, 0x93
    dw 0
    dw 0xffff, 0
    db 0x12, 0x93               ; 120000h
    dw 0
    times 16 db 0
move_down:
    times 16 db 0
    dw 0xffff, 0
    db 0x12, 0x93
    dw 0
    dw 0xffff, buffer
    db 0, 0x93
    dw 0
    times 16 db 0
buffer: times 24 db 0

finish:
%include "end.inc"
