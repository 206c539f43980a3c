; ringside-guest
; SLDT stores the selector of the real LDT.

%include "exercisers/holes/kernel.inc"

main:   sldt    eax
        show    "LDTR:"
        ret
