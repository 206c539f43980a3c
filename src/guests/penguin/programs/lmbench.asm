; lmbench: what McVoy and Staelin's lmbench asks of a kernel, as far as this one has it: the null call, fork, exec, a
; context switch, mapping memory and giving it back, and the first touch of a page. Cycles of one, on a line each.
; The Xen paper of 2003 answers the same questions in its tables 3 to 5.

%define program lmbench_program
LMBENCH_PAGES equ 64
lmbench_program:
        cmp     dword [esp], 2          ; with an argument it is its own child after exec: it has nothing to do
        jae     .exit

        mov     ebp, 1000
        call    .start
.call:  system_call SYS_getpid
        dec     edi
        jnz     .call
        mov     esi, here(.null_call)
        call    .stop

        mov     ebp, 20
        call    .start
.fork:  system_call SYS_fork
        test    eax, eax
        jz      .exit
        call    .wait_for
        dec     edi
        jnz     .fork
        mov     esi, here(.fork_name)
        call    .stop

        mov     ebp, 20
        call    .start
.exec:  system_call SYS_fork
        test    eax, eax
        jz      .become
        call    .wait_for
        dec     edi
        jnz     .exec
        mov     esi, here(.exec_name)
        call    .stop

; Two processes that do nothing but let the other one run: two switches for each round.
        system_call SYS_fork
        test    eax, eax
        jz      .other
        push    eax
        mov     ebp, 400
        call    .start
        shr     edi, 1
.yield: system_call SYS_sched_yield
        dec     edi
        jnz     .yield
        mov     esi, here(.switch_name)
        call    .stop
        pop     eax
        call    .wait_for

; Room for 64 pages, a touch of each, and all of it given back.
        xor     ebx, ebx
        system_call SYS_brk
        mov     [here(.heap)], eax
        mov     ebp, 10
        call    .start
.map:   call    .grow
        call    .touch
        mov     ebx, [here(.heap)]
        system_call SYS_brk
        dec     edi
        jnz     .map
        mov     esi, here(.map_name)
        call    .stop

        call    .grow
        mov     ebp, LMBENCH_PAGES
        call    .start
        call    .touch
        mov     esi, here(.fault_name)
        call    .stop

.exit:  mov     ebx, 0
        system_call SYS_exit
.become:
        mov     ebx, here(.path)
        mov     ecx, here(.arguments)
        xor     edx, edx
        system_call SYS_execve
        jmp     .exit
.other: mov     edi, 220
.pass:  system_call SYS_sched_yield
        dec     edi
        jnz     .pass
        jmp     .exit

; EBP = how often; EDI counts down. The time is now.
.start: mov     edi, ebp
        rdtsc
        mov     [here(.since)], eax
        mov     [here(.since) + 4], edx
        ret
; ESI = what was measured: prints it, and the cycles since `.start` divided among EBP.
.stop:  rdtsc
        sub     eax, [here(.since)]
        sbb     edx, [here(.since) + 4]
        div     ebp
        call    .print
        call    .print_number
        jmp     .print_newline
; EAX = child.
.wait_for:
        mov     ebx, eax
        xor     ecx, ecx
        xor     edx, edx
        system_call SYS_waitpid
        ret
.grow:  mov     ebx, [here(.heap)]
        add     ebx, LMBENCH_PAGES * PAGE_SIZE
        system_call SYS_brk
        ret
.touch: mov     edx, [here(.heap)]
        mov     ecx, LMBENCH_PAGES
.page:  mov     byte [edx], 1
        add     edx, PAGE_SIZE
        loop    .page
        ret

.path:  db      "/bin/lmbench", 0
.argument:
        db      "child", 0
.null_call:     db "null-call ", 0
.fork_name:     db "fork ", 0
.exec_name:     db "exec ", 0
.switch_name:   db "context-switch ", 0
.map_name:      db "mmap ", 0
.fault_name:    db "page-fault ", 0
        align   4, db 0
.arguments:
        dd      here(.path), here(.argument), 0
.since: dd      0, 0
.heap:  dd      0
%include "penguin/programs/library.asm"
lmbench_program_end:
