; Time on a PC: the 8254 interval timer interrupts 100 times a second, the CMOS clock knows the date.
; 8254 data sheet, mode 2; MC146818 data sheet, time registers and register B.

        section .text

PIT_CHANNEL_0       equ 0x40
PIT_COMMAND         equ 0x43
PIT_FREQUENCY       equ 1193182
TICKS_PER_SECOND    equ 100
PIT_LONGEST         equ 5               ; ticks that a count of 16 bits can last
CMOS_INDEX          equ 0x70
CMOS_DATA           equ 0x71

timer_initialize:
        call    timer_periodic
        call    read_calendar_clock
        mov     [boot_time], eax
        ret

; A tick every 10 ms.
timer_periodic:
        mov     al, 0x34                ; channel 0, low then high byte, mode 2, binary
        mov     ecx, PIT_FREQUENCY / TICKS_PER_SECOND
        ; fall into

; AL = command for channel 0, ECX = count.
timer_set:
        cmp     al, [timer_mode]
        je      .count                  ; a new count alone starts it again
        mov     [timer_mode], al
        out     PIT_COMMAND, al
.count:
        mov     al, cl
        out     PIT_CHANNEL_0, al
        mov     al, ch
        out     PIT_CHANNEL_0, al
        ret

timer_interrupt:
        cmp     byte [xen_time], 0
        jne     timer_event
        mov     eax, 1
        cmp     byte [hyper_v_time], 0
        je      clock_advance           ; an interrupt is a tick,
        call    reference_elapsed       ; unless a clock that never misses any says how many there were
        jmp     clock_advance

; Brings `ticks` up to date. Here every tick has been an interrupt, so it is.
%macro clock_update 0
%endmacro

; EAX = seconds since 1970 by the CMOS clock.
read_calendar_clock:
        push    ebx
        push    esi
        push    edi
.again: mov     al, 0x0A
        call    read_cmos
        test    al, 0x80                ; it is changing this very moment
        jnz     .again
        mov     al, 0x09
        call    read_calendar_field
        lea     esi, [eax + 2000]       ; ESI = year; a PC of this century
        mov     al, 0x08
        call    read_calendar_field
        mov     edi, eax                ; EDI = month
        mov     al, 0x07
        call    read_calendar_field
        lea     ebx, [eax - 1]          ; EBX = days before this one

        ; Count months from March: then the leap day is the last of the year and takes care of itself.
        sub     edi, 3
        jns     .march
        add     edi, 12
        dec     esi
.march: imul    eax, edi, 153           ; 153 days in any five months from March
        add     eax, 2
        xor     edx, edx
        mov     ecx, 5
        div     ecx
        add     ebx, eax
        imul    eax, esi, 365
        add     ebx, eax
        mov     eax, esi
        shr     eax, 2
        add     ebx, eax                ; leap years; those of 1900 and 2100 are out of reach
        sub     ebx, 719483             ; 1 January 1970 in the same reckoning

        imul    ebx, ebx, 24
        mov     al, 0x04
        call    read_calendar_field
        add     ebx, eax
        imul    ebx, ebx, 60
        mov     al, 0x02
        call    read_calendar_field
        add     ebx, eax
        imul    ebx, ebx, 60
        mov     al, 0x00
        call    read_calendar_field
        add     eax, ebx
        pop     edi
        pop     esi
        pop     ebx
        ret

; AL = CMOS register with a part of the date. EAX = its value; the clock keeps it in BCD unless register B says binary.
read_calendar_field:
        call    read_cmos
        mov     ecx, eax
        mov     al, 0x0B
        call    read_cmos
        test    al, 4
        mov     eax, ecx
        jnz     .binary
        shr     ecx, 4
        imul    ecx, ecx, 6
        sub     eax, ecx
.binary:
        ret

; AL = register. EAX = its value.
read_cmos:
        out     CMOS_INDEX, al
        in      al, CMOS_DATA
        movzx   eax, al
        ret

        section .bss
timer_mode: resb 1                      ; the command that it had last
boot_time: resd 1                       ; seconds since 1970
