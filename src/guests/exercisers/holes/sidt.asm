; ringside-guest
; SIDT likewise: the instruction by which programs found out that they ran under a monitor ("red pill").

%include "exercisers/holes/kernel.inc"

main:   sidt    [stored]
        mov     eax, [stored + 2]
        sub     eax, idt
        show    "IDT, distance from ours:"
        ret
stored: times   6 db 0
