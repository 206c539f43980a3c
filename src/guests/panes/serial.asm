; COM1, output only. Text goes into a ring; every tick fills the 16550's FIFO when it is empty, so nobody waits.

COM1            equ     0x3F8
SERIAL_RING     equ     512

serial_initialize:
        mov     dx, COM1 + 1
        xor     al, al                  ; no interrupts
        out     dx, al
        mov     dx, COM1 + 3
        mov     al, 0x80
        out     dx, al
        mov     dx, COM1
        mov     al, 1                   ; 115 200 baud
        out     dx, al
        mov     dx, COM1 + 1
        xor     al, al
        out     dx, al
        mov     dx, COM1 + 3
        mov     al, 3                   ; 8 bits, no parity, one stop bit
        out     dx, al
        mov     dx, COM1 + 2
        mov     al, 7                   ; FIFOs on and empty
        out     dx, al
        mov     dx, COM1 + 4
        mov     al, 3                   ; DTR and RTS
        out     dx, al
        ret

; ESI = text. What does not fit is lost. Keeps all registers.
serial_text:
        pushad
.next:  lodsb
        test    al, al
        jz      .done
        mov     edx, [serial_in]
        mov     ecx, edx
        sub     ecx, [serial_out]
        cmp     ecx, SERIAL_RING
        jae     .done
        and     edx, SERIAL_RING - 1
        mov     [serial_ring + edx], al
        inc     dword [serial_in]
        jmp     .next
.done:  popad
        ret

; EAX = number, in decimal.
serial_number:
        pushad
        mov     edi, number_end
        mov     byte [edi], 0
        mov     ebx, 10
.digit: xor     edx, edx
        div     ebx
        add     dl, '0'
        dec     edi
        mov     [edi], dl
        test    eax, eax
        jnz     .digit
        mov     esi, edi
        call    serial_text
        popad
        ret

; Moves up to sixteen characters into an empty FIFO.
serial_pump:
        mov     ecx, [serial_in]
        sub     ecx, [serial_out]
        jz      .done
        mov     dx, COM1 + 5
        in      al, dx
        test    al, 0x20
        jz      .done
        cmp     ecx, 16
        jbe     .send
        mov     ecx, 16
.send:  mov     dx, COM1
.next:  mov     eax, [serial_out]
        and     eax, SERIAL_RING - 1
        mov     al, [serial_ring + eax]
        out     dx, al
        inc     dword [serial_out]
        loop    .next
.done:  ret

; Sends everything now (interrupts are off and nothing will tick). Gives up when nobody takes it.
serial_flush:
        mov     ebx, 1000000
.again: call    serial_pump
        mov     eax, [serial_in]
        cmp     eax, [serial_out]
        je      .last
        dec     ebx
        jnz     .again
.last:  mov     dx, COM1 + 5            ; the last character is on the wire until TEMT
        in      al, dx
        test    al, 0x40
        jnz     .done
        dec     ebx
        jg      .last
.done:  ret

        align   4
serial_in:      dd 0
serial_out:     dd 0
serial_ring:    times SERIAL_RING db 0
number_text:    times 11 db 0
number_end:     db 0
