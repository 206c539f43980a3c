; Diskettes: Intel 82077AA controller with DMA channel 2 (8237A) and IRQ 6. What a format is comes from the drive type in
; CMOS 10h. Seeks, then transfers sectors of one cylinder, both heads.

FDC_OUTPUT  equ 0x3f2           ; motors, reset, drive
FDC_STATUS  equ 0x3f4
FDC_DATA    equ 0x3f5
FDC_RATE    equ 0x3f7
MOTOR_TICKS equ 37

; Entries for the drives of CMOS 10h. DI the next free entry, and the one behind at the end.
probe_floppies:
    mov al, 0x10
    call read_cmos
    mov bl, al
    shr al, 4
    mov bh, 0                   ; number of the drive
    call .one
    mov al, bl
    and al, 15
    call .one
    test bh, bh
    jz .none
    mov al, bh                  ; equipment: bit 0 diskettes, bits 7-6 how many less one
    dec al
    shl al, 6
    or al, 1
    or [B_EQUIPMENT], al
    mov al, 0xc0                ; the first DMA controller's requests pass through the second
    out 0xd6, al
    mov al, 0
    out 0xd4, al
    jmp floppy_reset
.none:
    ret
.one:
    cmp al, 0
    je .absent
    cmp al, 5
    ja .absent
    mov byte [fs:di + D_TYPE], DRIVE_FLOPPY
    mov [fs:di + D_CMOS_TYPE], al
    mov [fs:di + D_NUMBER], bh
    mov [fs:di + D_SELECT], bh
    movzx si, al
    imul si, si, 3
    mov word [fs:di + D_HEADS], 2
    movzx ax, byte [cs:si + floppy_formats - 3]
    mov [fs:di + D_CYLINDERS], ax
    movzx ax, byte [cs:si + floppy_formats - 2]
    mov [fs:di + D_TRACK], ax
    mov word [fs:di + D_SECTOR_BYTES], 512
    inc bh
    add di, DRIVE_BYTES
.absent:
    ret

; By drive type: cylinders, sectors of a track, data rate. A drive reads the formats of its line and of those below that
; have its rates: what is in it is found by asking for a sector's address at each rate.
floppy_formats:
    db 40, 9, 2                 ; 360 KB: 250 kbit/s
    db 80, 15, 0                ; 1.2 MB: 500 kbit/s
    db 80, 9, 2                 ; 720 KB
    db 80, 18, 0                ; 1.44 MB
    db 80, 36, 3                ; 2.88 MB: 1 Mbit/s

; For each drive type: formats to try, the drive's own first.
floppy_candidates:
    db 1, 0, 0, 0
    db 2, 1, 0, 0
    db 3, 0, 0, 0
    db 4, 3, 0, 0
    db 5, 4, 3, 0

; IRQ 6
floppy_interrupt:
    push ax
    push ds
    push word BDA_SEGMENT
    pop ds
    or byte [B_FLOPPY_SEEK], 0x80
    mov al, 0x20
    out 0x20, al
    pop ds
    pop ax
    iret

; Controller and drives from the beginning. AH the status.
floppy_reset:
    push dx
    mov dx, FDC_OUTPUT
    mov al, 0x08
    out dx, al
    in al, 0x80
    and byte [B_FLOPPY_SEEK], 0x70      ; none is calibrated, no interrupt yet
    mov al, 0x0c
    out dx, al
    mov byte [B_FLOPPY_MOTOR], 0
    call floppy_wait
    jc .failed
    mov cx, 4                   ; a reset interrupts for four drives
.sense:
    mov al, 0x08
    call floppy_put
    jc .failed
    call floppy_get
    call floppy_get
    loop .sense
    mov al, 0x03                ; SPECIFY
    call floppy_put
    mov al, [cs:diskette_parameters]
    call floppy_put
    mov al, [cs:diskette_parameters + 1]
    call floppy_put
    jc .failed
    mov ah, 0
    pop dx
    ret
.failed:
    mov ah, DISK_TIMEOUT
    pop dx
    ret

; Operation BL at CX, DH of the frame, to or from ES:DI. AH the status, CL the sectors that made it.
floppy_transfer:
    call floppy_ready
    jc .timeout
    mov ah, 0
    cmp bl, DISK_VERIFY
    je .all
    call floppy_seek
    jc .failed
    call floppy_dma
    jc .boundary
    and byte [B_FLOPPY_SEEK], 0x7f
    mov al, 0xe6                ; READ DATA, both heads, MFM
    cmp bl, DISK_READ
    je .command
    mov al, 0xc5                ; WRITE DATA
.command:
    call floppy_put
    jc .timeout
    mov al, [bp + R_DH]
    shl al, 2
    or al, [fs:si + D_SELECT]
    call floppy_put
    mov al, [bp + R_CH]
    call floppy_put
    mov al, [bp + R_DH]
    call floppy_put
    mov al, [bp + R_CL]
    call floppy_put
    mov al, 2                   ; 512 bytes
    call floppy_put
    mov al, [fs:si + D_TRACK]
    call floppy_put
    mov al, [cs:diskette_parameters + 5]
    call floppy_put
    mov al, 0xff
    call floppy_put
    jc .timeout
    call floppy_wait
    jc .timeout
    mov di, B_FLOPPY_RESULT
    mov cx, 7
.result:
    call floppy_get
    jc .timeout
    mov [di], al
    inc di
    loop .result
    mov byte [B_FLOPPY_TIMEOUT], MOTOR_TICKS
    test byte [B_FLOPPY_RESULT], 0xc0
    jnz .refused
    mov ah, 0
.all:
    mov cl, [bp + R_AL]
    ret
.refused:
    mov ah, DISK_PROTECTED
    test byte [B_FLOPPY_RESULT + 1], 2
    jnz .none
    mov ah, 0x10                ; bad data
    test byte [B_FLOPPY_RESULT + 1], 0x20
    jnz .none
    mov ah, DISK_NOT_FOUND
    jmp .none
.boundary:
    mov ah, DISK_BOUNDARY
    jmp .none
.timeout:
    call floppy_reset
    mov ah, DISK_TIMEOUT
    jmp .none
.failed:
    mov ah, 0x40                ; seek failed
.none:
    mov cl, 0
    ret

; Motor on, data rate, and the drive calibrated. Carry: it does not answer.
floppy_ready:
    push cx
    mov byte [B_FLOPPY_TIMEOUT], 0xff
    mov cl, [fs:si + D_SELECT]
    mov al, 1
    shl al, cl
    mov [B_FLOPPY_MOTOR], al
    shl al, 4
    or al, 0x0c
    or al, cl
    mov dx, FDC_OUTPUT
    out dx, al
    mov al, 1
    shl al, cl
    test [B_FLOPPY_SEEK], al
    jnz .calibrated
    mov al, 2                   ; any rate will do to find cylinder 0
    mov dx, FDC_RATE
    out dx, al
    and byte [B_FLOPPY_SEEK], 0x7f
    mov al, 0x07                ; RECALIBRATE
    call floppy_put
    jc .done
    mov al, cl
    call floppy_put
    call floppy_sense
    jc .done
    mov al, 1
    shl al, cl
    or [B_FLOPPY_SEEK], al
    movzx di, cl
    mov byte [di + B_FLOPPY_TRACK], 0
    call floppy_format
    jc .done
.calibrated:
    movzx di, cl                ; the controller has one rate for all drives
    mov al, [di + B_FLOPPY_STATE]
    shr al, 6
    mov dx, FDC_RATE
    out dx, al
    clc
.done:
    pop cx
    mov di, [bp + R_BX]
    ret

; Which format lies in drive CL: geometry into its entry, rate into bits 7-6 of its state. Carry: none that it reads.
floppy_format:
    movzx di, byte [fs:si + D_CMOS_TYPE]
    shl di, 2
    add di, floppy_candidates - 4
.next:
    movzx ax, byte [cs:di]
    inc di
    cmp al, 0
    je .none
    push di
    imul di, ax, 3
    add di, floppy_formats - 3
    mov al, [cs:di + 2]
    mov dx, FDC_RATE
    out dx, al
    and byte [B_FLOPPY_SEEK], 0x7f
    mov al, 0x4a                ; READ ID
    call floppy_put
    mov al, [fs:si + D_SELECT]
    call floppy_put
    call floppy_wait
    jc .failed
    call floppy_get
    jc .failed
    mov ah, al
    mov dh, 6
.result:
    call floppy_get
    dec dh
    jnz .result
    test ah, 0xc0
    jnz .failed
    movzx ax, byte [cs:di]
    mov [fs:si + D_CYLINDERS], ax
    movzx ax, byte [cs:di + 1]
    mov [fs:si + D_TRACK], ax
    mov al, [cs:di + 2]
    shl al, 6
    or al, 0x17                 ; format known
    movzx di, cl
    mov [di + B_FLOPPY_STATE], al
    pop di
    clc
    ret
.failed:
    pop di
    jmp .next
.none:
    stc
    ret

; To cylinder CH of the frame. Carry: not reached.
floppy_seek:
    and byte [B_FLOPPY_SEEK], 0x7f
    mov al, 0x0f
    call floppy_put
    jc .done
    mov al, [bp + R_DH]
    shl al, 2
    or al, [fs:si + D_SELECT]
    call floppy_put
    mov al, [bp + R_CH]
    call floppy_put
    call floppy_sense
    jc .done
    push di
    movzx di, byte [fs:si + D_SELECT]
    mov al, [bp + R_CH]
    mov [di + B_FLOPPY_TRACK], al
    pop di
    clc
.done:
    ret

; After a seek: waits, then asks what became of it. Carry: nothing good.
floppy_sense:
    call floppy_wait
    jc .done
    mov al, 0x08                ; SENSE INTERRUPT STATUS
    call floppy_put
    jc .done
    call floppy_get
    jc .done
    mov ah, al
    call floppy_get
    test ah, 0xc0
    jz .done
    stc
.done:
    ret

; DMA channel 2 for AL sectors of the frame at ES:DI. Carry: they cross 64 KiB, which it cannot.
floppy_dma:
    push ebx
    movzx eax, byte [bp + R_AL]
    shl eax, 9
    dec eax
    mov ecx, eax                ; bytes less one
    mov dx, es
    movzx edx, dx
    shl edx, 4
    movzx eax, di
    add eax, edx
    mov edx, eax
    add edx, ecx
    xor edx, eax
    test edx, 0xffff0000
    jnz .crosses
    mov edx, eax
    cli
    mov al, 6                   ; mask channel 2
    out 0x0a, al
    out 0x0c, al                ; bytes come low first
    mov al, 0x46                ; single mode, device to memory
    cmp bl, DISK_READ
    je .mode
    mov al, 0x4a
.mode:
    out 0x0b, al
    mov al, dl
    out 0x04, al
    mov al, dh
    out 0x04, al
    shr edx, 16
    mov al, dl
    out 0x81, al
    mov al, cl
    out 0x05, al
    mov al, ch
    out 0x05, al
    mov al, 2
    out 0x0a, al
    sti
    pop ebx
    clc
    ret
.crosses:
    pop ebx
    stc
    ret

; AL to the controller. Carry: it does not take it.
floppy_put:
    push cx
    push dx
    push ax
    xor cx, cx
    mov dx, FDC_STATUS
.wait:
    in al, dx
    and al, 0xc0
    cmp al, 0x80
    je .ready
    in al, 0x61
    loop .wait
    pop ax
    pop dx
    pop cx
    stc
    ret
.ready:
    pop ax
    inc dx
    out dx, al
    pop dx
    pop cx
    clc
    ret

; A byte of the controller into AL. Carry: there is none.
floppy_get:
    push cx
    push dx
    xor cx, cx
    mov dx, FDC_STATUS
.wait:
    in al, dx
    and al, 0xc0
    cmp al, 0xc0
    je .ready
    in al, 0x61
    loop .wait
    pop dx
    pop cx
    stc
    ret
.ready:
    inc dx
    in al, dx
    pop dx
    pop cx
    clc
    ret

; Until IRQ 6 has come, two seconds at most by the clock's ticks, or so many looks without a tick: the refresh toggle of
; port 61h would be the classic measure, but machines that are emulated flip it at each look. Carry: it did not come.
floppy_wait:
    push ax
    push cx
    push edx
    sti
    mov cx, 37
.tick:
    mov edx, 20000000
    mov al, [B_TICKS]
.wait:
    test byte [B_FLOPPY_SEEK], 0x80
    jnz .there
    cmp al, [B_TICKS]
    jne .next
    dec edx
    jnz .wait
    jmp .late
.next:
    loop .tick
.late:
    stc
    jmp .done
.there:
    and byte [B_FLOPPY_SEEK], 0x7f
    clc
.done:
    pop edx
    pop cx
    pop ax
    ret
