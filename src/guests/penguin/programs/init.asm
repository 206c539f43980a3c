; init: the first process, and the parent of those who have lost theirs. It starts a shell, and another when that ends.

%define program init_program
init_program:
        mov     esi, here(.motd)
        call    .print_file
.shell: system_call SYS_fork
        test    eax, eax
        jz      .child
        mov     esi, eax
.wait:  mov     ebx, -1                 ; any child: orphans end here too
        xor     ecx, ecx
        xor     edx, edx
        system_call SYS_waitpid
        cmp     eax, esi
        jne     .wait
        jmp     .shell
.child: mov     ebx, here(.path)
        mov     ecx, here(.arguments)
        xor     edx, edx
        system_call SYS_execve
        mov     ebx, 1
        system_call SYS_exit
.motd:  db      "/etc/motd", 0
.path:  db      "/bin/sh", 0
.arguments:
        dd      here(.path), 0
%include "penguin/programs/library.asm"
init_program_end:
