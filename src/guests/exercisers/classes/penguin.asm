; ringside-guest
; Penguin with containers, and in its /bin a program that executes given instructions (program.asm): what becomes of them
; in a container, and outside of one on the same kernel.

%define NATIVE
%define CONTAINERS
%define CLASSES
%include "penguin/kernel.inc"
%include "include/linux.inc"
%include "include/xen.inc"
%include "penguin/containers/containers.inc"
%include "penguin/arch-native.asm"
%include "penguin/kernel.asm"

        section .data
        dd      0
file_end:
        section .bss
        resb    4
memory_end:
