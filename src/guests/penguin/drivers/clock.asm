; Xen's clock. Time is never counted but read: the shared page gives nanoseconds since Xen's boot at a recent moment, and how
; to convert the cycles since then; a timer sends an event when we want one, so that nobody has to be woken for ticks that
; change nothing. The paravirtualized build has no other clock; the native one uses it when it finds Xen beneath it, and
; Xen says that it may. Xen public headers: xen.h, vcpu_time_info.

TICK_NANOSECONDS    equ 10000000

        section .text
; The timer event.
timer_event:
        call    clock_elapsed
        jmp     clock_advance

; From now on time is counted.
clock_begin:
        call    system_time
        mov     [ticks_until], eax
        mov     [ticks_until + 4], edx
        ret

; EAX = whole ticks since it was last asked; they count as served.
clock_elapsed:
        call    system_time
        sub     eax, [ticks_until]
        sbb     edx, [ticks_until + 4]
        jc      .none
        mov     ecx, TICK_NANOSECONDS
        div     ecx                     ; EDX is 0 or little: nobody sleeps for a year
        mov     ecx, eax
        mov     edx, TICK_NANOSECONDS
        mul     edx
        add     [ticks_until], eax
        adc     [ticks_until + 4], edx
        mov     eax, ecx
        ret
.none:  xor     eax, eax
        ret

; EDX:EAX = nanoseconds since boot. Xen makes the version odd while it writes; then, or if it has changed, read again.
system_time:
        push    ebx
        push    esi
        push    edi
.again: mov     esi, [shared_info + VCPU_TIME_VERSION]
        test    esi, 1
        jnz     .again
        rdtsc
        sub     eax, [shared_info + VCPU_TIME_TSC]
        sbb     edx, [shared_info + VCPU_TIME_TSC + 4]
        mov     cl, [shared_info + VCPU_TIME_SHIFT]
        test    cl, cl
        js      .right
        shld    edx, eax, cl
        shl     eax, cl
        jmp     .scale
.right: neg     cl
        shrd    eax, edx, cl
        shr     edx, cl
.scale: mov     ebx, edx                ; (EBX:EAX * factor) >> 32
        mul     dword [shared_info + VCPU_TIME_MUL]
        mov     edi, edx
        mov     eax, ebx
        mul     dword [shared_info + VCPU_TIME_MUL]
        add     eax, edi
        adc     edx, 0
        add     eax, [shared_info + VCPU_TIME_SYSTEM]
        adc     edx, [shared_info + VCPU_TIME_SYSTEM + 4]
        cmp     esi, [shared_info + VCPU_TIME_VERSION]
        jne     .again
        pop     edi
        pop     esi
        pop     ebx
        ret

; Sets the timer for the first sleeper's time, or off when nobody sleeps.
clock_set_timer:
        push    ebx
        call    next_sleeper            ; EAX = ticks until then, carry: nobody sleeps
        mov     ebx, 0
        mov     ecx, 0                  ; 0: no timer
        jc      .set
        mov     edx, TICK_NANOSECONDS
        mul     edx
        add     eax, [ticks_until]
        adc     edx, [ticks_until + 4]
        mov     ebx, eax
        mov     ecx, edx
.set:   hypercall HYPERVISOR_set_timer_op
        pop     ebx
        ret

        section .data
        align   4
timer_port:     dd -1                   ; no port yet

        section .bss
ticks_until:    resd 2                  ; nanoseconds since boot that have been counted as ticks
