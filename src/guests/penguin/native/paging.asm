; Page-table writes on the bare machine. Physical addresses are machine addresses, a page table is memory like any
; other, and the processor is told of changes with INVLPG and CR3. Intel SDM vol. 3, "Paging".

        section .text

; EAX: a physical address with flags in its low bits becomes a page-table entry. Here they are the same thing.
%macro entry_from_frame 0
%endmacro

; EAX: a page-table entry becomes the physical address of its frame, without flags.
%macro frame_from_entry 0
        and     eax, -PAGE_SIZE
%endmacro

; EDI = an entry of a table that may be in use, EAX = its new value.
%macro paging_change 0
        mov     [edi], eax
%endmacro

; EAX = physical address of a frame that is about to become a page table or directory, or ceases to be one.
%macro table_protect 0
%endmacro
%macro table_unprotect 0
%endmacro

; EAX = physical address of a complete page directory that will be used from now on, or is no longer used.
%macro directory_pin 0
%endmacro
%macro directory_unpin 0
%endmacro

; Old translations of user pages are forgotten: loading CR3 empties the TLB.
%macro paging_flush 0
        call    flush_space
%endmacro
flush_space:
        cmp     byte [hyper_v_spaces], 0
        jne     hyper_v_flush
        mov     eax, cr3
        mov     cr3, eax
        ret

; Delayed changes take effect. Nothing has been delayed.
%macro paging_commit 0
%endmacro

; Maps one page of the current address space whose page table exists, and forgets the old translation.
; EDX = linear address, EAX = new entry.
page_entry_set:
        push    edi
        push    edx
        push    eax
        mov     eax, [current]
        mov     eax, [eax + PROCESS_DIRECTORY]
        add     eax, KERNEL_BASE
        call    entry_pointer
        mov     edi, eax
        pop     eax
        pop     edx
        cmp     byte [hyper_v_spaces], 0
        je      .forget
        test    byte [edi], PAGE_PRESENT
        jnz     .forget
        mov     [edi], eax              ; nothing was there, so there is nothing to forget: INVLPG would leave the guest
        jmp     .done
.forget:
        mov     [edi], eax
        invlpg  [edx]
.done:  pop     edi
        ret

; Continues in another address space. EAX = physical address of its page directory.
address_space_load:
        cmp     byte [hyper_v_spaces], 0
        jne     hyper_v_switch
        mov     cr3, eax
        ret

; Prepares the processor for the process that will run next, EBX: its stack for traps, its address space.
switch_hardware:
        mov     eax, [ebx + PROCESS_STACK_TOP]
        mov     [task_state + TASK_STATE_ESP0], eax
        mov     eax, [ebx + PROCESS_DIRECTORY]
        test    eax, eax
        jz      .done                   ; a kernel task lives in whatever address space there is
        cmp     byte [hyper_v_spaces], 0
        jne     .enlightened
        mov     ecx, cr3
        cmp     eax, ecx
        je      .done
        mov     cr3, eax
.done:  ret
.enlightened:
        cmp     eax, [loaded_space]
        jne     hyper_v_switch
        ret
