; syscalls N: asks for its own pid N times, the cheapest system call there is; prints the cycles of one.

%define program syscalls_program
syscalls_program:
        mov     eax, 1000
        call    .argument_or_default
        test    eax, eax
        jz      .exit
        mov     ebp, eax
        mov     edi, eax
        rdtsc
        push    edx
        push    eax
.next:  system_call SYS_getpid
        dec     edi
        jnz     .next
        rdtsc
        pop     ecx
        sub     eax, ecx
        pop     ecx
        sbb     edx, ecx
        push    eax
        mov     eax, ebp
        call    .print_number
        pop     eax
        mov     esi, here(.text)
        call    .print
        call    .print_cycles
.exit:  mov     ebx, 0
        system_call SYS_exit
.text:  db      " times getpid: ", 0
%include "penguin/programs/library.asm"
syscalls_program_end:
