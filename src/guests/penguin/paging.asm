; Address spaces. An address space is a page directory: its lower part maps one program, its upper part is the kernel,
; the same in all. The routines here work for both builds; what a page-table entry contains, and who may write it, is
; the business of native/paging.asm and xen/paging.asm:
;
;   entry_from_frame, frame_from_entry   between physical addresses and what stands in an entry
;   paging_change                        change an entry of a table that may be in use; may be delayed
;   paging_flush                         old translations of user pages will be forgotten; delayed likewise, until
;   paging_commit                        ... here, where everything that was delayed takes effect
;   table_protect, directory_pin         a frame becomes a page table; a directory is complete (and the reverse)
;   page_entry_set                       change one mapping of the current address space, at once
;   address_space_load                   continue in another address space; may be delayed
;
; The macros change EAX, and table_* and directory_* also ECX and EDX.
;
; While a new address space is being built nobody uses it, so its tables are written like any memory.

        section .text
; EAX = page directory (where the kernel can read it), EDX = linear address.
; Returns EAX = address of the page-table entry, or 0 when there is no table for it. Keeps EDX.
entry_pointer:
        mov     ecx, edx
        shr     ecx, 22
        mov     eax, [eax + ecx * 4]
        test    al, PAGE_PRESENT
        jz      .none
        frame_from_entry
        mov     ecx, edx
        shr     ecx, 12
        and     ecx, 1023
        lea     eax, [eax + ecx * 4 + KERNEL_BASE]
        ret
.none:  xor     eax, eax
        ret

; EAX = physical address of a new page directory that has the kernel's part only, or 0.
address_space_create:
        call    frame_allocate_zeroed
        test    eax, eax
        jz      .done
        push    esi
        push    edi
        lea     edi, [eax + KERNEL_BASE + KERNEL_SLOT * 4]
        mov     esi, [kernel_directory]
        add     esi, KERNEL_BASE + KERNEL_SLOT * 4
        mov     ecx, DIRECTORY_SLOTS - KERNEL_SLOT
        rep movsd
        pop     edi
        pop     esi
.done:  ret

; Maps a page in an address space that is not in use yet.
; EDI = its page directory (where the kernel can write it), EDX = linear address, EAX = frame and flags.
; Returns EAX = 0 when there is no memory for a table. Keeps EDX and EDI.
map_new_page:
        push    ebx
        mov     ebx, eax
        mov     eax, edi
        call    entry_pointer
        test    eax, eax
        jnz     .table
        push    edx
        call    frame_allocate_zeroed
        pop     edx
        test    eax, eax
        jz      .done
        or      eax, TABLE_FLAGS
        entry_from_frame
        mov     ecx, edx
        shr     ecx, 22
        mov     [edi + ecx * 4], eax
        mov     eax, edi
        call    entry_pointer
.table: mov     ecx, eax
        mov     eax, ebx
        entry_from_frame
        mov     [ecx], eax
        mov     eax, 1
.done:  pop     ebx
        ret

; Maps a page in the current address space. EDX = linear address that has no mapping, EAX = frame and flags.
; Returns EAX = 0 when there is no memory for a table.
map_page:
        push    ebx
        push    edi
        mov     ebx, eax
        mov     edi, [current]
        mov     edi, [edi + PROCESS_DIRECTORY]
        add     edi, KERNEL_BASE
        mov     eax, edi
        call    entry_pointer
        test    eax, eax
        jnz     .table
        push    edx
        call    frame_allocate_zeroed
        pop     edx
        test    eax, eax
        jz      .done
        push    eax                     ; the new table gets its first entry while it is still ordinary memory
        mov     ecx, edx
        shr     ecx, 12
        and     ecx, 1023
        lea     ecx, [eax + ecx * 4 + KERNEL_BASE]
        mov     eax, ebx
        entry_from_frame
        mov     [ecx], eax
        pop     eax
        push    edx
        push    eax
        table_protect
        pop     eax
        pop     edx
        or      eax, TABLE_FLAGS
        entry_from_frame
        shr     edx, 22
        lea     edi, [edi + edx * 4]
        paging_change
        paging_commit
        jmp     .mapped
.table: mov     eax, ebx
        entry_from_frame
        call    page_entry_set
.mapped:
        mov     eax, 1
.done:  pop     edi
        pop     ebx
        ret

; ---- Fork: a copy of the current address space in which every page is shared -------------------------------------
; Returns EAX = physical address of the new page directory, or 0 when memory ran out. The change of the parent's pages
; to read-only may be delayed until address_space_publish.
address_space_fork:
        push    ebx
        push    esi
        push    edi
        call    address_space_create
        test    eax, eax
        jz      .done
        push    eax
        lea     edi, [eax + KERNEL_BASE]
        mov     esi, [current]
        mov     edx, USER_BASE
        mov     ebx, [esi + PROCESS_HEAP_TOP]
        call    share_pages
        mov     edx, USER_STACK_LIMIT
        mov     ebx, USER_STACK_TOP
        test    eax, eax
        jz      .out
        call    share_pages
.out:   push    eax
        paging_flush                    ; the parent must not write through what the TLB remembers
        pop     ecx
        pop     eax
        test    ecx, ecx
        jnz     .done
        mov     ebx, esi
        call    address_space_free      ; what has been built is taken down again
        paging_commit
        xor     eax, eax
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; Shares the pages from EDX to EBX of process ESI with the address space whose directory is at EDI.
; EAX = 0 when memory ran out.
share_pages:
.page:  cmp     edx, ebx
        jae     .all
        mov     eax, [esi + PROCESS_DIRECTORY]
        add     eax, KERNEL_BASE
        call    entry_pointer
        test    eax, eax
        jz      .no_table
        mov     ecx, [eax]
        test    cl, PAGE_PRESENT
        jz      .next
        push    edi
        test    cl, PAGE_WRITABLE
        jz      .shared                 ; it was shared already
        mov     edi, eax
        mov     eax, ecx
        and     eax, ~PAGE_WRITABLE
        or      eax, PAGE_COPY_ON_WRITE
        push    eax
        paging_change
        pop     ecx
.shared:
        pop     edi
        mov     eax, ecx
        frame_from_entry
        and     ecx, PAGE_SIZE - 1
        or      eax, ecx                ; the same frame with the same flags
        call    frame_share
        push    eax
        call    map_new_page
        pop     ecx
        test    eax, eax
        jnz     .next
        mov     eax, ecx
        call    frame_release
        xor     eax, eax
        ret
.next:  add     edx, PAGE_SIZE
        jmp     .page
.no_table:
        and     edx, -0x400000          ; nothing in these 4 MiB
        add     edx, 0x400000
        jmp     .page
.all:   mov     eax, 1
        ret

; ---- Tables of an address space ----------------------------------------------------------------------------------
; Calls EDX for each page table of process EBX in the page directory EDI (where the kernel can read it), with
; EAX = the table's physical address.
for_each_table:
        push    esi
        mov     esi, USER_BASE >> 22
.slot:  mov     eax, [edi + esi * 4]
        test    al, PAGE_PRESENT
        jz      .next
        frame_from_entry
        push    edx
        call    edx
        pop     edx
.next:  inc     esi
        mov     ecx, [ebx + PROCESS_HEAP_TOP]
        dec     ecx
        shr     ecx, 22
        cmp     esi, ecx
        jbe     .slot
        cmp     esi, USER_STACK_LIMIT >> 22
        ja      .done
        mov     esi, USER_STACK_LIMIT >> 22     ; one table covers all that a stack can be
        jmp     .slot
.done:  pop     esi
        ret

; EAX = physical address of a page directory that is complete, EBX = its process. From now on it may be loaded.
address_space_publish:
        push    edi
        push    eax
        lea     edi, [eax + KERNEL_BASE]
        mov     edx, protect_one_table
        call    for_each_table
        mov     eax, [esp]
        table_protect
        mov     eax, [esp]
        directory_pin
        paging_commit
        pop     eax
        pop     edi
        ret

; EAX = physical address of a page directory that is not loaded, EBX = its process: everything in it is released.
address_space_destroy:
        push    edi
        push    eax
        directory_unpin
        mov     eax, [esp]
        table_unprotect
        mov     eax, [esp]
        lea     edi, [eax + KERNEL_BASE]
        mov     edx, unprotect_one_table
        call    for_each_table
        paging_commit
        pop     eax
        pop     edi
        ; fall into

; The same for an address space that has never been published.
address_space_free:
        push    edi
        push    eax
        lea     edi, [eax + KERNEL_BASE]
        mov     edx, USER_BASE
        mov     ecx, [ebx + PROCESS_HEAP_TOP]
        call    release_pages
        mov     edx, USER_STACK_LIMIT
        mov     ecx, USER_STACK_TOP
        call    release_pages
        mov     edx, frame_release
        call    for_each_table
        pop     eax
        pop     edi
        jmp     frame_release

; Releases the frames of the pages from EDX to ECX in the page directory EDI.
release_pages:
        push    ebx
        mov     ebx, ecx
.page:  cmp     edx, ebx
        jae     .done
        mov     eax, edi
        call    entry_pointer
        test    eax, eax
        jz      .no_table
        mov     eax, [eax]
        test    al, PAGE_PRESENT
        jz      .next
        push    edx
        frame_from_entry
        call    frame_release
        pop     edx
.next:  add     edx, PAGE_SIZE
        jmp     .page
.no_table:
        and     edx, -0x400000
        add     edx, 0x400000
        jmp     .page
.done:  pop     ebx
        ret

protect_one_table:
        table_protect
        ret
unprotect_one_table:
        table_unprotect
        ret
