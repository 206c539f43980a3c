; heartbeat: twenty times a second a process is made, does a little work and ends. A machine that is a few per cent busy,
; as most servers are; and something to look at on the stage. `kill` ends it.

%define program heartbeat_program
heartbeat_program:
.next:  system_call SYS_fork
        test    eax, eax
        jz      .child
        js      .pause                  ; no room just now: try again later
        mov     ebx, eax
        xor     ecx, ecx
        xor     edx, edx
        system_call SYS_waitpid
.pause: mov     ebx, here(.interval)
        xor     ecx, ecx
        system_call SYS_nanosleep
        jmp     .next
.child: mov     edi, 8
.ask:   system_call SYS_getpid
        dec     edi
        jnz     .ask
        mov     ebx, 0
        system_call SYS_exit
        align   4
.interval:
        dd      0, 50000000             ; 50 milliseconds
%include "penguin/programs/library.asm"
heartbeat_program_end:
