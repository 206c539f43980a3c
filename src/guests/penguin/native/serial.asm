; The console on the first serial port, a 16550A at 3F8h with IRQ 4, 115200 baud 8N1 (data sheet PC16550D).
; A character takes 87 microseconds on the wire, so nobody waits for it: output goes into a ring, and the port asks for
; the next sixteen by interrupt. The same characters appear on the screen (vga.asm).

        section .text

COM1                equ 0x3F8
UART_DATA           equ COM1 + 0
UART_IER            equ COM1 + 1        ; interrupt enable: 1 received, 2 transmitter empty
UART_IIR            equ COM1 + 2        ; read: what the interrupt is about; written: FIFO control
UART_LCR            equ COM1 + 3
UART_MCR            equ COM1 + 4
UART_LSR            equ COM1 + 5        ; line status: 1 received, 20h transmitter empty
UART_MSR            equ COM1 + 6
UART_IER_RECEIVE    equ 1
UART_IER_TRANSMIT   equ 2
UART_FIFO           equ 16
SERIAL_RING         equ 4096            ; a power of two

serial_initialize:
        mov     dx, UART_LCR
        mov     al, 0x80                ; the next two ports are the divisor
        out     dx, al
        mov     dx, UART_DATA
        mov     al, 1                   ; 115200 / 1
        out     dx, al
        mov     dx, UART_IER
        mov     al, 0
        out     dx, al
        mov     dx, UART_LCR
        mov     al, 3                   ; 8 bits, no parity, 1 stop bit
        out     dx, al
        mov     dx, UART_IIR
        mov     al, 7                   ; FIFOs on and emptied, interrupt at the first character
        out     dx, al
        mov     dx, UART_MCR
        mov     al, 0x0B                ; DTR, RTS, and OUT2, which connects the interrupt on a PC
        out     dx, al
        mov     dx, UART_IER
        mov     al, UART_IER_RECEIVE
        out     dx, al
        ret

; ---- The console's lower half: these three are what console.asm asks of every build ------------------------------
; EAX = how many characters can be written without waiting.
console_room:
        mov     eax, SERIAL_RING
        sub     eax, [serial_produced]
        add     eax, [serial_consumed]
        ret

; AL = character. Waits for the port when the ring is full. Keeps all registers.
console_emit:
        push    eax
        push    edx
        push    eax
        call    vga_put
.full:  call    console_room
        test    eax, eax
        jnz     .room
        interrupts_save
        call    serial_fill_fifo
        interrupts_restore
        jmp     .full
.room:  pop     eax
        mov     edx, [serial_produced]
        and     edx, SERIAL_RING - 1
        mov     [serial_ring + edx], al
        inc     dword [serial_produced]
        pop     edx
        pop     eax
        ret

; All that has been emitted shall appear now.
console_kick:
        call    vga_update_cursor
        interrupts_save                 ; the interrupt handler empties the same ring
        call    serial_fill_fifo
        interrupts_restore
        ret

; The machine is about to stop: waits until every character is on the wire.
console_drain:
        cli
.ring:  call    serial_fill_fifo
        call    console_room
        cmp     eax, SERIAL_RING
        jne     .ring
        mov     dx, UART_LSR
.wire:  in      al, dx
        test    al, 0x40                ; transmitter completely empty
        jz      .wire
        ret

; ---- The port ----------------------------------------------------------------------------------------------------
; Moves up to a FIFO of characters from the ring to the port, if the port is empty. Interrupts are off.
serial_fill_fifo:
        cmp     dword [console_page], 0
        jne     xen_console_fill
        mov     eax, [serial_produced]
        sub     eax, [serial_consumed]
        jz      .quiet
        mov     dx, UART_LSR
        in      al, dx
        test    al, 0x20
        jz      .ask                    ; busy: it will interrupt when it is empty
        push    ebx
        push    ecx
        mov     ecx, UART_FIFO
        mov     ebx, [serial_consumed]
        mov     dx, UART_DATA
.next:  cmp     ebx, [serial_produced]
        je      .filled
        push    ebx
        and     ebx, SERIAL_RING - 1
        mov     al, [serial_ring + ebx]
        pop     ebx
        out     dx, al
        inc     ebx
        dec     ecx
        jnz     .next
.filled:
        mov     [serial_consumed], ebx
        cmp     ebx, [serial_produced]
        pop     ecx
        pop     ebx
        je      .quiet
.ask:   mov     al, UART_IER_RECEIVE | UART_IER_TRANSMIT
        jmp     .set
.quiet: mov     al, UART_IER_RECEIVE
.set:   cmp     al, [serial_enabled]
        je      .done                   ; spare the port
        mov     [serial_enabled], al
        mov     dx, UART_IER
        out     dx, al
.done:  ret

serial_interrupt:
        mov     dx, UART_IIR
        in      al, dx
        test    al, 1                   ; nothing (more) to do
        jnz     .done
        and     al, 0x0E
        cmp     al, 0x02
        je      .transmit
        cmp     al, 0x00
        je      .modem
        mov     dx, UART_LSR            ; received, timed out, or an error: look at the line
        in      al, dx
        test    al, 1
        jz      serial_interrupt
        mov     dx, UART_DATA
        in      al, dx
        call    console_input
        jmp     serial_interrupt
.transmit:
        call    serial_fill_fifo
        call    console_output_ready
        jmp     serial_interrupt
.modem: mov     dx, UART_MSR
        in      al, dx
        jmp     serial_interrupt
.done:  ret

        section .data
serial_enabled:     db UART_IER_RECEIVE

        section .bss
serial_ring:        resb SERIAL_RING
serial_produced:    resd 1              ; counts of characters, never reduced: their difference is what waits
serial_consumed:    resd 1
