; int 13h: diskettes, hard disks and CDs by cylinder, head and sector, and what they are. IBM PS/2 and PC BIOS Interface
; Technical Reference, "Interrupt 13h". FS is at the extended data area, SI at the drive's entry there.

; Status
DISK_BAD_COMMAND equ 0x01
DISK_NOT_FOUND  equ 0x04
DISK_BOUNDARY   equ 0x09
DISK_CONTROLLER equ 0x20
DISK_TIMEOUT    equ 0x80
DISK_PROTECTED  equ 0x03

; Operations of a transfer
DISK_READ       equ 0
DISK_WRITE      equ 1
DISK_VERIFY     equ 2

disk_service:
    service_entry
    push EBDA_SEGMENT
    pop fs
    cmp ah, 0x4b
    je .emulation
    call find_drive
    jc .no_drive
    cmp ah, 0x41
    jae .extended
    cmp ah, 0x19
    jae .unknown
    movzx di, ah
    add di, di
    call [cs:di + .table]
    service_exit
.emulation:
    call emulation_status
    service_exit
.extended:
    call disk_extended
    service_exit
.unknown:
    call disk_unknown
    service_exit
.no_drive:
    call disk_absent
    service_exit
.table:
    dw disk_reset, disk_last_status, disk_read, disk_write, disk_verify, disk_unknown, disk_unknown
    dw disk_unknown, disk_parameters, disk_ok, disk_unknown, disk_unknown, disk_seek, disk_reset
    dw disk_unknown, disk_unknown, disk_ready, disk_reset, disk_unknown, disk_unknown, disk_ok
    dw disk_type, disk_changed, disk_unknown, disk_media

; SI = entry of drive DL. Carry: there is none.
find_drive:
    mov si, E_DRIVES
.next:
    cmp byte [fs:si + D_TYPE], DRIVE_NONE
    je .skip
    cmp [fs:si + D_NUMBER], dl
    je .found
.skip:
    add si, DRIVE_BYTES
    cmp si, E_DRIVES + DRIVE_COUNT * DRIVE_BYTES
    jb .next
    stc
    ret
.found:
    clc
    ret

disk_ok:
    mov ah, 0
; Status AH to the caller and to the data area; carry when it is not 0.
disk_result:
    mov [bp + R_AH], ah
    mov bx, B_DISK_STATUS
    test byte [bp + R_DL], 0x80
    jnz .hard_disk
    mov bx, B_FLOPPY_STATUS
.hard_disk:
    mov [bx], ah
    and byte [bp + R_FLAGS], ~CARRY & 0xff
    test ah, ah
    jz .done
    or byte [bp + R_FLAGS], CARRY
.done:
    ret

disk_unknown:
    mov ah, DISK_BAD_COMMAND
    jmp disk_result

; No such drive: 15h says so without an error, 08h of a diskette gives zeros.
disk_absent:
    cmp ah, 0x15
    je .type
    cmp ah, 0x08
    jne disk_unknown
    test dl, 0x80
    jnz disk_unknown
    xor ax, ax
    mov [bp + R_AX], ax
    mov [bp + R_BX], ax
    mov [bp + R_CX], ax
    mov [bp + R_DH], al
    call count_drives
    mov [bp + R_DL], al
    jmp disk_ok
.type:
    mov byte [bp + R_AH], 0
    and byte [bp + R_FLAGS], ~CARRY & 0xff
    ret

disk_reset:
    cmp byte [fs:si + D_TYPE], DRIVE_FLOPPY
    jne disk_ok
    call floppy_reset
    jmp disk_result

disk_last_status:
    mov al, [B_DISK_STATUS]
    test dl, 0x80
    jnz .hard_disk
    mov al, [B_FLOPPY_STATUS]
.hard_disk:
    mov ah, al
    jmp disk_result

disk_ready:
    jmp disk_ok

disk_seek:
    call chs_to_sector
    jc disk_result
    jmp disk_ok

disk_read:
    mov dl, DISK_READ
    jmp disk_transfer_chs
disk_write:
    mov dl, DISK_WRITE
    jmp disk_transfer_chs
disk_verify:
    mov dl, DISK_VERIFY

; AL sectors at CX, DH to or from ES:BX. AL: sectors that made it.
disk_transfer_chs:
    cmp al, 0
    je disk_unknown
    cmp byte [fs:si + D_TYPE], DRIVE_CD
    je disk_unknown
    movzx edi, bx
    mov bl, dl
    mov es, [bp + R_ES]
    call chs_to_sector
    jc .failed
    cmp byte [fs:si + D_TYPE], DRIVE_FLOPPY
    je .floppy
    movzx ecx, byte [bp + R_AL]
    call disk_transfer
    mov [bp + R_AL], cl
    jmp disk_result
.floppy:
    call floppy_transfer
    mov [bp + R_AL], cl
    jmp disk_result
.failed:
    mov byte [bp + R_AL], 0
    jmp disk_result

; Cylinder, head and sector in CX, DH as a sector number in EAX. Carry, and status in AH: there is no such sector.
chs_to_sector:
    push ebx
    push ecx
    push edx
    mov bl, cl
    shl bx, 2
    and bh, 3
    mov bl, ch                  ; BX = cylinder
    and cl, 0x3f
    jz .bad
    cmp bx, [fs:si + D_CYLINDERS]
    jae .bad
    movzx ax, dh
    cmp ax, [fs:si + D_HEADS]
    jae .bad
    mov ch, 0
    cmp cx, [fs:si + D_TRACK]
    ja .bad
    movzx ebx, bx
    movzx eax, word [fs:si + D_HEADS]
    imul eax, ebx
    movzx edx, dh
    add eax, edx
    movzx edx, word [fs:si + D_TRACK]
    imul eax, edx
    movzx ecx, cx
    lea eax, [eax + ecx - 1]
    pop edx
    pop ecx
    pop ebx
    clc
    ret
.bad:
    pop edx
    pop ecx
    pop ebx
    mov ah, DISK_BAD_COMMAND
    cmp byte [fs:si + D_TYPE], DRIVE_FLOPPY
    jne .done
    mov ah, DISK_NOT_FOUND
.done:
    stc
    ret

; Operation BL on ECX sectors from EAX on, at ES:DI. AH the status, ECX the sectors that made it.
disk_transfer:
    mov dx, es                  ; the offset stays small, so that 64 KiB are no limit
    movzx edi, di
    push di
    shr di, 4
    add dx, di
    mov es, dx
    pop di
    and di, 15
    push eax
    add eax, ecx
    jc .beyond
    cmp eax, [fs:si + D_SECTORS]
    ja .beyond
    pop eax
    cmp byte [fs:si + D_TYPE], DRIVE_DISK
    je ata_transfer
    cmp bl, DISK_READ
    je .read
    mov ah, 0
    cmp bl, DISK_VERIFY
    je .done
    mov ah, DISK_PROTECTED
.none:
    xor ecx, ecx
.done:
    ret
.read:
    cmp byte [fs:si + D_TYPE], DRIVE_CD
    je cd_read
    jmp emulated_read
.beyond:
    pop eax
    mov ah, DISK_NOT_FOUND
    jmp .none

; 08h: largest cylinder, head and sector, and how many drives of this sort there are.
disk_parameters:
    cmp byte [fs:si + D_TYPE], DRIVE_CD
    je disk_unknown
    mov ax, [fs:si + D_CYLINDERS]
    dec ax
    test dl, 0x80
    jz .cylinders
    dec ax                      ; the last one of a hard disk is for diagnostics
.cylinders:
    mov ch, al
    mov cl, ah
    shl cl, 6
    or cl, [fs:si + D_TRACK]
    mov [bp + R_CX], cx
    mov al, [fs:si + D_HEADS]
    dec al
    mov [bp + R_DH], al
    call count_drives
    mov [bp + R_DL], al
    test dl, 0x80
    jnz .hard_disk
    movzx ax, byte [fs:si + D_CMOS_TYPE]
    mov [bp + R_BX], ax
    mov word [bp + R_DI], diskette_parameters
    mov word [bp + R_ES], ROM_SEGMENT
.hard_disk:
    mov byte [bp + R_AL], 0
    jmp disk_ok

; Drives of the sort of DL: in AL.
count_drives:
    push di
    push cx
    xor ax, ax
    mov di, E_DRIVES
    mov cx, DRIVE_COUNT
.next:
    cmp byte [fs:di + D_TYPE], DRIVE_NONE
    je .other
    cmp byte [fs:di + D_TYPE], DRIVE_CD
    je .other
    mov ah, [fs:di + D_NUMBER]
    xor ah, dl
    js .other
    inc al
.other:
    add di, DRIVE_BYTES
    loop .next
    pop cx
    pop di
    ret

; 15h: 1 diskette without a change line, 3 hard disk with its sectors in CX:DX, those of 08h.
disk_type:
    mov ah, 1
    test dl, 0x80
    jz .done
    cmp byte [fs:si + D_TYPE], DRIVE_CD
    je disk_unknown
    movzx eax, word [fs:si + D_CYLINDERS]
    dec eax
    movzx ecx, word [fs:si + D_HEADS]
    imul eax, ecx
    movzx ecx, word [fs:si + D_TRACK]
    imul eax, ecx
    mov [bp + R_DX], ax
    shr eax, 16
    mov [bp + R_CX], ax
    mov ah, 3
.done:
    mov [bp + R_AH], ah
    and byte [bp + R_FLAGS], ~CARRY & 0xff
    ret

; 16h: the diskette is still the same.
disk_changed:
    test dl, 0x80
    jz disk_ok
    jmp disk_unknown

; 18h: tracks CH, sectors CL of a diskette to be formatted: the format that is there, and no other.
disk_media:
    test dl, 0x80
    jnz disk_unknown
    mov ax, [fs:si + D_CYLINDERS]
    dec ax
    cmp al, ch
    jne .other
    cmp cl, [fs:si + D_TRACK]
    jne .other
    mov word [bp + R_DI], diskette_parameters
    mov word [bp + R_ES], ROM_SEGMENT
    jmp disk_ok
.other:
    mov ah, 0x0c
    jmp disk_result
