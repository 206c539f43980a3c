; ringside-guest
; Panes 1.0: a small graphical operating system for the IA-32 PC. It knows a processor, a clock chip, two interrupt
; controllers, a keyboard, a mouse, a serial port and a VGA, and nothing else: it has never heard of hypervisors.
; Assemble: nasm -f bin -I src/guests/ -o panes.img src/guests/panes/panes.asm      (boot: qemu-system-i386 -kernel panes.img)
;
; Reading order: boot -> traps -> threads -> services -> windows -> desktop -> the programs in ring 3.

        bits    32
%include "panes/layout.inc"

        org     KERNEL_BASE + IMAGE_PHYSICAL
image:

; ---- multiboot header with address fields: a flat file that says where it wants to be -------------------------------
        align   4
multiboot_header:
        dd      0x1BADB002, 0x00010003, -(0x1BADB002 + 0x00010003)
        dd      multiboot_header - KERNEL_BASE, image - KERNEL_BASE, image_end - KERNEL_BASE, POOL_PHYSICAL
        dd      entry - KERNEL_BASE

%include "panes/boot.asm"
%include "panes/tables.asm"
%include "panes/traps.asm"
%include "panes/memory.asm"
%include "panes/threads.asm"
%include "panes/services.asm"
%include "panes/timer.asm"
%include "panes/serial.asm"
%include "panes/input.asm"
%include "panes/draw.asm"
%include "panes/windows.asm"
%include "panes/compositor.asm"
%include "panes/desktop.asm"
%include "panes/taskbar.asm"
%include "panes/wallpaper.asm"
%include "panes/shutdown.asm"
%include "include/vga13.inc"

; ---- data -----------------------------------------------------------------------------------------------------------
%include "panes/palette.asm"
%include "panes/font.asm"

; ---- programs: pages that every process sees at USER_CODE, read-only ------------------------------------------------
        align   4096
user_image:
%include "panes/programs/library.asm"
%include "panes/programs/welcome.asm"
%include "panes/programs/clock.asm"
%include "panes/programs/cube.asm"
%include "panes/programs/monitor.asm"
%include "panes/programs/benchmark.asm"
        align   4096
user_image_end:
image_end:
