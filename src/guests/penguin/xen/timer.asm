; Time on Xen. There is no timer chip: while we run, Xen sends a timer event every 10 ms; before we sleep, we say when
; to be woken. How much time has passed is read (drivers/clock.asm).

TICKS_PER_SECOND    equ 100

        section .text
timer_initialize:
        push    ebx
        call    clock_begin
        mov     eax, [shared_info + SHARED_WC_SEC]      ; the date at boot
        mov     [boot_time], eax
        mov     ecx, VIRQ_TIMER
        call    event_bind_virtual
        mov     [timer_port], eax
        pop     ebx
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

; Sleeps until the next event: the first sleeper's time, a key. Call with events masked; they are on afterwards. Xen
; unmasks them and blocks in one step, so none can slip in between.
wait_for_interrupt:
        push    ebx
        call    clock_elapsed
        call    clock_advance
        cmp     byte [need_schedule], 0
        jne     .awake
        call    clock_set_timer
        mov     ebx, SCHEDOP_block
        xor     ecx, ecx
        hypercall HYPERVISOR_sched_op
        jmp     .done
.awake: interrupts_on
.done:  pop     ebx
        ret

        section .bss
boot_time:      resd 1                  ; seconds since 1970
