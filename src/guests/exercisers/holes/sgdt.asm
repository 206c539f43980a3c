; ringside-guest
; SGDT stores the address of the table that the processor uses, not of the one that the kernel loaded.

%include "exercisers/holes/kernel.inc"

main:   sgdt    [stored]
        mov     eax, [stored + 2]
        sub     eax, gdt
        show    "GDT, distance from ours:"
        ret
stored: times   6 db 0
