; ringside-guest
; INT n is on Robin and Irvine's list because a gate for ring 1 is taken silently. This monitor has none: INT traps.

%include "exercisers/holes/kernel.inc"

main:   mov     edi, idt + 0x33 * 8
        mov     eax, .handler
        call    set_gate
        xor     eax, eax
        int     0x33
        show    "after INT:"
        ret
.handler:
        mov     eax, [esp + 4]
        show    "CS in the frame:"
        iret
