; Windows: the table, the order from bottom to top, and their frames. Every window has a picture of its own, frame
; included; the program draws into it and says what changed (compositor.asm).

; Opens a window for thread EAX: x EBX, y ECX, outer width EDX, outer height ESI, title at EDI (a program's pointer).
; Gives EAX = window, or carry when there is no room. The place in the table follows the thread's, so that the task bar
; shows the programs in the same order however they race at the start.
window_create:
        push    ebp
        mov     ebp, eax
        sub     ebp, threads + 2 * T_SIZE
        shr     ebp, 6                  ; T_SIZE
        imul    ebp, ebp, W_SIZE
        add     ebp, windows
        push    edx
        imul    edx, esi
        add     edx, 4095
        and     edx, 0xFFFFF000
        add     edx, [pixmap_next]
        cmp     edx, KERNEL_BASE + PIXMAPS_END
        mov     [pixmap_end], edx
        pop     edx
        jbe     .room
        stc
        pop     ebp
        ret
.room:
        mov     [ebp + W_X], ebx
        mov     [ebp + W_Y], ecx
        mov     [ebp + W_WIDTH], edx
        mov     [ebp + W_HEIGHT], esi
        mov     ebx, [pixmap_next]
        mov     [ebp + W_PIXELS], ebx
        mov     ebx, [pixmap_end]
        mov     [pixmap_next], ebx
        mov     [ebp + W_THREAD], eax
        ; Title: at most 15 letters. This may fault; the window is not in the stack yet.
        xor     ecx, ecx
.letter:
        mov     al, [edi + ecx]
        mov     [ebp + W_TITLE + ecx], al
        test    al, al
        jz      .named
        inc     ecx
        cmp     ecx, 15
        jb      .letter
.named: mov     byte [ebp + W_TITLE + ecx], 0
        mov     eax, ebp
        call    window_target
        xor     ebx, ebx
        xor     ecx, ecx
        mov     edx, SCREEN_WIDTH
        mov     esi, SCREEN_HEIGHT
        mov     edi, PAPER
        call    draw_fill
        ; On top of the stack.
        mov     ecx, [stack_count]
        mov     [stack + ecx * 4], ebp
        inc     dword [stack_count]
        call    stack_changed
        mov     eax, ebp
        clc
        pop     ebp
        ret

; Closes window EAX. Keeps EBX, ESI.
window_destroy:
        push    ebx
        push    esi
        mov     ebx, eax
        mov     dword [ebx + W_THREAD], 0
        mov     dword [dragged], 0
        call    stack_remove
        mov     eax, ebx
        call    clip_window
        call    compose
        call    stack_changed
        pop     esi
        pop     ebx
        ret

; Takes window EAX out of the stack.
stack_remove:
        xor     ecx, ecx
        xor     edx, edx
.next:  cmp     ecx, [stack_count]
        jae     .done
        mov     esi, [stack + ecx * 4]
        inc     ecx
        cmp     esi, eax
        je      .next
        mov     [stack + edx * 4], esi
        inc     edx
        jmp     .next
.done:  mov     [stack_count], edx
        ret

; Brings window EAX to the front.
window_raise:
        mov     ecx, [stack_count]
        test    ecx, ecx
        jz      .done
        cmp     [stack + ecx * 4 - 4], eax
        je      .done
        push    eax
        call    stack_remove
        pop     eax
        mov     ecx, [stack_count]
        mov     [stack + ecx * 4], eax
        inc     dword [stack_count]
        jmp     stack_changed
.done:  ret

; The order of windows has changed: frames, task bar, and the picture of the top two.
stack_changed:
        pushad
        mov     ebp, [stack_count]
        sub     ebp, 2
        jns     .second
        inc     ebp
        js      .bar
.second:
        mov     eax, [stack + ebp * 4]
        call    window_frame
        mov     eax, [stack + ebp * 4]
        call    clip_window
        call    compose
        inc     ebp
        cmp     ebp, [stack_count]
        jb      .second
.bar:   call    taskbar_paint
        popad
        ret

; The drawing target is the contents of window EAX. Keeps all registers.
window_target:
        push    edx
        mov     edx, [eax + W_WIDTH]
        mov     [draw_pitch], edx
        imul    edx, edx, TITLE_HEIGHT
        add     edx, FRAME
        add     edx, [eax + W_PIXELS]
        mov     [draw_base], edx
        mov     edx, [eax + W_WIDTH]
        sub     edx, 2 * FRAME
        mov     [draw_width], edx
        mov     edx, [eax + W_HEIGHT]
        sub     edx, TITLE_HEIGHT + FRAME
        mov     [draw_height], edx
        pop     edx
        ret

; Draws the frame of window EAX: outline, bevel, and the title bar, which is bright when the window is in front.
window_frame:
        pushad
        mov     ebp, eax
        mov     edx, [ebp + W_WIDTH]
        mov     [draw_pitch], edx
        mov     [draw_width], edx
        mov     esi, [ebp + W_HEIGHT]
        mov     [draw_height], esi
        mov     eax, [ebp + W_PIXELS]
        mov     [draw_base], eax
        ; Four sides, two rings: the outline, and light inside it.
        xor     ebx, ebx
        xor     ecx, ecx
        mov     edi, OUTLINE
        call    .ring
        inc     ebx
        inc     ecx
        sub     edx, 2
        sub     esi, 2
        mov     edi, FACE
        call    .ring
        ; Title bar: a gradient. Between two shades lies a chequerboard of both, so that eight shades look like fifteen.
        mov     dword [gradient_shade], TITLE_ACTIVE
        mov     dword [gradient_steps], 15
        mov     edx, [stack_count]
        cmp     [stack + edx * 4 - 4], ebp
        je      .front
        mov     dword [gradient_shade], TITLE_IDLE
        mov     dword [gradient_steps], 7
.front: mov     ebx, FRAME              ; column
.column:
        lea     eax, [ebx - FRAME]
        mul     dword [gradient_steps]
        mov     ecx, [ebp + W_WIDTH]
        sub     ecx, 2 * FRAME
        div     ecx
        mov     esi, eax
        and     esi, 1
        shr     eax, 1
        add     eax, [gradient_shade]
        mov     edi, FRAME
        imul    edi, [ebp + W_WIDTH]
        add     edi, [ebp + W_PIXELS]
        mov     ecx, TITLE_HEIGHT - FRAME - 1
.row:   mov     edx, ecx
        xor     edx, ebx
        and     edx, esi
        add     edx, eax
        mov     [edi + ebx], dl
        add     edi, [ebp + W_WIDTH]
        loop    .row
        inc     ebx
        mov     edx, [ebp + W_WIDTH]
        sub     edx, FRAME
        cmp     ebx, edx
        jb      .column
        ; The line under it, and the title.
        mov     ebx, FRAME
        mov     ecx, TITLE_HEIGHT - 1
        mov     edx, [ebp + W_WIDTH]
        sub     edx, 2 * FRAME
        mov     esi, 1
        mov     edi, OUTLINE
        call    draw_fill
        mov     ebx, FRAME + 3
        mov     ecx, FRAME + 2
        lea     edx, [ebp + W_TITLE]
        mov     esi, WHITE + 0x100
        call    draw_text
        popad
        ret
.ring:  pushad
        push    esi
        mov     esi, 1
        call    draw_fill
        mov     esi, [esp]
        lea     ecx, [ecx + esi - 1]
        mov     esi, 1
        call    draw_fill
        pop     esi
        sub     ecx, esi
        inc     ecx
        push    edx
        mov     edx, 1
        call    draw_fill
        pop     edx
        lea     ebx, [ebx + edx - 1]
        mov     edx, 1
        call    draw_fill
        popad
        ret

        align   4
windows:        times WINDOWS * W_SIZE db 0
stack:          times WINDOWS dd 0      ; bottom to top
stack_count:    dd 0
gradient_shade: dd 0
gradient_steps: dd 0
pixmap_next:    dd KERNEL_BASE + PIXMAPS_PHYSICAL
pixmap_end:     dd 0
