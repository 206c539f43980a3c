; The task bar: the start button with the four panes, a button for every window, the time of day.

BUTTONS_LEFT    equ     50
BUTTON_WIDTH    equ     46

; Draws the bar anew and shows it. Keeps all registers.
taskbar_paint:
        pushad
        call    taskbar_draw
        call    clip_screen
        mov     dword [clip_top], TASKBAR_TOP
        call    compose
        popad
        ret

; The bar is part of the wallpaper.
taskbar_draw:
        pushad
        call    draw_to_wall
        xor     ebx, ebx
        mov     ecx, TASKBAR_TOP
        mov     edx, SCREEN_WIDTH
        mov     esi, SCREEN_HEIGHT - TASKBAR_TOP
        mov     edi, FACE
        call    draw_fill
        mov     esi, 1
        mov     edi, WHITE
        call    draw_fill
        mov     ebx, 1
        mov     ecx, TASKBAR_TOP + 2
        mov     edx, 47
        mov     esi, 11
        xor     al, al
        call    draw_box
        mov     ebx, 3
        mov     ecx, TASKBAR_TOP + 3
        call    draw_logo
        mov     ebx, 14
        mov     ecx, TASKBAR_TOP + 4
        mov     edx, text_panes
        mov     esi, INK + 0x100
        call    draw_text
        ; a button for each window, in the order they were opened
        mov     ebp, windows
        mov     ebx, BUTTONS_LEFT
.button:
        cmp     dword [ebp + W_THREAD], 0
        je      .next
        xor     eax, eax
        mov     edx, [stack_count]
        test    edx, edx
        jz      .draw
        cmp     [stack + edx * 4 - 4], ebp
        jne     .draw
        inc     eax
.draw:  mov     ecx, TASKBAR_TOP + 2
        mov     edx, BUTTON_WIDTH - 2
        mov     esi, 11
        call    draw_box
        lea     edx, [ebx + BUTTON_WIDTH - 3]
        mov     [draw_width], edx       ; the name ends where the button does
        push    ebx
        add     ebx, 3
        mov     ecx, TASKBAR_TOP + 4
        mov     edx, [ebp + W_THREAD]
        mov     edx, [edx + T_NAME]
        mov     esi, INK
        call    draw_text
        pop     ebx
        mov     dword [draw_width], SCREEN_WIDTH
.next:  add     ebx, BUTTON_WIDTH
        add     ebp, W_SIZE
        cmp     ebp, windows + 5 * W_SIZE
        jb      .button
        ; the time of day
        mov     ebx, 284
        mov     ecx, TASKBAR_TOP + 2
        mov     edx, 35
        mov     esi, 11
        mov     al, 1
        call    draw_box
        mov     edi, text_time
        mov     al, [clock_time + 2]
        call    two_digits
        inc     edi
        mov     al, [clock_time + 1]
        call    two_digits
        mov     ebx, 290
        mov     ecx, TASKBAR_TOP + 4
        mov     edx, text_time
        mov     esi, INK
        call    draw_text
        popad
        ret

; Writes AL (0-99) as two digits at EDI, and moves EDI behind them.
two_digits:
        xor     ah, ah
        mov     dl, 10
        div     dl
        add     eax, 0x3030
        stosw
        ret

; The button was pressed at x EBX on the bar.
taskbar_press:
        sub     ebx, BUTTONS_LEFT
        jl      .done
        xor     edx, edx
        mov     eax, ebx
        mov     ecx, BUTTON_WIDTH
        div     ecx
        cmp     eax, 5
        jae     .done
        imul    eax, eax, W_SIZE
        add     eax, windows
        cmp     dword [eax + W_THREAD], 0
        je      .done
        jmp     window_raise
.done:  ret

text_panes:     db "Panes", 0
text_time:      db "00:00", 0
