; ping [N]: asks domain N of this host, or whoever hears it, for an echo, four times; prints how long it took.

%define program ping_program
PING_SIZE       equ 60                  ; the smallest frame of Ethernet
ping_program:
        xor     eax, eax
        call    .argument_or_default
        test    eax, eax
        jz      .open                   ; to all
        mov     dword [here(.frame)], 0x003E1600        ; 00:16:3e:00:00:N, as Xen's tools number interfaces
        mov     byte [here(.frame) + 4], 0
        mov     [here(.frame) + 5], al
.open:  mov     ebx, here(.device)
        mov     ecx, 2
        system_call SYS_open
        mov     esi, here(.none)
        test    eax, eax
        js      .failed
        mov     edi, eax
        mov     ebp, 4
.next:  inc     byte [here(.number)]
        rdtsc
        push    edx
        push    eax
        mov     ebx, edi
        mov     ecx, here(.frame)
        mov     edx, PING_SIZE
        system_call SYS_write
        test    eax, eax
        js      .lost
.wait:  mov     ebx, edi
        mov     ecx, here(.answer)
        mov     edx, PING_SIZE
        system_call SYS_read
        cmp     eax, PING_SIZE
        jl      .lost
        mov     eax, [here(.answer) + 12]       ; an echo, an answer, to this request: anything else is not for us
        cmp     ax, 0xB588
        jne     .wait
        cmp     byte [here(.answer) + 14], 2
        jne     .wait
        mov     al, [here(.answer) + 15]
        cmp     al, [here(.number)]
        jne     .wait
        mov     esi, here(.from)
        call    .print
        movzx   eax, byte [here(.answer) + 11]  ; the last byte of an interface's address is its domain's number
        call    .print_number
        mov     esi, here(.after)
        call    .print
        rdtsc
        pop     ecx
        sub     eax, ecx
        pop     ecx
        sbb     edx, ecx
        call    .print_number64
        mov     esi, here(.cycles)
        call    .print
        jmp     .count
.lost:  add     esp, 8
        mov     esi, here(.silence)
        call    .print
.count: dec     ebp
        jnz     .next
        mov     ebx, 0
        system_call SYS_exit
.failed:
        call    .print
        mov     ebx, 1
        system_call SYS_exit
.device:    db "/dev/net", 0
.none:      db "ping: there is no network", 10, 0
.from:      db "answer from domain ", 0
.after:     db " after ", 0
.cycles:    db " cycles", 10, 0
.silence:   db "no answer", 10, 0
.frame:     db 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF     ; to; who sends it is the driver's to say
            times 6 db 0
            dw 0xB588                           ; our echo
            db 1                                ; a request
.number:    db 0
            times 44 db 0
.answer:    times PING_SIZE db 0
%include "penguin/programs/library.asm"
ping_program_end:
