; ringside-guest
; MOV from SS: the low bits are the real privilege level.

%include "exercisers/holes/kernel.inc"

main:   mov     eax, ss
        show    "SS:"
        ret
