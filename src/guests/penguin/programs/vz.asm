; vz start N [P M]: starts container N (1 to 3) with at most P processes and M pages. vz stop N: ends it.

%define program vz_program
vz_program:
        cmp     dword [esp], 3
        jb      .usage
        mov     eax, [esp + 8]          ; argv[1]
        cmp     dword [eax], "star"
        je      .start
        cmp     dword [eax], "stop"
        jne     .usage
        mov     esi, [esp + 12]
        call    .parse_number
        mov     ebx, eax
        system_call SYS_container_stop
        jmp     .answer
.start: mov     ecx, 6                  ; what it gets when nobody says
        mov     edx, 256
        cmp     dword [esp], 5
        jb      .number
        mov     esi, [esp + 16]
        call    .parse_number
        mov     ecx, eax
        mov     esi, [esp + 20]
        call    .parse_number
        mov     edx, eax
.number:
        mov     esi, [esp + 12]
        call    .parse_number
        mov     ebx, eax
        mov     ebp, 50                 ; it may be on its way out still
.again: system_call SYS_container_start
        cmp     eax, -EAGAIN
        jne     .answer
        dec     ebp
        jz      .answer
        push    ebx
        mov     ebx, here(.a_while)
        system_call SYS_nanosleep
        pop     ebx
        jmp     .again
.answer:
        mov     ebx, 0
        test    eax, eax
        jz      .exit
        mov     esi, here(.refused)
        call    .print
        neg     eax
        call    .print_number
        call    .print_newline
        mov     ebx, 1
.exit:  system_call SYS_exit
.usage: mov     esi, here(.how)
        call    .print
        mov     ebx, 2
        jmp     .exit
.a_while:
        dd      0, 100000000            ; a tenth of a second
.refused:
        db      "vz: refused, error ", 0
.how:   db      "vz start N [PROCESSES PAGES], vz stop N", 10, 0
%include "penguin/programs/library.asm"
vz_program_end:
