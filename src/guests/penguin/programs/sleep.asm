; sleep N: does nothing for N seconds, without using the processor.

%define program sleep_program
sleep_program:
        mov     eax, 1
        call    .argument_or_default
        mov     [here(.seconds)], eax
        mov     ebx, here(.seconds)
        xor     ecx, ecx
        system_call SYS_nanosleep
        mov     ebx, 0
        system_call SYS_exit
        align   4
.seconds:
        dd      0, 0                    ; and no nanoseconds
%include "penguin/programs/library.asm"
sleep_program_end:
