; Which drives are there: diskette types from CMOS 10h, the four places of the two ATA channels by asking. ATA/ATAPI-6 §9.12
; (signatures), §8.15, §8.16 (identification). Runs once, from POST, with 0000:7C00 as buffer.

PROBE_BUFFER equ BOOT_SECTOR

probe_drives:
    push word BDA_SEGMENT
    pop ds
    push EBDA_SEGMENT
    pop fs
    mov di, E_DRIVES            ; the next free entry
    call probe_floppies
    mov byte [B_DISK_COUNT], 0
    mov bx, 0xe080              ; next CD, next hard disk
    mov si, .places
.next:
    cs lodsw
    test ax, ax
    jz .done
    mov dx, ax
    cs lodsb
    cmp di, E_DRIVES + DRIVE_COUNT * DRIVE_BYTES
    jae .done
    mov [fs:di + D_PORT], dx
    mov [fs:di + D_SELECT], al
    push si
    push bx
    mov si, di
    call probe_place
    pop bx
    pop si
    jc .next
    cmp byte [fs:di + D_TYPE], DRIVE_CD
    je .cd
    mov [fs:di + D_NUMBER], bl
    inc bl
    inc byte [B_DISK_COUNT]
    push si
    mov si, di
    pushad
    call guess_geometry
    call disk_table
    popad
    pop si
    jmp .taken
.cd:
    mov [fs:di + D_NUMBER], bh
    inc bh
.taken:
    add di, DRIVE_BYTES
    jmp .next
.done:
    push word BDA_SEGMENT
    pop ds
    ret
.places:
    dw 0x1f0
    db 0xa0
    dw 0x1f0
    db 0xb0
    dw 0x170
    db 0xa0
    dw 0x170
    db 0xb0
    dw 0

; The entry SI has port and device: fills in the rest. Carry, and type 0: nothing is there.
probe_place:
    mov byte [fs:si + D_TYPE], DRIVE_NONE
    mov dx, [fs:si + D_PORT]
    add dx, ATA_CONTROL
    mov al, 2
    out dx, al
    sub dx, ATA_CONTROL - ATA_DEVICE
    mov al, [fs:si + D_SELECT]
    out dx, al
    inc dx
    in al, dx
    in al, dx
    cmp al, 0xff                ; nobody drives the bus
    je .nothing
    test al, al
    jnz .there
    call .signature             ; a packet device has no status before its first command
    jne .nothing
.there:
    call ata_wait_idle
    jc .nothing
    mov ah, 0xec                ; IDENTIFY DEVICE
    call .identify
    jnc .disk
    call .signature             ; a packet device says so when it refuses
    jne .nothing
    mov ah, 0xa1                ; IDENTIFY PACKET DEVICE
    call .identify
    jc .nothing
    mov byte [fs:si + D_TYPE], DRIVE_CD
    mov word [fs:si + D_SECTOR_BYTES], 2048
    mov dword [fs:si + D_SECTORS], -1
    clc
    ret
.nothing:
    stc
    ret
.disk:
    mov byte [fs:si + D_TYPE], DRIVE_DISK
    mov word [fs:si + D_SECTOR_BYTES], 512
    push word 0
    pop es
    mov eax, [es:PROBE_BUFFER + 60 * 2]
    mov [fs:si + D_SECTORS], eax
    mov ax, [es:PROBE_BUFFER + 1 * 2]
    mov [fs:si + D_OWN_CYLINDERS], ax
    mov [fs:si + D_CYLINDERS], ax
    mov ax, [es:PROBE_BUFFER + 3 * 2]
    mov [fs:si + D_OWN_HEADS], ax
    mov [fs:si + D_HEADS], ax
    mov ax, [es:PROBE_BUFFER + 6 * 2]
    mov [fs:si + D_OWN_TRACK], ax
    mov [fs:si + D_TRACK], ax
    clc
    ret
; Zero flag: the task file shows the signature of a packet device.
.signature:
    mov dx, [fs:si + D_PORT]
    add dx, ATA_MIDDLE
    in al, dx
    mov ah, al
    inc dx
    in al, dx
    cmp ax, 0x14eb
    ret
; Command AH, 256 words into the buffer. Carry: refused.
.identify:
    mov dx, [fs:si + D_PORT]
    add dx, ATA_STATUS
    mov al, ah
    out dx, al
    call ata_wait_idle
    jc .refused
    test al, ATA_ERROR
    jnz .refused
    test al, ATA_DATA
    jz .refused
    sub dx, ATA_STATUS
    push di
    push es
    push word 0
    pop es
    mov di, PROBE_BUFFER
    mov cx, 256
    rep insw
    pop es
    pop di
    clc
    ret
.refused:
    stc
    ret

; Cylinders, heads and sectors as int 13h has them for the disk SI: those that its partitions were made with, if one of them
; says so without contradiction; else the disk's own, or 63 sectors and as many heads as 1024 cylinders need.
guess_geometry:
    push word 0
    pop es
    mov di, PROBE_BUFFER
    xor eax, eax
    mov ecx, 1
    mov bl, DISK_READ
    call ata_transfer
    push word 0
    pop es
    test ah, ah
    jnz .own
    cmp word [es:PROBE_BUFFER + 510], 0xaa55
    jne .own
    mov di, PROBE_BUFFER + 0x1be
.partition:
    cmp byte [es:di + 4], 0     ; type
    je .next
    movzx eax, byte [es:di + 5] ; last head, last sector: whole cylinders
    inc ax
    movzx ecx, byte [es:di + 6]
    and cx, 0x3f
    jz .next
    cmp ax, 2
    jb .next
    cmp ax, 256
    jae .next
    ; Its first sector must be at the same place by both addresses.
    movzx edx, byte [es:di + 3]
    mov dh, [es:di + 2]
    shr dh, 6
    imul edx, eax
    movzx ebx, byte [es:di + 1]
    add edx, ebx
    imul edx, ecx
    movzx ebx, byte [es:di + 2]
    and bl, 0x3f
    jz .next
    lea edx, [edx + ebx - 1]
    cmp edx, [es:di + 8]
    je .known
.next:
    add di, 16
    cmp di, PROBE_BUFFER + 0x1fe
    jb .partition
.own:
    cmp word [fs:si + D_OWN_CYLINDERS], 1024
    jbe .done
    mov cx, 63
    mov ax, 16
.more_heads:
    cmp ax, 255
    jae .known
    movzx ebx, ax
    imul ebx, ebx, 63 * 1024
    cmp ebx, [fs:si + D_SECTORS]
    jae .known
    add ax, ax
    cmp ax, 256
    jb .more_heads
    mov ax, 255
.known:
    mov [fs:si + D_HEADS], ax
    mov [fs:si + D_TRACK], cx
    mul cx
    movzx ecx, ax
    mov eax, [fs:si + D_SECTORS]
    xor edx, edx
    div ecx
    cmp eax, 1024
    jbe .cylinders
    mov ax, 1024
.cylinders:
    test ax, ax
    jnz .some
    inc ax
.some:
    mov [fs:si + D_CYLINDERS], ax
.done:
    ret

; The parameter tables of the first two disks, at int 41h and 46h.
disk_table:
    movzx bx, byte [fs:si + D_NUMBER]
    sub bx, 0x80
    cmp bx, 1
    ja .done
    push word 0
    pop es
    imul di, bx, 16
    add di, E_DISK_TABLES
    imul bx, bx, 5 * 4
    mov [es:bx + 0x41 * 4], di
    mov word [es:bx + 0x41 * 4 + 2], EBDA_SEGMENT
    mov ax, [fs:si + D_CYLINDERS]
    mov [fs:di], ax
    mov al, [fs:si + D_HEADS]
    mov [fs:di + 2], al
    mov word [fs:di + 5], -1    ; no write precompensation
    mov byte [fs:di + 8], 8     ; more than eight heads
    mov al, [fs:si + D_TRACK]
    mov [fs:di + 14], al
.done:
    ret
