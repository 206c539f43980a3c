; The end: power off through ACPI's PM1a control register, reset through the keyboard controller.
; ACPI 3.0, 4.7.3.2; the register's place, 604h, is that of QEMU's and of Ringside's machine.

        section .text

ACPI_PM1A_CONTROL   equ 0x604
ACPI_SLEEP_ENABLE   equ 0x2000          ; with sleep type 0, which is S5 (off) on this machine
KBC_PULSE_RESET     equ 0xFE

machine_power_off:
        call    console_drain
        mov     dx, ACPI_PM1A_CONTROL
        mov     ax, ACPI_SLEEP_ENABLE
        out     dx, ax
; Not every machine has that register; then this is as far as it goes.
machine_stop:
        cli
        hlt
        jmp     machine_stop

machine_reboot:
        call    console_drain
        mov     ah, KBC_PULSE_RESET
        call    keyboard_command
        jmp     machine_stop

; After a panic: the text must come out, and everything stays as it is for inspection.
machine_crash:
        call    console_drain
        jmp     machine_stop
