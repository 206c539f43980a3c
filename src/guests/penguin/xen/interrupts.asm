; Traps, events, and the way in and out of the kernel at ring 1. Exceptions are taken by Xen and handed on to the
; addresses in our trap table, in frames that look as if the processor had made them. INT 0x80 does not pass through Xen
; at all: it puts our gate into the real IDT. Interrupts are events: bits in the shared page and a call to one address.
; Xen public headers: xen.h, event_channel.h, arch-x86_32.h.

UPCALL_VECTOR       equ 0x100           ; in a trap frame: an event, not one of the processor's vectors

; ---- The virtual interrupt flag: a byte in shared memory instead of CLI and STI -----------------------------------
%macro interrupts_off 0
        mov     byte [UPCALL_MASK], 1
%endmacro
; Nobody looks at the flag when it is cleared, so what became pending meanwhile has to be asked for.
%macro interrupts_on 0
        mov     byte [UPCALL_MASK], 0
        cmp     byte [UPCALL_PENDING], 0
        je      %%quiet
        call    force_upcall
%%quiet:
%endmacro

; Any hypercall will do: on its way back to us Xen delivers what is pending. Keeps all registers.
        section .text
force_upcall:
        push    eax
        push    ebx
        push    ecx
        mov     ebx, XENVER_version
        xor     ecx, ecx
        hypercall HYPERVISOR_xen_version
        pop     ecx
        pop     ebx
        pop     eax
        ret

; EAX = the address whose access faulted: CR2 cannot be read at ring 1, but Xen has left it in the shared page.
%macro read_fault_address 0
        mov     eax, [shared_info + VCPU_CR2]
%endmacro

; ---- Leaving the kernel: ESP = trap frame, events masked -----------------------------------------------------------
; At ring 1 IRET does not restore the virtual interrupt flag: unmasking and returning are two steps, and between them an
; event can arrive. It would find a frame that is being taken down, use more stack, and its wish for another process
; would be overlooked. So the code between the two labels is a critical region: the event handler below looks whether it
; has interrupted it, and then puts the frame together again as if the return had never begun.
resume:
        test    dword [esp + FRAME_EFLAGS], EFLAGS_INTERRUPT
        jz      resume_masked
        mov     byte [UPCALL_MASK], 0
critical_start:
        cmp     byte [UPCALL_PENDING], 0
        jne     critical_more
critical_pops:                          ; nine instructions of one byte each: see repair_frame
        pop     ebx
        pop     ecx
        pop     edx
        pop     esi
        pop     edi
        pop     ebp
        pop     eax
        pop     ds
        pop     es
critical_popped:
        add     esp, 8
critical_iret:
        iret                            ; from ring 1 straight to ring 3: Xen has no part in it
critical_more:
        mov     byte [UPCALL_MASK], 1
critical_end:
        jmp     handle_events           ; the frame is whole: serve the event as if it had just come

resume_masked:                          ; back to where events are masked as they are now
        pop     ebx
        pop     ecx
        pop     edx
        pop     esi
        pop     edi
        pop     ebp
        pop     eax
        pop     ds
        pop     es
        add     esp, 8
        iret

; ---- Events --------------------------------------------------------------------------------------------------------
; Xen calls here with events masked and a frame as for an interrupt.
event_callback:
        push    0
        push    UPCALL_VECTOR
        save_registers
        test    byte [esp + FRAME_CS], 2
        jnz     handle_events
        mov     eax, [esp + FRAME_EIP]
        cmp     eax, critical_start
        jb      handle_events
        cmp     eax, critical_end
        jb      repair_frame
handle_events:
        mov     ebp, esp
        call    dispatch_events
        jmp     return_from_trap

; EAX = instruction in the critical region that has been interrupted. Two frames lie on the stack: ours, and above it
; what is left of the one that was being restored. The registers it had already given back are in our frame. Joined,
; they are the old frame again.
repair_frame:
        xor     ecx, ecx                ; ECX = bytes of the old frame that have been popped
        cmp     eax, critical_pops
        jbe     .join
        cmp     eax, critical_iret
        ja      .join                   ; at critical_more: nothing was popped
        mov     ecx, FRAME_EIP          ; at IRET: all but what IRET pops
        je      .join
        sub     eax, critical_pops      ; one byte of code is one register of four bytes
        lea     ecx, [eax * 4]
.join:  lea     edi, [esp + FRAME_ESP]  ; where the old frame's rest begins: a frame within ring 1 has no ESP and SS
        sub     edi, ecx                ; where it began
        mov     edx, edi
        cmp     ecx, FRAME_VECTOR       ; vector and error code are of no use any more
        jbe     .registers
        mov     ecx, FRAME_VECTOR
.registers:
        shr     ecx, 2
        jz      .joined
.copy:  mov     eax, [esp + ecx * 4 - 4]        ; from the top down, because the two overlap
        mov     [edi + ecx * 4 - 4], eax
        dec     ecx
        jnz     .copy
.joined:
        mov     esp, edx
        mov     dword [esp + FRAME_VECTOR], UPCALL_VECTOR
        jmp     handle_events

; Xen could not return to us as we were: a segment or IRET was bad. Above the frame lie DS, ES, FS, GS.
failsafe_callback:
        add     esp, 16
        push    0
        push    13                      ; on the bare machine it would have been a general protection fault
        jmp     trap_entry

; ---- Event channels ------------------------------------------------------------------------------------------------
; EAX = port: lets its events through.
event_unmask:
        push    ebx
        mov     [event_argument], eax
        mov     ebx, EVTCHNOP_unmask
        mov     ecx, event_argument
        hypercall HYPERVISOR_event_channel_op
        pop     ebx
        ret

; ECX = virtual interrupt. Returns EAX = the port that it will arrive at, unmasked.
event_bind_virtual:
        push    ebx
        mov     [event_argument], ecx
        mov     dword [event_argument + 4], 0           ; virtual processor
        mov     ebx, EVTCHNOP_bind_virq
        mov     ecx, event_argument
        hypercall HYPERVISOR_event_channel_op
        test    eax, eax
        jz      .bound
        panic   "cannot bind a virtual interrupt"
.bound: mov     eax, [event_argument + 8]
        push    eax
        call    event_unmask
        pop     eax
        pop     ebx
        ret

; ---- Initialization ------------------------------------------------------------------------------------------------
interrupts_initialize:
        mov     ebx, trap_table
        hypercall HYPERVISOR_set_trap_table
        mov     ebx, KERNEL_CS
        mov     ecx, event_callback
        mov     edx, KERNEL_CS
        mov     esi, failsafe_callback
        hypercall HYPERVISOR_set_callbacks
        mov     edi, shared_info + SHARED_MASK          ; all ports are masked until they have a handler
        mov     ecx, 32
        mov     eax, -1
        rep stosd
        ret

; trap VECTOR, FLAGS, ADDRESS
%macro trap 3
        db      %1, %2
        dw      KERNEL_CS
        dd      %3
%endmacro

        section .data
        align   4
; Exceptions mask events on entry, as interrupt gates do. INT 0x80 must not: only a gate that Xen need not look after
; can stand in the real IDT.
trap_table:
        trap    0, TRAP_EVENTS_OFF, exception_0
        trap    1, TRAP_EVENTS_OFF, exception_1
        trap    3, TRAP_EVENTS_OFF | 3, exception_3
        trap    4, TRAP_EVENTS_OFF | 3, exception_4
        trap    5, TRAP_EVENTS_OFF, exception_5
        trap    6, TRAP_EVENTS_OFF, exception_6
        trap    7, TRAP_EVENTS_OFF, exception_7
        trap    9, TRAP_EVENTS_OFF, exception_9
        trap    10, TRAP_EVENTS_OFF, exception_10
        trap    11, TRAP_EVENTS_OFF, exception_11
        trap    12, TRAP_EVENTS_OFF, exception_12
        trap    13, TRAP_EVENTS_OFF, exception_13
        trap    14, TRAP_EVENTS_OFF, exception_14
        trap    16, TRAP_EVENTS_OFF, exception_16
        trap    17, TRAP_EVENTS_OFF, exception_17
        trap    19, TRAP_EVENTS_OFF, exception_19
        trap    0x80, 3, system_call_entry
        trap    0, 0, 0

        section .bss
event_argument: resd 3
