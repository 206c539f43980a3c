; ringside-guest
; VERW compares RPL with the real DPL, as VERR does.

%include "exercisers/holes/kernel.inc"

main:   mov     ecx, DATA_RING1
        xor     eax, eax
        verw    cx
        setz    al
        show    "ring 1 may write DS:"
        ret
