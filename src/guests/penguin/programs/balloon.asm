; balloon: how much memory Xen wants us to have, and how much it has had back.

%define program balloon_program
balloon_program:
        mov     esi, here(.file)
        call    .print_file
        test    eax, eax
        jns     .exit
        mov     esi, here(.none)
        call    .print
.exit:  mov     ebx, 0
        system_call SYS_exit
.file:  db      "/proc/balloon", 0
.none:  db      "balloon: there is none", 10, 0
%include "penguin/programs/library.asm"
balloon_program_end:
