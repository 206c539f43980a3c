; halt: the machine switches itself off.

%define program halt_program
halt_program:
        mov     ebx, LINUX_REBOOT_MAGIC1
        mov     ecx, LINUX_REBOOT_MAGIC2
        mov     edx, LINUX_REBOOT_CMD_POWER_OFF
        system_call SYS_reboot
        mov     ebx, 1                  ; still here?
        system_call SYS_exit
halt_program_end:
