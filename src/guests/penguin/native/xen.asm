; Xen beneath an unmodified kernel, which this is: the processor is virtualized by hardware, the devices of the PC are
; imitated, and still we may ask for what a ported kernel gets. CPUID says that Xen is there, an MSR makes the page of
; hypercalls, shared_info is put into our memory, and its events come as interrupt 5. Then the drivers in drivers/ run here
; too, and a disk needs no imitated one. Xen public headers: arch-x86/cpuid.h, hvm/params.h, hvm/hvm_op.h, memory.h.

        section .text

CPUID_XEN_MSR       equ 2               ; leaf: EAX = pages of hypercalls, EBX = MSR that places them
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
        out     PIC1_DATA, al
        mov     eax, HVM_PARAM_CALLBACK_IRQ
        mov     edx, IRQ_XEN
        mov     ebx, HVMOP_set_param
        call    xen_parameter
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

; Our grant table, which Xen has allocated: put where `grant_table` was.
map_grant_table:
        mov     eax, XENMAPSPACE_grant_table
        mov     ecx, physical(grant_table)
        jmp     map_from_xen

        section .bss
console_page:   resd 1                  ; 0: there is none
console_port:   resd 1

        section .text
; Pages whose only purpose is their address; Xen fills the first, and its own take the place of the others.
        align   PAGE_SIZE, db 0
hypercall_page:
        times   PAGE_SIZE db 0
shared_info:
        times   PAGE_SIZE db 0
grant_table:
        times   PAGE_SIZE db 0
