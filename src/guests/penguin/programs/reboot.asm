; reboot: the machine starts again.

%define program reboot_program
reboot_program:
        mov     ebx, LINUX_REBOOT_MAGIC1
        mov     ecx, LINUX_REBOOT_MAGIC2
        mov     edx, LINUX_REBOOT_CMD_RESTART
        system_call SYS_reboot
        mov     ebx, 1                  ; still here?
        system_call SYS_exit
reboot_program_end:
