; A kernel at ring 1 that counts timer ticks. Its handler and its main program add to the same counter, so the main
; program protects its own addition as every kernel on a bare PC does: remember the interrupt flag, clear it, do the
; work, put the flag back.
%include "include/xen.inc"
%include "bare.inc"

        xen_guest "ticks", "1", start

start:  bare_start on_event             ; the timer is bound to an event, and events are on

again:  call    add_one                 ; the protected work
        mov     eax, [ticks]
.wait:  cmp     eax, [ticks]            ; until the next tick comes in
        je      .wait
        print   "tick "
        cmp     dword [ticks], 10
        jb      again

        mov     eax, [ticks]            ; one from every tick, one from every call
        add     eax, [calls]
        cmp     eax, [counter]
        jne     lost
        print   "ten ticks, and nothing lost", 13, 10
        shutdown
lost:   print   "ten ticks, but additions were lost", 13, 10
        shutdown

; Adds one to the counter. The timer's handler must not come in between: what it adds would be overwritten.
add_one:
        pushfd                          ; remember the interrupt flag
        cli                             ; no interrupts from here
        mov     eax, [counter]
        slow_work                       ; takes longer than a tick
        inc     eax
        mov     [counter], eax
        inc     dword [calls]
        popfd                           ; the flag is as it was
        ret

; The event callback: Xen calls it as a processor calls an interrupt handler.
on_event:
        event_enter
        inc     dword [ticks]
        inc     dword [counter]
        event_leave

        align   4, db 0
ticks:  dd      0
calls:  dd      0
counter:
        dd      0

        bare_end
