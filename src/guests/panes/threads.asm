; Threads: one kernel stack each, round robin with a quantum for the programs, the desktop before them and the idle loop
; after. The kernel itself is never preempted.

; The thread that boots becomes the idle thread.
threads_initialize:
        mov     dword [threads + T_STATE], STATE_READY
        mov     dword [threads + T_STACK], KERNEL_BASE + STACKS_PHYSICAL + 4096
        mov     dword [current], threads
        rdtsc
        mov     [idle_since], eax
        mov     [idle_since + 4], edx
        ret

; Gives EBX = a free thread with an empty kernel stack, EDI = top of that stack; carry when there is none.
thread_allocate:
        mov     ebx, threads
        mov     edi, KERNEL_BASE + STACKS_PHYSICAL + 4096
.look:  cmp     dword [ebx + T_STATE], STATE_FREE
        je      .found
        add     ebx, T_SIZE
        add     edi, 4096
        cmp     ebx, threads + THREADS * T_SIZE
        jb      .look
        stc
        ret
.found: push    edi
        mov     edi, ebx
        xor     eax, eax
        mov     ecx, T_SIZE / 4
        rep     stosd
        pop     edi
        mov     [ebx + T_STACK], edi
        clc
        ret

; EAX = entry, EDX = name: starts a kernel thread. Gives EBX = thread.
thread_create:
        push    eax
        call    thread_allocate
        pop     eax
        mov     [ebx + T_NAME], edx
        sub     edi, 20
        mov     [edi + 16], eax         ; `switch` returns there, after four saved registers
        mov     [ebx + T_ESP], edi
        mov     dword [ebx + T_STATE], STATE_READY
        ret

; EAX = entry in the program pages, EDX = name: starts a process. Keeps ESI.
process_create:
        push    esi
        push    eax
        call    thread_allocate
        jc      .fail
        mov     [ebx + T_NAME], edx
        call    space_create
        jc      .fail
        sub     edi, F_SIZE
        pop     eax
        mov     dword [edi + F_ES], USER_DATA_SEL
        mov     dword [edi + F_DS], USER_DATA_SEL
        mov     [edi + F_EIP], eax
        mov     dword [edi + F_CS], USER_CODE_SEL
        mov     dword [edi + F_EFLAGS], 0x202
        mov     dword [edi + F_ESP], USER_STACK
        mov     dword [edi + F_SS], USER_DATA_SEL
        mov     dword [edi - 4], trap_return
        sub     edi, 20
        mov     [ebx + T_ESP], edi
        mov     dword [ebx + T_STATE], STATE_READY
        pop     esi
        ret
.fail:  pop     eax
        pop     esi
        ret

; After an interrupt: lets somebody else run when there is reason to.
reschedule:
        cmp     byte [wanted], 0
        je      .stay
        mov     byte [wanted], 0
        jmp     schedule
.stay:  ret

; Chooses the next thread and runs it. Returns when this thread is chosen again.
schedule:
        mov     eax, [current]
        mov     edx, threads + T_SIZE   ; the desktop first
        cmp     dword [edx + T_STATE], STATE_READY
        je      switch
        ; then the programs, beginning behind the one that ran
        mov     edx, [last_program]
        mov     ecx, THREADS - 2
.next:  add     edx, T_SIZE
        cmp     edx, threads + THREADS * T_SIZE
        jb      .look
        mov     edx, threads + 2 * T_SIZE
.look:  cmp     dword [edx + T_STATE], STATE_READY
        je      .program
        dec     ecx
        jnz     .next
        mov     edx, threads            ; then the idle thread
        jmp     switch
.program:
        mov     [last_program], edx
        mov     dword [quantum], QUANTUM

; EAX = this thread, EDX = the next one.
switch: cmp     eax, edx
        je      .same
        inc     dword [count_switches]
        push    ebx
        push    esi
        push    edi
        push    ebp
        mov     [eax + T_ESP], esp
        mov     [current], edx
        mov     ebx, edx
        mov     esi, eax
        call    idle_account
        mov     esp, [ebx + T_ESP]
        mov     eax, [ebx + T_STACK]
        mov     [task_esp0], eax
        ; A kernel thread runs in whatever address space is there.
        mov     eax, [ebx + T_CR3]
        test    eax, eax
        jz      .keep
        mov     ecx, cr3
        cmp     eax, ecx
        je      .keep
        mov     cr3, eax
.keep:  pop     ebp
        pop     edi
        pop     esi
        pop     ebx
.same:  ret

; ESI = the thread that ran, EBX = the one that will: adds up the cycles without work.
idle_account:
        cmp     esi, threads
        je      .leave
        cmp     ebx, threads
        jne     .done
        rdtsc
        mov     [idle_since], eax
        mov     [idle_since + 4], edx
.done:  ret
.leave: rdtsc
        sub     eax, [idle_since]
        sbb     edx, [idle_since + 4]
        add     [idle_cycles], eax
        adc     [idle_cycles + 4], edx
        ret

; Nothing to do: halt until an interrupt.
idle:   mov     esp, KERNEL_BASE + STACKS_PHYSICAL + 4096
        call    schedule
.wait:  sti
        hlt
        jmp     .wait

; The current thread sleeps for EBX ticks.
thread_sleep:
        mov     eax, [current]
        add     ebx, [ticks]
        jnz     .set
        inc     ebx                     ; 0 means never
.set:   mov     [eax + T_WAKE], ebx
        mov     dword [eax + T_STATE], STATE_SLEEPING
        jmp     schedule

; Waits for an event, EBX ticks at most (0 = for ever). Gives EAX = the event, or 0 when time was up.
thread_wait:
        mov     eax, [current]
        call    event_take
        jnz     .got
        test    ebx, ebx
        jz      .forever
        add     ebx, [ticks]
.forever:
        mov     [eax + T_WAKE], ebx
        mov     dword [eax + T_STATE], STATE_WAITING
        push    eax
        call    schedule
        pop     eax
        call    event_take
.got:   mov     eax, ecx
        ret

; EAX = thread. Gives ECX = its oldest event, and the zero flag when there is none.
event_take:
        xor     ecx, ecx
        mov     edx, [eax + T_HEAD]
        cmp     edx, [eax + T_TAIL]
        je      .none
        inc     dword [eax + T_HEAD]
        and     edx, 7
        movzx   ecx, byte [eax + T_QUEUE + edx]
        test    ecx, ecx
.none:  ret

; EAX = thread, CL = event. A full queue loses it. Keeps all registers.
event_post:
        push    edx
        mov     edx, [eax + T_TAIL]
        sub     edx, [eax + T_HEAD]
        cmp     edx, 8
        jae     .wake
        mov     edx, [eax + T_TAIL]
        and     edx, 7
        mov     [eax + T_QUEUE + edx], cl
        inc     dword [eax + T_TAIL]
.wake:  pop     edx
        cmp     dword [eax + T_STATE], STATE_WAITING
        jne     thread_stays

; EAX = a thread that waited: it can run. The desktop, or anybody when nobody runs, does so at once.
thread_ready:
        mov     dword [eax + T_STATE], STATE_READY
        cmp     eax, threads + T_SIZE
        je      .now
        cmp     dword [current], threads
        jne     thread_stays
.now:   mov     byte [wanted], 1
thread_stays:
        ret

; Ends the current thread. Its window and all its pages go back (its window's pixels do not: they are not reused).
thread_exit:
        mov     ebx, [current]
        mov     esi, [ebx + T_TABLE]
        test    esi, esi
        jz      stop_screen             ; a kernel thread has no end
        mov     eax, [ebx + T_WINDOW]
        test    eax, eax
        jz      .pages
        call    window_destroy
.pages: call    heap_release
        mov     eax, DIRECTORY_PHYSICAL ; off the address space that is about to go
        mov     cr3, eax
        mov     eax, [esi + ((USER_DATA - USER_CODE) >> 12) * 4]
        and     eax, 0xFFFFF000
        call    page_free
        mov     eax, [esi + ((USER_STACK - 4096 - USER_CODE) >> 12) * 4]
        and     eax, 0xFFFFF000
        call    page_free
        lea     eax, [esi - KERNEL_BASE]
        call    page_free
        mov     eax, [ebx + T_CR3]
        call    page_free
        mov     dword [ebx + T_STATE], STATE_FREE
        call    schedule
        jmp     stop_screen             ; nobody runs a free thread

        align   4
threads:        times THREADS * T_SIZE db 0
current:        dd threads
last_program:   dd threads + T_SIZE
quantum:        dd QUANTUM
wanted:         dd 0
count_switches: dd 0
idle_since:     dd 0, 0
idle_cycles:    dd 0, 0
