; A terminal for each container: the four serial ports of a PC (16550A; COM1 and COM3 on IRQ 4, COM2 and COM4 on IRQ 3).
; Takes the place of console.asm and native/serial.asm. What the machine's own container says appears on the screen too.

INPUT_QUEUE         equ 256             ; powers of two
SERIAL_RING         equ 4096
OUTPUT_CHUNK        equ 64
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
console_put:
        cmp     al, 10
        jne     console_emit
        push    eax
        mov     al, 13
        call    console_emit
        pop     eax

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

; AL = character from the machine's keyboard.
console_input:
        push    ebx
        mov     ebx, containers
        call    console_typed
        pop     ebx
        ret

; AL = character that has been typed on the terminal of container EBX. Called from an interrupt.
console_typed:
        cmp     al, 3                   ; Ctrl-C
        jne     .queue
        call    console_interrupt
        jnc     .done
        mov     al, 3
.queue: mov     ecx, [ebx + CONTAINER_TYPED]
        mov     edx, ecx
        sub     edx, [ebx + CONTAINER_READ]
        cmp     edx, INPUT_QUEUE
        jae     .done
        and     ecx, INPUT_QUEUE - 1
        add     ecx, [ebx + CONTAINER_QUEUE]
        mov     [ecx], al
        inc     dword [ebx + CONTAINER_TYPED]
        mov     eax, STATE_READING
        call    wake_all
.done:  ret

; Ctrl-C on the terminal of container EBX ends what its shell is waiting for, and what that is waiting for. The shell is a
; child of the container's init that waits for one certain process. Carry set: there is nothing in the foreground.
console_interrupt:
        push    ebx
        push    esi
        mov     esi, ebx
        mov     ebx, processes + PROCESS_SIZE
        mov     eax, [esi + CONTAINER_INIT]
.shell: cmp     [ebx + PROCESS_PARENT], eax
        jne     .not
        cmp     dword [ebx + PROCESS_STATE], STATE_WAITING
        jne     .not
        mov     edx, [ebx + PROCESS_WAITS_FOR]
        cmp     edx, 0
        jg      .chain
.not:   add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .shell
        stc
        jmp     .done
.chain: mov     ebx, processes + PROCESS_SIZE   ; EDX = pid
.find:  cmp     [ebx + PROCESS_PID], edx
        jne     .other
        cmp     [ebx + PROCESS_CONTAINER], esi
        je      .found
.other: add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .find
        jmp     .end
.found: xor     edx, edx
        cmp     dword [ebx + PROCESS_STATE], STATE_WAITING
        jne     .signal
        mov     edx, [ebx + PROCESS_WAITS_FOR]
.signal:
        mov     ecx, SIGINT
        call    process_signal
        cmp     edx, 0
        jg      .chain
.end:   clc
.done:  pop     esi
        pop     ebx
        ret

; ---- read and write: arguments are in the trap frame EBP ---------------------------------------------------------
; Waits for at least one character, then takes what is there. EAX = how many, or an error.
console_read:
        push    ebx
        push    esi
        push    edi
        own_container
        mov     esi, ecx
        xor     ebx, ebx                ; characters so far
        cmp     dword [ebp + FRAME_EDX], 0
        je      .end
.wait:  interrupts_off
        mov     eax, [esi + CONTAINER_TYPED]
        cmp     eax, [esi + CONTAINER_READ]
        jne     .ready
        mov     ecx, [current]
        cmp     dword [ecx + PROCESS_SIGNAL], 0
        jne     .interrupted
        mov     eax, STATE_READING
        call    sleep_in_state
        jmp     .wait
.ready: interrupts_on
.next:  cmp     ebx, [ebp + FRAME_EDX]
        jae     .end
        mov     eax, [esi + CONTAINER_READ]
        cmp     eax, [esi + CONTAINER_TYPED]
        je      .end
        push    esi
        and     eax, INPUT_QUEUE - 1
        mov     esi, [esi + CONTAINER_QUEUE]
        add     esi, eax
        mov     edi, [ebp + FRAME_ECX]
        add     edi, ebx
        mov     ecx, 1
        call    copy_to_user
        pop     esi
        test    eax, eax
        js      .done
        inc     dword [esi + CONTAINER_READ]
        inc     ebx
        jmp     .next
.interrupted:
        interrupts_on
        mov     eax, -EINTR
        jmp     .done
.end:   mov     eax, ebx
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; Writes in chunks, and sleeps while the ring has no room for another. EAX = how many, or an error.
console_write:
        push    ebx
        push    esi
        push    edi
        sub     esp, OUTPUT_CHUNK
        xor     ebx, ebx
.chunk: mov     edi, [ebp + FRAME_EDX]
        sub     edi, ebx
        jz      .end
        cmp     edi, OUTPUT_CHUNK
        jbe     .copy
        mov     edi, OUTPUT_CHUNK
.copy:  mov     ecx, edi
        mov     esi, [ebp + FRAME_ECX]
        add     esi, ebx
        push    edi
        lea     edi, [esp + 4]
        call    copy_from_user
        pop     edi
        test    eax, eax
        js      .done
        call    .wait_for_room
        js      .done
        mov     esi, esp
        add     ebx, edi
.next:  lodsb
        call    console_put
        dec     edi
        jnz     .next
        jmp     .chunk
.end:   call    console_kick
        mov     eax, ebx
.done:  add     esp, OUTPUT_CHUNK
        pop     edi
        pop     esi
        pop     ebx
        ret
.wait_for_room:
        call    console_room
        cmp     eax, OUTPUT_CHUNK * 2
        jae     .room
        call    console_kick
        interrupts_off
        call    console_room
        cmp     eax, OUTPUT_CHUNK * 2
        jae     .now
        mov     ecx, [current]
        cmp     dword [ecx + PROCESS_SIGNAL], 0
        jne     .signalled
        mov     eax, STATE_WRITING
        call    sleep_in_state
        interrupts_on
        jmp     .wait_for_room
.now:   interrupts_on
.room:  xor     eax, eax
        ret
.signalled:
        interrupts_on
        mov     eax, -EINTR
        test    eax, eax
        ret
