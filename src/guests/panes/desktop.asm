; The desktop: a thread of the kernel that owns the pointer, the order of windows and the task bar, and that turns keys
; and mouse movement into them.

HELD_UP         equ     1
HELD_LEFT       equ     2
HELD_RIGHT      equ     4
HELD_DOWN       equ     8

; Paints the empty desktop and starts the thread.
desktop_start:
        call    taskbar_draw
        call    clip_screen
        call    compose
        mov     eax, desktop_main
        mov     edx, text_desktop
        jmp     thread_create

clip_screen:
        mov     dword [clip_left], 0
        mov     dword [clip_top], 0
        mov     dword [clip_right], SCREEN_WIDTH
        mov     dword [clip_bottom], SCREEN_HEIGHT
        ret

desktop_main:
        xor     ebx, ebx                ; wait for ever,
        cmp     byte [held], 0
        je      .wait
        inc     ebx                     ; or a tick while an arrow key is held
.wait:  call    thread_wait
        cmp     eax, EVENT_SECOND
        jne     .input
        call    taskbar_paint
.input: call    keys_read
        call    mouse_read
        call    arrows_move
        jmp     desktop_main

; ---- keys -----------------------------------------------------------------------------------------------------------

keys_read:
        mov     edx, [keys_out]
        cmp     edx, [keys_in]
        je      .done
        inc     dword [keys_out]
        and     edx, KEYS - 1
        movzx   eax, byte [keys_ring + edx]
        call    key
        jmp     keys_read
.done:  ret

; EAX = one byte of scan-code set 1. The E0 prefix is dropped: both arrow blocks do the same.
key:    mov     edx, eax
        and     edx, 0x7F
        mov     ecx, HELD_UP
        cmp     edx, 0x48
        je      .arrow
        mov     ecx, HELD_LEFT
        cmp     edx, 0x4B
        je      .arrow
        mov     ecx, HELD_RIGHT
        cmp     edx, 0x4D
        je      .arrow
        mov     ecx, HELD_DOWN
        cmp     edx, 0x50
        je      .arrow
        cmp     edx, 0x39               ; space and Enter are the button
        je      .button
        cmp     edx, 0x1C
        je      .button
        test    al, 0x80
        jnz     .done
        cmp     edx, 0x0F
        je      .tab
        cmp     edx, 0x30
        je      .benchmark
        cmp     edx, 0x10
        je      shutdown
.done:  ret
.arrow: test    al, 0x80
        jnz     .release
        test    [held], cl
        jnz     .done
        or      [held], cl
        mov     dword [speed], 4
        ret
.release:
        not     ecx
        and     [held], cl
        ret
.button:
        xor     ecx, ecx
        test    al, 0x80
        jnz     .set
        inc     ecx
.set:   jmp     button_set
.tab:   cmp     dword [stack_count], 0
        je      .done
        mov     eax, [stack]            ; the lowest comes up
        jmp     window_raise
.benchmark:
        mov     ebx, 'Benc'
        mov     eax, threads + 2 * T_SIZE
.look:  cmp     dword [eax + T_STATE], STATE_FREE
        je      .next
        mov     esi, [eax + T_NAME]
        call    name_is
        je      .found
.next:  add     eax, T_SIZE
        cmp     eax, threads + THREADS * T_SIZE
        jb      .look
        ret
.found: mov     cl, EVENT_RUN
        call    event_post
        mov     eax, [eax + T_WINDOW]
        test    eax, eax
        jz      .done
        jmp     window_raise

; ---- pointer --------------------------------------------------------------------------------------------------------

; Moves the pointer by the arrow keys that are held, faster and faster. Speed is in quarters of a pixel a tick.
arrows_move:
        cmp     byte [held], 0
        je      .done
        mov     eax, [speed]
        cmp     eax, 20
        jae     .fast
        inc     dword [speed]
.fast:  shr     eax, 2
        mov     ebx, [pointer_x]
        mov     ecx, [pointer_y]
        test    byte [held], HELD_LEFT
        jz      .right
        sub     ebx, eax
.right: test    byte [held], HELD_RIGHT
        jz      .up
        add     ebx, eax
.up:    test    byte [held], HELD_UP
        jz      .down
        sub     ecx, eax
.down:  test    byte [held], HELD_DOWN
        jz      .go
        add     ecx, eax
.go:    jmp     pointer_move
.done:  ret

; Movement and button of the mouse since last time.
mouse_read:
        xor     ebx, ebx
        xor     ecx, ecx
        xchg    ebx, [mouse_x]
        xchg    ecx, [mouse_y]
        mov     eax, ebx
        or      eax, ecx
        jz      .button
        add     ebx, [pointer_x]
        add     ecx, [pointer_y]
        call    pointer_move
.button:
        movzx   ecx, byte [mouse_buttons]
        and     ecx, 1
        cmp     cl, [mouse_before]
        je      .done
        mov     [mouse_before], cl
        jmp     button_set
.done:  ret

; The pointer goes to EBX, ECX, with the window that it drags.
pointer_move:
        test    ebx, ebx
        jns     .left
        xor     ebx, ebx
.left:  cmp     ebx, SCREEN_WIDTH - 1
        jle     .right
        mov     ebx, SCREEN_WIDTH - 1
.right: test    ecx, ecx
        jns     .top
        xor     ecx, ecx
.top:   cmp     ecx, SCREEN_HEIGHT - 1
        jle     .bottom
        mov     ecx, SCREEN_HEIGHT - 1
.bottom:
        mov     eax, [pointer_x]
        mov     edx, [pointer_y]
        cmp     eax, ebx
        jne     .moved
        cmp     edx, ecx
        je      .done
.moved: mov     [pointer_x], ebx
        mov     [pointer_y], ecx
        cmp     dword [dragged], 0
        jne     window_drag
        ; Old place and new place.
        mov     [clip_left], eax
        mov     [clip_top], edx
        call    .show
        mov     [clip_left], ebx
        mov     [clip_top], ecx
.show:  mov     eax, [clip_left]
        add     eax, POINTER_WIDTH
        mov     [clip_right], eax
        mov     eax, [clip_top]
        add     eax, POINTER_HEIGHT
        mov     [clip_bottom], eax
        jmp     compose
.done:  ret

; The dragged window follows the pointer, and stays on the screen. One composition covers both places.
window_drag:
        mov     edi, [dragged]
        sub     ebx, [drag_x]
        sub     ecx, [drag_y]
        mov     edx, SCREEN_WIDTH
        sub     edx, [edi + W_WIDTH]
        call    .bound
        xchg    ebx, ecx
        mov     edx, TASKBAR_TOP
        sub     edx, [edi + W_HEIGHT]
        call    .bound
        xchg    ebx, ecx
        mov     eax, edi
        push    ebx
        push    ecx
        call    clip_window
        pop     ecx
        pop     ebx
        mov     [edi + W_X], ebx
        mov     [edi + W_Y], ecx
        ; The union of the two, and the pointer, which may be on its edge.
        cmp     ebx, [clip_left]
        jge     .left
        mov     [clip_left], ebx
.left:  cmp     ecx, [clip_top]
        jge     .top
        mov     [clip_top], ecx
.top:   add     ebx, [edi + W_WIDTH]
        add     ebx, SHADOW
        cmp     ebx, [clip_right]
        jle     .right
        mov     [clip_right], ebx
.right: add     ecx, [edi + W_HEIGHT]
        add     ecx, SHADOW
        cmp     ecx, [clip_bottom]
        jle     .bottom
        mov     [clip_bottom], ecx
.bottom:
        sub     dword [clip_left], 24
        sub     dword [clip_top], 24
        add     dword [clip_right], 24
        add     dword [clip_bottom], 24
        jmp     compose
; EBX into 0..EDX.
.bound: cmp     ebx, edx
        jle     .low
        mov     ebx, edx
.low:   test    ebx, ebx
        jns     .in
        xor     ebx, ebx
.in:    ret

; The button is down (ECX = 1) or up (0).
button_set:
        cmp     cl, [button]
        je      .done
        mov     [button], cl
        test    cl, cl
        jnz     .press
        mov     dword [dragged], 0
.done:  ret
.press: mov     ebx, [pointer_x]
        mov     ecx, [pointer_y]
        cmp     ecx, TASKBAR_TOP
        jge     taskbar_press
        mov     ebp, [stack_count]
.next:  dec     ebp
        js      .done
        mov     eax, [stack + ebp * 4]
        mov     edx, ebx
        sub     edx, [eax + W_X]
        jl      .next
        cmp     edx, [eax + W_WIDTH]
        jge     .next
        mov     esi, ecx
        sub     esi, [eax + W_Y]
        jl      .next
        cmp     esi, [eax + W_HEIGHT]
        jge     .next
        push    eax
        push    esi
        push    edx
        call    window_raise
        pop     edx
        pop     esi
        pop     eax
        cmp     esi, TITLE_HEIGHT
        jge     .contents
        mov     [dragged], eax
        mov     [drag_x], edx
        mov     [drag_y], esi
        ret
.contents:
        mov     eax, [eax + W_THREAD]
        mov     cl, EVENT_CLICK
        jmp     event_post

text_desktop:   db "Desktop", 0
held:           db 0
button:         db 0
mouse_before:   db 0
        align   4
speed:          dd 0
pointer_x:      dd 150
pointer_y:      dd 96
dragged:        dd 0
drag_x:         dd 0
drag_y:         dd 0
