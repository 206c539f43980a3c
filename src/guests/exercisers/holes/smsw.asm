; ringside-guest
; SMSW stores the real CR0: here NE, which the monitor needs and this kernel has never set.

%include "exercisers/holes/kernel.inc"

main:   smsw    ax
        movzx   eax, ax
        show    "machine status word:"
        ret
