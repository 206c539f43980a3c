; ringside-guest
; LAR shows the descriptor that the processor uses: its DPL is 1.

%include "exercisers/holes/kernel.inc"

main:   mov     ecx, CODE
        xor     eax, eax
        lar     eax, ecx
        show    "access rights of CS:"
        ret
