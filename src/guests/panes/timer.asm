; Time. Channel 0 of the 8254 interrupts a hundred times a second: sleepers, quanta, seconds. The time of day is read from
; the MC146818 at the start, counted here, and compared with the chip's seconds once a second, since ticks can be lost.

clock_initialize:
        mov     al, 0x34                ; channel 0, low and high byte, mode 2
        out     0x43, al
        mov     al, PIT_DIVISOR & 0xFF
        out     0x40, al
        mov     al, PIT_DIVISOR >> 8
        out     0x40, al
        jmp     clock_read

; Gives AL = CMOS register AL.
cmos_read:
        out     0x70, al
        in      al, 0x71
        ret

; Gives EAX = CMOS register AL, from BCD when the chip counts so.
cmos_number:
        call    cmos_read
        movzx   eax, al
        test    byte [clock_binary], 4
        jnz     .done
        mov     edx, eax
        shr     edx, 4
        and     eax, 15
        imul    edx, edx, 10
        add     eax, edx
.done:  ret

; Reads time and date, when no update is going on (bounded: one lasts two milliseconds).
clock_read:
        mov     ecx, 4000
.wait:  mov     al, 0x0A
        call    cmos_read
        test    al, 0x80
        jz      .read
        loop    .wait
.read:  mov     al, 0x0B
        call    cmos_read
        mov     [clock_binary], al
        mov     al, 0x00
        call    cmos_number
        mov     [clock_time], al
        mov     al, 0x02
        call    cmos_number
        mov     [clock_time + 1], al
        mov     al, 0x04
        call    cmos_number
        mov     [clock_time + 2], al
        mov     al, 0x07
        call    cmos_number
        mov     [clock_date], al
        mov     al, 0x08
        call    cmos_number
        mov     [clock_date + 1], al
        mov     al, 0x09
        call    cmos_number
        add     eax, 2000
        mov     [clock_date + 2], ax
        ret

timer_interrupt:
        inc     dword [ticks]
        call    serial_pump
        ; wake the sleepers
        mov     ecx, [ticks]
        mov     eax, threads + T_SIZE
.thread:
        mov     edx, [eax + T_STATE]
        cmp     edx, STATE_SLEEPING
        je      .due
        cmp     edx, STATE_WAITING
        jne     .next
        cmp     dword [eax + T_WAKE], 0
        je      .next
.due:   mov     edx, ecx
        sub     edx, [eax + T_WAKE]
        js      .next
        call    thread_ready
.next:  add     eax, T_SIZE
        cmp     eax, threads + THREADS * T_SIZE
        jb      .thread
        ; the program that runs has used a tick
        dec     dword [quantum]
        jg      .second
        mov     byte [wanted], 1
.second:
        dec     dword [until_second]
        jnz     .done
        mov     dword [until_second], TICKS_PER_SECOND
        call    clock_second
.done:  ret

; One second later. Keeps no registers.
clock_second:
        inc     byte [clock_time]
        cmp     byte [clock_time], 60
        jb      .check
        call    clock_read              ; a new minute: everything may be new
        jmp     .tell
.check: xor     al, al
        call    cmos_number
        cmp     al, [clock_time]
        je      .tell
        call    clock_read
.tell:  mov     al, [clock_time + 1]
        cmp     al, [clock_minute]
        je      .done
        mov     [clock_minute], al
        mov     eax, threads + T_SIZE
        mov     cl, EVENT_SECOND
        call    event_post
.done:  ret

; Gives EAX = ticks of the timer chip since the start (1 193 182 Hz), never going back. Interrupts are off.
counter:
        xor     al, al                  ; latch channel 0
        out     0x43, al
        in      al, 0x40
        mov     ah, al
        in      al, 0x40
        xchg    al, ah
        movzx   ecx, ax
        mov     eax, PIT_DIVISOR
        mul     dword [ticks]
        add     eax, PIT_DIVISOR
        sub     eax, ecx
        ; The chip may have begun a new period whose interrupt is still waiting.
        mov     edx, eax
        sub     edx, [counter_last]
        jns     .store
        add     eax, PIT_DIVISOR
.store: mov     [counter_last], eax
        ret

        align   4
ticks:          dd 0
until_second:   dd TICKS_PER_SECOND
counter_last:   dd 0
clock_time:     dd 0                    ; second, minute, hour
clock_date:     dd 0                    ; day, month, year (16 bits)
clock_minute:   db 255
clock_binary:   db 0
