; help: the commands.

%define program help_program
help_program:
        mov     esi, here(.file)
        call    .print_file
        mov     ebx, 0
        system_call SYS_exit
.file:  db      "/etc/help", 0
%include "penguin/programs/library.asm"
help_program_end:
