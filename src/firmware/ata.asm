; Hard disks by programmed input and output, polled, with 28-bit sector numbers. ATA/ATAPI-6 (T13 1410D) §9.5, §9.6.

ATA_COUNT   equ 2
ATA_LOW     equ 3
ATA_MIDDLE  equ 4
ATA_HIGH    equ 5
ATA_DEVICE  equ 6
ATA_STATUS  equ 7
ATA_CONTROL equ 0x206
; Status
ATA_BUSY    equ 0x80
ATA_DATA    equ 0x08
ATA_ERROR   equ 0x01

ATA_READ_SECTORS  equ 0x20
ATA_WRITE_SECTORS equ 0x30
ATA_VERIFY_SECTORS equ 0x40

; Operation BL on ECX sectors from EAX on, at ES:DI. AH the status, ECX the sectors that made it.
ata_transfer:
    push dword 0                ; made so far
.chunk:
    mov edx, ecx
    cmp edx, 128
    jbe .fits
    mov edx, 128
.fits:
    push ecx
    push edx
    push eax
    call ata_start
    jc .failed
    cmp bl, DISK_VERIFY
    je .verify
.sector:
    call ata_wait_data
    jc .failed
    push dx
    mov dx, [fs:si + D_PORT]
    push cx
    mov cx, 128                 ; double words: half the accesses
    cmp bl, DISK_WRITE
    je .write
    push di
    rep insd
    pop di
    jmp .moved
.write:
    push si
    push ds
    mov si, di
    push es
    pop ds
    rep outsd
    pop ds
    pop si
.moved:
    pop cx
    mov ax, es
    add ax, 512 / 16
    mov es, ax
    pop dx
    dec dx
    jnz .sector
    call ata_wait_ready
    jc .failed
    jmp .chunk_done
.verify:
    call ata_wait_ready
    jc .failed
.chunk_done:
    pop eax
    pop edx
    pop ecx
    push bx
    mov bx, sp
    add [ss:bx + 2], edx
    pop bx
    add eax, edx
    sub ecx, edx
    jnz .chunk
    pop ecx
    mov ah, 0
    ret
.failed:
    add sp, 12
    pop ecx
    mov ah, DISK_CONTROLLER
    ret

; Operation BL on EDX sectors from EAX on is told to the drive. Carry: it is not ready.
ata_start:
    push edx
    push ecx
    mov ecx, eax
    push dx
    mov dx, [fs:si + D_PORT]
    add dx, ATA_CONTROL
    mov al, 2                   ; no interrupt: we look
    out dx, al
    sub dx, ATA_CONTROL - ATA_DEVICE
    mov eax, ecx
    shr eax, 24
    and al, 15
    or al, [fs:si + D_SELECT]
    or al, 0x40                 ; by sector number
    out dx, al
    call ata_wait_idle
    pop ax                      ; sectors
    jc .failed
    mov dx, [fs:si + D_PORT]
    add dx, ATA_COUNT
    out dx, al
    inc dx
    mov al, cl
    out dx, al
    inc dx
    mov al, ch
    out dx, al
    inc dx
    mov eax, ecx
    shr eax, 16
    out dx, al
    add dx, 2
    mov al, ATA_READ_SECTORS
    cmp bl, DISK_READ
    je .command
    mov al, ATA_WRITE_SECTORS
    cmp bl, DISK_WRITE
    je .command
    mov al, ATA_VERIFY_SECTORS
.command:
    out dx, al
    clc
.failed:
    pop ecx
    pop edx
    ret

; Until the drive is not busy, for seconds at most. Carry: it stays busy. AL the status.
ata_wait_idle:
    push dx
    push ecx
    mov ecx, 0x400000
    mov dx, [fs:si + D_PORT]
    add dx, ATA_CONTROL
    in al, dx                   ; 400 ns for the status to be true
    in al, dx
    sub dx, ATA_CONTROL - ATA_STATUS
.wait:
    in al, dx
    test al, ATA_BUSY
    jz .done                    ; carry is clear
    dec ecx
    jnz .wait
    stc
.done:
    pop ecx
    pop dx
    ret

; The same; carry also when the command ended with an error.
ata_wait_ready:
    call ata_wait_idle
    jc .done
    test al, ATA_ERROR
    jz .done
    stc
.done:
    ret

; The same, and until data are asked for.
ata_wait_data:
    push ecx
    mov ecx, 0x100000
.wait:
    call ata_wait_ready
    jc .done
    test al, ATA_DATA
    jnz .done
    dec ecx
    jnz .wait
    stc
.done:
    pop ecx
    ret
