; A bare guest on Xen that prints by asking.
%include "include/xen.inc"

        xen_guest "bare", "1", start

start:  mov     ebx, CONSOLEIO_write
        xor     ecx, ecx
        mov     edx, text
        hypercall HYPERVISOR_console_io

        mov     ebx, SCHEDOP_shutdown
        mov     ecx, argument
        hypercall HYPERVISOR_sched_op
        jmp     $

text:   db      "I run at ring 1, and I asked.", 13, 10
text_end:
argument:
        dd      SHUTDOWN_poweroff

        xen_guest_end
