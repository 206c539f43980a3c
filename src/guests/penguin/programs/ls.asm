; ls [DIRECTORY]: its names. Each directory entry is a system call.

%define program ls_program
ls_program:
        mov     ebx, here(.root)
        cmp     dword [esp], 2
        jb      .open
        mov     ebx, [esp + 8]
.open:  mov     esi, ebx
        xor     ecx, ecx
        system_call SYS_open
        test    eax, eax
        js      .missing
        mov     edi, eax
.next:  mov     ebx, edi
        mov     ecx, here(.entry)
        system_call SYS_readdir
        cmp     eax, 0
        je      .end
        jl      .missing
        mov     esi, here(.entry) + DIRENT_NAME
        call    .print
        movzx   ecx, word [here(.entry) + DIRENT_LENGTH]
        add     [here(.column)], ecx
.pad:   mov     esi, here(.space)       ; columns of 12
        call    .print
        inc     dword [here(.column)]
        mov     eax, [here(.column)]
        xor     edx, edx
        mov     ecx, 12
        div     ecx
        test    edx, edx
        jnz     .pad
        cmp     eax, 6
        jb      .next
        call    .print_newline
        mov     dword [here(.column)], 0
        jmp     .next
.missing:
        call    .print
        mov     esi, here(.no_directory)
        call    .print
        mov     ebx, 1
        system_call SYS_exit
.end:   cmp     dword [here(.column)], 0
        je      .exit
        call    .print_newline
.exit:  mov     ebx, 0
        system_call SYS_exit
.root:  db      "/", 0
.space: db      " ", 0
.no_directory:
        db      ": no such directory", 10, 0
        align   4
.column:
        dd      0
.entry: times   DIRENT_NAME + 64 db 0
%include "penguin/programs/library.asm"
ls_program_end:
