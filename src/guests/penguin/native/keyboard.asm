; The PS/2 keyboard behind its controller, the 8042: IRQ 1, scan-code set 1 (the controller translates), US layout.
; IBM PC/AT technical reference, "Keyboard controller".

        section .text

KBC_DATA            equ 0x60
KBC_STATUS          equ 0x64            ; 1 = a byte waits for us, 2 = it has not taken ours yet
KBC_COMMAND         equ 0x64
KEY_CONTROL         equ 0x1D
KEY_LEFT_SHIFT      equ 0x2A
KEY_RIGHT_SHIFT     equ 0x36
KEY_CAPS_LOCK       equ 0x3A
KEY_RELEASED        equ 0x80

keyboard_initialize:
.stale: in      al, KBC_STATUS
        test    al, 1
        jz      .empty
        in      al, KBC_DATA            ; left over from the firmware
        jmp     .stale
.empty: mov     ah, 0x60                ; write the controller's command byte:
        call    keyboard_command
        call    keyboard_wait
        mov     al, 0x65                ; interrupt for the keyboard, translation, no mouse
        out     KBC_DATA, al
        call    keyboard_wait
        mov     al, 0xF4                ; to the keyboard: start scanning
        out     KBC_DATA, al
        ret                             ; its acknowledgement, FAh, arrives as an interrupt and means no key

; AH = command for the controller.
keyboard_command:
        call    keyboard_wait
        mov     al, ah
        out     KBC_COMMAND, al
        ret

; Waits, not for ever, until the controller can take a byte.
keyboard_wait:
        mov     ecx, 10000
.poll:  in      al, KBC_STATUS
        test    al, 2
        jz      .done
        dec     ecx
        jnz     .poll
.done:  ret

keyboard_interrupt:
        in      al, KBC_STATUS
        test    al, 1
        jz      .done
        in      al, KBC_DATA
        cmp     al, 0xE0
        je      .done                   ; grey keys mean the same as their old namesakes
        mov     ah, al
        and     ah, ~KEY_RELEASED & 0xFF
        cmp     ah, KEY_LEFT_SHIFT
        je      .shift
        cmp     ah, KEY_RIGHT_SHIFT
        je      .shift
        cmp     ah, KEY_CONTROL
        je      .control
        test    al, KEY_RELEASED
        jnz     .done
        cmp     al, KEY_CAPS_LOCK
        je      .caps
        cmp     al, KEYS
        jae     .done
        movzx   ecx, al
        mov     al, [plain_keys + ecx]
        cmp     byte [keyboard_shift], 0
        je      .chosen
        mov     al, [shifted_keys + ecx]
.chosen:
        call    apply_caps_lock
        cmp     byte [keyboard_control], 0
        je      .deliver
        and     al, 0x1F                ; Ctrl-C is 3
.deliver:
        test    al, al
        jz      .done
        jmp     console_input
.shift: and     al, KEY_RELEASED
        xor     al, KEY_RELEASED        ; 80h pressed, 0 released
        mov     [keyboard_shift], al
        ret
.control:
        and     al, KEY_RELEASED
        xor     al, KEY_RELEASED
        mov     [keyboard_control], al
        ret
.caps:  xor     byte [keyboard_caps], 0x20
.done:  ret

; AL = character: a letter changes its case while Caps Lock is on.
apply_caps_lock:
        mov     ah, al
        or      ah, 0x20
        cmp     ah, 'a'
        jb      .done
        cmp     ah, 'z'
        ja      .done
        xor     al, [keyboard_caps]
.done:  ret

        section .data
; By scan code: 0 = no character. 27 is escape, 8 backspace, 9 tab, 13 enter.
plain_keys:
        db      0, 27, "1234567890-=", 8
        db      9, "qwertyuiop[]", 13
        db      0, "asdfghjkl;'`"
        db      0, 92, "zxcvbnm,./", 0
        db      '*', 0, ' '
KEYS    equ     $ - plain_keys
shifted_keys:
        db      0, 27, "!@#$%^&*()_+", 8
        db      9, "QWERTYUIOP{}", 13
        db      0, 'ASDFGHJKL:"~'
        db      0, 124, "ZXCVBNM<>?", 0
        db      '*', 0, ' '

        section .bss
keyboard_shift:     resb 1
keyboard_control:   resb 1
keyboard_caps:      resb 1              ; 20h while on: the bit between the cases
