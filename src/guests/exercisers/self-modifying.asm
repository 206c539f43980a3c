; ringside-guest
; A kernel whose code changes itself in every way that a machine must notice: ahead of the instruction that runs, over the
; boundary of two pages from either side, through another linear address of the same page, by a string instruction that
; overwrites what follows it, by copying a function to where another was, and by giving a page of code another frame. It
; says to port E9h what each new code answered, which is the same wherever it runs.

%include "exercisers/holes/kernel.inc"

directory   equ 0x00200000
table       equ 0x00201000
boundary    equ 0x00203000              ; code lies over it
alias       equ 0x00300000              ; a second address of the page before it
elsewhere   equ 0x00205000              ; a page that changes places with another
other_frame equ 0x00206000

main:   mov     edi, table              ; 4 MiB one to one, for everybody
        mov     eax, 7
.fill:  stosd
        add     eax, 0x1000
        cmp     edi, table + 0x1000
        jb      .fill
        mov     dword [table + (alias >> 12) * 4], (boundary - 0x1000) + 7
        mov     dword [directory], table + 7
        mov     eax, directory
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax
        jmp     .paged
.paged:

; ---- The immediate of an instruction just ahead, in a loop: what is cached is wrong from the second turn on ---------------
        xor     esi, esi
        mov     ecx, 40
.ahead: mov     dword [.value + 1], ecx
        jmp     .value
.value: mov     eax, 0
        add     esi, eax
        loop    .ahead
        mov     eax, esi
        show    "ahead:"

; ---- An instruction of five bytes, three of them in the next page ----------------------------------------------------------
        mov     edi, boundary - 2
        mov     byte [edi], 0xB8        ; mov eax, imm32
        mov     dword [edi + 1], 0x11223344
        mov     byte [edi + 5], 0xC3
        call    edi
        show    "over the boundary:"
        xor     ebx, ebx
        mov     ecx, 30
.over:  mov     [boundary - 1], cl      ; in the first page
        call    edi
        add     ebx, eax
        mov     [boundary + 2], cl      ; in the second
        call    edi
        add     ebx, eax
        loop    .over
        mov     eax, ebx
        show    "changed from either page:"
        mov     dword [boundary - 1], 0xAABBCCDD    ; in both at once
        call    edi
        show    "changed in both:"

; ---- Through another address of the first page --------------------------------------------------------------------------------
        xor     ebx, ebx
        mov     ecx, 30
.alias: mov     [alias + 0xFFF], cl
        call    edi
        add     ebx, eax
        loop    .alias
        mov     eax, ebx
        show    "through an alias:"

; ---- A string instruction that overwrites what follows it: the increments become no-operations -------------------------------
        mov     edx, 3
        xor     eax, eax
.string:
        mov     esi, .increments
        mov     edi, .follows
        mov     ecx, 8
        cmp     edx, 2
        jne     .copy
        mov     esi, .nothing
.copy:  rep     movsb
.follows:
        times   8 inc eax
        dec     edx
        jnz     .string
        jmp     .told
.increments:
        times   8 inc eax
.nothing:
        times   8 nop
.told:  show    "by a string instruction:"

; ---- One function where another was -----------------------------------------------------------------------------------------
        mov     edx, 20
        xor     ebx, ebx
.copies:
        mov     esi, doubles
        test    edx, 1
        jz      .put
        mov     esi, negates
.put:   mov     edi, elsewhere + 0xFF0
        mov     ecx, function_size / 4
        rep     movsd
        mov     eax, edx
        mov     edi, elsewhere + 0xFF0
        call    edi
        add     ebx, eax
        dec     edx
        jnz     .copies
        mov     eax, ebx
        show    "copied:"

; ---- The same linear address, another frame -----------------------------------------------------------------------------------
        mov     esi, doubles
        mov     edi, elsewhere
        mov     ecx, function_size / 4
        rep     movsd
        mov     esi, negates
        mov     edi, other_frame
        mov     ecx, function_size / 4
        rep     movsd
        xor     ebx, ebx
        mov     edx, 20
.remap: xor     dword [table + (elsewhere >> 12) * 4], elsewhere ^ other_frame
        test    edx, 2
        jz      .whole
        invlpg  [elsewhere]
        jmp     .mapped
.whole: mov     eax, cr3
        mov     cr3, eax
.mapped:
        mov     eax, edx
        mov     edi, elsewhere
        call    edi
        imul    ebx, ebx, 3
        add     ebx, eax
        dec     edx
        jnz     .remap
        mov     eax, ebx
        show    "in another frame:"
        ret

        align   4
doubles:
        add     eax, eax
        inc     eax
        ret
        align   4, nop
        times   12 nop
function_size equ $ - doubles
negates:
        neg     eax
        sub     eax, 7
        ret
        align   4, nop
        times   12 nop
