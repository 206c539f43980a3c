; ringside-guest
; A kernel that executes given instructions, one after another, at a ring of the machine that it believes to have, each from
; the same state, and writes down what can be seen of it: how it ended (every trial is followed by INT3), registers, flags,
; data segments, memory, control registers. It reads nothing by an instruction that is itself under suspicion: flags and CS
; come from the frames that exceptions push. Whoever boots it puts the trials in and takes the results out
; (src/session/popek-goldberg/probe.ts); a trial that does not come back is where `cursor` stands.
; kernel-xen.asm is the same, ported to Xen: its ring 0 is ring 1, and what it would do to tables is a hypercall.

IMAGE       equ 0x00100000
IMAGE_END   equ 0x00200000
LANDING     equ 0x2000                  ; where far transfers of the trials lead
OPERAND     equ 0x3000                  ; memory operands
OPERANDS    equ 0x200
STACK       equ 0x5000                  ; of the trials
OTHER_TASK  equ 0x9000
OWN_TASK    equ 0x9800
IDT         equ 0x00110000
KERNEL_STACK equ 0x00118000
TRIALS      equ 0x00120000              ; {32 bytes of code, ECX, EFLAGS, 5 words of stack}
TRIAL_SHIFT equ 6
RESULTS     equ 0x00180000
RESULT_SHIFT equ 7

%ifdef XEN
CODE        equ 0x09
DATA        equ 0x11
%else
CODE        equ 0x08
DATA        equ 0x10
%endif
TASK        equ 0x38
LOCAL       equ 0x28

        bits    32
        org     IMAGE
%ifdef XEN
%include "exercisers/classes/xen-header.inc"
%else
image:  dd      0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        dd      image, image, 0, IMAGE_END, start
%endif
ring:   dd      0
count:  dd      0
cursor: dd      0
backwards: dd   0                       ; 1: the last trial comes first

%ifdef XEN
start:  cld
        mov     [start_info], esi
        mov     esp, KERNEL_STACK
        call    tables
        call    xen_tables
        jmp     CODE:.flat
.flat:  mov     eax, DATA
        mov     ss, eax
        mov     ds, eax
        mov     es, eax
        fxsave  [floating_point]
again:  clts
%else
start:  cli
        cld
        mov     esp, KERNEL_STACK
        lgdt    [gdt_pointer]
        jmp     CODE:.flat
.flat:  mov     eax, DATA
        mov     ss, eax
        mov     ds, eax
        mov     es, eax
        mov     al, 0xFF                ; no interrupt of a device
        out     0x21, al
        out     0xA1, al
        call    tables
        mov     eax, cr4
        or      eax, 0x200              ; OSFXSR
        mov     cr4, eax
        mov     [cr4_before], eax
        mov     eax, cr0
        mov     [cr0_before], eax
        mov     eax, cr3
        mov     [cr3_before], eax
        fninit
        fxsave  [floating_point]

; ---- Everything as it was before the first trial ----------------------------------------------------------------------
again:  mov     eax, [cr0_before]
        mov     cr0, eax
        mov     eax, [cr4_before]
        mov     cr4, eax
        mov     eax, [cr3_before]
        mov     cr3, eax
        xor     eax, eax
        mov     cr2, eax
        mov     dr0, eax
        mov     eax, 0x400
        mov     dr7, eax
        mov     ecx, 0x174              ; SYSENTER_CS
        xor     eax, eax
        xor     edx, edx
        wrmsr
        mov     esi, descriptors        ; trials make descriptors busy
        mov     edi, gdt
        mov     ecx, (descriptors_end - descriptors) / 4
.compare:
        mov     eax, [esi]
        cmp     eax, [edi]
        je      .same
        mov     [edi], eax
.same:  add     esi, 4
        add     edi, 4
        loop    .compare
        lgdt    [gdt_pointer]
        lidt    [idt_pointer]
        jmp     CODE:.reloaded
.reloaded:
        mov     eax, LOCAL
        lldt    ax
        mov     eax, TASK
        ltr     ax
%endif
        mov     eax, [cursor]
        cmp     eax, [count]
        jae     off

        mov     esi, eax
        cmp     dword [backwards], 0
        je      .forwards
        sub     esi, [count]
        not     esi                     ; count - 1 - cursor
.forwards:
        shl     esi, TRIAL_SHIFT
        add     esi, TRIALS
        mov     [target], esi
        xor     eax, eax
        mov     edi, OPERAND
        mov     ecx, OPERANDS / 4
        rep     stosd
        mov     dword [OPERAND], LANDING
        mov     ecx, [esi + 32]
        mov     [OPERAND + 4], ecx
        mov     [selector], ecx
        mov     edi, STACK - 128
        mov     ecx, 64
        rep     stosd
        lea     ebx, [esi + 40]
        mov     edi, STACK
        mov     ecx, 5
.word:  mov     eax, [ebx]
        stosd
        add     ebx, 4
        loop    .word
        fxrstor [floating_point]
        cli
        test    dword [esi + 36], 0x200
        jz      .off
        sti
.off:   mov     edx, [ring]
        test    edx, edx
        jnz     outer
        push    dword [esi + 36]
        mov     eax, DATA & ~3
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        popfd
        mov     esp, STACK
        mov     eax, 0x12340078
        mov     ecx, [selector]
        mov     edx, 1
        mov     ebx, OPERAND
        mov     ebp, STACK
        mov     esi, OPERAND
        mov     edi, OPERAND + 0x40
        jmp     [target]

; EDX = ring: by IRET, with a stack of its own.
outer:  mov     eax, [data_of + edx * 4]
        push    eax
        push    dword STACK
        push    dword [esi + 36]
        push    dword [code_of + edx * 4]
        push    dword [target]
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     eax, 0x12340078
        mov     ecx, [selector]
        mov     edx, 1
        mov     ebx, OPERAND
        mov     ebp, STACK
        mov     esi, OPERAND
        mov     edi, OPERAND + 0x40
        iretd

; ---- A trial is over: vector, error code and frame lie on the stack ----------------------------------------------------
over:   pushad
        push    ds
        push    es
        push    fs
        push    gs
        cld
        mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     ebp, esp
        mov     edi, [cursor]
        shl     edi, RESULT_SHIFT
        add     edi, RESULTS
        lea     esi, [ebp + 48]
        lea     ebx, [edi + 4]
        mov     ecx, 5                  ; vector, error code, EIP, CS, EFLAGS
.frame: mov     eax, [esi]
        mov     [ebx], eax
        add     esi, 4
        add     ebx, 4
        loop    .frame
        lea     edx, [ebp + 68]         ; the trial's stack pointer, if the stack was not switched
%ifdef XEN
        movzx   eax, word [edi + 16]    ; above CS lies the state of the mask
        call    believed
        mov     [edi + 16], eax
        test    byte [ebp + 60], 2
%else
        test    byte [ebp + 60], 3
%endif
        jz      .inner
        mov     edx, [ebp + 68]
        mov     eax, [ebp + 72]
        mov     [edi + 28], eax
.inner: mov     [edi + 24], edx
        mov     esi, ebp                ; data segments, registers
        lea     ebx, [edi + 32]
        mov     ecx, 12
.register:
        mov     eax, [esi]
        mov     [ebx], eax
        add     esi, 4
        add     ebx, 4
        loop    .register
        mov     dword [edi + 32 + 16 + 12], 0
%ifdef XEN
        lea     ebx, [edi + 32]
        mov     ecx, 4
.data:  mov     eax, [ebx]
        call    believed
        mov     [ebx], eax
        add     ebx, 4
        loop    .data
%else
        mov     eax, cr0
        mov     [edi + 80], eax
        mov     eax, cr2
        mov     [edi + 84], eax
        mov     eax, cr3
        mov     [edi + 88], eax
        mov     eax, cr4
        mov     [edi + 92], eax
        mov     eax, dr7
        mov     [edi + 96], eax
        push    edx
        mov     ecx, 0x174
        rdmsr
        mov     [edi + 100], eax
        pop     edx
%endif
        mov     esi, OPERAND
        mov     ecx, OPERANDS / 4
        call    checksum
        mov     [edi + 104], eax
        lea     eax, [edx - 0x4000]
        cmp     eax, 0x2000
        jae     .elsewhere
        mov     esi, edx
        mov     ecx, 8
        call    checksum
        mov     [edi + 108], eax
        mov     eax, [edx]
        mov     [edi + 112], eax
.elsewhere:
        mov     eax, [OPERAND]
        mov     [edi + 116], eax
        mov     eax, [OPERAND + 4]
        mov     [edi + 120], eax
        mov     dword [edi], 1
        inc     dword [cursor]
        mov     eax, DATA
        mov     ss, eax
        mov     esp, KERNEL_STACK
        jmp     again

; ECX words at ESI. EAX: their sum, each turned by its place.
checksum:
        xor     eax, eax
.word:  rol     eax, 1
        xor     eax, [esi]
        add     esi, 4
        loop    .word
        ret

off:
%ifdef XEN
        mov     ebx, SCHEDOP_shutdown
        mov     ecx, poweroff
        hypercall HYPERVISOR_sched_op
poweroff: dd    SHUTDOWN_poweroff

; A selector without the ring that Xen gave this kernel.
believed:
        push    edx
        mov     edx, eax
        and     edx, 3
        cmp     edx, 1
        jne     .other
        and     eax, ~3
.other: pop     edx
        ret

%include "exercisers/classes/xen-tables.inc"
%else
        mov     dx, 0x604               ; ACPI power-off
        mov     ax, 0x2000
        out     dx, ax
        hlt
%endif

%include "exercisers/classes/tables.inc"

; By ring.
data_of: dd     DATA, 0x59, 0x6A, 0x23
code_of: dd     CODE, 0x51, 0x62, 0x1B

; Selectors of the trials: kernel, programs, a local table, a task segment that is free, our own, the same of another host.
        align   8
descriptors:
%ifdef XEN
        dq      0, 0x00CFBB000000BFFF, 0x00CFB3000000BFFF, 0x00CFFB000000BFFF, 0x00CFF3000000BFFF
        dq      0, 0, 0, 0, 0
        dq      0x00CFBB000000BFFF, 0x00CFB3000000BFFF, 0x00CFDB000000BFFF, 0x00CFD3000000BFFF
%else
        dq      0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00CFFB000000FFFF, 0x00CFF3000000FFFF
        dq      0x000082008000000F, 0x0000890090000067, 0x0000890098000067, 0x000082008800000F, 0x00008B009C000067
        dq      0x00CFBB000000FFFF, 0x00CFB3000000FFFF, 0x00CFDB000000FFFF, 0x00CFD3000000FFFF
%endif
descriptors_end:
        align   4096
gdt:    dq      0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
        align   4096, db 0              ; Xen wants a page of its own for it
gdt_pointer:
        dw      descriptors_end - descriptors - 1
        dd      gdt
idt_pointer:
        dw      0x7FF
        dd      IDT
        align   16
floating_point:
        times   512 db 0
cr0_before: dd  0
cr3_before: dd  0
cr4_before: dd  0
target:     dd  0
selector:   dd  0
        align   4096
