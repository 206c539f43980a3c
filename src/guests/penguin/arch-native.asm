; The architecture layer of the native build. Each file has a namesake in xen/ that offers the same routines to the
; kernel: read them in pairs to see what paravirtualization changes.

        bits    32
        org     KERNEL_BASE + KERNEL_LOAD

KERNEL_CS           equ 0x08
KERNEL_DS           equ 0x10
USER_CS             equ 0x1B
USER_DS             equ 0x23
DIRECTORY_SLOTS     equ 1024            ; the kernel owns a page directory from KERNEL_SLOT to here
%define BUILD_NAME "native"

; The address at which a label lies before paging is on.
%define physical(label) (label - KERNEL_BASE)

%include "native/header.asm"
%include "native/boot.asm"
%include "native/interrupts.asm"
%include "native/paging.asm"
%include "native/timer.asm"
%include "native/serial.asm"
%include "native/vga.asm"
%include "native/keyboard.asm"
%include "native/power.asm"
