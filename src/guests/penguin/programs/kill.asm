; kill PID: ends a process.

%define program kill_program
kill_program:
        mov     eax, 0
        call    .argument_or_default
        mov     ebx, eax
        mov     ecx, SIGTERM
        system_call SYS_kill
        test    eax, eax
        jz      .exit
        mov     esi, here(.none)
        call    .print
.exit:  mov     ebx, 0
        system_call SYS_exit
.none:  db      "kill: no such process, or not yours to end", 10, 0
%include "penguin/programs/library.asm"
kill_program_end:
