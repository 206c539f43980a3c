; Every interrupt, exception and system call comes through here. A stub pushes an error code (or 0) and its vector; then
; all registers are saved, and EBP points at the frame while the handler runs.

F_ES            equ     0
F_DS            equ     4
F_EDI           equ     8
F_ESI           equ     12
F_EBP           equ     16
F_EBX           equ     24
F_EDX           equ     28
F_ECX           equ     32
F_EAX           equ     36
F_VECTOR        equ     40
F_ERROR         equ     44
F_EIP           equ     48
F_CS            equ     52
F_EFLAGS        equ     56
F_ESP           equ     60
F_SS            equ     64
F_SIZE          equ     68

%macro stub 1                           ; an exception without an error code, an interrupt
stub_%1:
        push    dword 0
        push    dword %1
        jmp     trap
%endmacro
%macro stub_error 1                     ; the processor has pushed an error code
stub_%1:
        push    dword %1
        jmp     trap
%endmacro

        stub    0x00
        stub    0x01
        stub    0x02
        stub    0x03
        stub    0x04
        stub    0x05
        stub    0x06
        stub    0x07
        stub_error 0x08
        stub    0x09
        stub_error 0x0A
        stub_error 0x0B
        stub_error 0x0C
        stub_error 0x0D
        stub_error 0x0E
        stub    0x10
        stub_error 0x11
        stub    0x12
        stub    0x13
        stub    0x2E
        stub    0x30
        stub    0x31
        stub    0x33
        stub    0x34
        stub    0x35
        stub    0x36
        stub    0x37
        stub    0x38
        stub    0x39
        stub    0x3A
        stub    0x3B
        stub    0x3C
        stub    0x3D
        stub    0x3E
        stub    0x3F

        align   4
stub_table:
        dd      stub_0x00, stub_0x01, stub_0x02, stub_0x03, stub_0x04, stub_0x05, stub_0x06, stub_0x07
        dd      stub_0x08, stub_0x09, stub_0x0A, stub_0x0B, stub_0x0C, stub_0x0D, stub_0x0E, 0
        dd      stub_0x10, stub_0x11, stub_0x12, stub_0x13, 0, 0, 0, 0
        dd      0, 0, 0, 0, 0, 0, 0, 0
        dd      0, 0, 0, 0, 0, 0, 0, 0
        dd      0, 0, 0, 0, 0, 0, stub_0x2E, 0
        dd      stub_0x30, stub_0x31, 0, stub_0x33, stub_0x34, stub_0x35, stub_0x36, stub_0x37
        dd      stub_0x38, stub_0x39, stub_0x3A, stub_0x3B, stub_0x3C, stub_0x3D, stub_0x3E, stub_0x3F

trap:   pushad
        push    ds
        push    es
        mov     eax, KERNEL_DATA        ; a program may have left anything in these
        mov     ds, eax
        mov     es, eax
        cld
        mov     ebp, esp
        mov     eax, [ebp + F_VECTOR]
        cmp     eax, SERVICE_VECTOR
        je      .service
        cmp     eax, IRQ_BASE
        jae     .interrupt
        call    exception
        jmp     trap_return
.service:
        call    service
        call    reschedule
        jmp     trap_return
.interrupt:
        call    interrupt
trap_return:
        pop     es
        pop     ds
        popad
        add     esp, 8
        iretd

; ---- interrupts -----------------------------------------------------------------------------------------------------

; Sets up both 8259A controllers: vectors from IRQ_BASE, everything masked but timer, keyboard, cascade and mouse.
interrupts_initialize:
        mov     al, 0x11                ; ICW1: edge-triggered, cascaded, ICW4 follows
        out     0x20, al
        out     0xA0, al
        mov     al, IRQ_BASE            ; ICW2
        out     0x21, al
        mov     al, IRQ_BASE + 8
        out     0xA1, al
        mov     al, 4                   ; ICW3: the slave is on input 2
        out     0x21, al
        mov     al, 2
        out     0xA1, al
        mov     al, 1                   ; ICW4: 8086 mode
        out     0x21, al
        out     0xA1, al
        mov     al, 11111000b
        out     0x21, al
        mov     al, 11101111b
        out     0xA1, al
        ret

; EAX = vector. Kernel code never runs with interrupts on, except in the idle loop: what was interrupted is a program or
; nothing, so that it is always safe to switch threads on the way out.
interrupt:
        inc     dword [count_interrupts]
        sub     eax, IRQ_BASE
        cmp     eax, 7
        je      .spurious
        cmp     eax, 15
        je      .spurious_slave
        push    eax
        mov     al, 0x20                ; acknowledge first: the handler may switch threads
        cmp     dword [esp], 8
        jb      .master
        out     0xA0, al
.master:
        out     0x20, al
        pop     eax
        cmp     eax, 0
        je      .timer
        cmp     eax, 1
        je      .keyboard
        cmp     eax, 12
        je      .mouse
        ret
.timer: call    timer_interrupt
        jmp     reschedule
.keyboard:
        call    keyboard_interrupt
        jmp     reschedule
.mouse: call    mouse_interrupt
        jmp     reschedule
.spurious_slave:
        mov     al, 0x20                ; the master did see a request
        out     0x20, al
.spurious:
        ret

; ---- exceptions -----------------------------------------------------------------------------------------------------

; EAX = vector, EBP = frame. A touched heap page is given; any other fault ends the program, or the system if the kernel
; itself was wrong.
exception:
        cmp     eax, 14
        jne     .fatal
        inc     dword [count_faults]
        mov     eax, cr2
        call    heap_fault
        jnc     .handled
.fatal: test    byte [ebp + F_CS], 3
        jnz     .program
        mov     eax, cr2                ; the kernel, on behalf of a program, at a program's address?
        cmp     dword [ebp + F_VECTOR], 14
        jne     stop_screen
        cmp     eax, USER_END
        jae     stop_screen
        mov     eax, [current]
        cmp     dword [eax + T_CR3], 0
        je      stop_screen
.program:
        mov     esi, text_fault
        call    serial_text
        mov     esi, [current]
        mov     esi, [esi + T_NAME]
        call    serial_text
        mov     esi, text_newline
        call    serial_text
        jmp     thread_exit
.handled:
        ret

text_fault:     db "Panes: a program performed an illegal operation and was closed: ", 0
text_newline:   db 13, 10, 0
