; The wallpaper: a sky of twelve blues, two clouds, two green hills. Painted once at the start.

FAR_TOP         equ     112
NEAR_TOP        equ     140

wallpaper_paint:
        call    draw_to_wall
        ; Sky: twelve shades down to the horizon, each pair mixed in four steps by a 4-pixel pattern.
        mov     edi, WALL
        xor     ebx, ebx                ; row
.row:   mov     eax, ebx
        imul    eax, eax, 44
        mov     ecx, 136
        xor     edx, edx
        div     ecx                     ; shade * 4 + how much of the next
        cmp     eax, 43
        jbe     .in
        mov     eax, 43
.in:    mov     ecx, eax
        and     ecx, 3
        shr     eax, 2
        add     eax, SKY_SHADES
        mov     ah, al
        mov     edx, eax
        shl     eax, 16
        mov     ax, dx                  ; four pixels of the shade
        shl     ecx, 3
        test    bl, 1
        jz      .even
        add     ecx, 4
.even:  add     eax, [.mix + ecx]
        mov     ecx, SCREEN_WIDTH / 4
        rep     stosd
        inc     ebx
        cmp     ebx, SCREEN_HEIGHT
        jb      .row
        call    clouds_paint
        mov     eax, FAR_TOP
        mov     ebx, 0x0A40             ; where on the wave it begins, and how tall it is
        mov     ecx, FAR_HILL
        call    hill_paint
        mov     eax, NEAR_TOP
        mov     ebx, 0x1290
        mov     ecx, NEAR_HILL
        jmp     hill_paint
; What to add to four pixels, on even and on odd rows, for 0/4 to 3/4 of the next shade.
.mix:   dd      0, 0
        dd      0x00000001, 0
        dd      0x00010001, 0x00000000
        dd      0x00010001, 0x01000100

; EAX = crest, BL = phase, BH = height, CL = first of four shades. The ground is brightest along the crest.
hill_paint:
        mov     [hill_crest], eax
        mov     [hill_shade], cl
        movzx   eax, bh
        mov     [hill_height], eax
        movzx   edx, bl
        xor     ebp, ebp                ; column
.column:
        lea     eax, [ebp + ebp]        ; the wave is 0.625 turns over the width
        add     eax, edx
        and     eax, 0x3FF
        shr     eax, 2
        movsx   eax, byte [sine + eax]
        imul    eax, [hill_height]
        sar     eax, 7
        mov     ecx, [hill_crest]
        sub     ecx, eax
        mov     ebx, ecx                ; row
.dot:   mov     eax, ebx
        sub     eax, ecx
        mov     esi, ebx                ; every second pixel a little further: the shades blend
        add     esi, ebp
        and     esi, 1
        lea     eax, [eax + esi * 4]
        shr     eax, 3
        cmp     eax, 3
        jbe     .shade
        mov     eax, 3
.shade: add     al, [hill_shade]
        imul    edi, ebx, SCREEN_WIDTH
        mov     [edi + ebp + WALL], al
        inc     ebx
        cmp     ebx, TASKBAR_TOP
        jb      .dot
        inc     ebp
        cmp     ebp, SCREEN_WIDTH
        jb      .column
        ret

; Clouds are rows of x, y, length, colour.
clouds_paint:
        mov     ebp, clouds
.next:  movzx   ebx, word [ebp]
        movzx   ecx, byte [ebp + 2]
        movzx   edx, byte [ebp + 3]
        test    edx, edx
        jz      .done
        movzx   edi, byte [ebp + 4]
        mov     esi, 1
        call    draw_fill
        add     ebp, 5
        jmp     .next
.done:  ret

%macro cloud_row 4
        dw      %1
        db      %2, %3, %4
%endmacro
clouds: cloud_row 164, 90, 10, CLOUD
        cloud_row 160, 91, 18, CLOUD
        cloud_row 157, 92, 24, CLOUD
        cloud_row 146, 93, 38, CLOUD
        cloud_row 143, 94, 46, CLOUD
        cloud_row 141, 95, 52, CLOUD
        cloud_row 140, 96, 55, CLOUD_SHADE
        cloud_row 144, 97, 46, CLOUD_SHADE
        cloud_row 230, 106, 12, CLOUD
        cloud_row 225, 107, 20, CLOUD
        cloud_row 218, 108, 34, CLOUD
        cloud_row 215, 109, 40, CLOUD
        cloud_row 214, 110, 42, CLOUD_SHADE
        cloud_row 222, 111, 26, CLOUD_SHADE
        cloud_row 0, 0, 0, 0

        align   4
hill_crest:     dd 0
hill_height:    dd 0
hill_shade:     dd 0
sine:
%include "panes/sine-values.inc"
