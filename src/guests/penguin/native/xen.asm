; Xen beneath an unmodified kernel, which this is: the processor is virtualized by hardware, the devices of the PC are
; imitated, and still we may ask for what a ported kernel gets. CPUID says that Xen is there, an MSR makes the page of
; hypercalls, shared_info is put into our memory, and its events come as interrupt 5. Then the drivers in drivers/ run here
; too, and a disk needs no imitated one. Xen public headers: arch-x86/cpuid.h, hvm/params.h, hvm/hvm_op.h, memory.h.

        section .text

CPUID_XEN_MSR       equ 2               ; leaf: EAX = pages of hypercalls, EBX = MSR that places them
XENVER_get_features equ 6               ; {which 32 of them, out: bits}
XENFEAT_hvm_safe_pvclock equ 9          ; the time in shared_info is right for such guests as we are
HVMOP_set_param     equ 0               ; {domain, index, 64-bit value}
HVMOP_get_param     equ 1
HVM_PARAM_CALLBACK_IRQ  equ 0
HVM_PARAM_STORE_PFN     equ 1
HVM_PARAM_STORE_EVTCHN  equ 2
HVM_PARAM_CONSOLE_PFN   equ 17
HVM_PARAM_CONSOLE_EVTCHN equ 18
IRQ_XEN             equ 5

; EAX = the first CPUID leaf of Xen's.
xen_attach:
        push    ebx
        push    edi
        add     eax, CPUID_XEN_MSR
        cpuid
        mov     ecx, ebx
        mov     eax, physical(hypercall_page)
        xor     edx, edx
        wrmsr
        mov     eax, XENMAPSPACE_shared_info
        mov     ecx, physical(shared_info)
        call    map_from_xen
        mov     edi, shared_info + SHARED_MASK          ; all ports are masked until they have a handler
        mov     ecx, 32
        mov     eax, -1
        rep stosd
        mov     byte [shared_info + VCPU_UPCALL_MASK], 0
        in      al, PIC1_DATA
        and     al, ~(1 << IRQ_XEN)
        mov     [pic_mask], al
        out     PIC1_DATA, al
        mov     eax, HVM_PARAM_CALLBACK_IRQ
        mov     edx, IRQ_XEN
        mov     ebx, HVMOP_set_param
        call    xen_parameter
        call    xen_clock_attach
        mov     eax, HVM_PARAM_CONSOLE_EVTCHN
        mov     ebx, HVMOP_get_param
        call    xen_parameter
        mov     [console_port], eax
        mov     eax, HVM_PARAM_CONSOLE_PFN
        mov     ebx, HVMOP_get_param
        call    xen_parameter
        shl     eax, 12
        jz      .no_console
        add     eax, KERNEL_BASE
        mov     [console_page], eax     ; from here on output goes there
.no_console:
        mov     eax, HVM_PARAM_STORE_EVTCHN
        mov     ebx, HVMOP_get_param
        call    xen_parameter
        push    eax
        mov     eax, HVM_PARAM_STORE_PFN
        mov     ebx, HVMOP_get_param
        call    xen_parameter
        pop     ecx
        shl     eax, 12
        jz      .done                                   ; nobody serves a store
        add     eax, KERNEL_BASE
        call    store_initialize
.done:  pop     edi
        pop     ebx
        ret

%ifndef CONTAINERS
; What waits for the serial port goes into Xen's console page instead: one hypercall for all of it, not one exit for each
; character. Interrupts are off. Xen public headers: io/console.h.
xen_console_fill:
        push    ebx
        push    ecx
        mov     ecx, [console_page]
.next:  mov     eax, [serial_consumed]
        cmp     eax, [serial_produced]
        je      .tell
        mov     ebx, [ecx + CONSOLE_OUT_PROD]
        mov     edx, ebx
        sub     edx, [ecx + CONSOLE_OUT_CONS]
        cmp     edx, CONSOLE_OUT_SIZE
        jae     .tell
        and     eax, SERIAL_RING - 1
        mov     al, [serial_ring + eax]
        and     ebx, CONSOLE_OUT_SIZE - 1
        mov     [ecx + CONSOLE_OUT + ebx], al
        inc     dword [ecx + CONSOLE_OUT_PROD]
        inc     dword [serial_consumed]
        jmp     .next
.tell:  mov     eax, [ecx + CONSOLE_OUT_PROD]
        cmp     eax, [ecx + CONSOLE_OUT_CONS]
        je      .done                   ; it has all been taken already
        mov     eax, [console_port]
        call    event_send
        mov     ecx, [console_page]
        mov     eax, [serial_consumed]
        cmp     eax, [serial_produced]
        jne     .next
