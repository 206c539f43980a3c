; ringside-guest
; Penguin for the bare machine: a multiboot kernel that owns the processor at ring 0 and drives the devices of a PC.
; The output is an ELF file as it stands:
;   nasm -f bin -I src/guests/ -o penguin-native.elf src/guests/penguin/penguin-native.asm

%define NATIVE
%include "penguin/kernel.inc"
%include "include/linux.inc"
%include "include/xen.inc"
%include "penguin/arch-native.asm"
%include "penguin/kernel.asm"

; The end of the file and of the memory it needs; the ELF header refers to both.
        section .data
        dd      0
file_end:
        section .bss
        resb    4
memory_end:
