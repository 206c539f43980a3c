; ringside-guest
; RETF to CS with RPL 1 would be a return to ring 1, whose segment this is not: #GP. At ring 1 it is the same ring.

%include "exercisers/holes/kernel.inc"

main:   mov     dword [resume], .refused
        push    dword CODE_RING1
        push    dword .there
        retf
.there: xor     eax, eax
        show    "returned:"
.refused:
        ret
