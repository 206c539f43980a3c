; ringside-guest
; Penguin with containers, in the manner of Virtuozzo: one kernel on the bare machine, and on it several userlands that
; have their own processes, their own root and their own limits, each on a terminal of its own (containers/).
;   nasm -f bin -I src/guests/ -o penguin-container.elf src/guests/penguin/penguin-container.asm

%define NATIVE
%define CONTAINERS
%include "penguin/kernel.inc"
%include "include/linux.inc"
%include "include/xen.inc"
%include "penguin/containers/containers.inc"
%include "penguin/arch-native.asm"
%include "penguin/kernel.asm"

; The end of the file and of the memory it needs; the ELF header refers to both.
        section .data
        dd      0
file_end:
        section .bss
        resb    4
memory_end:
