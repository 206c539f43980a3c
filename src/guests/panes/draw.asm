; Drawing into a target: a rectangle of bytes with a width, a height and a distance from row to row. Everything is
; clipped to the target. Numbers are signed, so that a program cannot reach outside by large ones.

; Rectangle: x EBX, y ECX, width EDX, height ESI, colour EDI. Keeps all registers.
draw_fill:
        pushad
        test    edx, edx
        jle     .done
        test    esi, esi
        jle     .done
        ; A side that overflows would come out negative and be dropped below.
        add     edx, ebx                ; right
        jo      .done
        add     esi, ecx                ; bottom
        jo      .done
        test    ebx, ebx
        jns     .left
        xor     ebx, ebx
.left:  test    ecx, ecx
        jns     .top
        xor     ecx, ecx
.top:   cmp     edx, [draw_width]
        jle     .right
        mov     edx, [draw_width]
.right: cmp     esi, [draw_height]
        jle     .bottom
        mov     esi, [draw_height]
.bottom:
        sub     edx, ebx
        jle     .done
        sub     esi, ecx
        jle     .done
        mov     eax, edi
        imul    ecx, [draw_pitch]
        add     ecx, ebx
        add     ecx, [draw_base]
        mov     ebx, ecx
.row:   mov     edi, ebx
        mov     ecx, edx
        rep     stosb
        add     ebx, [draw_pitch]
        dec     esi
        jnz     .row
.done:  popad
        ret

; Text at EDX, x EBX, y ECX, colour ESI (bit 8: bold). Gives EAX = x behind it. A letter that does not fit whole is left
; out. Keeps the other registers. At most 80 letters.
draw_text:
        push    ebx
        push    edx
        push    edi
        push    ebp
        mov     ebp, 80
.next:  movzx   eax, byte [edx]
        inc     edx
        test    al, al
        jz      .done
        call    draw_letter
        dec     ebp
        jnz     .next
.done:  mov     eax, ebx
        pop     ebp
        pop     edi
        pop     edx
        pop     ebx
        ret

; Width of the text at EDX, colour word ESI (for bold). Gives EAX. Keeps the other registers.
text_width:
        push    ecx
        push    edx
        push    edi
        xor     ecx, ecx
.next:  movzx   eax, byte [edx]
        inc     edx
        test    al, al
        jz      .done
        call    glyph
        movzx   eax, byte [edi]
        lea     ecx, [ecx + eax + 1]
        test    esi, 0x100
        jz      .next
        inc     ecx
        jmp     .next
.done:  mov     eax, ecx
        pop     edi
        pop     edx
        pop     ecx
        ret

; Gives EDI = glyph of letter EAX: its width, then eight rows. Bold is every pixel twice; a few letters would fill up
; and have glyphs of their own. Changes EAX.
glyph:  test    esi, 0x100
        jz      .thin
        mov     edi, 4
.bold:  cmp     al, [.wide + edi]
        je      .found
        dec     edi
        jns     .bold
.thin:  sub     eax, 32
        cmp     eax, 96
        jb      .known
        mov     eax, '?' - 32
        jmp     .known
.found: lea     eax, [edi + 96]
.known: lea     edi, [eax + eax * 8]
        add     edi, panes_font
        ret
.wide:  db      "mwWMQ"

; Letter EAX at x EBX, y ECX, colour ESI. Moves EBX behind it.
draw_letter:
        pushad
        call    glyph
        movzx   edx, byte [edi]
        inc     edi
        test    ebx, ebx
        js      .skip
        test    ecx, ecx
        js      .skip
        lea     eax, [ebx + edx]
        cmp     eax, [draw_width]
        jge     .skip
        lea     eax, [ecx + 8]
        cmp     eax, [draw_height]
        jg      .skip
        imul    ecx, [draw_pitch]
        add     ecx, ebx
        add     ecx, [draw_base]        ; where the row begins
        mov     edx, esi                ; colour
        mov     bh, 8
.row:   mov     bl, [edi]
        inc     edi
        mov     eax, ecx
        test    bl, bl
        jz      .empty
.dot:   add     bl, bl
        jnc     .clear
        mov     [eax], dl
        test    edx, 0x100
        jz      .clear
        mov     [eax + 1], dl
.clear: inc     eax
        test    bl, bl
        jnz     .dot
.empty: add     ecx, [draw_pitch]
        dec     bh
        jnz     .row
.skip:  popad
        push    edi
        call    glyph
        movzx   eax, byte [edi]
        lea     ebx, [ebx + eax + 1]
        test    esi, 0x100
        jz      .thin
        inc     ebx
.thin:  pop     edi
        ret

; Text at EDX in double size, centred, y ECX, colour ESI.
draw_large:
        pushad
        push    esi
        xor     esi, esi
        call    text_width
        pop     esi
        mov     ebx, [draw_width]
        shr     ebx, 1
        sub     ebx, eax
.letter:
        movzx   eax, byte [edx]
        inc     edx
        test    al, al
        jz      .done
        push    edx
        push    ecx
        call    glyph
        movzx   ebp, byte [edi]
        mov     dh, 8
.row:   inc     edi
        mov     dl, [edi]
        push    ebx
.dot:   test    dl, dl
        jz      .next
        add     dl, dl
        jnc     .clear
        push    edx
        push    esi
        push    edi
        mov     edi, esi
        mov     edx, 2
        mov     esi, 2
        call    draw_fill
        pop     edi
        pop     esi
        pop     edx
.clear: add     ebx, 2
        jmp     .dot
.next:  pop     ebx
        add     ecx, 2
        dec     dh
        jnz     .row
        pop     ecx
        pop     edx
        lea     ebx, [ebx + ebp * 2 + 2]
        jmp     .letter
.done:  popad
        ret

; A raised box (or a sunken one when AL = 1): x EBX, y ECX, width EDX, height ESI. Keeps all registers.
draw_box:
        pushad
        mov     edi, FACE
        call    draw_fill
        mov     ebp, WHITE
        mov     edi, GREY_DARK
        test    al, al
        jz      .raised
        xchg    ebp, edi
.raised:
        push    edi
        mov     edi, ebp
        push    esi
        mov     esi, 1
        call    draw_fill               ; top
        pop     esi
        push    edx
        mov     edx, 1
        call    draw_fill               ; left
        pop     edx
        pop     edi
        push    ecx
        push    esi
        lea     ecx, [ecx + esi - 1]
        mov     esi, 1
        call    draw_fill               ; bottom
        pop     esi
        pop     ecx
        lea     ebx, [ebx + edx - 1]
        mov     edx, 1
        call    draw_fill               ; right
        popad
        ret

; Four small panes of glass, 9 x 9: x EBX, y ECX. Keeps all registers.
draw_logo:
        pushad
        mov     edx, 4
        mov     esi, 4
        mov     edi, RED
        call    draw_fill
        add     ebx, 5
        mov     edi, GREEN
        call    draw_fill
        add     ecx, 5
        mov     edi, YELLOW
        call    draw_fill
        sub     ebx, 5
        mov     edi, BLUE
        call    draw_fill
        popad
        ret

; The target is the whole wallpaper.
draw_to_wall:
        mov     dword [draw_base], WALL
draw_to_screen_size:
        mov     dword [draw_pitch], SCREEN_WIDTH
        mov     dword [draw_width], SCREEN_WIDTH
        mov     dword [draw_height], SCREEN_HEIGHT
        ret

        align   4
draw_base:      dd 0
draw_pitch:     dd 0
draw_width:     dd 0
draw_height:    dd 0
