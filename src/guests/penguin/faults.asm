; The page fault: not an error but the kernel's main tool. Most faults are promises being kept: heap and stack are given
; frames when they are touched for the first time, and a page shared by fork is copied when somebody writes to it.
; Intel SDM vol. 3, "Page-Fault Exception": error code bit 0 = the page was present, 1 = a write, 2 = from user mode.

FAULT_PRESENT   equ 1
FAULT_WRITE     equ 2

        section .text
; EBP = trap frame. Interrupts are off, so that no second fault can change the fault address before it is read.
page_fault:
        push    ebx
        read_fault_address
        mov     ebx, eax
        mov     [fault_address], eax
        cmp     eax, KERNEL_BASE
        jae     .error                  ; nothing of the kernel's is ever promised
        mov     ecx, [current]
        cmp     dword [ecx + PROCESS_DIRECTORY], 0
        je      .error
        test    byte [ebp + FRAME_ERROR], FAULT_PRESENT
        jnz     .protection

        ; Not present: is it inside the heap or the stack?
        cmp     eax, USER_STACK_LIMIT
        jae     .promised
        cmp     eax, [ecx + PROCESS_BREAK]
        jae     .error
        cmp     eax, [ecx + PROCESS_BREAK_START]
        jb      .error
.promised:
        call    frame_allocate_zeroed
        test    eax, eax
        jz      .no_memory
        or      eax, USER_PAGE_FLAGS
        mov     edx, ebx
        and     edx, -PAGE_SIZE
        push    eax
        call    map_page
        pop     ecx
        test    eax, eax
        jnz     .resolved
        mov     eax, ecx
        call    frame_release
.no_memory:
        mov     dword [fault_reason], text_no_memory
        mov     ecx, SIGKILL
        jmp     .failed

.protection:
        test    byte [ebp + FRAME_ERROR], FAULT_WRITE
        jz      .error
        mov     eax, [ecx + PROCESS_DIRECTORY]
        add     eax, KERNEL_BASE
        mov     edx, ebx
        call    entry_pointer
        test    eax, eax
        jz      .error
        mov     eax, [eax]
        test    eax, PAGE_COPY_ON_WRITE
        jz      .error
        call    copy_on_write
        test    eax, eax
        jz      .no_memory
.resolved:
        mov     ecx, [current]
        inc     dword [ecx + PROCESS_FAULTS]
        pop     ebx
        ret

; A real error: the program's, or one of a system call that was given a bad address (user-memory.asm), or a bug here.
.error: mov     ecx, SIGSEGV
        mov     dword [fault_reason], text_not_mapped
        test    byte [ebp + FRAME_ERROR], FAULT_PRESENT
        jz      .failed
        mov     dword [fault_reason], text_protected
.failed:
        pop     ebx
        test    byte [ebp + FRAME_CS], 2
        jnz     exception_ends_process
        mov     eax, [ebp + FRAME_EIP]
        mov     ecx, user_memory_recovery
.look:  cmp     eax, [ecx]
        je      .recover
        add     ecx, 8
        cmp     ecx, user_memory_recovery_end
        jb      .look
        jmp     exception_in_kernel
.recover:
        mov     eax, [ecx + 4]
        mov     [ebp + FRAME_EIP], eax
        ret

; EAX = the entry, EBX = the address: the current process may write to a page of its own from now on.
; Returns EAX = 0 when there is no memory for a copy.
copy_on_write:
        push    esi
        push    edi
        frame_from_entry
        mov     esi, eax
        shr     eax, 12
        cmp     word [frame_users + eax * 2], 1
        mov     eax, esi
        je      .own                    ; the others have gone or have copied: no need to
        call    frame_allocate
        test    eax, eax
        jz      .done
        push    eax
        push    esi
        lea     edi, [eax + KERNEL_BASE]
        add     esi, KERNEL_BASE
        mov     ecx, PAGE_SIZE / 4
        rep movsd
        mov     edx, ebx
        pop     esi
        pop     eax
        push    esi
        call    .map
        pop     eax
        call    frame_release
        mov     eax, 1
        jmp     .done
.own:   call    .map
        mov     eax, 1
.done:  pop     edi
        pop     esi
        ret
.map:   or      eax, USER_PAGE_FLAGS
        entry_from_frame
        mov     edx, ebx
        and     edx, -PAGE_SIZE
        jmp     page_entry_set

        section .data
text_not_mapped:    db "no such page", 0
text_protected:     db "no right to it", 0
text_no_memory:     db "out of memory", 0

        section .bss
fault_address:      resd 1
fault_reason:       resd 1
