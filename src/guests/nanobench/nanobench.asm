; ringside-guest
; The seven nanobenchmarks of Adams and Agesen (ASPLOS 2006, section 6.3): a kernel that does one thing that costs a virtual
; machine dearly, many times over, and says on its serial port how many cycles one time took. The same image for every
; technique that takes an unmodified kernel. IA-32 has no CR8: CR2 stands for it, a control register that a kernel writes
; and that changes nothing else.

%define LOAD   0x100000
%define TIMES  1000
%define TARGET 0x300000                         ; a page whose entry is changed, and one that is not present
%define HOLE   0x301000
%define COM1   0x3F8

        bits    32
        org     LOAD
image:  dd      0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        dd      image, LOAD, image_end, memory_end, start

; measure NAME: what stands up to `measured` is done TIMES times, with ESI to count; once to get warm (pages, translations)
; and once for the record. What the counting costs is taken off again.
%macro measure 1
        mov     dword [name], %%name
        mov     dword [round], 2
        jmp     %%go
%%name: db      %1, 0
%%go:   rdtsc
        mov     [before], eax
        mov     esi, TIMES
%%again:
%define measured_again %%again
%define measured_round %%go
%endmacro
%macro counted 0
        dec     esi
        jnz     measured_again
        dec     dword [round]
        jnz     measured_round
%endmacro
%macro measured 0
        counted
        call    report
%endmacro

start:  cld
        mov     esp, stack_top
        lgdt    [gdt_pointer]
        jmp     8:.flat
.flat:  mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     eax, 40
        ltr     ax
        mov     ecx, 256
        mov     edi, idt
        mov     edx, wild
.gate:  call    set_gate
        loop    .gate
        mov     edi, idt                        ; #DE, #PF, and the way from ring 3 back to ring 0
        mov     edx, divide_error
        call    set_gate
        mov     edi, idt + 14 * 8
        mov     edx, page_fault
        call    set_gate
        mov     edi, idt + 0x80 * 8
        mov     edx, leave_user
        call    set_gate
        mov     byte [idt + 0x80 * 8 + 5], 0xEE
        lidt    [idt_pointer]

; Paging: the first 4 MiB one to one, for ring 3 too.
        mov     edi, table
        mov     eax, 7
        mov     ecx, 1024
.fill:  stosd
        add     eax, 4096
        loop    .fill
        mov     dword [table + (HOLE >> 12) * 4], 0
        mov     dword [directory], table + 7
        mov     eax, directory
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax

        mov     ecx, 0x174                      ; IA32_SYSENTER_CS, ESP, EIP
        xor     edx, edx
        mov     eax, 8
        wrmsr
        inc     ecx
        mov     eax, stack_top
        wrmsr
        inc     ecx
        mov     eax, system_call
        wrmsr

; Without anything: what rdtsc and the counting cost. The first time, a translator translates `report`, too.
        mov     dword [overhead], 0
        measure "nothing"
        measured
        measure "nothing"
        measured
        mov     eax, [result]
        mov     [overhead], eax

        mov     eax, 0x23                       ; system calls come from ring 3
        mov     ds, eax
        mov     es, eax
        push    eax
        push    dword user_stack_top
        push    dword 0x202 & ~0x200
        push    dword 0x1B
        push    dword user
        iret
user:   measure "syscall"
        mov     ecx, esp
        mov     edx, .back
        sysenter
.back:  counted
        int     0x80
after_user:
        mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     esp, stack_top
        call    report

        measure "in"
        in      al, 0x80
        measured

        xor     eax, eax
        measure "cr8wr"
        mov     cr2, eax
        measured

        measure "callret"
        call    nearby
        measured

        mov     ebx, HOLE
        measure "pgfault"
        mov     al, [ebx]                       ; 2 bytes: the handler steps over them
        measured

        xor     ecx, ecx
        measure "divzero"
        div     ecx                             ; 2 bytes
        measured

; A store into a page table in use. Whoever shadows page tables has to notice it.
        mov     ebx, table + (TARGET >> 12) * 4
        mov     eax, TARGET | 7
        mov     edi, TARGET
        measure "ptemod"
        xor     eax, 0x1000
        mov     [ebx], eax
        measured
; And with what a kernel has to do after it: INVLPG, and a use of the page.
        mov     eax, TARGET | 7
        measure "ptemod+use"
        xor     eax, 0x1000
        mov     [ebx], eax
        invlpg  [edi]
        mov     dl, [edi]
        measured

        mov     esi, done
        call    print
        mov     dx, 0x604
        mov     ax, 0x2000
        out     dx, ax
stop:   cli
        hlt
        jmp     stop

nearby: ret

; EDI = gate, EDX = handler. EDI is then at the next gate.
set_gate:
        mov     [edi], dx
        mov     word [edi + 2], 8
        mov     word [edi + 4], 0x8E00
        mov     eax, edx
        shr     eax, 16
        mov     [edi + 6], ax
        add     edi, 8
        ret

divide_error:
        add     dword [esp], 2
        iret
page_fault:
        add     esp, 4
        add     dword [esp], 2
        iret
system_call:
        sysexit
; From ring 3 for good.
leave_user:
        add     esp, 20
        jmp     after_user
wild:   mov     esi, lost
        call    print
        jmp     stop

; The time since [before], divided among the TIMES, without the overhead: printed after [name].
report: rdtsc
        sub     eax, [before]
        xor     edx, edx
        mov     ecx, TIMES
        div     ecx
        mov     [result], eax
        sub     eax, [overhead]
        jnc     .more
        xor     eax, eax                        ; less than what the counting cost elsewhere
.more:  push    eax
        mov     esi, [name]
        call    print
        mov     al, ' '
        call    put
        pop     eax
        call    print_number
        mov     al, 10

; AL = character for the serial port.
put:    push    edx
        push    eax
        mov     dx, COM1 + 5
.wait:  in      al, dx
        test    al, 0x20
        jz      .wait
        pop     eax
        mov     dx, COM1
        out     dx, al
        pop     edx
        ret
; ESI = text.
print:  lodsb
        test    al, al
        jz      .end
        call    put
        jmp     print
.end:   ret
; EAX = number.
print_number:
        xor     edx, edx
        mov     ecx, 10
        div     ecx
        push    edx
        test    eax, eax
        jz      .last
        call    print_number
.last:  pop     eax
        add     al, '0'
        jmp     put

done:   db      "done", 10, 0
lost:   db      "an exception that nobody asked for", 10, 0
        align   8, db 0
gdt:    dq      0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00CFFB000000FFFF, 0x00CFF3000000FFFF
        dw      0x67, tss - LOAD, 0x8910, 0
gdt_pointer:
        dw      47
        dd      gdt
idt_pointer:
        dw      0x7FF
        dd      idt
        align   4, db 0
tss:    dd      0, stack_top, 16
        times   23 dd 0
image_end:

        absolute 0x110000
directory:      resb 4096
table:          resb 4096
idt:            resb 2048
                resb 2048
name:           resd 1
before:         resd 1
round:          resd 1
result:         resd 1
overhead:       resd 1
                resb 4076
stack_top:      resb 4096
user_stack_top: resb 16
memory_end:
