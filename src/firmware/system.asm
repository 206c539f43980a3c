; int 15h: A20, the memory map, waiting, and what the machine is. ACPI 3.0 §14 (E820h); IBM PS/2 and PC BIOS Interface
; Technical Reference for the rest. Memory size comes from CMOS: KiB from 1 MiB at 30h, 64 KiB blocks from 16 MiB at 34h.

system_service:
    service_entry
    cmp ah, 0x24
    je system_a20
    cmp ah, 0x4f
    je .key
    cmp ah, 0x52
    je .fine
    mov si, .table
.next:
    mov bx, [cs:si]
    test bx, bx
    jz .unknown
    add si, 4
    cmp bl, ah
    jne .next
    mov bx, [bp + R_BX]
    call [cs:si - 2]
    service_exit
.key:                           ; 4Fh: the key is taken as it is; carry stays set
    service_exit
.fine:                          ; 52h: the medium may be taken out
    mov byte [bp + R_AH], 0
    and byte [bp + R_FLAGS], ~CARRY & 0xff
    service_exit
.unknown:
    call system_unsupported
    service_exit
.table:
    dw 0x83, system_wait_event, 0x85, system_hook, 0x86, system_wait, 0x87, block_move, 0x88, system_extended
    dw 0x90, system_hook, 0x91, system_hook, 0xc0, system_configuration, 0xc1, system_ebda
    dw 0xc2, mouse_service, 0xe8, system_memory, 0

system_unsupported:
    mov byte [bp + R_AH], 0x86
system_carry:
    or byte [bp + R_FLAGS], CARRY
    ret
system_done:
    mov byte [bp + R_AH], 0
system_no_carry:
    and byte [bp + R_FLAGS], ~CARRY & 0xff
    ret

; SysRq, "device busy" and "interrupt complete" are hooks for operating systems.
system_hook:
    jmp system_done

; 24h: the gate of address line 20, through port 92h.
system_a20:
    push .exit
    cmp al, 0
    je .disable
    cmp al, 1
    je .enable
    cmp al, 2
    je .status
    cmp al, 3
    je .support
    jmp system_unsupported
.disable:
    in al, 0x92
    and al, 0xfc
    out 0x92, al
    jmp system_done
.enable:
    in al, 0x92
    and al, 0xfe
    or al, 2
    out 0x92, al
    jmp system_done
.status:
    in al, 0x92
    shr al, 1
    and al, 1
    mov [bp + R_AL], al
    jmp system_done
.support:
    mov word [bp + R_BX], 3     ; keyboard controller and port 92h
    jmp system_done
.exit:
    service_exit

; 88h: KiB above 1 MiB, up to 15 MiB more and no further, since there is a hole in some machines.
system_extended:
    call extended_kib
    cmp eax, 0xfc00
    jbe .fits
    mov ax, 0xfc00
.fits:
    mov [bp + R_AX], ax
    jmp system_no_carry

; KiB of memory from 1 MiB on, in EAX.
extended_kib:
    push dx
    mov ax, 0x3534
    call cmos_word
    test eax, eax
    jz .small
    shl eax, 6
    add eax, 15 << 10
    pop dx
    ret
.small:
    mov ax, 0x3130
    call cmos_word
    pop dx
    ret

; CMOS registers AL and AH as a word in EAX.
cmos_word:
    push dx
    mov dx, ax
    call read_cmos
    xchg al, dh
    call read_cmos
    mov ah, al
    mov al, dh
    movzx eax, ax
    pop dx
    ret

; E8xxh.
system_memory:
    mov al, [bp + R_AL]
    cmp al, 0x20
    je memory_map
    cmp al, 0x01
    je .sizes
    cmp al, 0x81
    jne system_unsupported
    call .split
    mov [bp + R_AX], eax
    mov [bp + R_CX], eax
    mov [bp + R_BX], ebx
    mov [bp + R_DX], ebx
    jmp system_no_carry
.sizes:
    call .split
    mov [bp + R_AX], ax
    mov [bp + R_CX], ax
    mov [bp + R_BX], bx
    mov [bp + R_DX], bx
    jmp system_no_carry
; EAX = KiB between 1 and 16 MiB, EBX = 64 KiB blocks above.
.split:
    call extended_kib
    xor ebx, ebx
    cmp eax, 15 << 10
    jbe .low_only
    mov ebx, eax
    sub ebx, 15 << 10
    shr ebx, 6
    mov eax, 15 << 10
.low_only:
    ret

; E820h: entry BX to ES:DI, twenty bytes; BX the next, 0 behind the last.
memory_map:
    cmp dword [bp + R_DX], 0x534d4150   ; SMAP
    jne system_unsupported
    mov ecx, [bp + R_CX]
    cmp ecx, 20
    jb system_unsupported
    movzx ebx, word [bp + R_BX]
    cmp bx, MEMORY_RANGES
    jae system_unsupported
    mov es, [bp + R_ES]
    mov di, [bp + R_DI]
    imul si, bx, 12
    add si, memory_ranges
    xor edx, edx
    cs lodsd
    stosd                       ; base, low and high
    xchg eax, edx
    stosd
    xchg eax, edx
    cs lodsd
    cmp eax, -1                 ; up to the end of memory
    jne .length_known
    call extended_kib
    shl eax, 10
.length_known:
    stosd
    xor eax, eax
    stosd
    cs lodsd
    stosd                       ; type
    mov dword [bp + R_AX], 0x534d4150
    mov dword [bp + R_CX], 20
    inc bx
    cmp bx, MEMORY_RANGES
    jb .more
    xor ebx, ebx
.more:
    mov [bp + R_BX], ebx
    jmp system_no_carry

memory_ranges:                  ; base, length, 1 = memory, 2 = reserved
    dd 0, BASE_KIB * 1024, 1
    dd BASE_KIB * 1024, (640 - BASE_KIB) * 1024, 2
    dd 0xf0000, 0x10000, 2
    dd 0x100000, -1, 1
    dd 0xfffc0000, 0x40000, 2
MEMORY_RANGES equ ($ - memory_ranges) / 12

; 86h: CX:DX microseconds, counted by the refresh toggle of port 61h: an edge every 15.085 us.
system_wait:
    sti
    mov ax, cx
    shl eax, 16
    mov ax, dx
    mov ecx, 1000
    mul ecx
    mov ecx, 15085
    div ecx
    mov ecx, eax
    jecxz .over
    in al, 0x61
    and al, 0x10
    mov ah, al
.again:
    in al, 0x61
    and al, 0x10
    cmp al, ah
    je .again
    mov ah, al
    dec ecx
    jnz .again
.over:
    jmp system_done

; 83h: bit 7 of the byte at ES:BX is set after CX:DX microseconds, by 1024 Hz interrupts of the clock. AL 1: forget it.
system_wait_event:
    cmp al, 1
    je .cancel
    ja system_unsupported
    test byte [0xa0], 1
    jnz system_carry            ; busy
    mov ax, [bp + R_ES]
    mov [0x98], bx
    mov [0x9a], ax
    mov [0x9c], dx
    mov [0x9e], cx
    mov byte [0xa0], 1
    in al, 0xa1
    and al, 0xfe
    out 0xa1, al
    mov al, 0x0b
    call read_cmos
    or al, 0x40
    mov ah, al
    mov al, 0x0b
    call write_cmos
    jmp system_done
.cancel:
    call wait_stop
    jmp system_done

wait_stop:
    mov al, 0x0b
    call read_cmos
    and al, 0xbf
    mov ah, al
    mov al, 0x0b
    call write_cmos
    mov byte [0xa0], 0
    ret

; A tick of 976 us, from the clock's interrupt. Keeps AX.
wait_tick:
    test byte [0xa0], 1
    jz .none
    push ax
    sub dword [0x9c], 976
    jnc .not_yet
    call wait_stop
    push es
    push bx
    les bx, [0x98]
    or byte [es:bx], 0x80
    pop bx
    pop es
.not_yet:
    pop ax
.none:
    ret

system_configuration:
    mov word [bp + R_ES], ROM_SEGMENT
    mov word [bp + R_BX], .table
    jmp system_done
.table:
    dw 8
    db 0xfc, 0, 0               ; AT, no submodel, revision 0
    db 0x74                     ; second PIC, clock, int 15h/4Fh, extended data area
    db 0x40                     ; int 16h/09h
    db 0, 0, 0

system_ebda:
    mov word [bp + R_ES], EBDA_SEGMENT
    jmp system_no_carry
