; Descriptor tables: a flat GDT with two rings, one task state segment (for the ring-0 stack), an IDT whose stubs all
; build the same frame.

        align   8
gdt:    dq      0
        dq      0x00CF9B000000FFFF      ; 08 ring 0 code
        dq      0x00CF93000000FFFF      ; 10 ring 0 data
        dq      0x00CFFB000000FFFF      ; 1B ring 3 code
        dq      0x00CFF3000000FFFF      ; 23 ring 3 data
gdt_task:
        dq      0                       ; 28 task state segment
gdt_end:
gdt_pointer:
        dw      gdt_end - gdt - 1
        dd      gdt

        align   4
task:   dd      0
task_esp0:
        dd      0, KERNEL_DATA
        times 22 dd 0
        dw      0, 104                  ; no I/O permission bitmap: it would begin beyond the limit

idt_pointer:
        dw      64 * 8 - 1
        dd      idt
        align   8
idt:    times 64 * 2 dd 0

; Fills in the task segment's descriptor and the gates.
tables_initialize:
        mov     eax, task
        mov     word [gdt_task], 103
        mov     [gdt_task + 2], ax
        shr     eax, 16
        mov     [gdt_task + 4], al
        mov     byte [gdt_task + 5], 0x89
        mov     [gdt_task + 7], ah
        ; Gates: interrupt gates, so that the kernel runs with interrupts off.
        xor     ecx, ecx
.gate:  mov     eax, [stub_table + ecx * 4]
        test    eax, eax
        jz      .none
        mov     edx, eax
        and     eax, 0xFFFF
        or      eax, KERNEL_CODE << 16
        and     edx, 0xFFFF0000
        or      edx, 0x8E00
        cmp     ecx, SERVICE_VECTOR
        jne     .store
        or      edx, 0x6000             ; programs may call this one
.store: mov     [idt + ecx * 8], eax
        mov     [idt + ecx * 8 + 4], edx
.none:  inc     ecx
        cmp     ecx, 64
        jb      .gate
        lidt    [idt_pointer]
        ret
