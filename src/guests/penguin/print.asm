; Text and numbers from the kernel. They go to the console, or, while print_target is set, into memory: that is how the
; files of /proc get their contents.

        section .text
; ESI = text that ends with 0. Keeps all registers.
print_string:
        push    eax
        push    esi
.next:  lodsb
        test    al, al
        jz      .end
        call    print_character
        jmp     .next
.end:   cmp     dword [print_target], 0
        jne     .done
        push    ecx
        push    edx
        call    console_kick
        pop     edx
        pop     ecx
.done:  pop     esi
        pop     eax
        ret

print_newline:
        push    eax
        mov     al, 10
        call    print_character
        pop     eax
        ret

; AL = character. Keeps all registers.
print_character:
        cmp     dword [print_target], 0
        je      console_put
        push    edi
        mov     edi, [print_target]
        mov     [edi], al
        inc     dword [print_target]
        pop     edi
        ret

; EAX = number, unsigned. Keeps all registers.
print_decimal:
        push    ecx
        mov     ecx, 1
        call    print_padded
        pop     ecx
        ret

; EAX = number, unsigned, ECX = least width: spaces come first. Keeps all registers.
print_padded:
        push    eax
        push    ecx
        push    edx
        push    esi
        sub     esp, 12
        lea     esi, [esp + 11]         ; digits are made from the last to the first
        mov     byte [esi], 0
.digit: xor     edx, edx
        push    ecx
        mov     ecx, 10
        div     ecx
        pop     ecx
        add     dl, '0'
        dec     esi
        mov     [esi], dl
        dec     ecx
        test    eax, eax
        jnz     .digit
.pad:   cmp     ecx, 0
        jle     .print
        mov     al, ' '
        call    print_character
        dec     ecx
        jmp     .pad
.print: call    print_string
        add     esp, 12
        pop     esi
        pop     edx
        pop     ecx
        pop     eax
        ret

; ESI = text, ECX = width: spaces follow. Keeps all registers.
print_column:
        push    eax
        push    ecx
        push    esi
        call    print_string
.count: lodsb
        test    al, al
        jz      .pad
        dec     ecx
        jmp     .count
.pad:   cmp     ecx, 0
        jle     .done
        mov     al, ' '
        call    print_character
        dec     ecx
        jmp     .pad
.done:  pop     esi
        pop     ecx
        pop     eax
        ret

; EAX = number, as eight hexadecimal digits. Keeps all registers.
print_hexadecimal:
        push    eax
        push    ecx
        push    edx
        mov     edx, eax
        mov     ecx, 8
.digit: rol     edx, 4
        mov     eax, edx
        and     eax, 15
        mov     al, [hexadecimal_digits + eax]
        call    print_character
        dec     ecx
        jnz     .digit
        pop     edx
        pop     ecx
        pop     eax
        ret

; ---- Panic: the kernel itself has failed. It says what it can and stops the machine. -------------------------------
; ESI = reason.
kernel_panic:
        interrupts_off
        mov     dword [print_target], 0
        print   "Kernel panic: "
        call    print_string
        call    print_newline
        jmp     machine_crash

        section .data
hexadecimal_digits: db "0123456789ABCDEF"
        align   4
print_target:       dd 0                ; 0 = the console, else where in memory the next character goes
