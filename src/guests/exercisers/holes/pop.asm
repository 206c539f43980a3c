; ringside-guest
; POP DS with RPL 1 is #GP in ring 0, because the segment is ring 0's. At ring 1, with a segment of ring 1, it is not.

%include "exercisers/holes/kernel.inc"

main:   mov     dword [resume], .refused
        push    dword DATA_RING1
        pop     ds
        mov     eax, ds
        show    "DS accepted:"
.refused:
        ret
