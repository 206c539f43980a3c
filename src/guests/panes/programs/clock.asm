; A clock with hands, and the date. It draws its face once a second, pixel by pixel, in its own memory.

CLOCK_X         equ     32              ; the middle of the face
CLOCK_Y         equ     32
CLOCK_TIME      equ     VARIABLES
CLOCK_DATE      equ     VARIABLES + 4
CLOCK_TEXT      equ     VARIABLES + 8

clock_main:
        mov     ebx, clock_window USER
        call    open_window
.again: sys     SYS_TIME
        cmp     eax, [CLOCK_TIME]
        je      .wait
        mov     [CLOCK_TIME], eax
        mov     [CLOCK_DATE], ecx
        call    clock_draw
.wait:  mov     ebx, 10
        sys     SYS_SLEEP
        jmp     .again

clock_draw:
        mov     edi, PAPER
        call    fill_all
        call    clock_face
        ; hour hand: 256 steps a turn, (60 h + m) * 256 / 720
        movzx   eax, byte [CLOCK_TIME + 2]
        imul    eax, eax, 60
        movzx   ecx, byte [CLOCK_TIME + 1]
        add     eax, ecx
        shl     eax, 8
        xor     edx, edx
        mov     ecx, 720
        div     ecx
        mov     edx, 15
        mov     ah, INK
        call    clock_hand
        movzx   eax, byte [CLOCK_TIME + 1]
        call    clock_sixtieth
        mov     edx, 23
        mov     ah, INK
        call    clock_hand
        movzx   eax, byte [CLOCK_TIME]
        call    clock_sixtieth
        mov     edx, 25
        mov     ah, RED
        call    clock_thin
        ; the date: 23 Aug 2005
        mov     edi, CLOCK_TEXT
        movzx   eax, byte [CLOCK_DATE]
        call    decimal
        call    clock_append
        mov     al, ' '
        stosb
        movzx   eax, byte [CLOCK_DATE + 1]
        dec     eax
        cmp     eax, 12
        jae     .year
        lea     eax, [eax + eax * 2]
        lea     edx, [eax + clock_months USER]
        mov     ecx, 3
.month: mov     al, [edx]
        stosb
        inc     edx
        loop    .month
        mov     al, ' '
        stosb
.year:  movzx   eax, word [CLOCK_DATE + 2]
        call    decimal
        call    clock_append
        mov     byte [edi], 0
        mov     ebx, 5
        mov     ecx, 68
        mov     edx, CLOCK_TEXT
        mov     esi, INK
        sys     SYS_TEXT
        jmp     present_all

; Copies the text at EDX to EDI.
clock_append:
        mov     al, [edx]
        test    al, al
        jz      .done
        stosb
        inc     edx
        jmp     clock_append
.done:  ret

; EAX = 0..59: gives the step of 256.
clock_sixtieth:
        shl     eax, 8
        xor     edx, edx
        mov     ecx, 60
        div     ecx
        ret

; 320 x 200 pixels fill a 4:3 screen, so a pixel is 1.2 times as high as wide: the square of that, in hundredths.
PIXEL_SHAPE     equ     144

; The face: a white disc with a rim, a mark for every hour, longer ones for the quarters.
clock_face:
        mov     ecx, -25
.row:   mov     ebx, 31                 ; half the width of this row
.narrow:
        dec     ebx
        mov     eax, ebx
        imul    eax, eax
        imul    eax, eax, 100
        mov     edx, ecx
        imul    edx, edx
        imul    edx, edx, PIXEL_SHAPE
        add     eax, edx
        cmp     eax, 910 * 100
        ja      .narrow
        push    ecx
        lea     edx, [ebx + ebx + 1]
        neg     ebx
        add     ebx, CLOCK_X
        add     ecx, CLOCK_Y
        mov     esi, 1
        mov     edi, OUTLINE
        sys     SYS_FILL
        pop     ecx
        inc     ecx
        cmp     ecx, 25
        jle     .row
        mov     ecx, -23
.inner: mov     ebx, 30
.tight: dec     ebx
        mov     eax, ebx
        imul    eax, eax
        imul    eax, eax, 100
        mov     edx, ecx
        imul    edx, edx
        imul    edx, edx, PIXEL_SHAPE
        add     eax, edx
        cmp     eax, 800 * 100
        ja      .tight
        push    ecx
        lea     edx, [ebx + ebx + 1]
        neg     ebx
        add     ebx, CLOCK_X
        add     ecx, CLOCK_Y
        mov     esi, 1
        mov     edi, WHITE
        sys     SYS_FILL
        pop     ecx
        inc     ecx
        cmp     ecx, 23
        jle     .inner
        xor     ebp, ebp                ; hour
.mark:  mov     eax, ebp
        imul    eax, eax, 5
        call    clock_sixtieth
        push    eax
        mov     edx, 26
        call    clock_point
        mov     esi, ebx
        mov     edi, ecx
        pop     eax
        mov     edx, 24
        test    ebp, 1
        jnz     .short
        mov     edx, 23
.short: call    clock_point
        mov     al, GREY_DARK
        call    line
        inc     ebp
        cmp     ebp, 12
        jb      .mark
        ret

; AL = step of 256 (0 is up, clockwise), EDX = distance from the middle: gives EBX, ECX.
clock_point:
        movzx   ebx, al
        movsx   ecx, byte [ebx + turn USER]
        imul    ecx, edx
        add     ecx, 64
        sar     ecx, 7
        add     ecx, CLOCK_X
        add     bl, 64
        movsx   ebx, byte [ebx + turn USER]
        imul    ebx, edx
        imul    ebx, ebx, 213           ; 256 / 1.2
        add     ebx, 1 << 14
        sar     ebx, 15
        neg     ebx
        add     ebx, CLOCK_Y
        xchg    ebx, ecx
        ret

; A hand: AL = step, EDX = length, AH = colour. A thick one is three lines.
clock_hand:
        push    eax
        call    clock_thin
        pop     eax
        push    eax
        call    clock_point
        pop     eax
        mov     al, ah
        mov     esi, CLOCK_X + 1
        mov     edi, CLOCK_Y
        inc     ebx
        call    line
        dec     ebx
        inc     ecx
        dec     esi
        inc     edi
        jmp     line
clock_thin:
        push    eax
        call    clock_point
        pop     eax
        mov     al, ah
        mov     esi, CLOCK_X
        mov     edi, CLOCK_Y
        jmp     line

clock_window:   dd 246, 5, 65, 78, clock_title USER
clock_title:    db "Clock", 0
clock_months:   db "JanFebMarAprMayJunJulAugSepOctNovDec"
