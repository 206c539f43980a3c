; disk: the virtual disk's size. disk read N: the text at the start of sector N. disk write N TEXT: the other way, to the
; medium itself, because the file is synchronized. Sectors are read and written whole.

%define program disk_program
disk_program:
        mov     ebp, esp                ; argc, argv[0], ...
        mov     ebx, here(.device)
        mov     ecx, 2                  ; to read and write
        system_call SYS_open
        mov     esi, here(.none)
        test    eax, eax
        js      .failed
        mov     edi, eax                ; EDI = file
        mov     ebx, edi
        xor     ecx, ecx
        mov     edx, SEEK_END
        system_call SYS_lseek
        cmp     dword [ebp], 3
        jae     .sector
        shr     eax, 9
        call    .print_number
        mov     esi, here(.sectors)
        call    .print
        jmp     .exit

.sector:
        mov     esi, [ebp + 12]
        call    .parse_number
        shl     eax, 9
        mov     ebx, edi
        mov     ecx, eax
        mov     edx, SEEK_SET
        system_call SYS_lseek
        sub     esp, 516
        mov     esi, [ebp + 8]
        cmp     byte [esi], 'w'
        je      .write
        mov     ebx, edi
        mov     ecx, esp
        mov     edx, 512
        system_call SYS_read
        mov     esi, here(.error)
        cmp     eax, 512
        jne     .failed
        mov     byte [esp + 512], 0     ; the text ends where a zero is, here at the latest
        mov     esi, esp
        call    .print
        call    .print_newline
        jmp     .exit

.write: mov     esi, here(.usage)
        cmp     dword [ebp], 4
        jb      .failed
        mov     esi, [ebp + 16]
        mov     ebx, esp
        mov     ecx, 512
.copy:  mov     al, [esi]
        mov     [ebx], al
        cmp     al, 1                   ; behind the end of the text only zeros follow
        sbb     esi, -1
        inc     ebx
        dec     ecx
        jnz     .copy
        mov     ebx, edi
        mov     ecx, esp
        mov     edx, 512
        system_call SYS_write
        mov     esi, here(.error)
        cmp     eax, 512
        jne     .failed
        mov     ebx, edi
        system_call SYS_fsync
        test    eax, eax
        js      .failed
.exit:  mov     ebx, 0
        system_call SYS_exit
.failed:
        call    .print
        mov     ebx, 1
        system_call SYS_exit
.device:    db "/dev/disk", 0
.sectors:   db " sectors of 512 bytes", 10, 0
.none:      db "disk: there is none", 10, 0
.error:     db "disk: no such sector, or it cannot be written", 10, 0
.usage:     db "disk write N TEXT", 10, 0
%include "penguin/programs/library.asm"
disk_program_end:
