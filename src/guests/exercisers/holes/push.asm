; ringside-guest
; PUSH CS: the low bits are the real privilege level.

%include "exercisers/holes/kernel.inc"

main:   push    cs
        pop     eax
        show    "CS pushed:"
        ret
