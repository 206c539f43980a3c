; build N: compiles N units, as make does: a process for each, which becomes the compiler, reads its sources, works on
; memory of its own, and ends. Most of the time is ring 3's; the rest is what a kernel is asked for meanwhile: on the bare
; machine about a fourteenth, as in the kernel builds of the Xen paper (SOSP 2003).

%define program build_program
BUILD_READS  equ 12             ; sources and headers of a unit
BUILD_PAGES  equ 12             ; of tokens
BUILD_PASSES equ 17             ; over them
build_program:
        cmp     dword [esp], 3
        jae     .unit
        mov     eax, 4
        call    .argument_or_default
        test    eax, eax
        jz      .exit
        mov     ebp, eax
        mov     edi, eax
        rdtsc
        push    edx
        push    eax
.next:  system_call SYS_fork
        test    eax, eax
        jz      .compile
        js      .exit
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

.compile:
        mov     ebx, here(.path)
        mov     ecx, here(.arguments)
        xor     edx, edx
        system_call SYS_execve
        mov     ebx, 1
        system_call SYS_exit

; The compiler. Memory for the tokens first, then its sources into the first page of it.
.unit:  xor     ebx, ebx
        system_call SYS_brk
        mov     ebp, eax
        lea     ebx, [eax + BUILD_PAGES * PAGE_SIZE]
        system_call SYS_brk
        mov     edi, BUILD_READS
.read:  mov     ebx, here(.source)
        xor     ecx, ecx
        system_call SYS_open
        mov     ebx, eax
        mov     ecx, ebp
        mov     edx, 256
        system_call SYS_read
        system_call SYS_close
        dec     edi
        jnz     .read
; Passes: each word is hashed together with the ones before it, and the hash is its symbol.
        mov     edx, BUILD_PASSES
        mov     ebx, 0x811C9DC5
.pass:  mov     esi, ebp
        mov     ecx, BUILD_PAGES * PAGE_SIZE / 4
.word:  xor     ebx, [esi]
        imul    ebx, ebx, 0x01000193
        mov     eax, ebx
        shr     eax, 15
        add     ebx, eax
        mov     [esi], ebx
        add     esi, 4
        dec     ecx
        jnz     .word
        dec     edx
        jnz     .pass
        jmp     .exit

.path:  db      "/bin/build", 0
.source:
        db      "/etc/rings", 0
.one:   db      "unit", 0
.text:  db      " units built: ", 0
        align   4, db 0
.arguments:
        dd      here(.path), here(.one), here(.one), 0
%include "penguin/programs/library.asm"
build_program_end:
