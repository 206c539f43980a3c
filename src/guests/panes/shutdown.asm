; The ends of a session: a clean shut-down, and the blue screen when the kernel itself was wrong.

; Key Q: the words of the time, a moment to read them, then power off.
shutdown:
        mov     byte [screen_taken], 1
        mov     edi, VIDEO
        xor     eax, eax
        mov     ecx, SCREEN_WIDTH * SCREEN_HEIGHT / 4
        rep     stosd
        mov     dword [draw_base], VIDEO
        call    draw_to_screen_size
        mov     ebx, 155
        mov     ecx, 52
        call    draw_logo
        mov     edx, text_safe_1
        mov     ecx, 84
        mov     esi, ORANGE
        call    draw_large
        mov     edx, text_safe_2
        mov     ecx, 106
        call    draw_large
        mov     esi, text_shutdown
        call    serial_text
        mov     eax, [ticks]
        call    serial_number
        mov     esi, text_ticks
        call    serial_text
        mov     ebx, TICKS_PER_SECOND
        call    thread_sleep
        call    serial_flush
        mov     dx, 0x604               ; power management control of QEMU's chipset
        mov     ax, 0x2000
        out     dx, ax
        mov     dx, 0xB004              ; and of Bochs'
        out     dx, ax
halt:   cli                             ; or a person turns it off
        hlt
        jmp     halt

; The kernel faulted: EBP = frame.
stop_screen:
        mov     byte [screen_taken], 1
        mov     edi, VIDEO
        mov     eax, BLUE * 0x01010101
        mov     ecx, SCREEN_WIDTH * SCREEN_HEIGHT / 4
        rep     stosd
        mov     dword [draw_base], VIDEO
        call    draw_to_screen_size
        mov     ecx, 60
        mov     edx, text_stop
        mov     esi, WHITE
        call    draw_large
        mov     eax, [ebp + F_VECTOR]
        mov     edi, text_vector
        call    hexadecimal
        mov     eax, [ebp + F_EIP]
        mov     edi, text_address
        call    hexadecimal
        mov     eax, cr2
        mov     edi, text_cr2
        call    hexadecimal
        mov     ebx, 60
        mov     ecx, 96
        mov     edx, text_details
        mov     esi, WHITE
        call    draw_text
        mov     esi, text_stop
        call    serial_text
        mov     esi, text_newline
        call    serial_text
        mov     esi, text_details
        call    serial_text
        mov     esi, text_newline
        call    serial_text
        call    serial_flush
        jmp     halt

; EAX as eight hexadecimal digits at EDI.
hexadecimal:
        mov     ecx, 8
.digit: rol     eax, 4
        mov     edx, eax
        and     edx, 15
        mov     dl, [.digits + edx]
        mov     [edi], dl
        inc     edi
        loop    .digit
        ret
.digits:        db "0123456789ABCDEF"

text_safe_1:    db "It is now safe to turn off", 0
text_safe_2:    db "your computer.", 0
text_shutdown:  db "Panes: it is now safe to turn off your computer (", 0
text_ticks:     db " ticks)", 13, 10, 0
text_stop:      db "*** STOP", 0
text_details:   db "vector "
text_vector:    db "00000000 at "
text_address:   db "00000000, CR2 = "
text_cr2:       db "00000000", 0
