; ringside-guest
; A kernel that uses a good deal of the system architecture and none of the instructions that lie: it must say the same on
; the bare machine and at ring 1. It never reads CS, SS, EFLAGS or a table register, and sets IF by STI before it goes to a
; program. Paging, descriptors changed in place, exceptions, system calls, breakpoints, MSRs, ports, interrupts.

%include "exercisers/holes/kernel.inc"

directory   equ 0x00200000
table       equ 0x00201000
LIMIT_FS    equ 0x38                    ; a descriptor that is rewritten while the kernel runs

main:   mov     dword [frame], stack_top - 8    ; what those have that are called from here
        call    paging
        call    registers
        call    segments
        call    exceptions
        call    debugging
        call    model_specific
        call    ports
        call    sleeping
        jmp     programs

; ---- The first 4 MiB one to one, for everybody; one page read-only; one page where there is no memory -------------------
paging: mov     edi, table
        mov     eax, 7
.fill:  stosd
        add     eax, 0x1000
        cmp     edi, table + 0x1000
        jb      .fill
        mov     dword [table + 0x300 * 4], 0x00300005
        mov     dword [table + 0x301 * 4], 0xD0000007
        mov     dword [table + 0x302 * 4], 0
        mov     dword [directory], table + 7
        mov     eax, directory
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax
        jmp     .on
.on:    mov     dword [0x301000], 0x12345678        ; lost: nobody listens
        mov     eax, [0x301000]
        show    "memory that is not there:"
        mov     edi, idt + 14 * 8
        mov     eax, page_fault
        call    set_gate
        mov     dword [resume], .written
        mov     dword [0x300000], 1
.written:
        mov     dword [resume], .read
        mov     eax, [0x302000]
.read:  mov     dword [table + 0x302 * 4], 0x00100007   ; the image again, at another place
        invlpg  [0x302000]
        mov     eax, [0x302000]
        show    "alias of the image:"
        mov     dword [table + 0x302 * 4], 0x00101007
        mov     eax, cr3
        mov     cr3, eax
        mov     eax, [0x302000]
        cmp     eax, [0x101000]
        sete    al
        movzx   eax, al
        show    "alias follows the table:"
        ret

page_fault:
        mov     eax, [esp]
        show    "#PF, error code:"
        mov     eax, cr2
        show    "  address:"
        mov     esp, [frame]
        push    dword [resume]
        ret

registers:
        mov     eax, cr0
        show    "CR0:"
        mov     eax, cr3
        show    "CR3:"
        mov     eax, cr4
        show    "CR4:"
        mov     eax, cr0
        or      eax, 8
        lmsw    ax
        mov     eax, cr0
        show    "CR0 with TS:"
        clts
        mov     eax, cr0
        show    "CR0 without:"
        mov     eax, 0x1234
        mov     cr2, eax
        mov     eax, cr2
        show    "CR2:"
        mov     dword [resume], .bad
        mov     eax, 0x80000000         ; paging without protection
        mov     cr0, eax
.bad:   ret

; ---- Descriptors that are made and changed while the tables are in use --------------------------------------------------
segments:
        mov     dword [gdt + LIMIT_FS], 0x20000003          ; four bytes at 102000h ...
        mov     dword [gdt + LIMIT_FS + 4], 0x00409310
        mov     eax, LIMIT_FS
        mov     fs, eax
        mov     eax, [fs:0]
        cmp     eax, [0x102000]
        sete    al
        movzx   eax, al
        show    "FS:"
        mov     dword [resume], .limit
        mov     eax, [fs:4]
.limit: mov     dword [gdt + LIMIT_FS + 4], 0x0040F310      ; DPL 3 changes nothing until FS is loaded anew
        mov     word [gdt + LIMIT_FS], 0x0007
        mov     dword [resume], .old
        mov     eax, [fs:4]
.old:   mov     eax, LIMIT_FS
        mov     fs, eax
        mov     eax, [fs:4]
        cmp     eax, [0x102004]
        sete    al
        movzx   eax, al
        show    "FS, longer:"
        mov     dword [resume], .absent
        mov     byte [gdt + LIMIT_FS + 5], 0x73
        mov     edi, idt + 11 * 8
        mov     eax, not_present
        call    set_gate
        mov     eax, LIMIT_FS
        mov     fs, eax
.absent:
        mov     eax, 0x0C               ; LDT entry 1
        mov     gs, eax
        mov     eax, [gs:image]
        show    "GS from the LDT:"
        mov     dword [resume], .beyond
        mov     eax, 0x14
        mov     gs, eax
.beyond:
        xor     eax, eax
        mov     gs, eax
        mov     dword [resume], .null
        mov     eax, [gs:0]
.null:  mov     ecx, esp
        mov     eax, DATA
        mov     ss, eax                 ; no interrupt between these two
        mov     esp, ecx
        push    dword CODE              ; a return that ring 1 cannot make by itself
        push    dword .back
        retf
.back:  mov     eax, 1
        show    "RETF:"
        lgdt    [gdt_pointer]
        jmp     CODE:.again
.again: mov     eax, 2
        show    "JMP far:"
        ret

not_present:
        mov     eax, [esp]
        show    "#NP:"
        mov     esp, [frame]
        push    dword [resume]
        ret

exceptions:
        mov     edi, idt
        mov     eax, divide
        call    set_gate
        mov     edi, idt + 6 * 8
        mov     eax, undefined
        call    set_gate
        mov     edi, idt + 3 * 8
        mov     eax, breakpoint
        call    set_gate
        xor     edx, edx
        mov     eax, 7
        xor     ecx, ecx
        div     ecx
        ud2
        int3
        int     3
        mov     dword [resume], .no_gate
        mov     byte [idt + 0x41 * 8 + 5], 0
        mov     edi, idt + 0x41 * 8
        mov     dword [edi + 4], 0
        int     0x41
.no_gate:
        ret
divide: mov     eax, [esp + 4]
        show    "#DE, CS:"
        add     dword [esp], 2
        iret
undefined:
        mov     eax, [esp]
        sub     eax, exceptions
        show    "#UD at:"
        add     dword [esp], 2
        iret
breakpoint:
        mov     eax, [esp]
        sub     eax, exceptions
        show    "#BP behind:"
        iret

; ---- Single step and a data breakpoint ----------------------------------------------------------------------------------
debugging:
        mov     edi, idt + 1 * 8
        mov     eax, debug
        call    set_gate
        mov     eax, watched
        mov     dr0, eax
        mov     eax, 0x000D0001         ; writes of four bytes
        mov     dr7, eax
        mov     dword [watched], 5
        nop
        mov     eax, dr6
        and     eax, 0xF
        show    "DR6:"
        xor     eax, eax
        mov     dr7, eax
        mov     dr6, eax
        mov     eax, dr7
        show    "DR7:"
        mov     eax, [steps]
        show    "debug traps:"
        ret
debug:  inc     dword [steps]
        iret
        align   4
watched: dd     0
steps:  dd      0

model_specific:
        mov     ecx, 0x175              ; SYSENTER_ESP
        mov     eax, 0x11223344
        xor     edx, edx
        wrmsr
        xor     eax, eax
        rdmsr
        show    "MSR 175h:"
        mov     dword [resume], .none
        mov     ecx, 0x12345
        rdmsr
.none:  wbinvd
        ret

ports:  mov     esi, .text
        mov     ecx, .end - .text
        mov     edx, 0xE9
        rep     outsb
        mov     al, 0x0F                ; a byte of CMOS that nobody uses
        out     0x70, al
        mov     al, 0x5A
        out     0x71, al
        mov     al, 0x0F
        out     0x70, al
        mov     edi, 0x00103000
        mov     edx, 0x71
        insb
        movzx   eax, byte [0x00103000]
        show    "CMOS:"
        ret
.text:  db      "a string to a port", 10
.end:

sleeping:
        mov     ecx, 5
.again: mov     eax, [ticks]
        sti
        hlt
        cli
        cmp     eax, [ticks]
        je      .again
        loop    .again
        mov     eax, 1
        show    "five interrupts:"
        ret

; ---- A program at ring 3: system calls, a forbidden instruction, a forbidden page, interrupts under way -----------------
programs:
        mov     edi, idt + 0x80 * 8
        mov     eax, system_call
        call    set_gate
        mov     byte [idt + 0x80 * 8 + 5], 0xEE
        mov     edi, idt + 13 * 8
        mov     eax, user_protection
        call    set_gate
        mov     edi, idt + 14 * 8
        mov     eax, user_page_fault
        call    set_gate
        mov     dword [table + 0x303 * 4], 0x00303003       ; the kernel's
        mov     eax, cr3
        mov     cr3, eax
        mov     eax, USER_DATA
        mov     ds, eax
        mov     es, eax
        push    dword USER_DATA
        push    dword user_top
        push    dword 0x202
        push    dword USER_CODE
        push    dword user
        sti                             ; what IRET would do on the bare machine, and cannot here
        iret

user:   mov     eax, 1
        int     0x80
        mov     eax, [ticks]
.wait:  cmp     eax, [ticks]
        je      .wait
        mov     eax, 2
        int     0x80
        cli                             ; #GP: two bytes are skipped with the NOP
        nop
        mov     eax, [0x303000]         ; #PF: five bytes
        mov     eax, DATA
        mov     ds, ax                  ; #GP
        mov     eax, 0
        int     0x80

system_call:
        push    ds
        push    es
        push    eax
        mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     eax, [esp]
        show    "system call:"
        test    eax, eax
        jz      off
        pop     eax
        pop     es
        pop     ds
        sti
        iret
user_protection:
        xchg    eax, [esp]
        show    "#GP in the program:"
        pop     eax
        add     dword [esp], 2
        sti
        iret
user_page_fault:
        xchg    eax, [esp]
        show    "#PF in the program:"
        mov     eax, cr2
        show    "  address:"
        pop     eax
        add     dword [esp], 5
        sti
        iret