.done:  pop     ecx
        pop     ebx
        ret

%endif

; Xen's clock instead of counted interrupts, if it is offered: then ticks are needed only while there is work.
xen_clock_attach:
        push    ebx
        mov     dword [driver_argument], 0
        mov     dword [driver_argument + 4], 0
        mov     ebx, XENVER_get_features
        mov     ecx, driver_argument
        hypercall HYPERVISOR_xen_version
        test    dword [driver_argument + 4], 1 << XENFEAT_hvm_safe_pvclock
        jz      .done
        mov     dword [driver_argument], VIRQ_TIMER
        mov     dword [driver_argument + 4], 0          ; virtual processor
        mov     ebx, EVTCHNOP_bind_virq
        mov     ecx, driver_argument
        hypercall HYPERVISOR_event_channel_op
        test    eax, eax
        jnz     .done
        mov     eax, [driver_argument + 8]
        mov     [timer_port], eax
        lock btr [shared_info + SHARED_MASK], eax
        call    clock_begin
        mov     byte [xen_time], 1
        mov     byte [hyper_v_time], 0                  ; one clock is enough
.done:  pop     ebx
        ret

; Sleeps until the first sleeper's time or the next event; the timer chip's ticks do not get through meanwhile. Interrupts
; are off, and off again afterwards: nobody may become ready between the question whether ticks are needed and the choice
; of who runs.
xen_wait:
        call    timer_event
        cmp     byte [need_schedule], 0
        jne     .awake
        cmp     byte [ticks_masked], 0
        jne     .masked
        mov     byte [ticks_masked], 1
        mov     al, [pic_mask]
        or      al, 1 << IRQ_TIMER
        out     PIC1_DATA, al
.masked:
        mov     dword [slice_left], 0x7FFFFFFF          ; the idle task's turn does not end by itself
        call    clock_set_timer
        sti
        hlt
        cli
        call    timer_event
        cmp     byte [need_schedule], 0
        je      .awake
        mov     byte [ticks_masked], 0                  ; somebody has work to do, and takes turns by ticks
        mov     al, [pic_mask]
        out     PIC1_DATA, al
.awake: ret

; EBX = HVMOP_get_param or HVMOP_set_param, EAX = which, EDX = value. Returns EAX = the value.
xen_parameter:
        mov     dword [driver_argument], DOMID_SELF
        mov     [driver_argument + 4], eax
        mov     [driver_argument + 8], edx
        mov     dword [driver_argument + 12], 0
        mov     ecx, driver_argument
        hypercall HYPERVISOR_hvm_op
        mov     eax, [driver_argument + 8]
        ret

; EAX = XENMAPSPACE, ECX = physical address of a page of ours: what was there is gone, Xen's page takes its place.
map_from_xen:
        push    ebx
        mov     dword [driver_argument], DOMID_SELF
        mov     [driver_argument + 4], eax
        mov     dword [driver_argument + 8], 0
        shr     ecx, 12
        mov     [driver_argument + 12], ecx
        mov     ebx, XENMEM_add_to_physmap
        mov     ecx, driver_argument
        hypercall HYPERVISOR_memory_op
        pop     ebx
        ret

; ESI = frame: goes to Xen, or comes back. Frames go by our own numbers here; nothing needs to be mapped or unmapped, for
; nobody touches a frame that is allocated to the balloon. Carry: refused.
balloon_give:
        mov     [balloon_list], esi
        mov     eax, XENMEM_decrease_reservation
        jmp     balloon_ask
balloon_get:
        mov     [balloon_list], esi
        mov     eax, XENMEM_populate_physmap
        jmp     balloon_ask

; Our grant table, which Xen has allocated: put where `grant_table` was.
map_grant_table:
        mov     eax, XENMAPSPACE_grant_table
        mov     ecx, physical(grant_table)
        jmp     map_from_xen

        section .bss
console_page:   resd 1                  ; 0: there is none
console_port:   resd 1
xen_time:       resb 1                  ; the time is in shared_info, and there is a timer
ticks_masked:   resb 1                  ; the timer chip's interrupts do not get through
pic_mask:       resb 1                  ; what the first interrupt controller masks when ticks do

        section .text
; Pages whose only purpose is their address; Xen fills the first, and its own take the place of the others.
        align   PAGE_SIZE, db 0
hypercall_page:
        times   PAGE_SIZE db 0
shared_info:
        times   PAGE_SIZE db 0
grant_table:
        times   PAGE_SIZE db 0
