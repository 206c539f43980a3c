; crash [HOW]: breaks one of the rules that protect the system. Each ends this process and nothing else.

%define program crash_program
crash_program:
        mov     eax, "writ"
        cmp     dword [esp], 2
        jb      .choose
        mov     eax, [esp + 8]
        mov     eax, [eax]              ; the first four letters tell
.choose:
        cmp     eax, "read"
        je      .read
        cmp     eax, "kern"
        je      .kernel
        cmp     eax, "divi"
        je      .divide
        and     eax, 0xFFFFFF
        cmp     eax, "cli"
        je      .cli
        cmp     eax, "opc"
        je      .opcode
        mov     dword [0xBAD00000], 1   ; no such page
.read:  mov     eax, [0]                ; a null pointer
.kernel:
        mov     eax, [KERNEL_BASE + KERNEL_LOAD]        ; there, but not for ring 3
.divide:
        xor     edx, edx
        div     edx
.cli:   cli                             ; a right of the kernel
.opcode:
        ud2
crash_program_end:
