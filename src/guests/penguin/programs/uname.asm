; uname: what the system calls itself.

%define program uname_program
uname_program:
        mov     ebx, here(.record)
        system_call SYS_uname
        mov     esi, here(.record)
        mov     edi, 5
.field: call    .print
        push    esi
        mov     esi, here(.space)
        call    .print
        pop     esi
        add     esi, UTSNAME_FIELD
        dec     edi
        jnz     .field
        call    .print_newline
        mov     ebx, 0
        system_call SYS_exit
.space: db      " ", 0
.record:
        times   UTSNAME_SIZE db 0
%include "penguin/programs/library.asm"
uname_program_end:
