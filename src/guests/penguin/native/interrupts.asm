; The IDT, the two 8259A interrupt controllers, and the way in and out of the kernel at ring 0.
; Intel SDM vol. 3, "Interrupt and Exception Handling"; 8259A data sheet, initialization command words.

        section .text

PIC1_COMMAND        equ 0x20
PIC1_DATA           equ 0x21
PIC2_COMMAND        equ 0xA0
PIC2_DATA           equ 0xA1
PIC_EOI             equ 0x20
PIC_READ_ISR        equ 0x0B
FIRST_IRQ_VECTOR    equ 32              ; IRQ 0..15 arrive as vectors 32..47, clear of the exceptions

IRQ_TIMER           equ 0
IRQ_KEYBOARD        equ 1
IRQ_SERIAL          equ 4
IRQ_SERIAL_2        equ 3               ; the second and the fourth port

INTERRUPT_GATE      equ 0x8E00          ; present, DPL 0, clears the interrupt flag on entry
USER_INTERRUPT_GATE equ 0xEE00          ; the same for INT from ring 3
USER_TRAP_GATE      equ 0xEF00          ; leaves the interrupt flag alone: system calls can be interrupted

; ---- The interrupt flag ------------------------------------------------------------------------------------------
%macro interrupts_off 0
        cli
%endmacro
%macro interrupts_on 0
        sti
%endmacro

; For code that may be called with interrupts on or off: off from here to interrupts_restore, then as before.
%macro interrupts_save 0
        pushfd
        cli
%endmacro
%macro interrupts_restore 0
        popfd
%endmacro

; Sleeps until the next interrupt. STI takes effect after the instruction that follows it, so none can slip in between
; the decision to sleep and the sleep. Call with interrupts off; they are on afterwards.
wait_for_interrupt:
        cmp     byte [xen_time], 0
        jne     xen_wait
        cmp     byte [hyper_v_time], 0
        jne     hyper_v_wait
        sti
        hlt
        ret

; ---- Leaving the kernel: ESP = trap frame, interrupts off ----------------------------------------------------------
; IRET restores the interrupt flag together with everything else, in one indivisible step.
resume:
        pop     ebx
        pop     ecx
        pop     edx
        pop     esi
        pop     edi
        pop     ebp
        pop     eax
        pop     ds
        pop     es
        add     esp, 8                  ; vector and error code
        iret

; EAX = the address whose access faulted.
%macro read_fault_address 0
        mov     eax, cr2
%endmacro

; ---- Hardware interrupts -----------------------------------------------------------------------------------------
%macro irq_stub 1
irq_%1: push    0
        push    FIRST_IRQ_VECTOR + %1
        jmp     irq_entry
%endmacro
        irq_stub 0
        irq_stub 1
        irq_stub 2
        irq_stub 3
        irq_stub 4
        irq_stub 5
        irq_stub 6
        irq_stub 7
        irq_stub 8
        irq_stub 9
        irq_stub 10
        irq_stub 11
        irq_stub 12
        irq_stub 13
        irq_stub 14
        irq_stub 15

irq_entry:
        save_registers
        mov     ebp, esp
        mov     eax, [ebp + FRAME_VECTOR]
        call    [irq_handlers + (eax - FIRST_IRQ_VECTOR) * 4]
        mov     al, PIC_EOI
        cmp     dword [ebp + FRAME_VECTOR], FIRST_IRQ_VECTOR + 8
        jb      .first
        out     PIC2_COMMAND, al
.first: out     PIC1_COMMAND, al
        jmp     return_from_trap

irq_ignore:
        ret

; A request that vanished before it could be acknowledged arrives as the lowest priority, IRQ 7 or 15, and is not in
; service: no end-of-interrupt may be sent to that controller.
irq_7_perhaps_spurious:
        mov     al, PIC_READ_ISR
        out     PIC1_COMMAND, al
        in      al, PIC1_COMMAND
        test    al, 0x80
        jnz     .real
        add     esp, 4                  ; forget irq_entry, and with it the EOI
        jmp     return_from_trap
.real:  ret

irq_15_perhaps_spurious:
        mov     al, PIC_READ_ISR
        out     PIC2_COMMAND, al
        in      al, PIC2_COMMAND
        test    al, 0x80
        jnz     .real
        mov     dword [ebp + FRAME_VECTOR], FIRST_IRQ_VECTOR    ; the first controller did see IRQ 2
.real:  ret

; ---- Initialization ----------------------------------------------------------------------------------------------
interrupts_initialize:
        push    ebx
        push    esi
        push    edi
        mov     esi, exception_stubs
        xor     ebx, ebx
.exception:
        lodsd
        mov     edx, INTERRUPT_GATE
        cmp     ebx, 3                  ; INT3 and INTO are for everybody
        je      .user
        cmp     ebx, 4
        jne     .set
.user:  mov     edx, USER_INTERRUPT_GATE
.set:   call    set_gate
        inc     ebx
        cmp     ebx, EXCEPTIONS
        jb      .exception

        mov     esi, irq_stubs
        mov     ebx, FIRST_IRQ_VECTOR
.irq:   lodsd
        mov     edx, INTERRUPT_GATE
        call    set_gate
        inc     ebx
        cmp     ebx, FIRST_IRQ_VECTOR + 16
        jb      .irq

        mov     ebx, 0x80
        mov     eax, system_call_entry
        mov     edx, USER_TRAP_GATE
        call    set_gate
        lidt    [idt_pointer]

        mov     al, 0x11                ; ICW1: edge triggered, cascade, ICW4 follows
        out     PIC1_COMMAND, al
        out     PIC2_COMMAND, al
        mov     al, FIRST_IRQ_VECTOR    ; ICW2: vectors
        out     PIC1_DATA, al
        mov     al, FIRST_IRQ_VECTOR + 8
        out     PIC2_DATA, al
        mov     al, 4                   ; ICW3: the second hangs on line 2 of the first
        out     PIC1_DATA, al
        mov     al, 2
        out     PIC2_DATA, al
        mov     al, 1                   ; ICW4: 8086 mode
        out     PIC1_DATA, al
        out     PIC2_DATA, al
%ifdef CONTAINERS
        mov     al, ~((1 << IRQ_TIMER) | (1 << IRQ_KEYBOARD) | (1 << IRQ_SERIAL) | (1 << IRQ_SERIAL_2)) & 0xFF
%else
        mov     al, ~((1 << IRQ_TIMER) | (1 << IRQ_KEYBOARD) | (1 << IRQ_SERIAL)) & 0xFF
%endif
        out     PIC1_DATA, al           ; only what we have drivers for
        mov     al, 0xFF
        out     PIC2_DATA, al
        pop     edi
        pop     esi
        pop     ebx
        ret

; EBX = vector, EAX = handler, EDX = type and rights.
set_gate:
        lea     edi, [idt + ebx * 8]
        mov     [edi], ax
        mov     word [edi + 2], KERNEL_CS
        mov     [edi + 4], dx
        shr     eax, 16
        mov     [edi + 6], ax
        ret

        section .data
        align   4
irq_stubs:
        dd      irq_0, irq_1, irq_2, irq_3, irq_4, irq_5, irq_6, irq_7
        dd      irq_8, irq_9, irq_10, irq_11, irq_12, irq_13, irq_14, irq_15
irq_handlers:
%ifdef CONTAINERS
        dd      timer_interrupt, keyboard_interrupt, irq_ignore, serial_interrupt
%else
        dd      timer_interrupt, keyboard_interrupt, irq_ignore, irq_ignore
%endif
        dd      serial_interrupt, dispatch_events, irq_ignore, irq_7_perhaps_spurious
        dd      irq_ignore, irq_ignore, irq_ignore, irq_ignore
        dd      irq_ignore, irq_ignore, irq_ignore, irq_15_perhaps_spurious
idt_pointer:
        dw      256 * 8 - 1
        dd      idt

        section .bss
idt:    resb    256 * 8
