; ringside-guest
; A hostile kernel that believes it owns a PC: it maps every physical frame there could be and writes to it, loads what it
; can into every register, and touches every port. Under VT-x a test looks whether any byte outside its domain changed.

%define LOAD 0x100000
%define SPRAY 0xDEADBEEF
%define WINDOW 0x00800000                       ; linear page whose entry is replaced again and again

        bits    32
        org     LOAD
image:  dd      0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        dd      image, LOAD, image_end, memory_end, start

%macro try 1
        mov     dword [resume], %1
%endmacro
%macro attempt 1+
        try     %%next
        %1
%%next:
%endmacro

start:  mov     esp, stack_top
        lgdt    [gdt_pointer]
        jmp     8:.flat
.flat:  mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     ecx, 32                         ; all exceptions go on at [resume]
        mov     edi, idt
.gate:  mov     eax, fault
        mov     [edi], ax
        mov     word [edi + 2], 8
        mov     word [edi + 4], 0x8E00
        shr     eax, 16
        mov     [edi + 6], ax
        add     edi, 8
        loop    .gate
        lidt    [idt_pointer]

; Paging: 8 MiB identity, and one more table for the window.
        mov     edi, table
        mov     eax, 3
        mov     ecx, 2048
.fill:  stosd
        add     eax, 4096
        loop    .fill
        mov     dword [directory], table + 3
        mov     dword [directory + 4], table + 4096 + 3
        mov     dword [directory + 8], window_table + 3
        mov     eax, directory
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000
        mov     cr0, eax

; Every frame number of 20 bits that matters: all of the first 256 MiB, then in steps up to 4 GiB.
        xor     ebp, ebp
.frame: mov     eax, ebp
        shl     eax, 12
        cmp     eax, LOAD                       ; not over ourselves
        jb      .map
        cmp     eax, memory_end
        jb      .mapped
.map:   or      eax, 7
        mov     [window_table], eax
        invlpg  [WINDOW]
        try     .mapped
        mov     dword [WINDOW], SPRAY
        mov     dword [WINDOW + 4092], SPRAY
.mapped:
        inc     ebp
        cmp     ebp, 0x4800
        jb      .frame
        add     ebp, 0x7F
        cmp     ebp, 0x100000
        jb      .frame

; A directory whose entries lead nowhere, to itself, and to 4 MiB pages of machine memory.
        mov     eax, cr4
        or      eax, 0x10
        try     .no_pse
        mov     cr4, eax
.no_pse:
        mov     ebp, 0
.large: mov     eax, ebp
        shl     eax, 22
        or      eax, 0x87
        mov     [directory + 12], eax
        mov     eax, cr3
        mov     cr3, eax
        try     .larger
        cmp     ebp, 2                          ; the first 8 MiB hold this program
        jb      .larger
        mov     dword [0x00C00000], SPRAY
        mov     dword [0x00FFFFFC], SPRAY
.larger:
        inc     ebp
        cmp     ebp, 1024
        jb      .large
        mov     dword [directory + 12], 0xFFFFF003
        mov     eax, cr3
        mov     cr3, eax
        attempt mov dword [0x00C00000], SPRAY
        mov     dword [directory + 12], directory + 3
        mov     eax, cr3
        mov     cr3, eax
        attempt mov dword [0x00C03000], SPRAY

; Descriptor tables and control registers from nowhere.
        attempt lgdt [nowhere]
        lgdt    [gdt_pointer]
        attempt lldt [selector]
        attempt ltr [selector]
        attempt mov dr7, eax
        attempt mov cr4, esp
        mov     ebp, 0x174
.msr:   mov     ecx, ebp
        mov     eax, SPRAY
        mov     edx, SPRAY
        try     .msr_done
        wrmsr
.msr_done:
        inc     ebp
        cmp     ebp, 0x180
        jb      .msr
        mov     ecx, 0x480
        attempt wrmsr
        mov     ecx, 0x3A
        attempt wrmsr
        attempt vmxon [nowhere]
        attempt vmptrld [nowhere]
        attempt vmwrite eax, ebx
        attempt vmread eax, ebx
        attempt vmlaunch
        attempt vmcall
        attempt vmxoff

; Every port but the four that end a PC, and the one that speaks for us.
        xor     edx, edx
.port:  cmp     edx, 0x604
        je      .next_port
        cmp     edx, 0x605
        je      .next_port
        cmp     edx, 0xB004
        je      .next_port
        cmp     edx, 0x64
        je      .next_port
        cmp     edx, 0xCF9
        je      .next_port
        cmp     edx, 0x92
        je      .next_port
        cmp     edx, 0xE9
        je      .next_port
        try     .next_port
        mov     eax, 0xFF
        out     dx, al
        in      al, dx
.next_port:
        inc     edx
        cmp     edx, 0x10000
        jb      .port

        mov     esi, done
.say:   lodsb
        test    al, al
        jz      .off
        out     0xE9, al
        jmp     .say
.off:   mov     dx, 0x604
        mov     ax, 0x2000
        out     dx, ax
        jmp     $

; Any exception: forget the frame, whatever it was.
fault:  mov     esp, stack_top
        jmp     [resume]

done:   db      "hostile: all tried", 10, 0
        align   8, db 0
gdt:    dq      0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
gdt_pointer:
        dw      23
        dd      gdt
idt_pointer:
        dw      0xFF
        dd      idt
nowhere:
        dw      0xFFFF
        dd      0xFFFFF000
selector:
        dw      0xFFF8
        align   4, db 0
resume: dd      0
image_end:
        section .bss align=4096
        alignb  4096
directory:      resb 4096
table:          resb 8192
window_table:   resb 4096
idt:            resb 256
                resb 4096
stack_top:
memory_end:
