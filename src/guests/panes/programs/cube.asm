; A turning cube: eight corners, six faces, fixed-point arithmetic, and every pixel of it written in ring 3.

CUBE_RADIUS     equ     17              ; half an edge
CUBE_DISTANCE   equ     110             ; from the eye to the middle, and the focal length
CUBE_X          equ     42
CUBE_Y          equ     32
CUBE_YAW        equ     VARIABLES
CUBE_PITCH      equ     VARIABLES + 4
CUBE_CORNER     equ     VARIABLES + 8
CUBE_X1         equ     VARIABLES + 12
CUBE_Z1         equ     VARIABLES + 16
CUBE_Y1         equ     VARIABLES + 20
CUBE_COLOUR     equ     VARIABLES + 24
CUBE_FIRST      equ     VARIABLES + 28  ; first and last row of a face
CUBE_LAST       equ     VARIABLES + 32
CUBE_POINTS     equ     VARIABLES + 64  ; eight times x, y
CUBE_LEFT       equ     VARIABLES + 128 ; 64 rows: leftmost and rightmost pixel of the face
CUBE_RIGHT      equ     VARIABLES + 128 + 256

cube_main:
        mov     ebx, cube_window USER
        call    open_window
.frame: call    cube_corners
        mov     edi, NIGHT
        call    fill_all
        mov     ebp, cube_stars USER
.star:  movzx   ebx, byte [ebp]
        test    ebx, ebx
        jz      .faces
        movzx   ecx, byte [ebp + 1]
        mov     al, [ebp + 2]
        call    pixel
        add     ebp, 3
        jmp     .star
.faces: mov     ebp, cube_faces USER
.face:  call    cube_face
        add     ebp, 5
        cmp     ebp, cube_faces_end USER
        jb      .face
        call    present_all
        add     dword [CUBE_YAW], 3
        add     dword [CUBE_PITCH], 2
        mov     ebx, 5                  ; twenty frames a second
        sys     SYS_SLEEP
        jmp     .frame

; Gives EAX = sine of EAX (256 steps), amplitude 127; the cosine is 64 steps on.
cube_sine:
        and     eax, 255
        movsx   eax, byte [eax + turn USER]
        ret

; EAX = CUBE_RADIUS, negative unless bit CL of the corner's number is set.
cube_side:
        mov     eax, CUBE_RADIUS
        bt      [CUBE_CORNER], ecx
        jc      .done
        neg     eax
.done:  ret

; Turns and projects all corners.
cube_corners:
        mov     dword [CUBE_CORNER], 0
.corner:
        xor     ecx, ecx
        call    cube_side
        mov     esi, eax                ; x
        mov     ecx, 2
        call    cube_side
        mov     edi, eax                ; z
        mov     eax, [CUBE_YAW]
        call    cube_sine
        mov     ebx, eax
        mov     eax, [CUBE_YAW]
        add     eax, 64
        call    cube_sine
        mov     ecx, eax
        ; x1 = x cos - z sin, z1 = x sin + z cos
        mov     edx, esi
        imul    edx, ecx
        mov     eax, edi
        imul    eax, ebx
        sub     edx, eax
        mov     [CUBE_X1], edx
        imul    esi, ebx
        imul    edi, ecx
        add     esi, edi
        sar     esi, 7
        mov     [CUBE_Z1], esi
        mov     ecx, 1
        call    cube_side
        mov     edi, eax                ; y
        mov     eax, [CUBE_PITCH]
        call    cube_sine
        mov     ebx, eax
        mov     eax, [CUBE_PITCH]
        add     eax, 64
        call    cube_sine
        mov     ecx, eax
        ; y1 = y cos - z1 sin, depth = y sin + z1 cos
        mov     edx, edi
        imul    edx, ecx
        mov     eax, [CUBE_Z1]
        imul    eax, ebx
        sub     edx, eax
        mov     [CUBE_Y1], edx
        imul    edi, ebx
        mov     eax, [CUBE_Z1]
        imul    eax, ecx
        add     edi, eax
        sar     edi, 7
        add     edi, CUBE_DISTANCE
        shl     edi, 7                  ; the sines are 128 times too large
        mov     ecx, [CUBE_CORNER]
        mov     eax, [CUBE_X1]
        imul    eax, eax, CUBE_DISTANCE
        cdq
        idiv    edi
        add     eax, CUBE_X
        mov     [CUBE_POINTS + ecx * 8], eax
        mov     eax, [CUBE_Y1]
        imul    eax, eax, CUBE_DISTANCE
        cdq
        idiv    edi
        add     eax, CUBE_Y
        mov     [CUBE_POINTS + ecx * 8 + 4], eax
        inc     ecx
        mov     [CUBE_CORNER], ecx
        cmp     ecx, 8
        jb      .corner
        ret

; Draws the face at EBP (four corners, colour) when it looks this way. Keeps EBP.
cube_face:
        movzx   eax, byte [ebp]
        movzx   ecx, byte [ebp + 1]
        movzx   edx, byte [ebp + 2]
        mov     ebx, [CUBE_POINTS + ecx * 8]
        sub     ebx, [CUBE_POINTS + eax * 8]
        mov     esi, [CUBE_POINTS + edx * 8 + 4]
        sub     esi, [CUBE_POINTS + eax * 8 + 4]
        imul    ebx, esi
        mov     esi, [CUBE_POINTS + edx * 8]
        sub     esi, [CUBE_POINTS + eax * 8]
        mov     edi, [CUBE_POINTS + ecx * 8 + 4]
        sub     edi, [CUBE_POINTS + eax * 8 + 4]
        imul    esi, edi
        cmp     ebx, esi
        jl      .visible
        ret
.visible:
        mov     al, [ebp + 4]
        mov     [CUBE_COLOUR], al
        mov     edi, CUBE_LEFT
        mov     eax, 1000
        mov     ecx, 64
        rep     stosd
        mov     eax, -1
        mov     ecx, 64
        rep     stosd
        xor     ecx, ecx
.edge:  call    cube_edge_ends
        call    cube_edge
        inc     ecx
        cmp     ecx, 4
        jb      .edge
        ; Rows.
        xor     edx, edx
.row:   mov     ecx, [CUBE_RIGHT + edx * 4]
        mov     eax, [CUBE_LEFT + edx * 4]
        sub     ecx, eax
        js      .next
        inc     ecx
        mov     edi, edx
        imul    edi, [PITCH]
        add     edi, [PIXELS]
        add     edi, eax
        mov     al, [CUBE_COLOUR]
        rep     stosb
.next:  inc     edx
        cmp     edx, 64
        jb      .row
        ; Outline.
        xor     ecx, ecx
.line:  push    ecx
        call    cube_edge_ends
        mov     ecx, eax
        mov     al, NIGHT
        call    line
        pop     ecx
        inc     ecx
        cmp     ecx, 4
        jb      .line
        ret

; Edge CL (0..3) of the face at EBP: gives EBX, EAX (x, y of one end) and ESI, EDI (of the other). Keeps ECX.
cube_edge_ends:
        movzx   edx, byte [ebp + ecx]
        mov     ebx, [CUBE_POINTS + edx * 8]
        mov     eax, [CUBE_POINTS + edx * 8 + 4]
        lea     edx, [ecx + 1]
        and     edx, 3
        movzx   edx, byte [ebp + edx]
        mov     esi, [CUBE_POINTS + edx * 8]
        mov     edi, [CUBE_POINTS + edx * 8 + 4]
        ret

; Walks the edge EBX, EAX - ESI, EDI row by row and widens the face's rows. Keeps ECX, EBP.
cube_edge:
        push    ecx
        push    ebp
        cmp     eax, edi
        jle     .down
        xchg    eax, edi
        xchg    ebx, esi
.down:  cmp     edi, 63                 ; the window keeps the cube inside; a wrong number must not leave it
        ja      .done
        cmp     eax, 63
        ja      .done
        mov     ebp, eax                ; row
        mov     ecx, edi
        sub     ecx, eax                ; rows
        jz      .level
        mov     eax, esi
        sub     eax, ebx
        shl     eax, 16
        cdq
        idiv    ecx                     ; step
        shl     ebx, 16
        add     ebx, 0x8000
.row:   mov     edx, ebx
        sar     edx, 16
        call    .widen
        add     ebx, eax
        inc     ebp
        cmp     ebp, edi
        jle     .row
        jmp     .done
.level: mov     edx, ebx
        call    .widen
        mov     edx, esi
        call    .widen
.done:  pop     ebp
        pop     ecx
        ret
.widen: cmp     edx, [CUBE_LEFT + ebp * 4]
        jge     .left
        mov     [CUBE_LEFT + ebp * 4], edx
.left:  cmp     edx, [CUBE_RIGHT + ebp * 4]
        jle     .right
        mov     [CUBE_RIGHT + ebp * 4], edx
.right: ret

cube_faces:
        db      4, 5, 7, 6, RED
        db      0, 2, 3, 1, YELLOW
        db      1, 3, 7, 5, GREEN
        db      0, 4, 6, 2, SKY
        db      2, 6, 7, 3, ORANGE
        db      0, 1, 5, 4, VIOLET
cube_faces_end:
cube_stars:
        db      5, 8, GREY, 14, 40, GREY_DARK, 77, 12, WHITE, 70, 50, GREY_DARK, 60, 5, GREY_DARK, 9, 56, GREY
        db      22, 18, GREY_DARK, 80, 33, GREY, 34, 60, GREY_DARK, 47, 3, GREY, 75, 60, GREY_DARK, 3, 28, GREY_DARK
        db      0
cube_window:    dd 146, 5, 84, 64, cube_title USER
cube_title:     db "Cube", 0
