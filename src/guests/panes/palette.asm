; The palette: 64 colours of six bits a channel. The next 64 are the same colours in shadow, made when it is loaded.

palette:
        db       0,  0,  0             ; 0 black
        db       7,  7, 11             ; 1 ink
        db      10, 12, 17             ; 2 outline
        db      22, 24, 30             ; 3 dark grey
        db      38, 40, 44             ; 4 grey
        db      50, 50, 53             ; 5 light grey
        db      57, 56, 54             ; 6 face
        db      62, 61, 59             ; 7 paper
        db      63, 63, 63             ; 8 white
        db      54, 18, 16             ; 9 red
        db      59, 37, 14             ; 10 orange
        db      61, 51, 17             ; 11 yellow
        db      20, 43, 22             ; 12 green
        db      12, 40, 38             ; 13 teal
        db      19, 38, 57             ; 14 sky
        db      13, 22, 48             ; 15 blue
        db      30, 21, 49             ; 16 violet
        db      57, 34, 43             ; 17 pink
        db       9, 14, 38             ; 18 title bar in front
        db      11, 18, 41
        db      13, 21, 44
        db      15, 25, 46
        db      17, 28, 49
        db      19, 31, 52
        db      21, 35, 55
        db      22, 38, 58
        db      29, 32, 38             ; 26 title bar behind
        db      33, 36, 42
        db      38, 40, 45
        db      42, 44, 48
        db      12, 27, 49             ; 30 sky, from above to the horizon
        db      15, 30, 50
        db      18, 33, 51
        db      21, 35, 52
        db      23, 38, 54
        db      26, 41, 55
        db      29, 43, 56
        db      32, 45, 57
        db      35, 48, 58
        db      42, 52, 59
        db      49, 56, 59
        db      56, 60, 59
        db      33, 48, 26             ; 42 far hill, from the light
        db      30, 46, 24
        db      27, 43, 22
        db      23, 41, 21
        db      25, 44, 19             ; 46 near hill
        db      21, 40, 18
        db      16, 37, 17
        db      12, 33, 16
        db       3,  5,  9             ; 50 night
        db       7, 13, 17             ; 51 grid
        db      23, 57, 38             ; 52 glow
        db      60, 45, 19             ; 53 amber
        db       8, 23, 34             ; 54 depth
        db      18, 35, 43
        db      29, 46, 52
        db      39, 57, 61
        db      60, 62, 62             ; 58 cloud
        db      52, 57, 60             ; 59 cloud below
        db       0,  0,  0
        db       0,  0,  0
        db       0,  0,  0
        db       0,  0,  0

; Loads the DAC: the colours, then the colours in shadow (9/16 as bright).
palette_load:
        mov     dx, 0x3C8
        xor     al, al
        out     dx, al
        inc     edx
        mov     esi, palette
        mov     ecx, 64 * 3
.light: lodsb
        out     dx, al
        loop    .light
        mov     esi, palette
        mov     ecx, 64 * 3
.shadow:
        lodsb
        mov     ah, 9
        mul     ah
        shr     eax, 4
        and     al, 63
        out     dx, al
        loop    .shadow
        ret
