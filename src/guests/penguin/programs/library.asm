; What most programs need: text and numbers, out and in. Included at the end of a program; its labels are local to it.
; All routines keep the registers that they do not return anything in.

; ESI = text that ends with 0.
.print: pushad
        mov     ecx, esi
        xor     edx, edx
.print_length:
        cmp     byte [ecx + edx], 0
        je      .print_write
        inc     edx
        jmp     .print_length
.print_write:
        mov     ebx, 1                  ; standard output
        system_call SYS_write
        popad
        ret

.print_newline:
        push    esi
        mov     esi, here(.library_newline)
        call    .print
        pop     esi
        ret

; EAX = number, unsigned.
.print_number:
        push    edx
        xor     edx, edx
        call    .print_number64
        pop     edx
        ret

; EDX:EAX = number, unsigned. Two divisions make one of 64 bits by 32.
.print_number64:
        pushad
        mov     edi, edx
        mov     ecx, 10
        mov     esi, here(.library_digits_end)
.print_digit:
        mov     ebx, eax                ; EDI:EBX
        mov     eax, edi
        xor     edx, edx
        div     ecx
        mov     edi, eax
        mov     eax, ebx
        div     ecx                     ; EDI:EAX, and the digit in EDX
        add     dl, '0'
        dec     esi
        mov     [esi], dl
        mov     edx, edi
        or      edx, eax
        jnz     .print_digit
        call    .print
        popad
        ret

; ESI = text: EAX = the number it begins with, 0 if none.
.parse_number:
        push    edx
        push    esi
        xor     eax, eax
.parse_digit:
        movzx   edx, byte [esi]
        sub     edx, '0'
        cmp     edx, 9
        ja      .parse_done
        imul    eax, eax, 10
        add     eax, edx
        inc     esi
        jmp     .parse_digit
.parse_done:
        pop     esi
        pop     edx
        ret

; EAX = number in the first argument, or EAX unchanged when there is none. To be called first of all.
.argument_or_default:
        cmp     dword [esp + 4], 2
        jb      .no_argument
        push    esi
        mov     esi, [esp + 16]         ; behind ESI and the return address: argc, argv[0], argv[1]
        call    .parse_number
        pop     esi
.no_argument:
        ret

; EDX:EAX = cycles for EBP repetitions: prints both the sum and the average.
.print_cycles:
        pushad
        call    .print_number64
        mov     esi, here(.library_cycles)
        call    .print
        div     ebp
        call    .print_number
        mov     esi, here(.library_each)
        call    .print
        popad
        ret

; ESI = path: prints that file. EAX = 0, or an error.
.print_file:
        push    ebx
        push    ecx
        push    edx
        push    edi
        mov     ebx, esi
        xor     ecx, ecx                ; to read
        system_call SYS_open
        test    eax, eax
        js      .print_file_done
        mov     edi, eax
        sub     esp, 512
.print_file_part:
        mov     ebx, edi
        mov     ecx, esp
        mov     edx, 512
        system_call SYS_read
        test    eax, eax
        jle     .print_file_end
        mov     ebx, 1
        mov     edx, eax
        system_call SYS_write
        jmp     .print_file_part
.print_file_end:
        mov     edx, eax
        mov     ebx, edi
        system_call SYS_close
        mov     eax, edx
        add     esp, 512
.print_file_done:
        pop     edi
        pop     edx
        pop     ecx
        pop     ebx
        ret

.library_newline:
        db      10, 0
.library_cycles:
        db      " cycles, ", 0
.library_each:
        db      " each", 10, 0
.library_digits:
        times   20 db 0
.library_digits_end:
        db      0
