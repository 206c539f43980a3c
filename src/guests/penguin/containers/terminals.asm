; A terminal for each container: the four serial ports of a PC (16550A; COM1 and COM3 on IRQ 4, COM2 and COM4 on IRQ 3).
; Takes the place of native/serial.asm. What the machine's own container says appears on the screen too.

SERIAL_RING         equ 4096            ; a power of two
COM1                equ 0x3F8
UART_IER            equ 1               ; registers, from the port's base
UART_IIR            equ 2
UART_LCR            equ 3
UART_MCR            equ 4
UART_LSR            equ 5
UART_MSR            equ 6
UART_FIFO           equ 16

        section .text
serial_initialize:
        push    ebx
        call    containers_initialize
        mov     ebx, containers
.port:  mov     edx, [ebx + CONTAINER_PORT]
        add     edx, UART_LCR
        mov     al, 0x80                ; the divisor
        out     dx, al
        sub     edx, UART_LCR
        mov     al, 1                   ; 115200 baud
        out     dx, al
        inc     edx
        mov     al, 0
        out     dx, al
        add     edx, UART_LCR - UART_IER
        mov     al, 3                   ; 8 bits, no parity
        out     dx, al
        dec     edx
        mov     al, 7                   ; FIFOs on and emptied
        out     dx, al
        add     edx, UART_MCR - UART_IIR
        mov     al, 0x0B                ; OUT2 connects the interrupt
        out     dx, al
        sub     edx, UART_MCR - UART_IER
        mov     al, 1
        mov     [ebx + CONTAINER_ENABLED], al
        out     dx, al
        add     ebx, CONTAINER_SIZE
        cmp     ebx, containers + MAX_CONTAINERS * CONTAINER_SIZE
        jb      .port
        pop     ebx
        ret

; EAX = how many characters the current container can write without waiting.
console_room:
        own_container
        mov     eax, SERIAL_RING
        sub     eax, [ecx + CONTAINER_SENT]
        add     eax, [ecx + CONTAINER_SHIFTED]
        ret

; AL = character. Keeps all registers.
console_emit:
        pushad
        own_container
        mov     ebx, ecx
        cmp     ebx, containers
        jne     .again
        call    vga_put
.again: mov     edx, [ebx + CONTAINER_SENT]
        mov     ecx, edx
        sub     ecx, [ebx + CONTAINER_SHIFTED]
        cmp     ecx, SERIAL_RING
        jb      .room
        push    eax
        interrupts_save
        call    serial_fill_fifo
        interrupts_restore
        pop     eax
        jmp     .again
.room:  and     edx, SERIAL_RING - 1
        add     edx, [ebx + CONTAINER_RING]
        mov     [edx], al
        inc     dword [ebx + CONTAINER_SENT]
        popad
        ret

; All that the current container has emitted shall appear now.
console_kick:
        push    ebx
        own_container
        mov     ebx, ecx
        cmp     ebx, containers
        jne     .port
        call    vga_update_cursor
.port:  interrupts_save
        call    serial_fill_fifo
        interrupts_restore
        pop     ebx
        ret

; The machine is about to stop: waits until every character is on the wire.
console_drain:
        push    ebx
        cli
        mov     ebx, containers
.ring:  call    serial_fill_fifo
        mov     eax, [ebx + CONTAINER_SENT]
        cmp     eax, [ebx + CONTAINER_SHIFTED]
        jne     .ring
        mov     edx, [ebx + CONTAINER_PORT]
        add     edx, UART_LSR
.wire:  in      al, dx
        test    al, 0x40
        jz      .wire
        add     ebx, CONTAINER_SIZE
        cmp     ebx, containers + MAX_CONTAINERS * CONTAINER_SIZE
        jb      .ring
        pop     ebx
        ret

; EBX = container: moves up to a FIFO of characters from its ring to its port. Interrupts are off.
serial_fill_fifo:
        mov     eax, [ebx + CONTAINER_SENT]
        cmp     eax, [ebx + CONTAINER_SHIFTED]
        je      .quiet
        mov     edx, [ebx + CONTAINER_PORT]
        add     edx, UART_LSR
        in      al, dx
        test    al, 0x20
        jz      .ask
        sub     edx, UART_LSR
        mov     ecx, UART_FIFO
.next:  mov     eax, [ebx + CONTAINER_SHIFTED]
        cmp     eax, [ebx + CONTAINER_SENT]
        je      .quiet
        inc     dword [ebx + CONTAINER_SHIFTED]
        and     eax, SERIAL_RING - 1
        add     eax, [ebx + CONTAINER_RING]
        mov     al, [eax]
        out     dx, al
        dec     ecx
        jnz     .next
        mov     eax, [ebx + CONTAINER_SHIFTED]
        cmp     eax, [ebx + CONTAINER_SENT]
        je      .quiet
.ask:   mov     al, 3
        jmp     .set
.quiet: mov     al, 1
.set:   cmp     al, [ebx + CONTAINER_ENABLED]
        je      .done
        mov     [ebx + CONTAINER_ENABLED], al
        mov     edx, [ebx + CONTAINER_PORT]
        inc     edx
        out     dx, al
.done:  ret

; IRQ 4 and IRQ 3: two ports share each. The line is edge-triggered, so all ports are asked until none has anything.
serial_interrupt:
        push    ebx
.round: mov     ebx, containers
        xor     ecx, ecx                ; ports that had something to say
.port:  push    ecx
        call    serial_serve
        pop     ecx
        add     ecx, eax
        add     ebx, CONTAINER_SIZE
        cmp     ebx, containers + MAX_CONTAINERS * CONTAINER_SIZE
        jb      .port
        test    ecx, ecx
        jnz     .round
        pop     ebx
        ret

; EBX = container whose port is served. EAX = 1 when there was something.
serial_serve:
        mov     edx, [ebx + CONTAINER_PORT]
        add     edx, UART_IIR
        in      al, dx
        test    al, 1
        jnz     .nothing
        and     al, 0x0E
        cmp     al, 0x02
        je      .transmit
        cmp     al, 0x00
        je      .modem
        add     edx, UART_LSR - UART_IIR
        in      al, dx
        test    al, 1
        jz      .something
        sub     edx, UART_LSR
        in      al, dx
        call    console_typed
.something:
        mov     eax, 1
        ret
.nothing:
        xor     eax, eax
        ret
.modem: add     edx, UART_MSR - UART_IIR
        in      al, dx
        jmp     .something
.transmit:
        call    serial_fill_fifo
        mov     eax, SERIAL_RING
        sub     eax, [ebx + CONTAINER_SENT]
        add     eax, [ebx + CONTAINER_SHIFTED]
        cmp     eax, 1024
        jb      .something
        mov     eax, STATE_WRITING
        call    wake_all
        jmp     .something
