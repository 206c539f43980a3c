; ringside-guest
; Pages with PAE as a kernel would (SDM vol. 3 section 4.4) and writes on the serial port what came of every access: pages of 2 MiB
; and 4 KiB, rights at both levels in rings 0 and 3, write protection, reserved bits, accessed and dirty bits, PDPTEs that are
; believed as CR3 found them, several address spaces, and two levels in between. The text says nothing of time.

%define LOAD 0x100000

POINTERS        equ 0x200000            ; PDPTEs of the first address space; of the second, which begins 32 bytes behind them
POINTERS_2      equ 0x200020
DIRECTORIES     equ 0x201000            ; one for each gigabyte of the first
DIRECTORY_2     equ 0x205000            ; for the second gigabyte of the second
TABLE           equ 0x206000            ; of 4000_0000h
TABLE_TOP       equ 0x207000            ; of the last 2 MiB
TABLE_2         equ 0x208000
TWO_LEVELS      equ 0x209000            ; a page directory without PAE
DATA            equ 0x300000            ; frames of data
LARGE           equ 0x400000            ; a linear page of 2 MiB, at LARGE_FRAME in memory
LARGE_FRAME     equ 0xA00000
SMALL           equ 0x40000000          ; linear pages of 4 KiB
P               equ 1
RW              equ 2
US              equ 4
A               equ 0x20
D               equ 0x40
PS              equ 0x80
ALL             equ P | RW | US

        bits    32
        org     LOAD
image:  dd      0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        dd      image, LOAD, image_end, memory_end, start

%include "exercisers/disks/report.inc"

; A wide entry. %1 where, %2 lower half, %3 upper half
%macro entry 2-3 0
        mov     dword [%1], %2
        mov     dword [%1 + 4], %3
%endmacro
; %1 linear address, whose translation may have changed
%macro forget 1
        mov     eax, %1
        invlpg  [eax]
%endmacro
; %1 text, %2 ring, %3 READ or WRITE, %4 linear address
%macro attempt 4
        say     %1
        mov     ebx, %4
        mov     dword [ring], %2
        mov     dword [kind], %3
        call    access
%endmacro
; All four accesses to %2
%macro four 2
        attempt {%1, ", kernel reads"}, 0, READ, %2
        attempt {%1, ", user reads"}, 3, READ, %2
        attempt {%1, ", kernel writes"}, 0, WRITE, %2
        attempt {%1, ", user writes"}, 3, WRITE, %2
%endmacro
; %1 text, %2 where an entry is
%macro show 2
        say     %1, " "
        mov     eax, [%2]
        call    hex32
        mov     eax, [%2 + 4]
        call    hex32
        call    line
%endmacro
; %1 text, %2 0, 3 or 4, %3 the value
%macro control 3
        say     %1
        mov     eax, %3
        mov     dword [resume], %%over
        mov     [resume_esp], esp
        mov     byte [faulted], 0
        mov     cr%2, eax
%%over: call    outcome
%endmacro
READ    equ 0
WRITE   equ 1

start:  cld
        mov     esp, stack_top
        mov     al, 0xFF
        out     0x21, al
        out     0xA1, al
        call    report_open
        call    set_up
        say     "PAE is announced: "
        mov     eax, 1
        cpuid
        mov     eax, edx
        shr     eax, 6
        and     eax, 1
        call    hex8
        call    line
        call    build
        control "CR4", 4, 0x20
        control "CR3", 3, POINTERS
        control "CR0", 0, 0x80010011
        call    registers
        call    pages
        call    rights
        call    reserved_bits
        call    absent
        call    pointers
        call    spaces
        call    across
        call    own_tables
        call    other_modes
        say     "end", 10
        call    report_close
        mov     dx, 0x604                       ; ACPI: power off
        mov     ax, 0x2000
        out     dx, ax
.stop:  hlt
        jmp     .stop

; The first 4 MiB stand where they are in every address space, for both rings.
build:  mov     edi, POINTERS
        mov     ecx, (TWO_LEVELS + 0x1000 - POINTERS) / 4
        xor     eax, eax
        rep     stosd
        mov     ecx, 4
        mov     eax, DIRECTORIES | P
        mov     edi, POINTERS
.next:  mov     [edi], eax
        mov     [edi + POINTERS_2 - POINTERS], eax
        add     eax, 0x1000
        add     edi, 8
        loop    .next
        entry   POINTERS_2 + 8, DIRECTORY_2 | P
        entry   DIRECTORIES, ALL | PS
        entry   DIRECTORIES + 8, 0x200000 | ALL | PS
        entry   DIRECTORIES + 16, LARGE_FRAME | ALL | PS
        entry   DIRECTORIES + 0x1000, TABLE | ALL
        entry   DIRECTORIES + 0x3FF8, TABLE_TOP | ALL
        entry   DIRECTORY_2, TABLE_2 | ALL
        entry   TABLE, DATA | ALL
        entry   TABLE + 8, (DATA + 0x1000) | ALL
        entry   TABLE_TOP + 0xFF8, (DATA + 0x2000) | ALL
        entry   TABLE_2, (DATA + 0x3000) | ALL
        mov     dword [TWO_LEVELS], ALL | PS
        mov     dword [TWO_LEVELS + 4], 0x800000 | ALL | PS
        mov     byte [DATA], 0x11
        mov     byte [DATA + 0x1000], 0x22
        mov     byte [DATA + 0x2000], 0x33
        mov     byte [DATA + 0x3000], 0x44
        mov     byte [LARGE_FRAME], 0x55
        mov     byte [LARGE_FRAME + 0x1FFFFF], 0x66
        ret

registers:
        say     "CR0 CR3 CR4: "
        mov     eax, cr0
        call    hex32
        mov     eax, cr3
        call    hex32
        mov     eax, cr4
        call    hex32
        call    line
        ret

pages:  attempt "2 MiB, first byte", 0, READ, LARGE
        attempt "2 MiB, last byte", 0, READ, LARGE + 0x1FFFFF
        show    "read", DIRECTORIES + 16
        attempt "2 MiB, written", 0, WRITE, LARGE + 0x1000
        show    "written", DIRECTORIES + 16
        attempt "4 KiB", 0, READ, SMALL
        show    "read", TABLE
        show    "above it", DIRECTORIES + 0x1000
        attempt "4 KiB, written", 0, WRITE, SMALL + 8
        show    "written", TABLE
        attempt "the last page", 3, READ, 0xFFFFF000
        attempt "the last byte", 3, WRITE, 0xFFFFFFFF
        show    "written", TABLE_TOP + 0xFF8
        ret

; %1 text, %2 flags of the directory entry, %3 of the table entry
%macro both_levels 3
        entry   DIRECTORIES + 0x1000, TABLE | %2
        entry   TABLE, DATA | %3
        forget  SMALL
        four    %1, SMALL
        show    "left", TABLE
%endmacro

rights: both_levels "all rights", ALL, ALL
        both_levels "supervisor table", P | RW, ALL
        both_levels "supervisor page", ALL, P | RW
        both_levels "read-only table", P | US, ALL
        both_levels "read-only page", ALL, P | US
        both_levels "read-only supervisor page", ALL, P
        control "CR0", 0, 0x80000011
        both_levels "read-only page, WP=0", ALL, P | US
        both_levels "read-only table, WP=0", P | US, ALL
        both_levels "supervisor page, WP=0", ALL, P
        control "CR0", 0, 0x80010011
        entry   DIRECTORIES + 16, LARGE_FRAME | P | PS
        forget  LARGE
        four    "read-only supervisor 2 MiB", LARGE
        entry   DIRECTORIES + 16, LARGE_FRAME | P | US | PS
        forget  LARGE
        four    "read-only 2 MiB", LARGE
        entry   DIRECTORIES + 16, LARGE_FRAME | ALL | PS
        entry   DIRECTORIES + 0x1000, TABLE | ALL
        entry   TABLE, DATA | ALL
        forget  SMALL
        forget  LARGE
        ret

reserved_bits:
        entry   TABLE, DATA | ALL, 0x80000000
        forget  SMALL
        four    "bit 63 of a page", SMALL
        entry   TABLE, DATA | ALL
        entry   DIRECTORIES + 0x1000, TABLE | ALL, 0x80000000
        forget  SMALL
        four    "bit 63 of a table", SMALL
        entry   DIRECTORIES + 0x1000, TABLE | ALL
        entry   DIRECTORIES + 16, LARGE_FRAME | ALL | PS | 0x100000
        forget  LARGE
        four    "bit 20 of 2 MiB", LARGE
        entry   DIRECTORIES + 16, (LARGE_FRAME | ALL | PS | 0x2000) & ~P
        forget  LARGE
        four    "bit 13 of 2 MiB that are absent", LARGE
        entry   DIRECTORIES + 16, LARGE_FRAME | ALL | PS
        forget  LARGE
        forget  SMALL
        attempt "behind all that", 3, READ, SMALL
        ret

absent: entry   TABLE, DATA | RW | US
        forget  SMALL
        four    "absent page", SMALL
        entry   TABLE, DATA | ALL
        entry   DIRECTORIES + 0x1000, TABLE | RW | US
        forget  SMALL
        four    "absent table", SMALL
        entry   DIRECTORIES + 0x1000, TABLE | ALL
        attempt "present again", 3, WRITE, SMALL
        entry   TABLE + 16, 0x30000000 | ALL    ; nobody has memory there
        attempt "nowhere: reads", 0, READ, SMALL + 0x2000
        attempt "nowhere: writes", 0, WRITE, SMALL + 0x2000
        attempt "nowhere: reads again", 3, READ, SMALL + 0x2000
        entry   TABLE + 24, DATA | ALL, 1
        attempt "nowhere: above 4 GiB", 0, READ, SMALL + 0x3000
        ret

; The processor keeps the PDPTEs: what is written to them counts from the next load of CR3. A bad one is refused then.
pointers:
        entry   POINTERS + 8, 0
        forget  SMALL
        attempt "kept: after a write and INVLPG", 0, READ, SMALL
        control "kept: CR3", 3, POINTERS
        attempt "kept: after a load of CR3", 0, READ, SMALL
        entry   POINTERS + 8, (DIRECTORIES + 0x1000) | P
        control "CR3", 3, POINTERS
        entry   POINTERS + 8, (DIRECTORIES + 0x1000) | ALL
        control "kept: R/W and U/S are reserved: CR3", 3, POINTERS
        entry   POINTERS + 8, (DIRECTORIES + 0x1000) | P, 0x80000000
        control "kept: bit 63 is reserved: CR3", 3, POINTERS
        call    registers
        attempt "kept: as it was", 0, READ, SMALL
        entry   POINTERS + 8, (DIRECTORIES + 0x1000) | P
        control "CR3", 3, POINTERS
        attempt "back", 3, READ, SMALL
        entry   POINTERS + 16, 0
        control "CR3", 3, POINTERS
        attempt "absent gigabyte", 3, WRITE, 0x80000000
        entry   POINTERS + 16, (DIRECTORIES + 0x2000) | P
        control "CR3", 3, POINTERS
        ret

spaces: mov     ecx, 3
.next:  push    ecx
        mov     eax, POINTERS_2
        mov     cr3, eax
        attempt "second address space", 3, READ, SMALL
        inc     byte [SMALL]
        mov     eax, POINTERS
        mov     cr3, eax
        attempt "first address space", 3, READ, SMALL
        inc     byte [SMALL]
        pop     ecx
        dec     ecx
        jnz     .next
        call    registers
        ret

; Operands, code and a string over the border of two pages that lie apart; then the second is taken away.
across: entry   TABLE, (DATA + 0x5000) | ALL
        entry   TABLE + 8, (DATA + 0x4000) | ALL
        forget  SMALL
        forget  SMALL + 0x1000
        mov     dword [SMALL + 0xFFE], 0x12345678
        say     "across: "
        movzx   eax, word [DATA + 0x5FFE]
        call    hex16
        movzx   eax, word [DATA + 0x4000]
        call    hex16
        call    line
        mov     dword [SMALL + 0xFFD], 0x345678B8       ; MOV EAX, 12345678h; RET
        mov     word [SMALL + 0x1001], 0xC312
        mov     eax, SMALL + 0xFFD
        call    eax
        say     "code: "
        call    hex32
        call    line
        entry   TABLE + 8, (DATA + 0x4000) | RW | US
        forget  SMALL + 0x1000
        say     "string"
        mov     byte [faulted], 0
        mov     dword [resume], .stopped
        mov     [resume_esp], esp
        mov     ecx, 16
        mov     edi, SMALL + 0xFE8
        mov     eax, 0xABABABAB
        rep     stosd
.stopped:
        mov     [SMALL + 0xF00], ecx
        mov     [SMALL + 0xF04], edi
        call    outcome
        say     "ECX EDI: "
        mov     eax, [SMALL + 0xF00]
        call    hex32
        mov     eax, [SMALL + 0xF04]
        call    hex32
        call    line
        entry   TABLE, DATA | ALL
        entry   TABLE + 8, (DATA + 0x1000) | ALL
        forget  SMALL
        forget  SMALL + 0x1000
        ret

; The table is among the pages that it maps, and the directory too: written to through themselves.
own_tables:
        entry   TABLE + 0x20, TABLE | ALL
        entry   TABLE + 0x28, (DIRECTORIES + 0x1000) | ALL
        entry   SMALL + 0x4030, (DATA + 0x2000) | ALL
        attempt "by its own table", 3, READ, SMALL + 0x6000
        entry   SMALL + 0x4030, (DATA + 0x1000) | P | US
        forget  SMALL + 0x6000
        attempt "changed by its own table", 3, WRITE, SMALL + 0x6000
        attempt "read", 3, READ, SMALL + 0x6000
        entry   SMALL + 0x5008, TABLE_2 | ALL
        attempt "by its own directory", 3, READ, SMALL + 0x200000
        entry   SMALL + 0x5008, LARGE_FRAME | ALL | PS
        forget  SMALL + 0x200000
        attempt "a large page in its place", 3, READ, SMALL + 0x200000
        entry   SMALL + 0x5008, 0
        forget  SMALL + 0x200000
        attempt "and nothing", 3, READ, SMALL + 0x200000
        show    "table", TABLE + 0x20
        show    "directory", DIRECTORIES + 0x1000
        ret

; PSE means nothing to PAE; global pages; without paging; two levels, and back.
other_modes:
        control "CR4 with PSE and PGE", 4, 0xB0
        attempt "2 MiB", 0, READ, LARGE + 0x1FFFFF
        entry   TABLE, DATA | ALL | 0x100
        forget  SMALL
        attempt "global", 3, READ, SMALL
        control "CR3", 3, POINTERS
        attempt "global", 3, READ, SMALL
        control "CR4 without them", 4, 0x20
        control "CR0 without paging", 0, 0x11
        attempt "memory itself", 0, READ, LARGE_FRAME
        control "CR4 with PSE only", 4, 0x10
        control "CR3", 3, TWO_LEVELS
        control "CR0 with paging", 0, 0x80010011
        call    registers
        attempt "4 MiB", 3, READ, 0x600000
        mov     dword [TWO_LEVELS + 4], 0x800000 | ALL | PS | 0x2000
        forget  0x600000
        attempt "without PSE-36: reserved bit of 4 MiB", 3, READ, 0x600000
        mov     dword [TWO_LEVELS + 4], 0x800000 | ALL | PS
        forget  0x600000
        attempt "4 MiB again", 3, READ, 0x600000
        control "CR0 without paging", 0, 0x11
        control "CR4", 4, 0x20
        control "CR3", 3, POINTERS_2
        control "CR0 with paging", 0, 0x80010011
        call    registers
        attempt "second address space", 3, READ, SMALL
        ret

; ---- one access, and what came of it ------------------------------------------------------------------------------

; EBX = linear address, [ring], [kind].
access: mov     byte [faulted], 0
        mov     dword [resume], .over
        mov     [resume_esp], esp
        cmp     dword [ring], 0
        je      .touch
        push    dword 0x23
        push    dword user_stack
        push    dword 2
        push    dword 0x1B
        push    dword .user
        iret
.user:  cmp     dword [kind], WRITE
        je      .user_write
        mov     al, [ebx]
        int     0x30
.user_write:
        mov     byte [ebx], 0x5A
        int     0x30
.touch: cmp     dword [kind], WRITE
        je      .write
        mov     al, [ebx]
        jmp     .over
.write: mov     byte [ebx], 0x5A
.over:  mov     [value], al
        cmp     dword [kind], WRITE
        je      outcome
        cmp     byte [faulted], 0
        jne     outcome
        say     ": "
        mov     al, [value]
        call    hex8
        call    line
        ret

; What the fault handler has noted, or that there was none.
outcome:
        cmp     byte [faulted], 0
        je      .good
        say     ": exception "
        movzx   eax, byte [faulted]
        call    hex8
        say     "error "
        mov     eax, [error]
        call    hex16
        cmp     byte [faulted], 14
        jne     .end
        say     "at "
        mov     eax, cr2
        call    hex32
.end:   call    line
        ret
.good:  say     ": done", 10
        ret

; Handlers go on at [resume]; an access of ring 3 says by INT 30h that it has succeeded.
page_fault:
        mov     byte [faulted], 14
        jmp     fault
protection:
        mov     byte [faulted], 13
fault:  pop     dword [error]
back:   mov     esp, [resume_esp]
        jmp     [resume]

set_up: lgdt    [gdt_pointer]
        jmp     8:.flat
.flat:  mov     eax, 0x10
        mov     ss, eax
        mov     eax, 0x23                       ; ring 0 may use these as well as ring 3
        mov     ds, eax
        mov     es, eax
        mov     eax, tss
        mov     [gdt.tss + 2], ax
        shr     eax, 16
        mov     [gdt.tss + 4], al
        mov     eax, 0x28
        ltr     ax
        mov     eax, protection
        mov     edx, 0x8E00
        mov     edi, idt + 13 * 8
        call    gate
        mov     eax, page_fault
        call    gate
        mov     eax, back
        mov     edx, 0xEE00
        mov     edi, idt + 0x30 * 8
        call    gate
        lidt    [idt_pointer]
        ret

; EAX = handler, EDX = rights, EDI = descriptor; EDI moves on.
gate:   mov     [edi], ax
        mov     word [edi + 2], 8
        mov     [edi + 4], dx
        shr     eax, 16
        mov     [edi + 6], ax
        add     edi, 8
        ret

        align   8
gdt:    dq      0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00CFFB000000FFFF, 0x00CFF3000000FFFF
.tss:   dw      0x67, 0, 0x8900, 0
gdt_pointer:
        dw      gdt_pointer - gdt - 1
        dd      gdt
idt_pointer:
        dw      0x31 * 8 - 1
        dd      idt
tss:    dd      0, interrupt_stack, 0x10
        times   22 dd 0
        dw      0, 0x68
ring:   dd      0
kind:   dd      0
resume: dd      0
resume_esp:
        dd      0
error:  dd      0
value:  db      0
faulted:
        db      0
        align   16
image_end:

        absolute image_end
idt:    resb    0x32 * 8
        resb    4096
stack_top:
        resb    4096
interrupt_stack:
        resb    4096
user_stack:
memory_end:
