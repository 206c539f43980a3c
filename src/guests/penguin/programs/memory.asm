; memory: how many frames there are. memory N: asks for N KiB of heap, which costs nothing, and touches each page,
; which costs a page fault each; prints the cycles of a fault.

%define program memory_program
memory_program:
        cmp     dword [esp], 2
        jae     .touch
        mov     esi, here(.file)
        call    .print_file
        mov     ebx, 0
        system_call SYS_exit

.touch: mov     eax, 64
        call    .argument_or_default
        add     eax, 3
        shr     eax, 2
        jz      .failed
        mov     ebp, eax                ; pages
        xor     ebx, ebx
        system_call SYS_brk             ; where does the heap begin?
        mov     edi, eax
        mov     ebx, ebp
        shl     ebx, 12
        add     ebx, eax
        mov     esi, ebx                ; its new end
        system_call SYS_brk
        cmp     eax, esi
        jne     .failed
        rdtsc
        push    edx
        push    eax
.page:  mov     byte [edi], 1
        add     edi, PAGE_SIZE
        cmp     edi, esi
        jb      .page
        rdtsc
        pop     ecx
        sub     eax, ecx
        pop     ecx
        sbb     edx, ecx
        push    eax
        mov     eax, ebp
        call    .print_number
        pop     eax
        mov     esi, here(.pages)
        call    .print
        call    .print_cycles
        mov     ebx, 0
        system_call SYS_exit
.failed:
        mov     esi, here(.no)
        call    .print
        mov     ebx, 1
        system_call SYS_exit
.file:  db      "/proc/meminfo", 0
.pages: db      " pages touched: ", 0
.no:    db      "memory: cannot have that", 10, 0
%include "penguin/programs/library.asm"
memory_program_end:
