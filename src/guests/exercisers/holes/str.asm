; ringside-guest
; STR stores the selector of the real task, which is the monitor's.

%include "exercisers/holes/kernel.inc"

main:   str     eax
        show    "TR:"
        ret
