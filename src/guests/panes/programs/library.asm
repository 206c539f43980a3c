; What all programs share: system calls, and drawing by hand into their own window. A program's variables begin at
; USER_DATA; the first of them belong to this library.

PIXELS          equ     USER_DATA       ; first pixel of the window's contents
PITCH           equ     USER_DATA + 4   ; bytes from row to row
WIDTH           equ     USER_DATA + 8
HEIGHT          equ     USER_DATA + 12
NUMBER          equ     USER_DATA + 16  ; a number as text: twelve bytes
VARIABLES       equ     USER_DATA + 64  ; the program's own

SYS_EXIT        equ     0
SYS_YIELD       equ     1
SYS_SLEEP       equ     2
SYS_WAIT        equ     3
SYS_SELF        equ     4
SYS_TICKS       equ     5
SYS_COUNTER     equ     6
SYS_TIME        equ     7
SYS_STATISTICS  equ     8
SYS_WINDOW      equ     9
SYS_PRESENT     equ     10
SYS_FILL        equ     11
SYS_TEXT        equ     12
SYS_SEND        equ     13
SYS_RELEASE     equ     14

; A system call. The result is in EAX; everything else stays, but for ECX in `window` and `time`.
%macro sys 1
        mov     eax, %1
        int     SERVICE_VECTOR
%endmacro

; Opens the window described at EBX (x, y, width, height, title). A program without a window has nothing to do.
open_window:
        sys     SYS_WINDOW
        cmp     eax, -1
        je      .none
        mov     [PIXELS], eax
        mov     [PITCH], ecx
        mov     eax, [ebx + 8]
        mov     [WIDTH], eax
        mov     eax, [ebx + 12]
        mov     [HEIGHT], eax
        ret
.none:  sys     SYS_EXIT

; Shows the whole window.
present_all:
        xor     ebx, ebx
        xor     ecx, ecx
        mov     edx, [WIDTH]
        mov     esi, [HEIGHT]
        sys     SYS_PRESENT
        ret

; Fills the whole window with colour EDI.
fill_all:
        xor     ebx, ebx
        xor     ecx, ecx
        mov     edx, [WIDTH]
        mov     esi, [HEIGHT]
        sys     SYS_FILL
        ret

; Colour AL at x EBX, y ECX, when that is inside. Keeps all registers.
pixel:  cmp     ebx, [WIDTH]
        jae     .outside
        cmp     ecx, [HEIGHT]
        jae     .outside
        push    ecx
        imul    ecx, [PITCH]
        add     ecx, [PIXELS]
        mov     [ecx + ebx], al
        pop     ecx
.outside:
        ret

; Line from EBX, ECX to ESI, EDI in colour AL (Bresenham's way: the error decides which coordinate steps).
line:   pushad
        mov     [LINE_COLOUR], al
        mov     dword [LINE_SX], 1
        mov     eax, esi
        sub     eax, ebx
        jns     .right
        neg     eax
        neg     dword [LINE_SX]
.right: mov     [LINE_DX], eax
        mov     dword [LINE_SY], 1
        mov     edx, edi
        sub     edx, ecx
        jns     .down
        neg     edx
        neg     dword [LINE_SY]
.down:  neg     edx
        mov     [LINE_DY], edx
        lea     ebp, [eax + edx]        ; the error
.dot:   mov     al, [LINE_COLOUR]
        call    pixel
        cmp     ebx, esi
        jne     .on
        cmp     ecx, edi
        je      .done
.on:    lea     eax, [ebp + ebp]
        cmp     eax, [LINE_DY]
        jl      .flat
        add     ebp, [LINE_DY]
        add     ebx, [LINE_SX]
.flat:  cmp     eax, [LINE_DX]
        jg      .dot
        add     ebp, [LINE_DX]
        add     ecx, [LINE_SY]
        jmp     .dot
.done:  popad
        ret
LINE_COLOUR     equ     USER_DATA + 32
LINE_SX         equ     USER_DATA + 36
LINE_SY         equ     USER_DATA + 40
LINE_DX         equ     USER_DATA + 44
LINE_DY         equ     USER_DATA + 48

; EAX in decimal at NUMBER. Gives EDX = its first digit. Keeps the other registers.
decimal:
        push    eax
        push    ebx
        push    ecx
        mov     ecx, NUMBER + 11
        mov     byte [ecx], 0
        mov     ebx, 10
.digit: xor     edx, edx
        div     ebx
        add     dl, '0'
        dec     ecx
        mov     [ecx], dl
        test    eax, eax
        jnz     .digit
        mov     edx, ecx
        pop     ecx
        pop     ebx
        pop     eax
        ret

; Number EAX with its last digit at x EBX (figures are all five wide), y ECX, colour ESI.
number_right:
        push    ebx
        push    edx
        call    decimal
        mov     eax, NUMBER + 11
        sub     eax, edx
        lea     eax, [eax + eax * 4]
        sub     ebx, eax
        sys     SYS_TEXT
        pop     edx
        pop     ebx
        ret

; Waits until the machine is switched off.
rest:   xor     ebx, ebx
        sys     SYS_WAIT
        jmp     rest

; One turn of the sine.
turn:
%include "panes/sine-values.inc"
