; Booting from CD, with and without emulation of a diskette: El Torito Bootable CD-ROM Format Specification 1.0. int 13h,
; 4Bh tells about it. A hard disk is emulated too, if its partition table says how large it is.

BOOT_RECORD_SECTOR equ 17

; The specification packet, E_CD_PACKET
P_SIZE      equ 0
P_MEDIA     equ 1
P_DRIVE     equ 2
P_CONTROL   equ 3
P_SECTOR    equ 4
P_DEVICE    equ 8
P_BUFFER    equ 10
P_SEGMENT   equ 12
P_COUNT     equ 14
P_CYLINDERS equ 16

; Tries the first CD. Returns when it does not boot.
boot_cd:
    push EBDA_SEGMENT
    pop fs
    push word 0
    pop es
    push word 0
    pop ds
    mov dl, 0xe0
    call find_drive
    jc .no
    mov eax, BOOT_RECORD_SECTOR
    call .read
    jc .no
    mov si, .identifier
    mov di, BOOT_SECTOR
    mov cx, .identifier_end - .identifier
    cs repe cmpsb
    jne .no
    mov dl, 0xe0
    call find_drive
    mov eax, [BOOT_SECTOR + 0x47]       ; the boot catalog
    call .read
    jc .no
    cmp word [BOOT_SECTOR], 0x0001      ; validation entry for 80x86
    jne .no
    cmp word [BOOT_SECTOR + 0x1e], 0xaa55
    jne .no
    cmp byte [BOOT_SECTOR + 0x20], 0x88 ; default entry, bootable
    jne .no
    jmp boot_entry
.no:
    ret
; Sector EAX to 0000:7C00.
.read:
    mov ecx, 1
    mov di, BOOT_SECTOR
    push word 0
    pop es
    push ds
    push word BDA_SEGMENT
    pop ds
    call cd_read
    pop ds
    push word 0
    pop es
    cmp ah, 1
    cmc
    ret
.identifier:
    db 0, 'CD001', 1, 'EL TORITO SPECIFICATION'
.identifier_end:

; The default entry lies at 0000:7C20, DS and ES are 0, SI is the CD.
boot_entry:
    mov byte [fs:E_CD_PACKET + P_SIZE], 0x13
    mov al, [BOOT_SECTOR + 0x21]
    and al, 15
    mov [fs:E_CD_PACKET + P_MEDIA], al
    mov byte [fs:E_CD_PACKET + P_DRIVE], 0xe0
    mov eax, [BOOT_SECTOR + 0x28]
    mov [fs:E_CD_PACKET + P_SECTOR], eax
    mov bx, [BOOT_SECTOR + 0x22]
    test bx, bx
    jnz .segment_known
    mov bx, BOOT_SECTOR >> 4
.segment_known:
    mov [fs:E_CD_PACKET + P_SEGMENT], bx
    movzx ecx, word [BOOT_SECTOR + 0x26]
    mov [fs:E_CD_PACKET + P_COUNT], cx
    cmp byte [fs:E_CD_PACKET + P_MEDIA], 0
    jne boot_emulated
    add ecx, 3                  ; sectors of 512 bytes
    shr ecx, 2
    jnz .some
    inc ecx
.some:
    mov es, bx
    xor di, di
    push word BDA_SEGMENT
    pop ds
    call cd_read
    test ah, ah
    jnz .failed
    mov dl, 0xe0
    mov bx, [fs:E_CD_PACKET + P_SEGMENT]
    cmp bx, BOOT_SECTOR >> 4    ; the usual address is given as segment 0
    je enter_boot_sector
    push bx
    push word 0
    retf
.failed:
    ret

; A diskette (media 1-3) or hard disk (4) whose sectors lie on the CD: it becomes the first drive of its kind.
boot_emulated:
    movzx bx, byte [fs:E_CD_PACKET + P_MEDIA]
    cmp bx, 4
    ja .failed
    mov dl, 0
    cmp bx, 4
    jb .number_known
    mov dl, 0x80
.number_known:
    mov [fs:E_CD_PACKET + P_DRIVE], dl
    mov eax, [fs:E_CD_PACKET + P_SECTOR]
    mov cx, [fs:si + D_PORT]
    mov ch, [fs:si + D_SELECT]  ; 1F0h and 170h differ in the low byte
    call make_room
    jc .failed
    mov byte [fs:si + D_TYPE], DRIVE_EMULATED
    mov [fs:si + D_NUMBER], dl
    mov [fs:si + D_START], eax
    mov [fs:si + D_SELECT], ch
    mov ch, 1
    mov [fs:si + D_PORT], cx
    mov word [fs:si + D_SECTOR_BYTES], 512
    push word BDA_SEGMENT
    pop ds
    cmp bl, 4
    je .hard_disk
    imul di, bx, 3
    mov al, [cs:di + .formats - 3]
    mov [fs:si + D_CMOS_TYPE], al
    mov word [fs:si + D_CYLINDERS], 80
    mov word [fs:si + D_HEADS], 2
    movzx ax, byte [cs:di + .formats - 2]
    mov [fs:si + D_TRACK], ax
    imul ax, ax, 160
    movzx eax, ax
    mov [fs:si + D_SECTORS], eax
    or byte [B_EQUIPMENT], 1
.boot:
    mov [fs:E_CD_PACKET + P_DRIVE], dl
    jmp boot_sector
.failed:
    ret
; The geometry is that of the one partition.
.hard_disk:
    mov dword [fs:si + D_SECTORS], 1
    mov word [fs:si + D_CYLINDERS], 1
    mov word [fs:si + D_HEADS], 1
    mov word [fs:si + D_TRACK], 1
    push word 0
    pop es
    push dx
    mov di, PROBE_BUFFER
    xor eax, eax
    mov ecx, 1
    call emulated_read
    pop dx
    push word 0
    pop es
    movzx ax, byte [es:PROBE_BUFFER + 0x1be + 5]
    inc ax
    mov [fs:si + D_HEADS], ax
    mov bl, [es:PROBE_BUFFER + 0x1be + 6]
    movzx ax, bl
    and al, 0x3f
    mov [fs:si + D_TRACK], ax
    mov al, [es:PROBE_BUFFER + 0x1be + 7]
    mov ah, bl
    shr ah, 6
    inc ax
    mov [fs:si + D_CYLINDERS], ax
    mov eax, [es:PROBE_BUFFER + 0x1be + 8]
    add eax, [es:PROBE_BUFFER + 0x1be + 12]
    mov [fs:si + D_SECTORS], eax
    jmp .boot
.formats:                       ; drive type, sectors of a track
    db 2, 15, 0
    db 4, 18, 0
    db 5, 36, 0

; A free entry SI for a drive with number DL: the others of its kind move up by one. Carry: none is free.
make_room:
    push ax
    mov si, E_DRIVES
    mov di, -1
.next:
    cmp byte [fs:si + D_TYPE], DRIVE_NONE
    jne .taken
    mov di, si
    jmp .skip
.taken:
    mov al, [fs:si + D_NUMBER]
    cmp al, 0xe0
    jae .skip
    xor al, dl
    js .skip
    inc byte [fs:si + D_NUMBER]
.skip:
    add si, DRIVE_BYTES
    cmp si, E_DRIVES + DRIVE_COUNT * DRIVE_BYTES
    jb .next
    mov si, di
    pop ax
    cmp si, -1
    je .none
    clc
    ret
.none:
    stc
    ret

; ECX sectors of 512 bytes from EAX on, of the emulated disk SI, to ES:DI. AH the status, ECX the sectors that made it.
emulated_read:
    push dword 0
.next:
    push ecx
    push eax
    mov bx, ax
    and bx, 3
    shl bx, 8                   ; words before it in the CD's sector
    mov dx, CD_SECTOR_WORDS
    sub dx, bx
    shr dx, 8                   ; sectors from here to the end of it
    movzx edx, dx
    cmp edx, ecx
    jbe .whole
    mov edx, ecx
.whole:
    mov cx, dx
    shl cx, 8
    shr eax, 2
    add eax, [fs:si + D_START]
    push edx
    call cd_read_part
    pop edx
    pop eax
    pop ecx
    jc .failed
    mov bx, dx
    shl bx, 5                   ; 512 bytes are 20h paragraphs
    push ax
    mov ax, es
    add ax, bx
    mov es, ax
    pop ax
    mov bx, sp
    add [ss:bx], edx
    add eax, edx
    sub ecx, edx
    jnz .next
    pop ecx
    mov ah, 0
    ret
.failed:
    pop ecx
    mov ah, DISK_CONTROLLER
    ret

; int 13h, 4Bh: AL 0 ends the emulation, 1 only tells; the packet goes to DS:SI of the caller.
emulation_status:
    cmp al, 1
    ja disk_unknown
    cmp byte [fs:E_CD_PACKET + P_SIZE], 0
    je disk_unknown
    mov es, [bp + R_DS]
    mov di, [bp + R_SI]
    mov si, E_CD_PACKET
    mov cx, 0x13
.copy:
    mov ah, [fs:si]
    mov [es:di], ah
    inc si
    inc di
    loop .copy
    test al, al
    jnz disk_ok
    mov si, E_DRIVES
.next:
    cmp byte [fs:si + D_TYPE], DRIVE_EMULATED
    jne .other
    mov byte [fs:si + D_TYPE], DRIVE_NONE
.other:
    add si, DRIVE_BYTES
    cmp si, E_DRIVES + DRIVE_COUNT * DRIVE_BYTES
    jb .next
    jmp disk_ok
