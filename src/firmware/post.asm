; From the reset vector to int 19h: interrupt controllers, timer, keyboard, interrupt vectors, BIOS data, video, drives.
; PIC: Intel 8259A data sheet; PIT: 8254; the order is that of the IBM PC AT Technical Reference, without its tests.

post:
    cli
    cld
    xor ax, ax
    mov ss, ax
    mov sp, BOOT_SECTOR
    in al, 0x92                 ; A20 open, as every loader of today expects
    or al, 2
    and al, 0xfe
    out 0x92, al
    call set_up_apic
    call set_up_memory
    call set_up_vectors
    call set_up_interrupt_controllers
    call set_up_timer
    call set_up_keyboard
    call set_up_serial
    push word BDA_SEGMENT
    pop ds
    call set_ticks_from_clock
    mov ax, 3
    int 0x10
    sti
    mov si, banner
    call print
    call probe_drives
    int 0x19
    ; int 19h does not return

banner:
    db 'Ringside BIOS', 13, 10, 0

; Prints the string at CS:SI through int 10h.
print:
    cs lodsb
    test al, al
    jz .done
    mov ah, 0x0e
    mov bx, 7
    int 0x10
    jmp print
.done:
    ret

; Interrupt vectors, BIOS data and the extended area begin empty.
set_up_memory:
    xor ax, ax
    mov es, ax
    xor di, di
    mov cx, 0x500 / 2
    rep stosw
    mov ax, EBDA_SEGMENT
    mov es, ax
    xor ax, ax
    xor di, di
    mov cx, 512
    rep stosw
    mov byte [es:E_SIZE], 1
    push word BDA_SEGMENT
    pop ds
    mov word [B_EBDA], EBDA_SEGMENT
    mov word [B_BASE_KIB], BASE_KIB
    mov word [B_EQUIPMENT], 0x0226      ; coprocessor, mouse, 80x25 colour, one serial port
    mov ax, B_KEY_BUFFER
    mov [B_KEY_HEAD], ax
    mov [B_KEY_TAIL], ax
    mov [B_KEY_START], ax
    mov word [B_KEY_END], B_KEY_BUFFER_END
    mov byte [B_KEY_MODE], 0x10
    mov dword [B_SERIAL_TIMEOUT], 0x0a0a0a0a
    ret

; Every vector at something harmless, then the services and interrupt handlers.
set_up_vectors:
    xor ax, ax
    mov es, ax
    xor di, di
    mov cx, 256
.fill:
    mov ax, dummy_interrupt
    stosw
    mov ax, ROM_SEGMENT
    stosw
    loop .fill
    mov si, vectors
.next:
    cs lodsw                    ; vector number
    cmp ax, 0xffff
    je .zeros
    mov di, ax
    shl di, 2
    cs lodsw
    stosw
    jmp .next
.zeros:
    ; Vectors 60h-67h belong to users, and 1Dh, 41h, 46h, F1h-FFh are not code.
    mov di, 0x60 * 4
    mov cx, 16
    xor ax, ax
    rep stosw
    ret

vectors:
    dw 0x08, timer_interrupt, 0x09, keyboard_interrupt
    dw 0x0a, spurious_master, 0x0b, spurious_master, 0x0c, spurious_master, 0x0d, spurious_master
    dw 0x0e, floppy_interrupt, 0x0f, spurious_master
    dw 0x10, video_service, 0x11, equipment_service, 0x12, memory_service, 0x13, disk_service
    dw 0x14, serial_service, 0x15, system_service, 0x16, keyboard_service, 0x17, printer_service
    dw 0x18, no_boot_device, 0x19, bootstrap, 0x1a, clock_service
    dw 0x1e, diskette_parameters, 0x1f, font_8x8 + 128 * 8, 0x43, font_8x16
    dw 0x70, clock_interrupt, 0x71, redirected_interrupt, 0x72, spurious_slave, 0x73, spurious_slave
    dw 0x74, mouse_interrupt, 0x75, coprocessor_interrupt, 0x76, disk_interrupt, 0x77, disk_interrupt
    dw 0xffff

; IRQ 0-7 at 08h, IRQ 8-15 at 70h; open: timer, keyboard, cascade, diskette; clock, coprocessor, disks.
set_up_interrupt_controllers:
    mov al, 0x11
    out 0x20, al
    out 0xa0, al
    mov al, 0x08
    out 0x21, al
    mov al, 0x70
    out 0xa1, al
    mov al, 4
    out 0x21, al
    mov al, 2
    out 0xa1, al
    mov al, 1
    out 0x21, al
    out 0xa1, al
    mov al, 0xb8
    out 0x21, al
    mov al, 0x8f
    out 0xa1, al
    ret

; 18.2 interrupts a second; channel 2 quiet.
set_up_timer:
    mov al, 0x34
    out 0x43, al
    xor al, al
    out 0x40, al
    out 0x40, al
    mov al, 0x54
    out 0x43, al
    mov al, 18
    out 0x41, al
    in al, 0x61
    and al, 0xfc
    out 0x61, al
    ret

; Keyboard controller: both ports, translation to set 1, interrupt of the keyboard; then the keyboard may report.
set_up_keyboard:
    call .drain
    mov al, 0xaa                ; self-test
    call keyboard_command
    call keyboard_answer
    mov al, 0x60                ; command byte
    call keyboard_command
    mov al, 0x65                ; translate, system flag, keyboard interrupt; mouse off
    call keyboard_data
    mov al, 0xf4                ; enable reporting
    call keyboard_data
    call keyboard_answer
.drain:
    in al, 0x64
    test al, 1
    jz .empty
    in al, 0x60
    jmp .drain
.empty:
    ret

keyboard_command:
    push ax
    call keyboard_ready
    pop ax
    out 0x64, al
    ret

keyboard_data:
    push ax
    call keyboard_ready
    pop ax
    out 0x60, al
    ret

; Waits until the controller takes a byte; bounded.
keyboard_ready:
    push cx
    xor cx, cx
.wait:
    in al, 0x64
    test al, 2
    loopnz .wait
    pop cx
    ret

; A byte from the controller in AL, carry when none comes.
keyboard_answer:
    push cx
    xor cx, cx
.wait:
    in al, 0x64
    test al, 1
    jnz .there
    in al, 0x80                 ; about a microsecond
    loop .wait
    pop cx
    stc
    ret
.there:
    in al, 0x60
    pop cx
    clc
    ret
