; Who runs next. Ready processes take turns, each for a slice of TIME_SLICE ticks; the kernel itself is never preempted,
; so its data needs no locks: only what interrupt handlers share is used with interrupts off.

        section .text
; Gives the processor to the next ready process, or keeps it if there is no other; to the idle task if there is none.
; Interrupts are off, before and after. Returns when the caller's process is chosen again.
schedule:
        push    ebp
        push    ebx
        push    esi
        push    edi
        push    fs                      ; the kernel has no use for them, so they are only saved here
        push    gs
        mov     byte [need_schedule], 0
        mov     dword [slice_left], TIME_SLICE
        mov     esi, [current]
%ifdef CONTAINERS
        call    container_next          ; containers take turns, and in each its processes
        jmp     .found
%else
        mov     ebx, esi
        mov     ecx, MAX_PROCESSES
%endif
.next:  add     ebx, PROCESS_SIZE       ; round robin: begin behind the one that has had its turn
        cmp     ebx, processes_end
        jb      .slot
        mov     ebx, processes + PROCESS_SIZE   ; the idle task does not compete
.slot:  cmp     dword [ebx + PROCESS_STATE], STATE_READY
        je      .found
        dec     ecx
        jnz     .next
        mov     ebx, processes
.found: cmp     ebx, esi
        je      .stay
        mov     [esi + PROCESS_ESP], esp
%ifdef CONTAINERS
        call    container_switched
%endif
        mov     [current], ebx
        call    switch_hardware         ; kernel stack for traps, address space
        mov     esp, [ebx + PROCESS_ESP]        ; from here on this is another process
.stay:  pop     gs
        pop     fs
        pop     edi
        pop     esi
        pop     ebx
        pop     ebp
        ret

; Puts the current process to sleep in state EAX until somebody calls `wake`. Interrupts are off, before and after.
sleep_in_state:
        mov     ecx, [current]
        mov     [ecx + PROCESS_STATE], eax
        jmp     schedule

; EBX = process that can go on. Interrupts are off.
wake:   mov     dword [ebx + PROCESS_STATE], STATE_READY
        mov     byte [need_schedule], 1
        ret

; Wakes every process in state EAX. Interrupts are off.
wake_all:
        push    ebx
        mov     ebx, processes + PROCESS_SIZE
.next:  cmp     [ebx + PROCESS_STATE], eax
        jne     .other
        call    wake
.other: add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .next
        pop     ebx
        ret

; Time has passed: EAX ticks of 10 ms. Called from the timer interrupt, interrupts off.
clock_advance:
        push    ebx
        add     [ticks], eax
        mov     ebx, [current]
        add     [ebx + PROCESS_TICKS], eax
        sub     [slice_left], eax
        jg      .sleepers
        mov     byte [need_schedule], 1
.sleepers:
        mov     ecx, [ticks]
        mov     ebx, processes + PROCESS_SIZE
.next:  cmp     dword [ebx + PROCESS_STATE], STATE_SLEEPING
        jne     .other
        mov     eax, ecx
        sub     eax, [ebx + PROCESS_WAKE_TICK]
        js      .other                  ; the difference tells, even when the counter has wrapped
        call    wake
.other: add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .next
        pop     ebx
        ret

; EAX = ticks until the first sleeping process wakes, or carry when none sleeps.
next_sleeper:
        mov     edx, -1
        mov     ecx, processes + PROCESS_SIZE
.next:  cmp     dword [ecx + PROCESS_STATE], STATE_SLEEPING
        jne     .other
        mov     eax, [ecx + PROCESS_WAKE_TICK]
        sub     eax, [ticks]
        cmp     eax, edx
        jae     .other
        mov     edx, eax
.other: add     ecx, PROCESS_SIZE
        cmp     ecx, processes_end
        jb      .next
        mov     eax, edx
        cmp     edx, -1
        je      .nobody
        clc
        ret
.nobody:
        stc
        ret

sys_sched_yield:
        mov     byte [need_schedule], 1
        xor     eax, eax
        ret

; nanosleep(address of {seconds, nanoseconds})
sys_nanosleep:
        push    esi
        push    edi
        sub     esp, 8
        mov     esi, [ebp + FRAME_EBX]
        mov     edi, esp
        mov     ecx, 8
        call    copy_from_user
        test    eax, eax
        jnz     .done
        mov     eax, -EINVAL
        mov     ecx, [esp]
        cmp     ecx, 20000000           ; more would not fit into the tick counter
        ja      .done
        cmp     dword [esp + 4], 1000000000
        jae     .done
        mov     eax, [esp + 4]
        add     eax, 9999999            ; a part of a tick counts as a tick
        xor     edx, edx
        mov     esi, 10000000
        div     esi
        imul    ecx, ecx, TICKS_PER_SECOND
        add     eax, ecx
        jz      .done                   ; no time at all
        interrupts_off
        push    eax
        clock_update
        pop     eax
        inc     eax                     ; the current tick has begun already
        add     eax, [ticks]
        mov     ecx, [current]
        mov     [ecx + PROCESS_WAKE_TICK], eax
        mov     eax, STATE_SLEEPING
        call    sleep_in_state
        interrupts_on
        xor     eax, eax
.done:  add     esp, 8
        pop     edi
        pop     esi
        ret

        section .data
        align   4
current:        dd processes            ; the process whose turn it is
slice_left:     dd TIME_SLICE
ticks:          dd 0                    ; since boot, 100 a second
need_schedule:  db 0                    ; asked for: another process shall run on the next return to user mode
