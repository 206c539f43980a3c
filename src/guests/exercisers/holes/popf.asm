; ringside-guest
; POPF outside ring 0 keeps IF as it was, and says nothing: interrupts that were switched off stay off.

%include "exercisers/holes/kernel.inc"

main:   sti
        pushfd                          ; save the interrupt flag, which is 1
        cli                             ; a critical section
        popfd                           ; and back as it was
        call    await_tick
        show    "a timer interrupt came:"
        ret
