; uptime: seconds since boot, and the idle ones among them, from /proc/uptime.

%define program uptime_program
uptime_program:
        mov     ebx, here(.file)
        xor     ecx, ecx
        system_call SYS_open
        mov     ebx, eax
        mov     ecx, here(.buffer)
        mov     edx, 63
        system_call SYS_read
        mov     esi, here(.up)
        call    .print
        mov     edi, here(.buffer)
.first: inc     edi
        cmp     byte [edi], ' '
        jne     .first
        mov     byte [edi], 0
        mov     esi, here(.buffer)
        call    .print
        mov     esi, here(.of_which)
        call    .print
        lea     esi, [edi + 1]
.second:
        inc     edi
        cmp     byte [edi], 10
        jne     .second
        mov     byte [edi], 0
        call    .print
        mov     esi, here(.idle)
        call    .print
        mov     ebx, 0
        system_call SYS_exit
.file:  db      "/proc/uptime", 0
.up:    db      "up ", 0
.of_which:
        db      " s, idle for ", 0
.idle:  db      " s of them", 10, 0
.buffer:
        times   63 db 0
        db      " ", 10                 ; where the searches end at the latest
%include "penguin/programs/library.asm"
uptime_program_end:
