; The benchmark (key B, or a press on its window): five kinds of work, each timed by the timer chip, whose ticks are
; 838 nanoseconds. Integer work and system calls stay inside the guest; switches, page faults and the timing itself
; touch what a hypervisor must guard.

BENCH_ROWS      equ     5
BENCH_TIMES     equ     VARIABLES       ; a word a row
BENCH_ROW       equ     VARIABLES + 20
BENCH_RUNNING   equ     VARIABLES + 24
BENCH_DONE      equ     VARIABLES + 28
BENCH_LARGEST   equ     VARIABLES + 32
BENCH_TOTAL     equ     VARIABLES + 36
BENCH_SIEVE     equ     USER_DATA + 1024
SIEVE           equ     2048

benchmark_main:
        mov     ebx, benchmark_window USER
        call    open_window
.wait:  call    benchmark_draw
        call    present_all
        xor     ebx, ebx
        sys     SYS_WAIT
        cmp     eax, EVENT_RUN
        je      .run
        cmp     eax, EVENT_CLICK
        jne     .wait
.run:   mov     byte [BENCH_RUNNING], 1
        mov     dword [BENCH_TOTAL], 0
        mov     dword [BENCH_DONE], 0
        mov     edi, BENCH_TIMES
        xor     eax, eax
        mov     ecx, BENCH_ROWS
        rep     stosd
.row:   call    benchmark_draw
        call    present_all
        sys     SYS_COUNTER
        push    eax
        mov     eax, [BENCH_DONE]
        call    [benchmark_work + eax * 4 USER]
        sys     SYS_COUNTER
        pop     ebx
        sub     eax, ebx
        mov     ecx, [BENCH_DONE]
        mov     [BENCH_TIMES + ecx * 4], eax
        add     [BENCH_TOTAL], eax
        inc     dword [BENCH_DONE]
        cmp     dword [BENCH_DONE], BENCH_ROWS
        jb      .row
        mov     byte [BENCH_RUNNING], 0
        jmp     .wait

        align   4
benchmark_work:
        dd      work_integer USER, work_windows USER, work_calls USER, work_switches USER, work_faults USER

; Primes by sieve, then a checksum by multiplication: nothing but ring 3.
work_integer:
        mov     ebp, 4
.again: mov     edi, BENCH_SIEVE
        mov     al, 1
        mov     ecx, SIEVE
        rep     stosb
        mov     ebx, 2
.prime: cmp     byte [BENCH_SIEVE + ebx], 0
        je      .next
        lea     ecx, [ebx + ebx]
.strike:
        cmp     ecx, SIEVE
        jae     .next
        mov     byte [BENCH_SIEVE + ecx], 0
        add     ecx, ebx
        jmp     .strike
.next:  inc     ebx
        cmp     ebx, SIEVE
        jb      .prime
        mov     eax, 1
        xor     ecx, ecx
.sum:   movzx   edx, byte [BENCH_SIEVE + ecx]
        imul    eax, eax, 31
        add     eax, edx
        ror     eax, 3
        inc     ecx
        cmp     ecx, SIEVE
        jb      .sum
        dec     ebp
        jnz     .again
        ret

; Draws the window anew.
work_windows:
        mov     ebp, 12
.again: push    ebp
        call    benchmark_draw
        call    present_all
        pop     ebp
        dec     ebp
        jnz     .again
        ret

; The smallest system call.
work_calls:
        mov     ebp, 1000
.again: sys     SYS_SELF
        dec     ebp
        jnz     .again
        ret

; To another process and back: two switches and two address spaces each time.
work_switches:
        mov     ebp, 100
.again: mov     ebx, 'Echo'
        mov     ecx, EVENT_PING
        sys     SYS_SEND
.wait:  mov     ebx, 10
        sys     SYS_WAIT
        test    eax, eax
        jz      .stop                   ; nobody answers
        cmp     eax, EVENT_PING
        jne     .wait
        dec     ebp
        jnz     .again
.stop:  ret

; Touches pages that are not there, and gives them back.
work_faults:
        mov     ebp, 4
.again: mov     edi, USER_HEAP
.touch: mov     [edi], edi
        add     edi, 4096
        cmp     edi, USER_HEAP + 24 * 4096
        jb      .touch
        sys     SYS_RELEASE
        dec     ebp
        jnz     .again
        ret

; Its partner: answers every ping.
echo_main:
        xor     ebx, ebx
        sys     SYS_WAIT
        cmp     eax, EVENT_PING
        jne     echo_main
        mov     ebx, 'Benc'
        mov     ecx, EVENT_PING
        sys     SYS_SEND
        jmp     echo_main

benchmark_draw:
        mov     edi, PAPER
        call    fill_all
        xor     ebx, ebx
        xor     ecx, ecx
        mov     edx, [WIDTH]
        mov     esi, 13
        mov     edi, GREY_LIGHT
        sys     SYS_FILL
        mov     edx, benchmark_press USER
        cmp     byte [BENCH_RUNNING], 0
        je      .head
        mov     edx, benchmark_running USER
.head:  mov     ebx, 4
        mov     ecx, 3
        mov     esi, BLUE + 0x100
        sys     SYS_TEXT
        mov     ebx, 126
        mov     edx, benchmark_ticks USER
        mov     esi, GREY_DARK
        sys     SYS_TEXT
        ; the longest bar
        mov     dword [BENCH_LARGEST], 1
        xor     ecx, ecx
.largest:
        mov     eax, [BENCH_TIMES + ecx * 4]
        cmp     eax, [BENCH_LARGEST]
        jbe     .less
        mov     [BENCH_LARGEST], eax
.less:  inc     ecx
        cmp     ecx, BENCH_ROWS
        jb      .largest
        mov     dword [BENCH_ROW], 0
.row:   mov     ebp, [BENCH_ROW]
        imul    ecx, ebp, 9
        add     ecx, 15
        mov     ebx, 4
        mov     edx, [benchmark_names + ebp * 4 USER]
        mov     esi, INK
        sys     SYS_TEXT
        cmp     ebp, [BENCH_DONE]
        jae     .next
        mov     ebx, 146
        mov     eax, [BENCH_TIMES + ebp * 4]
        call    number_right
        mov     eax, [BENCH_TIMES + ebp * 4]
        mov     edx, 50
        mul     edx
        div     dword [BENCH_LARGEST]
        inc     eax
        mov     edx, eax
        mov     ebx, 60
        inc     ecx
        mov     esi, 5
        movzx   edi, byte [benchmark_colours + ebp USER]
        sys     SYS_FILL
.next:  inc     dword [BENCH_ROW]
        cmp     dword [BENCH_ROW], BENCH_ROWS
        jb      .row
        mov     ebx, 4
        mov     ecx, 61
        mov     edx, 142
        mov     esi, 1
        mov     edi, GREY
        sys     SYS_FILL
        mov     ecx, 64
        mov     edx, benchmark_score USER
        mov     esi, INK + 0x100
        sys     SYS_TEXT
        cmp     dword [BENCH_DONE], BENCH_ROWS
        jb      .done
        mov     eax, [BENCH_TOTAL]
        mov     ebx, 146
        mov     esi, INK
        call    number_right
.done:  ret

        align   4
benchmark_names:
        dd      benchmark_1 USER, benchmark_2 USER, benchmark_3 USER, benchmark_4 USER, benchmark_5 USER
benchmark_colours:
        db      GREEN, SKY, VIOLET, BLUE, ORANGE
benchmark_window: dd 152, 95, 152, 74, benchmark_title USER
benchmark_title: db "Benchmark", 0
benchmark_press: db "Press B", 0
benchmark_running: db "Running", 0
benchmark_ticks: db "ticks", 0
benchmark_1:    db "Integer", 0
benchmark_2:    db "Windows", 0
benchmark_3:    db "Calls", 0
benchmark_4:    db "Switches", 0
benchmark_5:    db "Page faults", 0
benchmark_score: db "Score", 0
