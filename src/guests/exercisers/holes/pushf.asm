; ringside-guest
; PUSHF stores the real EFLAGS: the interrupt flag that it shows is the monitor's, which is always 1.

%include "exercisers/holes/kernel.inc"

main:   cli
        pushfd
        pop     eax
        and     eax, 0x200
        show    "IF after CLI:"
        ret
