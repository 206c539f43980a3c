; primes N: counts the primes up to N by trial division. Only ring 3 works here: no system call, no fault.

%define program primes_program
primes_program:
        mov     eax, 1000
        call    .argument_or_default
        mov     ebp, eax
        rdtsc
        push    edx
        push    eax
        xor     edi, edi                ; primes found
        xor     esi, esi                ; the largest
        mov     ebx, 2
.candidate:
        cmp     ebx, ebp
        ja      .counted
        mov     ecx, 2
.divide:
        mov     eax, ecx
        mul     ecx
        cmp     eax, ebx
        ja      .prime                  ; no divisor up to the square root
        mov     eax, ebx
        xor     edx, edx
        div     ecx
        test    edx, edx
        jz      .composite
        inc     ecx
        jmp     .divide
.prime: inc     edi
        mov     esi, ebx
.composite:
        inc     ebx
        jmp     .candidate
.counted:
        rdtsc
        pop     ecx
        sub     eax, ecx
        pop     ecx
        sbb     edx, ecx
        push    edx
        push    eax
        mov     ebx, esi
        mov     eax, edi
        call    .print_number
        mov     esi, here(.up_to)
        call    .print
        mov     eax, ebp
        call    .print_number
        mov     esi, here(.largest)
        call    .print
        mov     eax, ebx
        call    .print_number
        mov     esi, here(.comma)
        call    .print
        pop     eax
        pop     edx
        call    .print_number64
        mov     esi, here(.cycles)
        call    .print
        mov     ebx, 0
        system_call SYS_exit
.up_to: db      " primes up to ", 0
.largest:
        db      ", the largest ", 0
.comma: db      ": ", 0
.cycles:
        db      " cycles", 10, 0
%include "penguin/programs/library.asm"
primes_program_end:
