; A kernel that believes it owns a PC: it sets the timer to 100 ticks a second, and waits for a hundred of them.
; It was written for a bare machine. Here it runs in VMX non-root operation, and not one line is changed for that.
%include "pc.inc"

        pc_kernel start

start:  pc_start on_tick                ; stack, descriptor tables, interrupt controller, timer
        print   "I own this machine."
        sti

wait_for_ticks:
        cli                             ; nobody may disturb my sleep
        hlt
        cmp     dword [ticks], 100
        jb      wait_for_ticks          ; look again, and again, and again

        cli
        print   "a hundred ticks"
        power_off

on_tick:
        inc     dword [ticks]
        tick_done

        align   4, db 0
ticks:  dd      0

        pc_kernel_end
