; The end: a domain cannot switch anything off, it tells Xen why it stops. Xen public headers: sched.h.

        section .text
machine_power_off:
        call    console_drain
        mov     dword [shutdown_reason], SHUTDOWN_poweroff
        jmp     machine_shutdown

machine_reboot:
        call    console_drain
        mov     dword [shutdown_reason], SHUTDOWN_reboot
        jmp     machine_shutdown

; After a panic: the text must come out.
machine_crash:
        call    console_drain
        mov     dword [shutdown_reason], SHUTDOWN_crash
machine_shutdown:
        mov     ebx, SCHEDOP_shutdown
        mov     ecx, shutdown_reason
        hypercall HYPERVISOR_sched_op
        jmp     machine_shutdown        ; it does not return

        section .bss
shutdown_reason:    resd 1
