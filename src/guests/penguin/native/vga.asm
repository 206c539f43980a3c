; The screen: VGA text mode, 80 by 25, which the firmware has set. Each cell is a character and a colour in memory at
; B8000h; the cursor is moved through the CRT controller (IBM VGA technical reference, CRTC registers 0Ah-0Fh).

        section .text

VGA_MEMORY          equ KERNEL_BASE + 0xB8000
VGA_COLUMNS         equ 80
VGA_ROWS            equ 25
VGA_CELLS           equ VGA_COLUMNS * VGA_ROWS
VGA_BLANK           equ 0x0720          ; a space, light grey on black
CRTC_INDEX          equ 0x3D4
CRTC_DATA           equ 0x3D5

vga_initialize:
        push    edi
        mov     edi, VGA_MEMORY
        mov     ecx, VGA_CELLS / 2
        mov     eax, VGA_BLANK * 0x10001
        rep stosd
        mov     dword [vga_position], 0
        mov     ax, 0x0E0A              ; cursor from line 14
        call    vga_set_register
        mov     ax, 0x0F0B              ; to line 15
        call    vga_set_register
        pop     edi
        ret

; AL = character. Keeps all registers.
vga_put:
        push    eax
        push    ecx
        push    edx
        push    edi
        mov     edi, [vga_position]     ; in cells
        cmp     al, 32
        jae     .visible
        cmp     al, 10
        je      .line_feed
        cmp     al, 13
        je      .return
        cmp     al, 8
        je      .back
        jmp     .placed
.visible:
        mov     ah, VGA_BLANK >> 8
        mov     [VGA_MEMORY + edi * 2], ax
        inc     edi
        jmp     .placed
.back:  cmp     edi, 0
        je      .placed
        dec     edi
        jmp     .placed
.line_feed:
        add     edi, VGA_COLUMNS
        jmp     .placed
.return:
        mov     eax, edi
        xor     edx, edx
        mov     ecx, VGA_COLUMNS
        div     ecx
        sub     edi, edx                ; the column
.placed:
        cmp     edi, VGA_CELLS
        jb      .done
        call    vga_scroll
        sub     edi, VGA_COLUMNS
.done:  mov     [vga_position], edi
        pop     edi
        pop     edx
        pop     ecx
        pop     eax
        ret

vga_scroll:
        push    ecx
        push    esi
        push    edi
        mov     edi, VGA_MEMORY
        mov     esi, VGA_MEMORY + VGA_COLUMNS * 2
        mov     ecx, (VGA_CELLS - VGA_COLUMNS) / 2
        rep movsd
        mov     eax, VGA_BLANK * 0x10001
        mov     ecx, VGA_COLUMNS / 2
        rep stosd
        pop     edi
        pop     esi
        pop     ecx
        ret

vga_update_cursor:
        mov     ecx, [vga_position]
        cmp     ecx, [vga_cursor]
        je      .done                   ; it is there: four port accesses saved
        mov     [vga_cursor], ecx
        mov     ah, ch
        mov     al, 0x0E                ; cursor location, high byte
        call    vga_set_register
        mov     ah, cl
        mov     al, 0x0F                ; low byte
        call    vga_set_register
.done:  ret

; AL = register, AH = value.
vga_set_register:
        mov     dx, CRTC_INDEX
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
        ret

        section .bss
vga_position:   resd 1                  ; where the next character goes
vga_cursor:     resd 1                  ; where the cursor has been put
