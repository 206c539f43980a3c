; hello: the smallest program. Two system calls; copy this file to begin one of your own.

%define program hello_program
hello_program:
        mov     ebx, 1                  ; standard output
        mov     ecx, here(.text)
        mov     edx, .text_end - .text
        system_call SYS_write
        mov     ebx, 0                  ; all is well
        system_call SYS_exit
.text:  db      "Hello from ring 3!", 10
.text_end:
hello_program_end:
