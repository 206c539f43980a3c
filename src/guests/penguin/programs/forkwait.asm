; forkwait N: N times, makes a process that ends at once, and waits for it. Little else but address spaces is made and
; unmade here; it was the hardest test for the virtual machines of 2006 (Adams and Agesen, ASPLOS 2006).

%define program forkwait_program
forkwait_program:
        mov     eax, 100
        call    .argument_or_default
        test    eax, eax
        jz      .exit
        mov     ebp, eax
        mov     edi, eax                ; still to do
        rdtsc
        push    edx
        push    eax
.next:  system_call SYS_fork
        test    eax, eax
        jz      .exit                   ; the child
        js      .failed
        mov     ebx, eax
        xor     ecx, ecx
        xor     edx, edx
        system_call SYS_waitpid
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
.failed:
        mov     esi, here(.no)
        call    .print
        mov     ebx, 1
        system_call SYS_exit
.text:  db      " times fork and wait: ", 0
.no:    db      "fork failed", 10, 0
%include "penguin/programs/library.asm"
forkwait_program_end:
