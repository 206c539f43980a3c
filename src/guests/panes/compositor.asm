; The compositor. `compose` puts the part of the desktop inside the clip rectangle together in the back buffer (wallpaper,
; windows from bottom to top with their shadows, pointer), then copies that part to video memory: nothing flickers and
; nothing is drawn twice.

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
clip_left:      dd 0
clip_top:       dd 0
clip_right:     dd 0
clip_bottom:    dd 0
screen_taken:   dd 0                    ; the shut-down or stop screen has it
