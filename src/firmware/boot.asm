; int 19h: the first sector of the first drive that has a boot record; int 18h: there was none. The order is that of CMOS
; 3Dh and 38h (as Bochs has it: 1 diskette, 2 hard disk, 3 CD; ours besides: 4 memory), or diskette, CD, hard disk. BIOS Boot Specification 1.01.

bootstrap:
    xor ax, ax
    mov ss, ax
    mov sp, BOOT_SECTOR
    mov ds, ax
    mov es, ax
    sti
    cld
    mov al, 0x38
    call read_cmos
    shr al, 4
    mov bl, al                  ; third
    mov al, 0x3d
    call read_cmos
    mov bh, al                  ; second, first
    or al, bl
    jnz .order_known
    mov bx, 0x3102              ; diskette, CD, hard disk
.order_known:
    mov cx, 3
.try:
    push bx
    push cx
    mov al, bh
    and al, 15
    call boot_from
    pop cx
    pop bx
    shr bh, 4                   ; the next: second, then third
    cmp cx, 3
    je .next
    mov bh, bl
.next:
    loop .try
    int 0x18
    jmp bootstrap

; Tries the device class in AL: 1 diskette, 2 hard disk, 3 CD. Returns when it does not boot.
boot_from:
    mov dl, 0
    cmp al, 1
    je boot_sector
    mov dl, 0x80
    cmp al, 2
    je boot_sector
    cmp al, 3
    je boot_cd
    cmp al, 4
    je boot_setup_code
    ret

; A setup program in Linux's format lies at 1000:0000 (images/linux-setup.ts; Linux Documentation/arch/x86/boot.rst, "Running
; the Kernel"). It is entered once: whoever asks for another boot gets the drives.
boot_setup_code:
    mov ax, 0x3d
    out 0x70, al
    xor al, al
    out 0x71, al
    cli
    mov ax, SETUP_SEGMENT
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov esp, SETUP_STACK
    jmp SETUP_SEGMENT + 0x20:0

; Loads the first sector of drive DL to 0000:7C00 and goes there, if it ends with the signature.
boot_sector:
    xor ax, ax
    mov es, ax
    mov ds, ax
    mov di, 3                   ; a diskette may need its motor to come up
.again:
    mov ax, 0x0201
    mov bx, BOOT_SECTOR
    mov cx, 1
    mov dh, 0
    int 0x13
    jnc .read
    mov ah, 0
    int 0x13
    dec di
    jnz .again
    ret
.read:
    cmp word [BOOT_SECTOR + 510], 0xaa55
    jne .not_bootable
    jmp enter_boot_sector
.not_bootable:
    ret

; To 0000:7C00 with the drive in DL and registers as other firmware leaves them.
enter_boot_sector:
    xor eax, eax
    mov es, ax
    mov ds, ax
    mov ss, ax
    mov sp, BOOT_SECTOR
    movzx edx, dl
    xor ebx, ebx
    xor ecx, ecx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    mov ax, 0xaa55
    jmp 0:BOOT_SECTOR

no_boot_device:
    sti
    mov si, .message
    call print
.wait:
    hlt
    jmp .wait
.message:
    db 'No bootable device.', 13, 10, 0
