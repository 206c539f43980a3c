; ringside-guest
; CALL far leaves CS on the stack, and in it the real privilege level.

%include "exercisers/holes/kernel.inc"

main:   call    CODE:.far
        ret
.far:   mov     eax, [esp + 4]
        show    "CS on the stack:"
        mov     dword [esp + 4], CODE
        retf
