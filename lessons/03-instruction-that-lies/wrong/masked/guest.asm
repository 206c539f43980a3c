; A kernel at ring 1 that counts timer ticks, and protects a counter as every kernel on a bare PC does:
; remember the interrupt flag, clear it, do the work, put the flag back.
%include "include/xen.inc"
%include "bare.inc"

        xen_guest "ticks", "1", start

start:  bare_start on_event             ; shared_info is mapped, the timer is bound, events are on

again:  call    add_one                 ; the protected work
        mov     eax, [ticks]
.wait:  cmp     eax, [ticks]            ; until the next tick comes in
        je      .wait
        print   "tick "
        cmp     dword [ticks], 10
        jb      again

        print   "ten ticks", 13, 10
        shutdown

; Adds one to the counter, and must not be interrupted by the timer.
add_one:
        pushfd                          ; remember the interrupt flag
        cli                             ; no interrupts from here
        inc     dword [counter]
        add     esp, 4
        ret

; The event callback: Xen calls it as a processor calls an interrupt handler.
on_event:
        event_enter
        inc     dword [ticks]
        event_leave

        align   4, db 0
ticks:  dd      0
counter:
        dd      0

        bare_end
