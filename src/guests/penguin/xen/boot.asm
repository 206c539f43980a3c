; From Xen's domain builder to the kernel. There is much less to do than on the bare machine: paging is on, segments are
; flat, and the page tables that the builder made map the kernel and more at its linked address. What is left is to find
; what we were given, and to map the rest of our memory. Xen public headers: xen.h, start_info and shared_info.

; ---- Entry: ring 1, ESI = start_info, upcalls masked ---------------------------------------------------------------
        section .text
xen_entry:
        cld
        mov     ebp, esp                        ; top of the builder's stack, the last thing that it placed
        mov     esp, idle_stack_top
        mov     [start_info], esi

        mov     ebx, CONSOLEIO_write            ; nothing is needed for this: it is what to try first when a kernel
        mov     ecx, greeting_end - greeting    ; does not start
        mov     edx, greeting
        hypercall HYPERVISOR_console_io

        call    find_memory
        call    map_shared_info
        call    interrupts_initialize
        call    console_initialize
        call    find_store
        call    map_all_memory
        jmp     kernel_main

; Where the builder's things end, free memory begins. EBP = ESP at entry.
find_memory:
        mov     esi, [start_info]
        mov     eax, [esi + START_NR_PAGES]
        cmp     eax, MAX_FRAMES
        jbe     .fits
        mov     eax, MAX_FRAMES
.fits:  mov     [frame_limit], eax
        mov     eax, [esi + START_MFN_LIST]
        mov     [machine_frames], eax
        mov     eax, [esi + START_PT_BASE]
        sub     eax, KERNEL_BASE
        mov     [kernel_directory], eax

        ; The highest of: the kernel, the list of frames, the page tables, the stack, start_info.
        mov     ecx, memory_end
        mov     eax, [esi + START_NR_PAGES]
        shl     eax, 2
        add     eax, [esi + START_MFN_LIST]
        call    .higher
        mov     eax, [esi + START_NR_PT_FRAMES]
        shl     eax, 12
        add     eax, [esi + START_PT_BASE]
        call    .higher
        mov     eax, ebp
        call    .higher
        lea     eax, [esi + START_CMD_LINE + 1024]
        call    .higher
        lea     eax, [ecx + PAGE_SIZE - 1 - KERNEL_BASE]
        shr     eax, 12
        mov     [frame_next], eax
        ret
.higher:
        cmp     eax, ecx
        jbe     .no
        mov     ecx, eax
.no:    ret

; The shared page is one of Xen's, known by its machine address. Put it where `shared_info` was.
map_shared_info:
        mov     esi, [start_info]
        mov     ebx, shared_info
        mov     ecx, [esi + START_SHARED_INFO]
        or      ecx, PAGE_PRESENT | PAGE_WRITABLE | PAGE_ACCESSED | PAGE_DIRTY
        xor     edx, edx
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        mov     byte [UPCALL_MASK], 1           ; as a kernel starts with interrupts off
        ret

; The store's page and port, from start_info.
find_store:
        mov     esi, [start_info]
        mov     eax, [esi + START_STORE_MFN]
        mov     eax, [MACH2PHYS_VIRT_START + eax * 4]
        shl     eax, 12
        add     eax, KERNEL_BASE
        mov     ecx, [esi + START_STORE_EVTCHN]
        jmp     store_initialize

; EAX = machine frame of our grant table, which Xen allocated: put where `grant_table` was.
map_grant_table:
        push    esi
        mov     ecx, eax
        shl     ecx, 12
        or      ecx, PAGE_PRESENT | PAGE_WRITABLE | PAGE_ACCESSED | PAGE_DIRTY
        mov     ebx, grant_table
        xor     edx, edx
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        pop     esi
        ret

; The builder has mapped what it placed, and some more. Map the rest of our memory at KERNEL_BASE as well.
map_all_memory:
        push    ebx
        push    esi
        push    edi
        mov     ebx, [frame_next]               ; pages below are mapped for certain
.next:  cmp     ebx, [frame_limit]
        jae     .done
        mov     edx, ebx
        shl     edx, 12
        add     edx, KERNEL_BASE
        mov     eax, [kernel_directory]
        add     eax, KERNEL_BASE
        call    entry_pointer
        test    eax, eax
        jz      .no_table
        test    byte [eax], PAGE_PRESENT
        jnz     .mapped
        mov     edi, eax                        ; a table of the builder's that has room
        mov     eax, ebx
        shl     eax, 12
        or      eax, KERNEL_PAGE_FLAGS
        entry_from_frame
        paging_change
.mapped:
        inc     ebx
        jmp     .next
.no_table:
        call    map_with_new_table
        jmp     .next
.done:  paging_commit
        pop     edi
        pop     esi
        pop     ebx
        ret

; EBX = frame whose linear address has no page table: builds one in a free frame, fills it, and hands it over to Xen.
; EBX = the first frame that is not mapped by it.
map_with_new_table:
        paging_commit                           ; the free frame has to be mapped for us to write to it
        mov     esi, [frame_next]
        inc     dword [frame_next]
        shl     esi, 12                         ; ESI = physical address of the table
        mov     edx, ebx
        shr     edx, 10
        add     edx, KERNEL_SLOT                ; EDX = its slot in the directory
        and     ebx, -1024
        lea     edi, [esi + KERNEL_BASE]
        mov     ecx, 1024
.entry: xor     eax, eax
        cmp     ebx, [frame_limit]
        jae     .store
        mov     eax, ebx
        shl     eax, 12
        or      eax, KERNEL_PAGE_FLAGS
        entry_from_frame
.store: stosd
        inc     ebx
        dec     ecx
        jnz     .entry
        mov     edi, [kernel_directory]
        lea     edi, [edi + edx * 4 + KERNEL_BASE]
        mov     eax, esi
        table_protect
        mov     eax, esi
        or      eax, TABLE_FLAGS
        entry_from_frame
        paging_change
        paging_commit
        ret

print_memory_map:
        ret                                     ; the builder gave us one piece: there is no map to print

; EAX = version of the hypervisor below.
print_platform:
        push    ebx
        mov     ebx, XENVER_version
        xor     ecx, ecx
        hypercall HYPERVISOR_xen_version
        mov     ebx, eax
        print   "Ring 1, paravirtualized on Xen "
        mov     eax, ebx
        shr     eax, 16
        call    print_decimal
        print   "."
        movzx   eax, bx
        call    print_decimal
        pop     ebx
        ret

        section .data
greeting:       db "Penguin: ring 1 speaking", 13, 10
greeting_end:

        section .bss
start_info:         resd 1
machine_frames:     resd 1              ; address of the list: pseudo-physical frame number -> machine frame number
frame_limit:        resd 1
frame_next:         resd 1
kernel_directory:   resd 1              ; pseudo-physical address of the directory that the builder made
