; Exceptions, and the one way out of the kernel. Intel SDM vol. 3, "Exception and Interrupt Reference".
; Both builds get the same frame: in the native one the processor pushes it, in the other Xen imitates the processor.

EXCEPTIONS      equ 20

        section .text
; exception VECTOR: an exception without an error code; a zero takes its place, so that all frames look alike.
%macro exception 1
exception_%1:
        push    0
        push    %1
        jmp     trap_entry
%endmacro
; The processor has pushed an error code.
%macro exception_with_code 1
exception_%1:
        push    %1
        jmp     trap_entry
%endmacro
        exception 0
        exception 1
        exception 2
        exception 3
        exception 4
        exception 5
        exception 6
        exception 7
        exception_with_code 8
        exception 9
        exception_with_code 10
        exception_with_code 11
        exception_with_code 12
        exception_with_code 13
        exception_with_code 14
        exception 15
        exception 16
        exception_with_code 17
        exception 18
        exception 19

; All exceptions meet here with interrupts off. Handlers get EBP = trap frame.
trap_entry:
        save_registers
        mov     ebp, esp
        mov     eax, [ebp + FRAME_VECTOR]
        call    [exception_handlers + eax * 4]
        ; fall into

; The way out, for traps of every kind: ESP = trap frame. On the way to user mode it is the moment to end a process
; that is to be ended, and to let another one run; in the kernel neither may happen.
return_from_trap:
        interrupts_off                  ; nothing may change between these questions and the return
        test    byte [esp + FRAME_CS], 2
        jz      resume                  ; back into the kernel
        mov     eax, [current]
        cmp     dword [eax + PROCESS_SIGNAL], 0
        jne     .end
        cmp     byte [need_schedule], 0
        je      resume
        call    schedule
        jmp     return_from_trap
.end:   mov     eax, [eax + PROCESS_SIGNAL]
        jmp     process_end             ; the status of a process that a signal ended is the signal's number

; ---- Exceptions that are errors ----------------------------------------------------------------------------------
exception_error:
        test    byte [ebp + FRAME_CS], 2
        jz      exception_in_kernel
        mov     eax, [ebp + FRAME_VECTOR]
        movzx   ecx, byte [exception_signals + eax]
        mov     dword [fault_reason], 0
        ; fall into

; EBP = trap frame of a user program, ECX = signal, fault_reason = text for a page fault or 0.
exception_ends_process:
        push    esi
        push    ecx
        mov     eax, [current]
        mov     [eax + PROCESS_SIGNAL], ecx
        print   "["
        mov     eax, [eax + PROCESS_PID]
        call    print_decimal
        print   " "
        mov     eax, [current]
        lea     esi, [eax + PROCESS_NAME]
        call    print_string
        print   "] "
        call    print_exception
        call    print_newline
        pop     ecx
        pop     esi
        ret                             ; return_from_trap does the rest

exception_in_kernel:
        mov     dword [print_target], 0
        call    print_newline
        call    print_exception
        call    print_registers
        panic   "exception in the kernel"

; "page fault at DEADBEEF (write, no such page), eip 08048010"
print_exception:
        mov     eax, [ebp + FRAME_VECTOR]
        mov     esi, [exception_names + eax * 4]
        call    print_string
        cmp     eax, 14
        je      .page_fault
        cmp     dword [ebp + FRAME_ERROR], 0
        je      .where
        print   ", error code "
        mov     eax, [ebp + FRAME_ERROR]
        call    print_hexadecimal
        jmp     .where
.page_fault:
        print   " at "
        mov     eax, [fault_address]
        call    print_hexadecimal
        test    byte [ebp + FRAME_ERROR], FAULT_WRITE
        jnz     .write
        print   " (read"
        jmp     .reason
.write: print   " (write"
.reason:
        mov     esi, [fault_reason]
        test    esi, esi
        jz      .close
        print   ", "
        call    print_string
.close: print   ")"
.where: print   ", eip "
        mov     eax, [ebp + FRAME_EIP]
        call    print_hexadecimal
        ret

print_registers:
        push    ebx
        call    print_newline
        xor     ebx, ebx
.next:  mov     esi, [register_names + ebx]
        call    print_string
        mov     eax, [ebp + ebx]
        call    print_hexadecimal
        add     ebx, 4
        cmp     ebx, FRAME_DS
        jb      .next
        call    print_newline
        pop     ebx
        ret

        section .data
        align   4
exception_stubs:
        dd      exception_0, exception_1, exception_2, exception_3, exception_4
        dd      exception_5, exception_6, exception_7, exception_8, exception_9
        dd      exception_10, exception_11, exception_12, exception_13, exception_14
        dd      exception_15, exception_16, exception_17, exception_18, exception_19
exception_handlers:
        dd      exception_error, exception_error, exception_error, exception_error, exception_error
        dd      exception_error, exception_error, exception_error, exception_error, exception_error
        dd      exception_error, exception_error, exception_error, exception_error, page_fault
        dd      exception_error, exception_error, exception_error, exception_error, exception_error
exception_names:
        dd      .divide, .debug, .nmi, .breakpoint, .overflow
        dd      .bound, .opcode, .no_fpu, .double, .overrun
        dd      .tss, .not_present, .stack, .protection, .page
        dd      .unknown, .fpu, .alignment, .machine, .simd
.divide:        db "divide error", 0
.debug:         db "debug exception", 0
.nmi:           db "non-maskable interrupt", 0
.breakpoint:    db "breakpoint", 0
.overflow:      db "overflow", 0
.bound:         db "bound exceeded", 0
.opcode:        db "invalid opcode", 0
.no_fpu:        db "no floating-point unit", 0
.double:        db "double fault", 0
.overrun:       db "coprocessor overrun", 0
.tss:           db "invalid TSS", 0
.not_present:   db "segment not present", 0
.stack:         db "stack fault", 0
.protection:    db "general protection fault", 0
.page:          db "page fault", 0
.unknown:       db "unknown exception", 0
.fpu:           db "floating-point error", 0
.alignment:     db "alignment check", 0
.machine:       db "machine check", 0
.simd:          db "SIMD floating-point error", 0
exception_signals:
        db      SIGFPE, SIGTRAP, SIGKILL, SIGTRAP, SIGSEGV, SIGSEGV, SIGILL, SIGFPE, SIGKILL, SIGFPE
        db      SIGSEGV, SIGBUS, SIGBUS, SIGSEGV, SIGSEGV, SIGKILL, SIGFPE, SIGBUS, SIGKILL, SIGFPE
        align   4
register_names:
        dd      .ebx, .ecx, .edx, .esi, .edi, .ebp, .eax
.ebx:   db      "ebx ", 0
.ecx:   db      " ecx ", 0
.edx:   db      " edx ", 0
.esi:   db      " esi ", 0
.edi:   db      " edi ", 0
.ebp:   db      " ebp ", 0
.eax:   db      " eax ", 0
