; ringside-guest
; Penguin paravirtualized: the same kernel at ring 1 on Xen 3.0. Instead of privileged instructions it makes
; hypercalls; instead of interrupts it gets events; its page tables hold machine addresses and belong to Xen's care.
; The output is an ELF file as it stands:
;   nasm -f bin -I src/guests/ -o penguin-xen.elf src/guests/penguin/penguin-xen.asm

%define PV
%include "penguin/kernel.inc"
%include "include/linux.inc"
%include "include/xen.inc"
%include "penguin/arch-xen.asm"
%include "penguin/kernel.asm"

        section .text
memory_end equ xen_memory_end
        xen_guest_end
