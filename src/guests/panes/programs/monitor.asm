; The system monitor: how busy the processor was in the last half second, as a history, and what happened a second.

MONITOR_COLUMNS equ     60
MONITOR_OLD     equ     VARIABLES       ; ten words: the counters last time
MONITOR_NEW     equ     VARIABLES + 40
MONITOR_BUSY    equ     VARIABLES + 80  ; thousandths
MONITOR_TICKS   equ     VARIABLES + 84
MONITOR_HISTORY equ     VARIABLES + 96  ; thousandths, sixteen bits each, oldest first
; Places in the counters.
COUNT_TICKS     equ     0
COUNT_SWITCHES  equ     4
COUNT_INTERRUPTS equ    8
COUNT_CALLS     equ     12
COUNT_FAULTS    equ     16
COUNT_FREE      equ     20
COUNT_IDLE      equ     24              ; 64 bits
COUNT_CYCLES    equ     32              ; 64 bits

GRAPH_TOP       equ     2
GRAPH_HEIGHT    equ     24

monitor_main:
        mov     ebx, monitor_window USER
        call    open_window
        mov     ebx, MONITOR_OLD
        sys     SYS_STATISTICS
.again: mov     ebx, 50
        sys     SYS_SLEEP
        mov     ebx, MONITOR_NEW
        sys     SYS_STATISTICS
        call    monitor_busy
        call    monitor_draw
        mov     esi, MONITOR_NEW
        mov     edi, MONITOR_OLD
        mov     ecx, 10
        rep     movsd
        jmp     .again

; Gives EAX = the difference of the 64-bit counters at offset ESI, in units of 4096 cycles.
monitor_difference:
        mov     eax, [MONITOR_NEW + esi]
        mov     edx, [MONITOR_NEW + esi + 4]
        sub     eax, [MONITOR_OLD + esi]
        sbb     edx, [MONITOR_OLD + esi + 4]
        shrd    eax, edx, 12
        ret

; Thousandths of the cycles that were not idle, into the history.
monitor_busy:
        mov     esi, COUNT_CYCLES
        call    monitor_difference
        mov     ecx, eax
        mov     esi, COUNT_IDLE
        call    monitor_difference
        test    ecx, ecx
        jz      .none
        mov     ebx, ecx
        sub     ebx, eax
        jns     .work
        xor     ebx, ebx
.work:  mov     eax, ebx
        mov     edx, 1000
        mul     edx
        div     ecx
        cmp     eax, 1000
        jbe     .store
        mov     eax, 1000
.store: mov     [MONITOR_BUSY], eax
.none:  mov     esi, MONITOR_HISTORY + 2
        mov     edi, MONITOR_HISTORY
        mov     ecx, MONITOR_COLUMNS - 1
        rep     movsw
        mov     eax, [MONITOR_BUSY]
        mov     [MONITOR_HISTORY + 2 * (MONITOR_COLUMNS - 1)], ax
        mov     eax, [MONITOR_NEW + COUNT_TICKS]
        sub     eax, [MONITOR_OLD + COUNT_TICKS]
        jnz     .ticks
        inc     eax
.ticks: mov     [MONITOR_TICKS], eax
        ret

monitor_draw:
        mov     edi, PAPER
        call    fill_all
        mov     ebx, 2
        mov     ecx, GRAPH_TOP
        mov     edx, 2 * MONITOR_COLUMNS
        mov     esi, GRAPH_HEIGHT
        mov     edi, NIGHT
        sys     SYS_FILL
        mov     edi, NIGHT_GRID
        mov     esi, 1
        add     ecx, GRAPH_HEIGHT / 4 - 1
        call    .grid
        add     ecx, GRAPH_HEIGHT / 4
        call    .grid
        add     ecx, GRAPH_HEIGHT / 4
        call    .grid
        ; A column of two pixels for each half second; square roots would flatter, so height is as it is, but never 0.
        xor     ebp, ebp
.column:
        movzx   eax, word [MONITOR_HISTORY + ebp * 2]
        test    eax, eax
        jz      .next
        imul    eax, eax, GRAPH_HEIGHT - 2
        add     eax, 999
        xor     edx, edx
        mov     ecx, 1000
        div     ecx
        mov     esi, eax
        lea     ebx, [ebp + ebp + 2]
        mov     ecx, GRAPH_TOP + GRAPH_HEIGHT
        sub     ecx, esi
        mov     edx, 2
        mov     edi, GLOW
        sys     SYS_FILL
.next:  inc     ebp
        cmp     ebp, MONITOR_COLUMNS
        jb      .column
        ; busy, over the graph
        mov     eax, [MONITOR_BUSY]
        xor     edx, edx
        mov     ecx, 10
        div     ecx
        push    edx
        mov     ebx, 106
        mov     ecx, GRAPH_TOP + 2
        mov     esi, AMBER
        call    number_right
        mov     edx, monitor_point USER
        sys     SYS_TEXT
        pop     eax
        mov     ebx, 113
        call    number_right
        mov     edx, monitor_percent USER
        sys     SYS_TEXT

        mov     ecx, 30
        mov     edx, monitor_idle USER
        call    .label
        mov     eax, 1000
        sub     eax, [MONITOR_BUSY]
        mov     edi, GREEN
        call    .bar
        mov     eax, 1000
        sub     eax, [MONITOR_BUSY]
        xor     edx, edx
        mov     ebx, 10
        div     ebx
        mov     ebx, 111
        mov     esi, INK
        call    number_right
        mov     edx, monitor_percent USER
        sys     SYS_TEXT

        mov     ecx, 39
        mov     edx, monitor_switches USER
        mov     esi, COUNT_SWITCHES
        mov     edi, BLUE
        call    .rate
        mov     edx, monitor_calls USER
        mov     esi, COUNT_CALLS
        mov     edi, VIOLET
        call    .rate
        mov     edx, monitor_interrupts USER
        mov     esi, COUNT_INTERRUPTS
        mov     edi, ORANGE
        call    .rate
        jmp     present_all

.grid:  mov     ebx, 2
        mov     edx, 2 * MONITOR_COLUMNS
        sys     SYS_FILL
        ret

; Text EDX at the left of line ECX. Keeps all but EAX.
.label: push    esi
        mov     ebx, 3
        mov     esi, INK
        sys     SYS_TEXT
        pop     esi
        ret

; EAX thousandths as a bar in colour EDI on line ECX. Keeps ECX.
.bar:   push    ecx
        push    edi
        push    eax
        mov     ebx, 54
        inc     ecx
        mov     edx, 32
        mov     esi, 5
        mov     edi, GREY_LIGHT
        sys     SYS_FILL
        pop     eax
        pop     edi
        shl     eax, 5
        xor     edx, edx
        mov     ebx, 1000
        div     ebx
        cmp     eax, 32
        jbe     .inside
        mov     eax, 32
.inside:
        mov     edx, eax
        mov     ebx, 54
        sys     SYS_FILL
        pop     ecx
        ret

; One counter a second: label EDX, offset ESI, colour EDI, line ECX. The bar is full at 500 a second. ECX moves down.
.rate:  call    .label
        mov     eax, [MONITOR_NEW + esi]
        sub     eax, [MONITOR_OLD + esi]
        mov     edx, 100
        mul     edx
        div     dword [MONITOR_TICKS]
        push    eax
        add     eax, eax
        cmp     eax, 1000
        jbe     .full
        mov     eax, 1000
.full:  call    .bar
        pop     eax
        mov     ebx, 111
        mov     esi, INK
        call    number_right
        mov     edx, monitor_second USER
        sys     SYS_TEXT
        add     ecx, 9
        ret

monitor_window: dd 5, 103, 124, 66, monitor_title USER
monitor_title:  db "Monitor", 0
monitor_idle:   db "Idle", 0
monitor_switches: db "Switches", 0
monitor_calls:  db "Calls", 0
monitor_interrupts: db "Interrupts", 0
monitor_percent: db "%", 0
monitor_point:  db ".", 0
monitor_second: db "/s", 0
