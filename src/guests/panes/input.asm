; Keyboard and mouse through the 8042. The interrupt handlers only collect; the desktop thread makes sense of it.

KEYS            equ     32              ; scan codes kept

input_initialize:
        mov     ecx, 16                 ; take what is in the output buffer
.drain: in      al, 0x64
        test    al, 1
        jz      .empty
        in      al, 0x60
        loop    .drain
.empty: mov     al, 0xA8                ; the mouse's wire on
        call    controller_command
        mov     al, 0x60                ; command byte: both interrupts, translation
        call    controller_command
        mov     al, 0x47
        call    controller_data
        mov     al, 0xD4                ; to the mouse: report movement
        call    controller_command
        mov     al, 0xF4
        jmp     controller_data

controller_command:
        call    controller_wait
        out     0x64, al
        ret
controller_data:
        call    controller_wait
        out     0x60, al
        ret

; Until the controller takes a byte, or there is none. Keeps AL.
controller_wait:
        mov     ah, al
        mov     ecx, 10000
.again: in      al, 0x64
        test    al, 2
        jz      .done
        loop    .again
.done:  mov     al, ah
        ret

keyboard_interrupt:
        in      al, 0x64
        and     al, 0x21
        cmp     al, 0x01                ; a byte, and from the keyboard
        jne     .done
        in      al, 0x60
        mov     edx, [keys_in]
        mov     ecx, edx
        sub     ecx, [keys_out]
        cmp     ecx, KEYS
        jae     .done
        and     edx, KEYS - 1
        mov     [keys_ring + edx], al
        inc     dword [keys_in]
        jmp     input_tell
.done:  ret

; Wakes the desktop.
input_tell:
        mov     eax, threads + T_SIZE
        mov     cl, EVENT_INPUT
        jmp     event_post

mouse_interrupt:
        in      al, 0x64
        and     al, 0x21
        cmp     al, 0x21
        jne     .done
        in      al, 0x60
        cmp     byte [mouse_ready], 0
        jne     .packet
        cmp     al, 0xFA                ; the answer to "report movement"
        jne     .done
        mov     byte [mouse_ready], 1
        ret
.packet:
        movzx   ecx, byte [mouse_count]
        test    ecx, ecx
        jnz     .store
        test    al, 8                   ; a first byte has this bit
        jz      .done
.store: mov     [mouse_packet + ecx], al
        inc     ecx
        cmp     ecx, 3
        jae     .whole
        mov     [mouse_count], cl
.done:  ret
.whole: mov     byte [mouse_count], 0
        mov     al, [mouse_packet]
        mov     [mouse_buttons], al
        movzx   ecx, byte [mouse_packet + 1]
        test    al, 0x10
        jz      .right
        or      ecx, 0xFFFFFF00
.right: add     [mouse_x], ecx
        movzx   ecx, byte [mouse_packet + 2]
        test    al, 0x20
        jz      .up
        or      ecx, 0xFFFFFF00
.up:    sub     [mouse_y], ecx          ; the mouse counts upwards
        jmp     input_tell

        align   4
keys_in:        dd 0
keys_out:       dd 0
keys_ring:      times KEYS db 0
mouse_x:        dd 0                    ; movement not yet used
mouse_y:        dd 0
mouse_packet:   dd 0
mouse_count:    db 0
mouse_ready:    db 0
mouse_buttons:  db 0
