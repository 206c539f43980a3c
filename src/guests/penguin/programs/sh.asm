; sh: reads a line, splits it into words, runs the program named by the first and waits for it, unless the last word is
; an ampersand. The terminal delivers every key, so the shell echoes and edits.

%define program sh_program
sh_program:
.next:  call    .reap
        mov     esi, here(.prompt)
        call    .print
        call    .read_line
        call    .split
        mov     esi, [here(.words)]
        test    esi, esi
        jz      .next
        cmp     dword [esi], "exit"
        jne     .run
        cmp     byte [esi + 4], 0
        jne     .run
        mov     ebx, 0
        system_call SYS_exit

.run:   system_call SYS_fork
        test    eax, eax
        js      .no_fork
        jz      .child
        cmp     byte [here(.background)], 0
        jne     .go_on
        mov     ebx, eax
        mov     ecx, here(.status)
        xor     edx, edx
        system_call SYS_waitpid
        mov     eax, [here(.status)]
        and     eax, 0x7F
        jz      .next
        mov     esi, here(.killed)      ; a signal ended it
        call    .print
        call    .print_number
        call    .print_newline
        jmp     .next
.go_on: mov     esi, here(.open)
        call    .print
        call    .print_number
        mov     esi, here(.close)
        call    .print
        call    .print_newline
        jmp     .next
.no_fork:
        mov     esi, here(.cannot)
        call    .print
        jmp     .next

; In the child: become the program. A name without a slash is looked for in /bin.
.child: mov     esi, [here(.words)]
        mov     edi, here(.path_name)
        mov     ecx, 48
        mov     edx, esi
.slash: lodsb
        cmp     al, '/'
        je      .as_it_is
        test    al, al
        jnz     .slash
        mov     ebx, here(.path)
        mov     esi, edx
.copy:  lodsb
        stosb
        test    al, al
        jz      .execute
        dec     ecx
        jnz     .copy
        jmp     .execute
.as_it_is:
        mov     ebx, edx
.execute:
        mov     ecx, here(.words)
        xor     edx, edx
        system_call SYS_execve
        mov     esi, [here(.words)]
        call    .print
        mov     esi, here(.not_found)
        cmp     eax, -ENOENT
        je      .why
        mov     esi, here(.no_start)
.why:   call    .print
        mov     ebx, 127
        system_call SYS_exit

; Tells which background processes have ended.
.reap:  mov     ebx, -1
        mov     ecx, here(.status)
        mov     edx, WNOHANG
        system_call SYS_waitpid
        cmp     eax, 0
        jle     .reaped
        mov     esi, here(.open)
        call    .print
        call    .print_number
        mov     esi, here(.ended)
        call    .print
        jmp     .reap
.reaped:
        ret

; Fills .line up to the enter key, and ends it with 0.
.read_line:
        xor     edi, edi                ; EDI = characters so far
.key:   call    .get_key
        cmp     al, 13
        je      .enter
        cmp     al, 10
        je      .enter
        cmp     al, 8
        je      .erase
        cmp     al, 127
        je      .erase
        cmp     al, 21                  ; Ctrl-U: all of it
        je      .erase_line
        cmp     al, 3
        je      .abandon
        cmp     al, 32
        jb      .key
        cmp     edi, 78
        jae     .key
        mov     [here(.line) + edi], al
        inc     edi
        mov     ebx, 1
        lea     ecx, [here(.line) + edi - 1]
        mov     edx, 1
        system_call SYS_write
        jmp     .key
.erase: test    edi, edi
        jz      .key
        dec     edi
        mov     esi, here(.rubout)
        call    .print
        jmp     .key
.erase_line:
        test    edi, edi
        jz      .key
        dec     edi
        mov     esi, here(.rubout)
        call    .print
        jmp     .erase_line
.abandon:
        mov     esi, here(.caret_c)
        call    .print
        xor     edi, edi
.enter: mov     byte [here(.line) + edi], 0
        jmp     .print_newline

; AL = next key. The terminal gives as many as there are; they are handed out one by one.
.get_key:
        mov     eax, [here(.key_next)]
        cmp     eax, [here(.key_end)]
        jb      .have_key
        mov     ebx, 0                  ; standard input
        mov     ecx, here(.keys)
        mov     edx, 16
        system_call SYS_read
        cmp     eax, 0
        jle     .get_key
        add     eax, here(.keys)
        mov     [here(.key_end)], eax
        mov     eax, here(.keys)
.have_key:
        inc     eax
        mov     [here(.key_next)], eax
        mov     al, [eax - 1]
        ret

; Splits .line into .words, at most 15, ended by 0. A last word of & is taken away and noted.
.split: mov     esi, here(.line)
        mov     edi, here(.words)
        mov     byte [here(.background)], 0
.space: lodsb
        cmp     al, ' '
        je      .space
        test    al, al
        jz      .end
        cmp     edi, here(.words) + 15 * 4
        jae     .end
        lea     eax, [esi - 1]
        mov     [edi], eax
        add     edi, 4
.word:  lodsb
        test    al, al
        jz      .end
        cmp     al, ' '
        jne     .word
        mov     byte [esi - 1], 0
        jmp     .space
.end:   mov     dword [edi], 0
        cmp     edi, here(.words)
        je      .split_done
        mov     eax, [edi - 4]
        cmp     word [eax], '&'
        jne     .split_done
        mov     dword [edi - 4], 0
        mov     byte [here(.background)], 1
.split_done:
        ret

.prompt:        db "penguin# ", 0
.killed:        db "killed by signal ", 0
.not_found:     db ": command not found", 10, 0
.no_start:      db ": cannot be started", 10, 0
.cannot:        db "fork failed", 10, 0
.open:          db "[", 0
.close:         db "]", 0
.ended:         db "] done", 10, 0
.rubout:        db 8, " ", 8, 0
.caret_c:       db "^C", 0
.path:          db "/bin/"
.path_name:     times 49 db 0
.line:          times 80 db 0
.keys:          times 16 db 0
.background:    db 0
        align   4
.key_next:      dd 0
.key_end:       dd 0
.status:        dd 0
.words:         times 16 dd 0
%include "penguin/programs/library.asm"
sh_program_end:
