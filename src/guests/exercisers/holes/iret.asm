; ringside-guest
; IRET to a program does not trap, and outside ring 0 it keeps IF as it was: the program runs without interrupts.

%include "exercisers/holes/kernel.inc"

main:   cli
        push    dword USER_DATA
        push    dword user_top
        push    dword 0x202             ; the program shall run with interrupts on
        push    dword USER_CODE
        push    dword user
        mov     eax, USER_DATA
        mov     ds, eax
        mov     es, eax
        iret
user:   call    await_tick
        int     0x80
