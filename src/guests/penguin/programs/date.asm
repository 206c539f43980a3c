; date: seconds since 1 January 1970, as the system counts them.

%define program date_program
date_program:
        xor     ebx, ebx
        system_call SYS_time
        call    .print_number
        mov     esi, here(.text)
        call    .print
        mov     ebx, 0
        system_call SYS_exit
.text:  db      " seconds since 1970", 10, 0
%include "penguin/programs/library.asm"
date_program_end:
