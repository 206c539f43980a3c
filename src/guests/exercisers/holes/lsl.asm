; ringside-guest
; LSL shows that the segment has been cut off below the monitor.

%include "exercisers/holes/kernel.inc"

main:   mov     ecx, DATA
        xor     eax, eax
        lsl     eax, ecx
        show    "limit of DS:"
        ret
