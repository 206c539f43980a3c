; ringside-guest
; VERR compares RPL with the real DPL: RPL 1 may not read a segment of ring 0, but it is one of ring 1 now.

%include "exercisers/holes/kernel.inc"

main:   mov     ecx, DATA_RING1
        xor     eax, eax
        verr    cx
        setz    al
        show    "ring 1 may read DS:"
        ret
