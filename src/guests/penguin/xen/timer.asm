; Time on Xen. There is no timer chip: while we run, Xen sends a timer event every 10 ms; before we sleep, we say when
; to be woken. How much time has passed is never counted but read: the shared page gives nanoseconds since boot at a
; recent moment, and how to convert the cycles since then. Xen public headers: xen.h, vcpu_time_info.

TICKS_PER_SECOND    equ 100
TICK_NANOSECONDS    equ 10000000

        section .text
timer_initialize:
        push    ebx
        call    system_time
        mov     [ticks_until], eax
        mov     [ticks_until + 4], edx
        mov     eax, [shared_info + SHARED_WC_SEC]      ; the date at boot
        mov     [boot_time], eax
        mov     ecx, VIRQ_TIMER
        call    event_bind_virtual
        mov     [timer_port], eax
        pop     ebx
        ret

; The timer event.
timer_event:
        call    clock_elapsed
        jmp     clock_advance

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

; Brings `ticks` up to date: while we were idle nobody sent ticks. For process context, with interrupts on or off.
%macro clock_update 0
        call    clock_catch_up
%endmacro
clock_catch_up:
        push    dword [UPCALL_MASK - 1] ; the mask, in the second byte
        interrupts_off
        call    clock_elapsed
        call    clock_advance
        pop     eax
        test    ah, ah
        jnz     .masked
        interrupts_on
.masked:
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

; Sleeps until the next event: the first sleeper's time, a key. Call with events masked; they are on afterwards. Xen
; unmasks them and blocks in one step, so none can slip in between.
wait_for_interrupt:
        push    ebx
        push    esi
        call    clock_elapsed
        call    clock_advance
        cmp     byte [need_schedule], 0
        jne     .awake
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
        mov     ebx, SCHEDOP_block
        xor     ecx, ecx
        hypercall HYPERVISOR_sched_op
        jmp     .done
.awake: interrupts_on
.done:  pop     esi
        pop     ebx
        ret

        section .data
        align   4
timer_port:     dd -1                   ; no port yet

        section .bss
boot_time:      resd 1                  ; seconds since 1970
ticks_until:    resd 2                  ; nanoseconds since boot that have been counted as ticks
