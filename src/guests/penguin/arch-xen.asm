; The architecture layer of the paravirtualized build. Each file has a namesake in native/ that offers the same routines
; to the kernel: read them in pairs to see what paravirtualization changes.

KERNEL_CS           equ FLAT_RING1_CS
KERNEL_DS           equ FLAT_RING1_DS
USER_CS             equ FLAT_RING3_CS
USER_DS             equ FLAT_RING3_DS
DIRECTORY_SLOTS     equ HYPERVISOR_VIRT_START >> 22     ; the entries from here on are Xen's
%define BUILD_NAME "Xen"

%include "penguin/xen/header.asm"           ; ELF and notes
%include "penguin/xen/interrupts.asm"       ; trap table, event channels, the way in and out
%include "penguin/xen/paging.asm"           ; page-table writes by hypercall
%include "penguin/xen/queue.asm"            ; ... many at a time
%include "penguin/xen/timer.asm"            ; timer events, shared time
%include "penguin/xen/console.asm"          ; the console page
%include "penguin/xen/balloon.asm"          ; memory given back to Xen, and got again
%include "penguin/xen/power.asm"            ; shutdown
%include "penguin/xen/boot.asm"             ; from the domain builder to kernel_main
