; cat FILE...: the text of files.

%define program cat_program
cat_program:
        mov     ebp, esp
        mov     edi, 1                  ; number of the argument
.file:  cmp     edi, [ebp]
        jae     .end
        mov     esi, [ebp + 4 + edi * 4]
        call    .print_file
        test    eax, eax
        jns     .next
        call    .print
        mov     esi, here(.no_file)
        call    .print
.next:  inc     edi
        jmp     .file
.end:   mov     ebx, 0
        system_call SYS_exit
.no_file:
        db      ": no such file", 10, 0
%include "penguin/programs/library.asm"
cat_program_end:
