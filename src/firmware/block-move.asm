; int 15h, 87h: CX words from one linear address to another, given as descriptors 2 and 3 of the caller's table at ES:SI.
; The copy runs in protected mode with a flat table of our own (SDM vol. 3 §9.9, switching modes).

block_move:
    mov si, [bp + R_SI]
    mov es, [bp + R_ES]
    mov edi, [es:si + 0x1a]     ; destination base, bits 23-0
    and edi, 0xffffff
    mov al, [es:si + 0x1f]      ; bits 31-24
    shl eax, 24
    or edi, eax
    mov esi, [es:si + 0x12]
    and esi, 0xffffff
    push si
    mov si, [bp + R_SI]
    mov al, [es:si + 0x17]
    pop si
    shl eax, 24
    or esi, eax
    movzx ecx, cx
    cmp ecx, 0x8000
    ja .too_long
    pushf
    cli
    in al, 0x92
    push ax
    or al, 2
    and al, 0xfe
    out 0x92, al
    push ds
    push es
    lgdt [cs:flat_table_register]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 0x08:.protected
.protected:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    a32 rep movsw
    mov ax, 0x18                ; limits of real mode
    mov ds, ax
    mov es, ax
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    jmp ROM_SEGMENT:.real
.real:
    pop es
    pop ds
    pop ax
    and al, 0xfe
    out 0x92, al
    popf
    jmp system_done
.too_long:
    mov byte [bp + R_AH], 2
    jmp system_carry

flat_table_register:
    dw 31
    dd flat_table + (ROM_SEGMENT << 4)
    align 8
flat_table:
    dq 0
    dq 0x00009b0f0000ffff       ; this segment: base F0000h, 64 KiB, 16 bits
    dq 0x00cf93000000ffff       ; all memory
    dq 0x000093000000ffff       ; data, 64 KiB
