; echo TEXT...: its arguments, with a space between.

%define program echo_program
echo_program:
        mov     ebp, esp
        mov     edi, 1
.next:  cmp     edi, [ebp]
        jae     .end
        mov     esi, [ebp + 4 + edi * 4]
        call    .print
        mov     esi, here(.space)
        call    .print
        inc     edi
        jmp     .next
.end:   call    .print_newline
        mov     ebx, 0
        system_call SYS_exit
.space: db      " ", 0
%include "penguin/programs/library.asm"
echo_program_end:
