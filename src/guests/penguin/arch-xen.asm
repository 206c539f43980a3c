; The architecture layer of the paravirtualized build. Each file has a namesake in native/ that offers the same routines
; to the kernel: read them in pairs to see what paravirtualization changes.

KERNEL_CS           equ FLAT_RING1_CS
KERNEL_DS           equ FLAT_RING1_DS
USER_CS             equ FLAT_RING3_CS
USER_DS             equ FLAT_RING3_DS
DIRECTORY_SLOTS     equ HYPERVISOR_VIRT_START >> 22     ; the entries from here on are Xen's
%define BUILD_NAME "Xen"

%include "xen/header.asm"
%include "xen/boot.asm"
%include "xen/interrupts.asm"
%include "xen/queue.asm"
%include "xen/paging.asm"
%include "xen/timer.asm"
%include "xen/console.asm"
%include "xen/power.asm"
