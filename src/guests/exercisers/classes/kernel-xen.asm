; ringside-guest
; The kernel of kernel.asm for Xen.
%define XEN
%include "include/xen.inc"
%include "exercisers/classes/kernel.asm"
