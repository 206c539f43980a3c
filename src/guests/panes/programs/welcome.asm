; The window that greets, and says which keys do what.

welcome_main:
        mov     ebx, welcome_window USER
        call    open_window
        xor     ebx, ebx
        xor     ecx, ecx
        mov     edx, [WIDTH]
        mov     esi, 17
        mov     edi, GREY_LIGHT
        sys     SYS_FILL
        mov     ecx, 17
        mov     esi, 1
        mov     edi, GREY
        sys     SYS_FILL
        ; the four panes
        mov     ebp, welcome_logo USER
        mov     edx, 6
        mov     esi, 6
.pane:  movzx   ebx, byte [ebp]
        movzx   ecx, byte [ebp + 1]
        movzx   edi, byte [ebp + 2]
        sys     SYS_FILL
        add     ebp, 3
        cmp     byte [ebp], 0
        jne     .pane
        mov     ebp, welcome_lines USER
.line:  mov     edx, [ebp]
        test    edx, edx
        jz      .show
        movzx   ebx, byte [ebp + 4]
        movzx   ecx, byte [ebp + 5]
        movzx   esi, word [ebp + 6]
        sys     SYS_TEXT
        add     ebp, 8
        jmp     .line
.show:  call    present_all
        jmp     rest

welcome_logo:
        db      4, 2, RED
        db      11, 2, GREEN
        db      4, 9, BLUE
        db      11, 9, YELLOW
        db      0
%macro welcome_line 4                   ; text, x, y, colour
        dd      %1 USER
        db      %2, %3
        dw      %4
%endmacro
welcome_lines:
        welcome_line welcome_1, 22, 5, INK + 0x100
        welcome_line welcome_2, 5, 22, INK
        welcome_line welcome_3, 5, 36, BLUE + 0x100
        welcome_line welcome_4, 48, 36, INK
        welcome_line welcome_5, 5, 45, BLUE + 0x100
        welcome_line welcome_6, 48, 45, INK
        welcome_line welcome_7, 5, 54, BLUE + 0x100
        welcome_line welcome_8, 48, 54, INK
        welcome_line welcome_9, 5, 63, BLUE + 0x100
        welcome_line welcome_10, 48, 63, INK
        welcome_line welcome_11, 5, 72, BLUE + 0x100
        welcome_line welcome_12, 48, 72, INK
        dd      0
welcome_window: dd 5, 5, 128, 82, welcome_title USER
welcome_title:  db "Welcome", 0
welcome_1:      db "Panes 1.0", 0
welcome_2:      db "All the rings are mine.", 0
welcome_3:      db "Arrows", 0
welcome_4:      db "move the pointer", 0
welcome_5:      db "Space", 0
welcome_6:      db "press and drag", 0
welcome_7:      db "Tab", 0
welcome_8:      db "next window", 0
welcome_9:      db "B", 0
welcome_10:     db "benchmark", 0
welcome_11:     db "Q", 0
welcome_12:     db "shut down", 0
