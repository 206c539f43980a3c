; int 13h, 41h-48h: hard disks and CDs by sector number. Phoenix Enhanced Disk Drive Specification 3.0; sectors of a CD have
; 2048 bytes.

disk_extended:
    test byte [fs:si + D_NUMBER], 0x80
    jz disk_unknown
    mov bl, DISK_READ
    cmp ah, 0x42
    je extended_transfer
    mov bl, DISK_WRITE
    cmp ah, 0x43
    je extended_transfer
    mov bl, DISK_VERIFY
    cmp ah, 0x44
    je extended_transfer
    cmp ah, 0x41
    je extended_check
    cmp ah, 0x47
    je disk_ok                  ; seek
    cmp ah, 0x48
    je extended_parameters
    cmp ah, 0x45                ; lock: what cannot be taken out is locked
    je extended_lock
    cmp ah, 0x49                ; changed: no
    je disk_ok
    jmp disk_unknown

extended_lock:
    mov byte [bp + R_AL], 0
    jmp disk_ok

; 41h
extended_check:
    cmp word [bp + R_BX], 0x55aa
    jne disk_unknown
    mov word [bp + R_BX], 0xaa55
    mov word [bp + R_CX], 7     ; transfers, removable media, EDD
    call disk_ok
    mov byte [bp + R_AH], 0x30  ; version 3.0
    ret

; 42h-44h: the packet at DS:SI of the caller says how much, where to and from where.
extended_transfer:
    mov es, [bp + R_DS]
    mov di, [bp + R_SI]
    cmp byte [es:di], 0x10
    jb disk_unknown
    cmp dword [es:di + 12], 0   ; sector number beyond 32 bits
    jne disk_unknown
    movzx ecx, word [es:di + 2]
    mov eax, [es:di + 8]
    push es
    push di
    les di, [es:di + 4]
    jecxz .nothing
    call disk_transfer
    jmp .done
.nothing:
    mov ah, 0
.done:
    pop di
    pop es
    mov [es:di + 2], cx
    jmp disk_result

; 48h: what the drive is, into the buffer at DS:SI.
extended_parameters:
    mov es, [bp + R_DS]
    mov di, [bp + R_SI]
    mov ax, [es:di]
    cmp ax, 0x1a
    jb disk_unknown
    cmp ax, 0x1e
    jb .short
    mov word [es:di], 0x1e
    mov dword [es:di + 0x1a], -1        ; no device parameter table
    jmp .size_known
.short:
    mov word [es:di], 0x1a
.size_known:
    mov ax, [fs:si + D_SECTOR_BYTES]
    mov [es:di + 0x18], ax
    cmp byte [fs:si + D_TYPE], DRIVE_CD
    je .cd
    mov word [es:di + 2], 2     ; the geometry is valid
    movzx eax, word [fs:si + D_OWN_CYLINDERS]
    mov [es:di + 4], eax
    movzx eax, word [fs:si + D_OWN_HEADS]
    mov [es:di + 8], eax
    movzx eax, word [fs:si + D_OWN_TRACK]
    mov [es:di + 12], eax
    mov eax, [fs:si + D_SECTORS]
    mov [es:di + 16], eax
    mov dword [es:di + 20], 0
    jmp disk_ok
.cd:
    mov word [es:di + 2], 0x74  ; removable, lockable, geometry unknown
    mov eax, -1
    mov [es:di + 4], eax
    mov [es:di + 8], eax
    mov [es:di + 12], eax
    mov [es:di + 16], eax
    mov [es:di + 20], eax
    jmp disk_ok
