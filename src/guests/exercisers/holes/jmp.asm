; ringside-guest
; JMP far with RPL 1 is #GP in ring 0. At ring 1 it is not.

%include "exercisers/holes/kernel.inc"

main:   mov     dword [resume], .refused
        jmp     CODE_RING1:.there
.there: xor     eax, eax
        show    "jumped:"
.refused:
        ret
