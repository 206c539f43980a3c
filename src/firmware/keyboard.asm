; The keyboard: IRQ 1 turns set-1 scan codes into words of the buffer (ASCII low, scan code high); int 16h gives them out.
; IBM PS/2 and PC BIOS Interface Technical Reference, "Interrupt 09h" and "Interrupt 16h".

; Shift state, B_SHIFT
RIGHT_SHIFT equ 1
LEFT_SHIFT  equ 2
CONTROL     equ 4
ALT         equ 8
SCROLL_LOCK equ 0x10
NUM_LOCK    equ 0x20
CAPS_LOCK   equ 0x40
INSERT      equ 0x80

keyboard_interrupt:
    push ds
    push es
    pushad
    push word BDA_SEGMENT
    pop ds
    cld
    in al, 0x60
    stc
    mov ah, 0x4f                ; whoever wants may change or drop the code
    int 0x15
    jnc .done
    call key_event
.done:
    cli
    mov al, 0x20
    out 0x20, al
    popad
    pop es
    pop ds
    iret

; One byte from the keyboard, in AL.
key_event:
    cmp al, 0xe0
    je .prefix_e0
    cmp al, 0xe1
    je .prefix_e1
    mov ah, [B_KEY_MODE]
    and byte [B_KEY_MODE], 0xfc
    test ah, 1
    jnz .pause
    mov bl, ah                  ; bit 1: behind E0h
    mov bh, al
    and bh, 0x7f
    call shift_key
    jc .done
    test al, 0x80
    jnz .done
    call .translate
    jmp store_key
.done:
    ret
.prefix_e0:
    or byte [B_KEY_MODE], 2
    ret
.prefix_e1:
    or byte [B_KEY_MODE], 1
    ret
; E1 1D 45: the second byte comes behind the same prefix. The key stores nothing here.
.pause:
    cmp al, 0x1d
    je .more
    cmp al, 0x9d
    jne .done
.more:
    or byte [B_KEY_MODE], 1
    ret

; Key BH (BL bit 1: extended) under the present shift state: AX = the word to store, 0 = none.
.translate:
    movzx si, bh
    xor ax, ax
    cmp si, KEYS
    jae .done
    test bl, 2
    jnz .extended
    mov dl, [B_SHIFT]
    test dl, ALT
    jnz .with_alt
    shl si, 3
    add si, keymap
    test dl, CONTROL
    jnz .with_control
    mov cl, [cs:si + 6]         ; 1: caps lock, 2: num lock changes it
    mov ch, dl
    and ch, LEFT_SHIFT | RIGHT_SHIFT
    jz .no_shift
    mov ch, 1
.no_shift:
    test cl, 1
    jz .not_letter
    test dl, CAPS_LOCK
    jz .not_letter
    xor ch, 1
.not_letter:
    test cl, 2
    jz .not_digit
    test dl, NUM_LOCK
    jz .not_digit
    xor ch, 1
.not_digit:
    mov ax, [cs:si]
    test ch, ch
    jz .word
    mov ax, [cs:si + 2]
    ret
.with_control:
    mov ax, [cs:si + 4]
.word:
    ret
.with_alt:
    call alt_digit
    jc .nothing
    mov si, alt_keys
.alt_next:
    cs lodsw                    ; scan code, word high byte
    test al, al
    jz .nothing
    cmp al, bh
    jne .alt_next
    mov al, 0
    ret
.nothing:
    xor ax, ax
    ret
; The grey keys: as on the keypad without num lock, but with E0h for ASCII.
.extended:
    mov dl, [B_SHIFT]
    cmp bh, 0x1c
    je .grey_enter
    cmp bh, 0x35
    je .grey_slash
    cmp bh, 0x2a
    je .nothing                 ; fake shifts around grey keys
    cmp bh, 0x36
    je .nothing
    cmp bh, 0x46
    je .break
    mov si, grey_keys
.grey_next:
    cs lodsd                    ; scan code; high byte plain, with control, with alt
    test al, al
    jz .nothing
    cmp al, bh
    jne .grey_next
    mov ecx, eax
    mov al, 0xe0
    test dl, ALT
    jnz .grey_alt
    test dl, CONTROL
    jz .word
    shr ecx, 8
    mov ah, ch
    ret
.grey_alt:
    shr ecx, 16
    mov ah, ch
    mov al, 0
    ret
.grey_enter:
    mov ax, 0xe00d
    test dl, CONTROL
    jz .word
    mov ax, 0xe00a
    ret
.grey_slash:
    mov ax, 0xe02f
    ret
.break:
    mov byte [B_BREAK], 0x80
    mov ax, [B_KEY_START]
    mov [B_KEY_HEAD], ax
    mov [B_KEY_TAIL], ax
    int 0x1b
    jmp .nothing

; Alt with digits of the keypad: a character by its number. Carry when BH was such a digit.
alt_digit:
    push bx
    movzx bx, bh
    sub bx, 0x47
    cmp bx, 12
    ja .no
    mov al, [cs:keypad_digits + bx]
    cmp al, 0xff
    je .no
    mov ah, al
    mov al, 10
    push ax
    mul byte [B_ALT_DIGITS]
    pop bx
    add al, bh
    mov [B_ALT_DIGITS], al
    pop bx
    stc
    ret
.no:
    pop bx
    clc
    ret

; Shift, control, alt and the locks. AL the code, BH the key, BL bit 1: extended. Carry: it was one of them.
shift_key:
    push ax
    mov dl, al
    mov si, .keys
.next:
    cs lodsw                    ; key, bit
    test al, al
    jz .none
    cmp al, bh
    jne .next
    cmp bh, 0x52
    je .insert
    test bl, 2
    jz .found
    cmp bh, 0x1d                ; of these keys only control and alt are there twice
    je .found
    cmp bh, 0x38
    jne .none
.found:
    cmp ah, SCROLL_LOCK
    jae .lock
    test dl, 0x80
    jnz .released
    or [B_SHIFT], ah
    jmp .mine
.released:
    not ah
    and [B_SHIFT], ah
    cmp ah, ~ALT & 0xff
    jne .mine
    mov al, 0                   ; a number was typed while alt was held
    xchg al, [B_ALT_DIGITS]
    mov ah, 0
    test al, al
    jz .mine
    call store_key
    jmp .mine
; Locks change when the key goes down; how long it is held shows in the second byte.
.lock:
    test dl, 0x80
    jnz .lock_released
    test [B_SHIFT + 1], ah
    jnz .mine
    or [B_SHIFT + 1], ah
    xor [B_SHIFT], ah
    jmp .mine
.lock_released:
    not ah
    and [B_SHIFT + 1], ah
.mine:
    pop ax
    stc
    ret
; Insert is a lock and a key.
.insert:
    test bl, 2
    jnz .toggle
    test byte [B_SHIFT], NUM_LOCK | RIGHT_SHIFT | LEFT_SHIFT | ALT
    jnz .none
.toggle:
    test dl, 0x80
    jnz .none
    xor [B_SHIFT], ah
.none:
    pop ax
    clc
    ret
.keys:
    db 0x36, RIGHT_SHIFT, 0x2a, LEFT_SHIFT, 0x1d, CONTROL, 0x38, ALT, 0x46, SCROLL_LOCK, 0x45, NUM_LOCK
    db 0x3a, CAPS_LOCK, 0x52, INSERT, 0, 0

; AX to the end of the buffer. Carry when it is full, or there is nothing to store (AX = 0).
store_key:
    test ax, ax
    jz .full
    push bx
    push si
    mov bx, [B_KEY_TAIL]
    mov si, bx
    call next_key
    cmp bx, [B_KEY_HEAD]
    je .no_room
    mov [si], ax
    mov [B_KEY_TAIL], bx
    pop si
    pop bx
    clc
    ret
.no_room:
    pop si
    pop bx
.full:
    stc
    ret

; BX to the next place of the buffer.
next_key:
    add bx, 2
    cmp bx, [B_KEY_END]
    jb .inside
    mov bx, [B_KEY_START]
.inside:
    ret

keyboard_service:
    service_entry
    dispatch_by_ah .table, 0x13, .unknown
.unknown:
    cmp ah, 0x92                ; keyboard capabilities: both are answered by some
    jne .exit
    mov byte [bp + R_AH], 0x80  ; functions 10h-12h are there
.exit:
    service_exit
.table:
    dw key_get, key_peek, key_shifts, key_rate, key_nothing, key_store, key_nothing, key_nothing
    dw key_nothing, key_functions, key_identity, key_nothing, key_nothing, key_nothing, key_nothing
    dw key_nothing, key_get_enhanced, key_peek_enhanced, key_shifts_enhanced

key_nothing:
    ret

; 00h: waits. Words that only the enhanced calls know are changed or passed over.
key_get:
    call wait_key
    mov ax, [bx]
    call next_key
    mov [B_KEY_HEAD], bx
    call plain_key
    jc key_get
    mov [bp + R_AX], ax
    ret

key_get_enhanced:
    call wait_key
    mov ax, [bx]
    call next_key
    mov [B_KEY_HEAD], bx
    call enhanced_key
    mov [bp + R_AX], ax
    ret

; Waits for a key; BX = its place. Interrupts are open while the processor sleeps.
wait_key:
    cli
    mov bx, [B_KEY_HEAD]
    cmp bx, [B_KEY_TAIL]
    jne .there
    sti
    hlt
    jmp wait_key
.there:
    ret

; A moment for the keyboard's interrupt: callers may poll with interrupts off.
key_moment:
    sti
    nop
    nop
    cli
    ret

; 01h: zero flag when there is none.
key_peek:
    call key_moment
.again:
    mov bx, [B_KEY_HEAD]
    cmp bx, [B_KEY_TAIL]
    je key_none
    mov ax, [bx]
    call plain_key
    jnc key_there
    call next_key               ; unknown to this call: out
    mov [B_KEY_HEAD], bx
    jmp .again

key_peek_enhanced:
    call key_moment
    mov bx, [B_KEY_HEAD]
    cmp bx, [B_KEY_TAIL]
    je key_none
    mov ax, [bx]
    call enhanced_key
key_there:
    mov [bp + R_AX], ax
    and byte [bp + R_FLAGS], ~ZERO & 0xff
    ret
key_none:
    or byte [bp + R_FLAGS], ZERO
    ret

; AX as a keyboard of 83 keys would have it. Carry: it has no such key.
plain_key:
    cmp ah, 0xe0                ; grey enter and slash
    jne .not_grey
    mov ah, 0x1c
    cmp al, 0x2f
    jne .known
    mov ah, 0x35
    jmp .known
.not_grey:
    cmp ah, 0x84
    ja .unknown
    cmp al, 0xe0
    je .zero
    cmp al, 0xf0
    jne .known
    test ah, ah
    jz .known
.unknown:
    stc
    ret
.zero:
    test ah, ah
    jz .known
    mov al, 0
.known:
    clc
    ret

enhanced_key:
    cmp al, 0xf0
    jne .as_is
    test ah, ah
    jz .as_is
    mov al, 0
.as_is:
    ret

key_shifts:
    mov al, [B_SHIFT]
    mov [bp + R_AL], al
    ret

key_shifts_enhanced:
    mov al, [B_SHIFT]
    mov [bp + R_AL], al
    mov ah, [B_SHIFT + 1]
    and ah, 0x73
    mov [bp + R_AH], ah
    ret

; 03h: the typematic rate is the keyboard's matter: repeats come from the host.
key_rate:
    ret

; 05h: CX as if typed.
key_store:
    cli
    mov ax, cx
    mov byte [bp + R_AL], 0
    test ax, ax
    jz .done
    call store_key
    jnc .done
    mov byte [bp + R_AL], 1
.done:
    ret

; 09h: 0Ah, 10h-12h are there.
key_functions:
    mov byte [bp + R_AL], 0x30
    ret

key_identity:
    mov word [bp + R_BX], 0x41ab
    ret
