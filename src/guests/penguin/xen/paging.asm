; Page-table writes on Xen. Our "physical" frame numbers are a fiction: a page-table entry needs the machine frame, which
; the list machine_frames gives; the table at MACH2PHYS_VIRT_START gives the way back. The processor walks these very
; tables, so Xen must be able to trust them: it holds a page-table page read-only, even for us, checks each change that
; we ask for, and checks a whole directory when we pin it.

KERNEL_PAGE_FLAGS   equ PAGE_PRESENT | PAGE_WRITABLE | PAGE_ACCESSED | PAGE_DIRTY
KERNEL_TABLE_FLAGS  equ PAGE_PRESENT | PAGE_ACCESSED | PAGE_DIRTY       ; a page-table page: we may only look

        section .text
; EAX: a pseudo-physical address with flags in its low bits becomes a page-table entry, and the reverse, without flags.
%macro entry_from_frame 0
        call    frame_to_machine
%endmacro
%macro frame_from_entry 0
        call    machine_to_frame
%endmacro

frame_to_machine:
        push    ecx
        mov     ecx, eax
        shr     eax, 12
        shl     eax, 2
        add     eax, [machine_frames]
        mov     eax, [eax]
        shl     eax, 12
        and     ecx, PAGE_SIZE - 1
        or      eax, ecx
        pop     ecx
        ret

machine_to_frame:
        shr     eax, 12
        mov     eax, [MACH2PHYS_VIRT_START + eax * 4]
        shl     eax, 12
        ret

; EDI = an entry of a table that may be in use, EAX = its new value.
%macro paging_change 0
        call    queue_update
%endmacro

; EAX = pseudo-physical address of a frame that is about to become a page table or directory, or ceases to be one.
; Xen takes no page as a table that we could still write to.
%macro table_protect 0
        mov     edx, eax
        mov     eax, KERNEL_TABLE_FLAGS
        call    queue_remap
%endmacro
%macro table_unprotect 0
        mov     edx, eax
        mov     eax, KERNEL_PAGE_FLAGS
        call    queue_remap
%endmacro

; EAX = pseudo-physical address of a complete page directory. Pinned, it is checked once, with all its tables, and stays
; checked while it is not loaded.
%macro directory_pin 0
        mov     ecx, MMUEXT_PIN_L2_TABLE
        call    queue_directory
%endmacro
%macro directory_unpin 0
        mov     ecx, MMUEXT_UNPIN_TABLE
        call    queue_directory
%endmacro

; EAX = pseudo-physical address of a page directory, ECX = MMUEXT operation.
queue_directory:
        entry_from_frame
        shr     eax, 12
        mov     edx, eax
        mov     eax, ecx
        jmp     queue_extended

; Old translations of user pages are forgotten.
%macro paging_flush 0
        mov     eax, MMUEXT_TLB_FLUSH_LOCAL
        xor     edx, edx
        call    queue_extended
%endmacro

; What has been queued takes effect.
%macro paging_commit 0
        call    queue_send
%endmacro

; Maps one page of the current address space whose page table exists, and forgets the old translation.
; EDX = linear address, EAX = new entry. Nothing else is to be done, so it is not queued.
page_entry_set:
        push    ebx
        push    esi
        mov     ebx, edx
        mov     ecx, eax
        xor     edx, edx                ; upper half of the entry
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        pop     esi
        pop     ebx
        test    eax, eax
        jz      .done
        panic   "update_va_mapping refused"
.done:  ret

; Continues in another address space, from paging_commit on. EAX = pseudo-physical address of its page directory.
address_space_load:
        mov     [loaded_directory], eax
        mov     ecx, MMUEXT_NEW_BASEPTR
        jmp     queue_directory

; Prepares the processor for the process that will run next, EBX: its stack for traps, its address space. The real TSS
; and the real CR3 are Xen's; one multicall asks for both.
switch_hardware:
        cmp     ebx, processes
        je      .done                   ; the idle task never comes from ring 3 and lives in any address space
        mov     eax, HYPERVISOR_stack_switch
        call    queue_call
        mov     dword [ecx + MULTICALL_ARGS], KERNEL_DS
        mov     eax, [ebx + PROCESS_STACK_TOP]
        mov     [ecx + MULTICALL_ARGS + 4], eax
        mov     eax, [ebx + PROCESS_DIRECTORY]
        test    eax, eax
        jz      .send
        cmp     eax, [loaded_directory]
        je      .send
        call    address_space_load
.send:  call    queue_send
.done:  ret

        section .bss
loaded_directory:   resd 1
