; ringside-guest
; A hostile kernel at ring 1: it forges machine addresses, page tables, descriptors, selectors, pointers and indexes, and
; writes wherever it is let. A test looks afterwards whether any byte outside its domain has changed.
; Every attempt that succeeds is used: a frame that could be mapped is written all over.

%include "include/xen.inc"

        xen_guest "hostile", "1", start

%define SCRATCH (XEN_VIRT_BASE + 0x3FF000)      ; a linear page whose entry is replaced again and again
%define FRAMES  0x5000                          ; machine frames to try: beyond the end of the host's memory too
%define SPRAY   0xDEADBEEF

; try LABEL: a fault from here on goes on at LABEL.
%macro try 1
        mov     dword [resume], %1
%endmacro

start:  cld
        mov     [start_info], esi
        mov     ebx, traps
        hypercall HYPERVISOR_set_trap_table
        mov     eax, [start_info]
        mov     eax, [eax + START_PT_BASE]
        mov     [directory], eax

; ---- every machine frame, mapped writable if Xen lets us -----------------------------------------------------------
        xor     ebp, ebp
.map:   mov     ebx, SCRATCH
        mov     ecx, ebp
        shl     ecx, 12
        or      ecx, 7
        xor     edx, edx
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        test    eax, eax
        jnz     .not_mine
        inc     dword [mapped]
        try     .not_mine
        cmp     dword [SCRATCH], 0              ; own frames that are in use stay as they are, or we fall over ourselves
        jne     .not_mine
        mov     dword [SCRATCH], SPRAY
        mov     dword [SCRATCH + 4092], SPRAY
.not_mine:
        inc     ebp
        cmp     ebp, FRAMES
        jb      .map

; ---- every machine frame as a page table: an entry rewritten, pinned, used as base, as GDT, as descriptor ----------
        xor     ebp, ebp
.tables:
        mov     eax, ebp
        shl     eax, 12
        mov     [request], eax                  ; first entry of that frame := a present, writable entry of frame 0x100
        mov     dword [request + 4], 0
        mov     dword [request + 8], 0x00100007
        mov     dword [request + 12], 0
        call    own_frame
        je      .skip
        mov     ebx, request
        mov     ecx, 1
        xor     edx, edx
        mov     esi, DOMID_SELF
        hypercall HYPERVISOR_mmu_update
        or      dword [request], MMU_MACHPHYS_UPDATE
        mov     ebx, request
        mov     ecx, 1
        xor     edx, edx
        mov     esi, DOMID_SELF
        hypercall HYPERVISOR_mmu_update
        mov     edi, MMUEXT_PIN_L1_TABLE
        call    extended
        mov     edi, MMUEXT_PIN_L2_TABLE
        call    extended
        mov     edi, MMUEXT_UNPIN_TABLE
        call    extended
        mov     edi, MMUEXT_NEW_BASEPTR
        call    extended
        mov     [request], ebp
        mov     ebx, request
        mov     ecx, 512
        hypercall HYPERVISOR_set_gdt
        mov     ebx, ebp
        shl     ebx, 12
        xor     ecx, ecx
        mov     edx, 0x0000FFFF                 ; a ring-0 code segment over everything
        mov     esi, 0x00CF9A00
        hypercall HYPERVISOR_update_descriptor
.skip:  inc     ebp
        cmp     ebp, FRAMES
        jb      .tables

; ---- entries that reach into Xen's part of the directory ------------------------------------------------------------
        mov     ebp, 1008
.pde:   mov     eax, [directory]
        lea     ebx, [eax]
        call    machine_of                      ; EAX = machine address of the page at EBX
        lea     eax, [eax + ebp * 4]
        mov     [request], eax
        mov     dword [request + 4], 0
        mov     dword [request + 8], 7
        mov     dword [request + 12], 0
        mov     ebx, request
        mov     ecx, 1
        xor     edx, edx
        mov     esi, DOMID_SELF
        hypercall HYPERVISOR_mmu_update
        inc     ebp
        cmp     ebp, 1024
        jb      .pde

; ---- plain stores at every 64 KiB of the address space, through every selector that can be loaded -------------------
        xor     ebp, ebp
.store: try     .stored
        cmp     ebp, XEN_VIRT_BASE              ; not over ourselves
        jb      .fire
        cmp     ebp, XEN_VIRT_BASE + 0x400000
        jb      .stored
.fire:  mov     dword [ebp], SPRAY
.stored:
        add     ebp, 0x10000
        jnz     .store
        xor     ebp, ebp
.selectors:
        try     .loaded
        mov     es, ebp
        mov     dword [es:0xFC400000], SPRAY
        mov     dword [es:0xFC402000], SPRAY
        mov     dword [es:0xFFFFFFF0], SPRAY
.loaded:
        inc     ebp
        cmp     ebp, 0x10000
        jb      .selectors
        mov     eax, FLAT_RING1_DS
        mov     es, eax

; ---- every port, and the instructions of ring 0 ---------------------------------------------------------------------
        xor     edx, edx
.port:  try     .ported
        mov     al, 0xFF
        out     dx, al
.ported:
        inc     edx
        cmp     edx, 0x10000
        jb      .port
%macro attempt 1+
        try     %%next
        %1
%%next:
%endmacro
        attempt lgdt [request]
        attempt lidt [request]
        attempt lldt ax
        attempt ltr ax
        attempt mov cr3, eax
        attempt mov cr0, eax
        attempt mov cr4, eax
        attempt mov dr7, eax
        attempt wrmsr
        attempt hlt
        attempt invlpg [eax]
        attempt jmp 0xE008:0xFC400000
        attempt call 0xE008:0xFC400000
        attempt int 0x20
        attempt int 0x0E

; ---- pointers into Xen: results written where we may not write -------------------------------------------------------
        mov     ebp, 0xFC000000
.pointer:
        mov     ebx, CONSOLEIO_read
        mov     ecx, 64
        mov     edx, ebp
        hypercall HYPERVISOR_console_io
        mov     ebx, request
        xor     ecx, ecx
        mov     edx, ebp                        ; done-count goes there
        mov     esi, DOMID_SELF
        hypercall HYPERVISOR_mmu_update
        mov     ebx, ebp
        mov     ecx, 4
        hypercall HYPERVISOR_multicall
        mov     ebx, EVTCHNOP_bind_virq
        mov     ecx, ebp
        hypercall HYPERVISOR_event_channel_op
        mov     ebx, ebp
        hypercall HYPERVISOR_set_trap_table
        mov     ebx, traps
        hypercall HYPERVISOR_set_trap_table
        add     ebp, 0x100000
        jnz     .pointer

; ---- numbers and selectors from nowhere -----------------------------------------------------------------------------
        mov     ebp, 64
.random:
        imul    edi, ebp, 0x9E3779B1
        mov     ebx, edi
        mov     ecx, edi
        mov     edx, edi
        mov     esi, edi
        mov     eax, ebp
        cmp     eax, HYPERVISOR_iret
        je      .next
        cmp     eax, HYPERVISOR_sched_op
        je      .next
        cmp     eax, HYPERVISOR_sched_op_compat
        je      .next
        cmp     eax, HYPERVISOR_set_trap_table
        je      .next
        cmp     eax, HYPERVISOR_stack_switch
        je      .next
        cmp     eax, HYPERVISOR_set_callbacks
        je      .next
        int     0x82
.next:  dec     ebp
        jns     .random

        mov     ebx, CONSOLEIO_write
        mov     ecx, done_end - done
        mov     edx, done
        hypercall HYPERVISOR_console_io

; ---- last: go back to ring 0. Xen must not; the domain may die of it ------------------------------------------------
        mov     ebx, 0xE010                     ; the hypervisor's data segment as our stack
        mov     ecx, 0xFC406000
        hypercall HYPERVISOR_stack_switch
        push    dword 0xE010
        push    dword 0xFC406000
        push    dword 0x3202
        push    dword 0xE008
        push    dword ring0
        jmp     hypercall_page + HYPERVISOR_iret * 32
ring0:  mov     dword [0xFC402000], SPRAY
        mov     ebx, SCHEDOP_shutdown
        mov     ecx, poweroff
        hypercall HYPERVISOR_sched_op
        jmp     $

; EDI = command: mmuext_op on frame EBP.
extended:
        mov     [operation], edi
        mov     [operation + 4], ebp
        mov     ebx, operation
        mov     ecx, 1
        xor     edx, edx
        mov     esi, DOMID_SELF
        hypercall HYPERVISOR_mmuext_op
        ret

; ZF = 1 when machine frame EBP is one of ours: those would only be suicide.
own_frame:
        mov     eax, [start_info]
        mov     ecx, [eax + START_NR_PAGES]
        mov     edi, [eax + START_MFN_LIST]
        mov     eax, ebp
        repne scasd
        ret

; EBX = linear address in the first 4 MiB of ours; EAX = machine address of its page.
machine_of:
        push    ecx
        mov     ecx, ebx
        sub     ecx, XEN_VIRT_BASE
        shr     ecx, 12
        mov     eax, [start_info]
        mov     eax, [eax + START_MFN_LIST]
        mov     eax, [eax + ecx * 4]
        shl     eax, 12
        pop     ecx
        ret

; A fault: throw its frame away and go on where the attempt said.
fault_with_code:
        add     esp, 4
fault_without_code:
        add     esp, 12
        push    eax
        mov     eax, FLAT_RING1_DS
        mov     es, eax
        pop     eax
        jmp     [resume]

        align   4, db 0
traps:
%macro trap 2
        db      %1, 0
        dw      FLAT_RING1_CS
        dd      %2
%endmacro
        trap    0, fault_without_code
        trap    6, fault_without_code
        trap    10, fault_with_code
        trap    11, fault_with_code
        trap    12, fault_with_code
        trap    13, fault_with_code
        trap    14, fault_with_code
        trap    17, fault_with_code
        dd      0, 0
start_info:     dd 0
directory:      dd 0
resume:         dd 0
mapped:         dd 0
request:        times 4 dd 0
operation:      times 3 dd 0
poweroff:       dd SHUTDOWN_poweroff
done:           db "hostile: all tried", 13, 10
done_end:

        xen_guest_end
