; ringside-guest
; A paravirtualized guest that uses a second virtual processor: it gives it a stack, an address space and an entry point
; (VCPUOP_initialise), lets it run (VCPUOP_up), and sends it an event (an IPI); the second one prints, answers by an event of
; its own, and goes down again. Run it with two:
;   ringside run src/guests/exercisers/two-processors/two-processors.asm --technique paravirtualization --vcpus 2

%include "include/xen.inc"

        xen_guest "two-processors", "1", start

; checked: the hypercall that was just made must not have failed.
%macro checked 0
        test    eax, eax
        js      failed
%endmacro

; processor OPERATION, NUMBER, ARGUMENT
%macro processor 3
        mov     ebx, %1
        mov     ecx, %2
        mov     edx, %3
        hypercall HYPERVISOR_vcpu_op
%endmacro

; channel COMMAND, ARGUMENT: an operation on event channels.
%macro channel 2
        mov     ebx, %1
        mov     ecx, %2
        hypercall HYPERVISOR_event_channel_op
        checked
%endmacro

; print LABEL: text that ends with a zero.
%macro print 1
        mov     edx, %1
        call    print_text
%endmacro

start:  cld
        mov     esp, stack_top
        mov     ebp, esi
        mov     eax, [ebp + START_SHARED_INFO]
        shr     eax, 12
        shl     eax, 12
        lea     ecx, [eax + 0x63]               ; present, writable, accessed, dirty
        xor     edx, edx
        mov     ebx, shared
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        checked

        processor VCPUOP_is_up, 1, 0
        cmp     eax, 0
        jl      alone
        jne     failed

; An IPI for each of us, and who is told when it comes: the event callback, with the number in vcpu_info.
        channel EVTCHNOP_bind_ipi, ipi_of_first
        channel EVTCHNOP_bind_ipi, ipi_of_second
        channel EVTCHNOP_unmask, ipi_of_first + 4
        channel EVTCHNOP_unmask, ipi_of_second + 4
        mov     ebx, FLAT_RING1_CS
        mov     ecx, first_upcall
        xor     edx, edx
        xor     esi, esi
        hypercall HYPERVISOR_set_callbacks
        checked
        print   starting

; The second processor's first state: our address space, a stack of its own, no descriptors but Xen's.
        mov     dword [context + CONTEXT_USER_REGS + REGS_EIP], second_start
        mov     word [context + CONTEXT_USER_REGS + REGS_CS], FLAT_RING1_CS
        mov     dword [context + CONTEXT_USER_REGS + REGS_ESP], second_stack_top
        mov     dword [context + CONTEXT_USER_REGS + REGS_EBP], 4711
        mov     eax, FLAT_RING1_DS
        mov     [context + CONTEXT_USER_REGS + REGS_SS], ax
        mov     [context + CONTEXT_USER_REGS + REGS_DS], ax
        mov     [context + CONTEXT_USER_REGS + REGS_ES], ax
        mov     dword [context + CONTEXT_KERNEL_SS], FLAT_RING1_SS
        mov     dword [context + CONTEXT_KERNEL_SP], second_stack_top
        mov     dword [context + CONTEXT_EVENT_CS], FLAT_RING1_CS
        mov     dword [context + CONTEXT_EVENT_EIP], second_upcall
        mov     eax, [ebp + START_PT_BASE]
        sub     eax, XEN_VIRT_BASE
        shr     eax, 12
        mov     ecx, [ebp + START_MFN_LIST]
        mov     eax, [ecx + eax * 4]
        shl     eax, 12
        mov     [context + CONTEXT_CR3], eax
        processor VCPUOP_initialise, 1, context
        checked
        processor VCPUOP_up, 1, 0
        checked

; When it has said that it is there, the event; then we wait for its answer.
.there: cmp     dword [present], 4711
        je      .send
        mov     ebx, SCHEDOP_yield
        hypercall HYPERVISOR_sched_op
        jmp     .there
.send:  mov     eax, [ipi_of_second + 4]
        mov     [send], eax
        channel EVTCHNOP_send, send
.wait:  cmp     dword [answers], 1
        je      .came
        mov     ebx, SCHEDOP_block
        xor     ecx, ecx
        hypercall HYPERVISOR_sched_op
        jmp     .wait
.came:  print   answered

; It goes down by itself.
.down:  processor VCPUOP_is_up, 1, 0
        test    eax, eax
        jz      .gone
        mov     ebx, SCHEDOP_yield
        hypercall HYPERVISOR_sched_op
        jmp     .down
.gone:  print   is_down
        jmp     end

; ---- The second processor ----------------------------------------------------------------------------------------
second_start:
        cld
        print   hello
        mov     [present], ebp                  ; it has the registers that it was given
.wait:  cmp     dword [events], 1
        je      .came
        mov     ebx, SCHEDOP_block
        xor     ecx, ecx
        hypercall HYPERVISOR_sched_op
        jmp     .wait
.came:  print   got_it
        mov     eax, [ipi_of_first + 4]
        mov     [answer], eax
        channel EVTCHNOP_send, answer
        processor VCPUOP_down, 1, 0
        print   impossible                      ; nobody brings it up again
        jmp     $

; ---- Events ------------------------------------------------------------------------------------------------------
; upcall PROCESSOR, PORT, COUNTER: takes the event, counts it, and goes back to where the processor was.
%macro upcall 3
        push    eax
        mov     byte [shared + %1 * 64 + VCPU_UPCALL_PENDING], 0
        mov     eax, 0
        xchg    eax, [shared + %1 * 64 + VCPU_PENDING_SEL]
        mov     eax, [%2]
        lock btr [shared + SHARED_PENDING], eax
        jnc     %%none
        inc     dword [%3]
%%none: jmp     hypercall_page + HYPERVISOR_iret * 32 + 1 ; EAX is on the stack, as that wants it
%endmacro
first_upcall:
        upcall  0, ipi_of_first + 4, answers
second_upcall:
        upcall  1, ipi_of_second + 4, events

; EDX = text. Both processors come here: the lock is held while one prints.
print_text:
.lock:  lock bts dword [printing], 0
        jc      .lock
        mov     ecx, -1
.count: inc     ecx
        cmp     byte [edx + ecx], 0
        jne     .count
        mov     ebx, CONSOLEIO_write
        hypercall HYPERVISOR_console_io
        mov     dword [printing], 0
        ret

alone:  print   no_second
        jmp     end
failed: mov     dword [printing], 0
        print   failed_text
        mov     dword [reason], SHUTDOWN_crash
end:    mov     ebx, SCHEDOP_shutdown
        mov     ecx, reason
        hypercall HYPERVISOR_sched_op
        jmp     $

starting:       db "first: I start the second", 13, 10, 0
hello:          db "second: here I am", 13, 10, 0
got_it:         db "second: your event came", 13, 10, 0
answered:       db "first: and so did yours", 13, 10, 0
is_down:        db "first: it is down again", 13, 10, 0
no_second:      db "there is no second processor (--vcpus 2)", 13, 10, 0
impossible:     db "second: I run, and am down", 13, 10, 0
failed_text:    db "a hypercall was refused", 13, 10, 0
        align   4, db 0
ipi_of_first:   dd 0, 0                         ; {processor, out: port}
ipi_of_second:  dd 1, 0
send:           dd 0
answer:         dd 0
present:        dd 0
events:         dd 0
answers:        dd 0
printing:       dd 0
reason:         dd SHUTDOWN_poweroff
context:        times CONTEXT_SIZE db 0
        align   4096, db 0
shared:         times 4096 db 0                 ; shared_info takes this place

        section .bss
                resb 4096
stack_top:
                resb 4096
second_stack_top:
        xen_guest_end
