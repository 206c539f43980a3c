; int 10h, 4Fh: VESA BIOS extensions.

vbe_off:
    ret

vbe_service:
    mov word [bp + R_AX], 0x0100
    ret
