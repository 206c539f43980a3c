; A kernel that believes it owns a PC. It sets up the timer at 100 Hz and waits for a hundred ticks.
; It was written for a bare machine, and it runs in VMX non-root operation: not one line is changed for that.
%include "pc.inc"

        pc_kernel start

start:  pc_start on_tick                ; stack, descriptor tables, interrupt controller, timer
        serial  "I own this machine.", 13, 10
        sti

wait_for_ticks:
        cmp     dword [ticks], 100
        jb      wait_for_ticks          ; look again, and again, and again

        cli
        serial  "a hundred ticks", 13, 10
        power_off

on_tick:
        inc     dword [ticks]
        tick_done

        align   4, db 0
ticks:  dd      0

        pc_kernel_end
