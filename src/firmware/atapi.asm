; CDs: the packet command, polled. ATA/ATAPI-6 §9.8; MMC-3 READ(10) and REQUEST SENSE. A sector has 2048 bytes.

CD_SECTOR_WORDS equ 1024

; ECX sectors from EAX on to ES:DI. AH the status, ECX the sectors that made it.
cd_read:
    push dword 0
.next:
    push eax
    push ecx
    xor bx, bx                  ; nothing is left out
    mov cx, CD_SECTOR_WORDS
    call cd_read_part
    pop ecx
    pop eax
    jc .failed
    push bx
    mov bx, es
    add bx, 2048 / 16
    mov es, bx
    mov bx, sp
    inc dword [ss:bx + 2]
    pop bx
    inc eax
    dec ecx
    jnz .next
    pop ecx
    mov ah, 0
    ret
.failed:
    pop ecx
    mov ah, DISK_CONTROLLER
    ret

; Of sector EAX, CX words behind the first BX, to ES:DI. A drive that has something to say first (medium changed) is asked
; again. Carry: it cannot be read.
cd_read_part:
    mov dl, 6                   ; attempts
.again:
    push eax
    push dx
    bswap eax
    push word 0                 ; the packet, from its end
    push word 1                 ; bytes 7, 8: one sector
    push word 0
    push eax                    ; bytes 2-5: its number, high byte first
    push word 0x0028            ; READ(10)
    call cd_packet
    lea sp, [esp + 12]
    pop dx
    pop eax
    jnc .done
    push bx
    push cx
    call cd_request_sense
    pop cx
    pop bx
    dec dl
    jnz .again
    stc
.done:
    ret

; Clears what went wrong: 18 bytes of sense data, which nobody reads here.
cd_request_sense:
    push eax
    push word 0
    push word 0
    push word 0
    push word 18
    push word 0
    push word 0x0003
    mov bx, CD_SECTOR_WORDS     ; all of it is left out
    xor cx, cx
    call cd_packet
    lea sp, [esp + 12]
    pop eax
    ret

; The packet of six words above the return address; of the answer, CX words behind the first BX go to ES:DI. Carry: refused.
cd_packet:
    push bp
    mov bp, sp
    push di
    push dx
    mov dx, [fs:si + D_PORT]
    add dx, ATA_CONTROL
    mov al, 2                   ; no interrupt
    out dx, al
    sub dx, ATA_CONTROL - ATA_DEVICE
    mov al, [fs:si + D_SELECT]
    out dx, al
    call ata_wait_idle
    jc .done
    mov dx, [fs:si + D_PORT]
    inc dx
    xor al, al                  ; features: no DMA
    out dx, al
    add dx, ATA_MIDDLE - 1
    out dx, al
    inc dx
    mov al, 2048 >> 8           ; bytes at a time
    out dx, al
    add dx, ATA_STATUS - ATA_HIGH
    mov al, 0xa0                ; PACKET
    out dx, al
    call ata_wait_data
    jc .done
    push si
    push ds
    push cx
    push ss
    pop ds
    lea si, [bp + 4]
    sub dx, ATA_STATUS
    mov cx, 6
    rep outsw
    pop cx
    pop ds
    pop si
.block:
    call ata_wait_ready
    jc .done
    test al, ATA_DATA
    jz .done                    ; carry is clear
    mov dx, [fs:si + D_PORT]
    add dx, ATA_MIDDLE
    in al, dx
    mov ah, al
    inc dx
    in al, dx
    xchg al, ah
    shr ax, 1
    sub dx, ATA_HIGH
    call .take
    jmp .block
.done:
    pop dx
    pop di
    pop bp
    ret
; AX words of the answer: to leave out, to take, to leave out.
.take:
    push si
    mov si, ax
    call .leave_out
    push cx
    cmp cx, si
    jbe .whole
    mov cx, si
.whole:
    mov ax, cx
    shr cx, 1
    rep insd                    ; double words: half the accesses
    jnc .even
    insw
.even:
    pop cx
    sub cx, ax
    sub si, ax
    mov bx, si
    call .leave_out
    pop si
    ret
; Up to BX of SI words are read and forgotten.
.leave_out:
    test bx, bx
    jz .left
    test si, si
    jz .left
    in ax, dx
    dec bx
    dec si
    jmp .leave_out
.left:
    ret
