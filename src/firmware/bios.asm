; Ringside's BIOS: 64 KiB of real-mode code at F000h:0000h. What boot loaders and small systems ask of a PC's firmware, and
; no more. Each service is a file of its own; this one says where they lie. Assembled by our own assembler (firmware.ts).
    bits 16
    org 0

%include "layout.inc"

%include "post.asm"
%include "apic.asm"
%include "boot.asm"
%include "interrupts.asm"
%include "timer.asm"
%include "clock.asm"
%include "keyboard.asm"
%include "keymap.asm"
%include "serial.asm"
%include "system.asm"
%include "mouse.asm"
%include "block-move.asm"
%include "video.asm"
%include "video-text.asm"
%include "video-scroll.asm"
%include "video-graphics.asm"
%include "video-modes.asm"
%include "video-palette.asm"
%include "vbe.asm"
%include "disk.asm"
%include "disk-extended.asm"
%include "disk-probe.asm"
%include "ata.asm"
%include "atapi.asm"
%include "floppy.asm"
%include "el-torito.asm"

code_end:
%if ($ - $$) > 0xc000
    %error the code runs into the fonts
%endif

; Fonts, filled in by firmware.ts: 256 characters of 14, 16 and 8 rows.
    times 0xc000 - ($ - $$) db 0
font_8x14:
    times 0xd000 - ($ - $$) db 0
font_8x16:
    times 0xe000 - ($ - $$) db 0
font_8x8:
    times 0xe800 - ($ - $$) db 0

; Entries that software knows by their address (IBM PC AT Technical Reference).
    times 0xefc7 - ($ - $$) db 0
diskette_parameters:            ; INT 1Eh: 1.44 MB
    db 0xaf                     ; step rate 6 ms, head unload 240 ms
    db 0x02                     ; head load 4 ms, DMA
    db 0x25                     ; motor off after 37 ticks
    db 2                        ; 512 bytes a sector
    db 18                       ; sectors a track
    db 0x1b                     ; gap
    db 0xff
    db 0x6c                     ; gap when formatting
    db 0xf6                     ; fill byte
    db 15                       ; head settle, ms
    db 8                        ; motor start, 1/8 s

    times 0xff53 - ($ - $$) db 0
dummy_interrupt:
    iret

    times 0xfff0 - ($ - $$) db 0
    jmp ROM_SEGMENT:post
    db '12/05/05'
    db 0
    db 0xfc                     ; model: AT
    db 0
