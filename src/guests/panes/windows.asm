; Windows and the compositor. Every window has a picture of its own, frame included; the program draws into it and says
; what changed. `compose` puts the part of the desktop inside the clip rectangle together in the back buffer, then copies
; that part to video memory: nothing flickers and nothing is drawn twice.

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

; The clip rectangle is all of window EAX with its shadow. Keeps EAX.
clip_window:
        mov     ecx, [eax + W_X]
        mov     [clip_left], ecx
        add     ecx, [eax + W_WIDTH]
        add     ecx, SHADOW
        mov     [clip_right], ecx
        mov     ecx, [eax + W_Y]
        mov     [clip_top], ecx
        add     ecx, [eax + W_HEIGHT]
        add     ecx, SHADOW
        mov     [clip_bottom], ecx
        ret

; Cuts the rectangle EBX, ECX - EDX, ESI (left, top - right, bottom) to the clip rectangle. Carry when nothing is left.
clip:   cmp     ebx, [clip_left]
        jge     .left
        mov     ebx, [clip_left]
.left:  cmp     ecx, [clip_top]
        jge     .top
        mov     ecx, [clip_top]
.top:   cmp     edx, [clip_right]
        jle     .right
        mov     edx, [clip_right]
.right: cmp     esi, [clip_bottom]
        jle     .bottom
        mov     esi, [clip_bottom]
.bottom:
        cmp     ebx, edx
        jge     .none
        cmp     ecx, esi
        jge     .none
        clc
        ret
.none:  stc
        ret

; Composes the clip rectangle and shows it.
compose:
        cmp     byte [screen_taken], 0
        je      .ours
        ret
.ours:  pushad
        xor     ebx, ebx
        xor     ecx, ecx
        mov     edx, SCREEN_WIDTH
        mov     esi, SCREEN_HEIGHT
        call    clip
        jc      .done
        mov     [clip_left], ebx
        mov     [clip_top], ecx
        mov     [clip_right], edx
        mov     [clip_bottom], esi
        ; Is there a window that covers it all? Then what lies below needs no work.
        mov     ebp, [stack_count]
.cover: dec     ebp
        js      .desktop
        mov     edi, [stack + ebp * 4]
        mov     eax, [edi + W_X]
        cmp     ebx, eax
        jl      .cover
        add     eax, [edi + W_WIDTH]
        cmp     edx, eax
        jg      .cover
        mov     eax, [edi + W_Y]
        cmp     ecx, eax
        jl      .cover
        add     eax, [edi + W_HEIGHT]
        cmp     esi, eax
        jg      .cover
        jmp     .windows
.desktop:
        mov     eax, WALL
        mov     edi, BACK
        call    copy_clip
        xor     ebp, ebp
.windows:
        cmp     ebp, [stack_count]
        jae     .pointer
        mov     edi, [stack + ebp * 4]
        call    compose_shadow
        call    compose_window
        inc     ebp
        jmp     .windows
.pointer:
        call    compose_pointer
        mov     eax, BACK
        mov     edi, VIDEO
        call    copy_clip
.done:  popad
        ret

; Copies the clip rectangle from picture EAX to picture EDI, both as large as the screen.
copy_clip:
        pushad
        mov     ecx, [clip_top]
        imul    ecx, ecx, SCREEN_WIDTH
        add     ecx, [clip_left]
        add     eax, ecx
        add     edi, ecx
        mov     ebx, SCREEN_WIDTH
        mov     ebp, SCREEN_WIDTH
        mov     edx, [clip_right]
        sub     edx, [clip_left]
        mov     esi, [clip_bottom]
        sub     esi, [clip_top]
        call    copy_rows
        popad
        ret

; Copies ESI rows of EDX bytes from EAX (distance EBX) to EDI (distance EBP).
copy_rows:
        push    esi
        push    edi
        mov     esi, eax
        mov     ecx, edx
        shr     ecx, 2
        rep     movsd
        mov     ecx, edx
        and     ecx, 3
        rep     movsb
        pop     edi
        pop     esi
        add     eax, ebx
        add     edi, ebp
        dec     esi
        jnz     copy_rows
        ret

; Window EDI into the back buffer.
compose_window:
        pushad
        mov     ebx, [edi + W_X]
        mov     ecx, [edi + W_Y]
        mov     edx, ebx
        add     edx, [edi + W_WIDTH]
        mov     esi, ecx
        add     esi, [edi + W_HEIGHT]
        call    clip
        jc      .done
        sub     edx, ebx
        sub     esi, ecx
        mov     eax, ecx
        sub     eax, [edi + W_Y]
        imul    eax, [edi + W_WIDTH]
        add     eax, ebx
        sub     eax, [edi + W_X]
        add     eax, [edi + W_PIXELS]
        imul    ecx, ecx, SCREEN_WIDTH
        lea     ecx, [ecx + ebx + BACK]
        mov     ebx, [edi + W_WIDTH]
        mov     edi, ecx
        mov     ebp, SCREEN_WIDTH
        call    copy_rows
.done:  popad
        ret

; The shadow of window EDI, on the right and below: a colour in shadow is 64 higher. The task bar lies in no shadow.
compose_shadow:
        pushad
        mov     ebx, [edi + W_X]
        mov     ecx, [edi + W_Y]
        add     ecx, SHADOW
        mov     edx, [edi + W_WIDTH]
        add     ebx, edx
        mov     edx, ebx
        add     edx, SHADOW
        mov     esi, [edi + W_Y]
        add     esi, [edi + W_HEIGHT]
        add     esi, SHADOW
        call    .darken
        mov     ebx, [edi + W_X]
        add     ebx, SHADOW
        mov     ecx, [edi + W_Y]
        add     ecx, [edi + W_HEIGHT]
        mov     edx, [edi + W_X]
        add     edx, [edi + W_WIDTH]
        mov     esi, ecx
        add     esi, SHADOW
        call    .darken
        popad
        ret
.darken:
        push    edi
        cmp     esi, TASKBAR_TOP
        jle     .above
        mov     esi, TASKBAR_TOP
.above: call    clip
        jc      .none
        sub     edx, ebx
        sub     esi, ecx
        imul    ecx, ecx, SCREEN_WIDTH
        lea     edi, [ecx + ebx + BACK]
.row:   xor     ecx, ecx
.dot:   or      byte [edi + ecx], IN_SHADOW
        inc     ecx
        cmp     ecx, edx
        jb      .dot
        add     edi, SCREEN_WIDTH
        dec     esi
        jnz     .row
.none:  pop     edi
        ret

; The mouse pointer into the back buffer.
compose_pointer:
        pushad
        mov     ebx, [pointer_x]
        mov     ecx, [pointer_y]
        lea     edx, [ebx + POINTER_WIDTH]
        lea     esi, [ecx + POINTER_HEIGHT]
        call    clip
        jc      .done
.row:   mov     eax, ecx
        sub     eax, [pointer_y]
        imul    eax, eax, POINTER_WIDTH
        add     eax, pointer_shape
        mov     edi, ecx
        imul    edi, edi, SCREEN_WIDTH
        mov     ebp, ebx
.dot:   push    eax
        add     eax, ebp
        sub     eax, [pointer_x]
        mov     al, [eax]
        test    al, al
        jz      .clear
        mov     [edi + ebp + BACK], al
.clear: pop     eax
        inc     ebp
        cmp     ebp, edx
        jb      .dot
        inc     ecx
        cmp     ecx, esi
        jb      .row
.done:  popad
        ret

POINTER_WIDTH   equ     7
POINTER_HEIGHT  equ     11
%define o 2
%define w 8
pointer_shape:                          ; 0 nothing, o outline, w white
        db      o, 0, 0, 0, 0, 0, 0
        db      o, o, 0, 0, 0, 0, 0
        db      o, w, o, 0, 0, 0, 0
        db      o, w, w, o, 0, 0, 0
        db      o, w, w, w, o, 0, 0
        db      o, w, w, w, w, o, 0
        db      o, w, w, w, w, w, o
        db      o, w, w, w, o, o, o
        db      o, w, o, w, w, o, 0
        db      o, o, 0, o, w, o, 0
        db      o, 0, 0, 0, o, o, 0
%undef o
%undef w

        align   4
windows:        times WINDOWS * W_SIZE db 0
stack:          times WINDOWS dd 0      ; bottom to top
stack_count:    dd 0
gradient_shade: dd 0
gradient_steps: dd 0
pixmap_next:    dd KERNEL_BASE + PIXMAPS_PHYSICAL
pixmap_end:     dd 0
clip_left:      dd 0
clip_top:       dd 0
clip_right:     dd 0
clip_bottom:    dd 0
screen_taken:   dd 0                    ; the shut-down or stop screen has it
