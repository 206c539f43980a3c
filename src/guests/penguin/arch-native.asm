; The architecture layer of the native build. Each file has a namesake in xen/ that offers the same routines to the
; kernel: read them in pairs to see what paravirtualization changes.

        bits    32
        org     KERNEL_BASE + KERNEL_LOAD

KERNEL_CS           equ 0x08
KERNEL_DS           equ 0x10
USER_CS             equ 0x1B
USER_DS             equ 0x23
DIRECTORY_SLOTS     equ 1024            ; the kernel owns a page directory from KERNEL_SLOT to here
%ifdef CONTAINERS
%define BUILD_NAME "containers"
%else
%define BUILD_NAME "native"
%endif

; The address at which a label lies before paging is on.
%define physical(label) (label - KERNEL_BASE)

%include "penguin/native/header.asm"        ; ELF and multiboot
%include "penguin/native/interrupts.asm"    ; IDT, 8259A, the way in and out
%include "penguin/native/paging.asm"        ; page-table writes
%include "penguin/native/timer.asm"         ; 8254, CMOS clock
%ifdef CONTAINERS
%include "penguin/containers/terminals.asm" ; four 16550A, a terminal each
%else
%include "penguin/native/serial.asm"        ; 16550A
%endif
%include "penguin/native/vga.asm"           ; text screen
%include "penguin/native/keyboard.asm"      ; 8042
%include "penguin/native/xen.asm"           ; Xen below, if there is
%include "penguin/native/hyper-v.asm"       ; Microsoft's, or one that speaks like it
%include "penguin/native/hypervisor.asm"    ; ... any hypervisor
%include "penguin/native/power.asm"         ; off and reset
%include "penguin/native/boot.asm"          ; from the boot loader to kernel_main
