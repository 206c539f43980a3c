; Physical pages and address spaces. Free pages are a list through their own first words; a process is a page directory
; whose upper half is the kernel's, and one page table for the 4 MiB at 00400000h.

; Puts every page from POOL_PHYSICAL to the end of memory (4 MiB at most) on the free list.
memory_initialize:
        mov     ecx, [memory_kib]
        shl     ecx, 10
        add     ecx, 0x100000           ; end of memory
        cmp     ecx, 0x400000
        jbe     .fits
        mov     ecx, 0x400000
.fits:  and     ecx, 0xFFFFF000
.page:  sub     ecx, 4096
        cmp     ecx, POOL_PHYSICAL
        jb      .done
        mov     eax, ecx
        call    page_free
        jmp     .page
.done:  ret

; EAX = physical address of a page that is no longer used. Keeps all other registers.
page_free:
        push    edx
        mov     edx, [free_pages]
        mov     [eax + KERNEL_BASE], edx
        mov     [free_pages], eax
        inc     dword [count_free]
        pop     edx
        ret

; Gives EAX = physical address of a zeroed page, or carry when there is none. Keeps all other registers.
page_allocate:
        mov     eax, [free_pages]
        test    eax, eax
        stc
        jz      .none
        push    edi
        push    ecx
        push    eax
        mov     ecx, [eax + KERNEL_BASE]
        mov     [free_pages], ecx
        dec     dword [count_free]
        lea     edi, [eax + KERNEL_BASE]
        xor     eax, eax
        mov     ecx, 1024
        rep     stosd
        pop     eax
        pop     ecx
        pop     edi
        clc
.none:  ret

; EBX = thread: gives it an address space with programs, data page and stack. Carry when memory is full.
space_create:
        push    esi
        push    edi
        call    page_allocate           ; page table
        jc      .full
        lea     esi, [eax + KERNEL_BASE]
        mov     [ebx + T_TABLE], esi
        mov     edi, eax
        call    page_allocate           ; page directory
        jc      .full
        mov     [ebx + T_CR3], eax
        or      edi, PAGE_PRESENT | PAGE_WRITE | PAGE_USER
        mov     [eax + KERNEL_BASE + (USER_CODE >> 22) * 4], edi
        mov     edi, [KERNEL_BASE + DIRECTORY_PHYSICAL + (KERNEL_BASE >> 22) * 4]
        mov     [eax + KERNEL_BASE + (KERNEL_BASE >> 22) * 4], edi

        mov     eax, user_image - KERNEL_BASE + (PAGE_PRESENT | PAGE_USER)
        xor     ecx, ecx
.code:  mov     [esi + ecx * 4], eax
        add     eax, 4096
        inc     ecx
        cmp     ecx, (user_image_end - user_image) / 4096
        jb      .code

        call    page_allocate
        jc      .full
        or      eax, PAGE_PRESENT | PAGE_WRITE | PAGE_USER
        mov     [esi + ((USER_DATA - USER_CODE) >> 12) * 4], eax
        call    page_allocate
        jc      .full
        or      eax, PAGE_PRESENT | PAGE_WRITE | PAGE_USER
        mov     [esi + ((USER_STACK - 4096 - USER_CODE) >> 12) * 4], eax
        clc
.full:  pop     edi
        pop     esi
        ret

; EAX = faulting address. Gives a heap page to the current process and clears carry, or sets carry.
heap_fault:
        cmp     eax, USER_HEAP
        jb      .no
        cmp     eax, USER_HEAP_END
        jae     .no
        mov     ebx, [current]
        mov     edx, [ebx + T_TABLE]
        test    edx, edx
        jz      .no
        sub     eax, USER_CODE
        shr     eax, 12
        lea     edx, [edx + eax * 4]
        test    byte [edx], PAGE_PRESENT
        jnz     .no                     ; it is there: the access itself was wrong
        call    page_allocate
        jc      .no
        or      eax, PAGE_PRESENT | PAGE_WRITE | PAGE_USER
        mov     [edx], eax
        inc     dword [ebx + T_HEAP]
        clc
        ret
.no:    stc
        ret

; Takes all heap pages of thread EBX back.
heap_release:
        push    esi
        mov     esi, [ebx + T_TABLE]
        add     esi, ((USER_HEAP - USER_CODE) >> 12) * 4
        mov     ecx, (USER_HEAP_END - USER_HEAP) >> 12
.page:  mov     eax, [esi]
        test    al, PAGE_PRESENT
        jz      .next
        and     eax, 0xFFFFF000
        call    page_free
        mov     dword [esi], 0
.next:  add     esi, 4
        dec     ecx
        jnz     .page
        mov     dword [ebx + T_HEAP], 0
        mov     eax, cr3                ; forget the translations
        mov     cr3, eax
        pop     esi
        ret

        align   4
free_pages:     dd 0
count_free:     dd 0
count_faults:   dd 0
count_interrupts: dd 0
