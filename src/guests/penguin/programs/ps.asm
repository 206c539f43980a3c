; ps: the processes. The kernel tells through a file, as on Linux.

%define program ps_program
ps_program:
        mov     esi, here(.file)
        call    .print_file
        mov     ebx, 0
        system_call SYS_exit
.file:  db      "/proc/ps", 0
%include "penguin/programs/library.asm"
ps_program_end:
