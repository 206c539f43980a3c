; int 1Ah: ticks since midnight, and the real-time clock (Motorola MC146818). IRQ 8: its alarm calls int 4Ah. CMOS is read
; with NMI left alone, as loaders expect.

clock_service:
    service_entry
    cmp ah, 0xb1
    je .pci
    dispatch_by_ah .table, 8, .unknown
.unknown:
    or byte [bp + R_FLAGS], CARRY
    service_exit
.pci:
    ; No PCI BIOS: configuration mechanism 1 serves everybody who looks for the bus.
    mov byte [bp + R_AH], 0x81
    or byte [bp + R_FLAGS], CARRY
    service_exit
.table:
    dw get_ticks, set_ticks, get_time, set_time, get_date, set_date, set_alarm, clear_alarm

get_ticks:
    cli
    mov eax, [B_TICKS]
    mov [bp + R_DX], ax
    shr eax, 16
    mov [bp + R_CX], ax
    xor al, al
    xchg al, [B_MIDNIGHT]
    mov ah, 0
    mov [bp + R_AX], ax
    jmp clock_done

set_ticks:
    cli
    mov [B_TICKS], dx
    mov [B_TICKS + 2], cx
    mov byte [B_MIDNIGHT], 0
    mov byte [bp + R_AH], 0
    jmp clock_done

get_time:
    call clock_settled
    jc clock_failed
    mov al, 0x04
    call read_cmos
    mov [bp + R_CH], al
    mov al, 0x02
    call read_cmos
    mov [bp + R_CL], al
    mov al, 0x00
    call read_cmos
    mov [bp + R_DH], al
    mov al, 0x0b
    call read_cmos
    and al, 1                   ; daylight saving
    mov [bp + R_DL], al
    mov al, [bp + R_CH]
    jmp clock_answer

set_time:
    call clock_settled
    mov ah, dh
    mov al, 0x00
    call write_cmos
    mov ah, cl
    mov al, 0x02
    call write_cmos
    mov ah, ch
    mov al, 0x04
    call write_cmos
    mov al, 0x0b
    call read_cmos
    and al, 0x7e
    or al, 2                    ; 24 hours
    and dl, 1
    or al, dl
    mov ah, al
    mov al, 0x0b
    call write_cmos
    mov al, ah
    jmp clock_answer

get_date:
    call clock_settled
    jc clock_failed
    mov al, 0x32
    call read_cmos
    mov [bp + R_CH], al
    mov al, 0x09
    call read_cmos
    mov [bp + R_CL], al
    mov al, 0x08
    call read_cmos
    mov [bp + R_DH], al
    mov al, 0x07
    call read_cmos
    mov [bp + R_DL], al
    mov al, [bp + R_CH]
    jmp clock_answer

set_date:
    call clock_settled
    mov ah, ch
    mov al, 0x32
    call write_cmos
    mov ah, cl
    mov al, 0x09
    call write_cmos
    mov ah, dh
    mov al, 0x08
    call write_cmos
    mov ah, dl
    mov al, 0x07
    call write_cmos
    mov al, 0x0b
    call read_cmos
    and al, 0x7f
    mov ah, al
    mov al, 0x0b
    call write_cmos
    mov al, ah
    jmp clock_answer

; Fails when an alarm is set already.
set_alarm:
    mov al, 0x0b
    call read_cmos
    test al, 0x20
    jnz clock_failed
    mov ah, dh
    mov al, 0x01
    call write_cmos
    mov ah, cl
    mov al, 0x03
    call write_cmos
    mov ah, ch
    mov al, 0x05
    call write_cmos
    in al, 0xa1
    and al, 0xfe
    out 0xa1, al
    mov al, 0x0b
    call read_cmos
    and al, 0x7f
    or al, 0x20
    mov ah, al
    mov al, 0x0b
    call write_cmos
    xor al, al
    jmp clock_answer

clear_alarm:
    mov al, 0x0b
    call read_cmos
    and al, 0x57
    mov ah, al
    mov al, 0x0b
    call write_cmos
    mov al, ah
    jmp clock_answer

clock_answer:
    mov ah, 0
    mov [bp + R_AX], ax
clock_done:
    and byte [bp + R_FLAGS], ~CARRY & 0xff
    ret
clock_failed:
    or byte [bp + R_FLAGS], CARRY
    ret

; Waits until no update is in progress, about two milliseconds at most; carry when the clock does not tick.
clock_settled:
    push cx
    push ax
    mov cx, 20000
.wait:
    mov al, 0x0a
    call read_cmos
    test al, 0x80
    jz .settled
    in al, 0x80
    loop .wait
    pop ax
    pop cx
    stc
    ret
.settled:
    pop ax
    pop cx
    clc
    ret

; CMOS register AL into AL.
read_cmos:
    out 0x70, al
    in al, 0x71
    ret

; AH into CMOS register AL; both stay.
write_cmos:
    out 0x70, al
    xchg al, ah
    out 0x71, al
    xchg al, ah
    ret

; IRQ 8: a periodic tick counts down a wait of int 15h; an alarm calls int 4Ah.
clock_interrupt:
    push ax
    push ds
    push word BDA_SEGMENT
    pop ds
    mov al, 0x0c
    call read_cmos
    mov ah, al
    mov al, 0x0b
    call read_cmos
    and al, ah
    test al, 0x40
    jz .no_tick
    call wait_tick
.no_tick:
    test al, 0x20
    jz .no_alarm
    sti
    int 0x4a
    cli
.no_alarm:
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    pop ds
    pop ax
    iret

; The tick count of the day from the real-time clock: 18.2065 ticks a second, 1193180/65536.
set_ticks_from_clock:
    call clock_settled
    mov al, 0x04
    call read_binary
    mov bl, 60
    mul bl
    mov cx, ax                  ; minutes
    mov al, 0x02
    call read_binary
    add cx, ax
    movzx ecx, cx
    imul ecx, ecx, 60
    mov al, 0x00
    call read_binary
    movzx eax, ax
    add eax, ecx
    mov ecx, 1193182
    mul ecx
    shrd eax, edx, 16
    mov [B_TICKS], eax
    ret

; BCD register AL of the clock into AX, in binary.
read_binary:
    call read_cmos
    mov ah, al
    shr ah, 4
    and al, 15
    aad
    mov ah, 0
    ret
