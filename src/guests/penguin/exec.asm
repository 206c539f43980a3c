; execve: the current process forgets its program and starts another. The new address space is complete before the old
; one is given up, so that a failure leaves the caller as it was. Programs are flat images for USER_BASE: their first
; byte is their first instruction. They start as on Linux, with argc, argv and an empty envp on the stack.

MAX_ARGUMENTS       equ 15
EXEC_TEXT_SIZE      equ 1024            ; all arguments together
PATH_SIZE           equ 64

        section .text
; execve(path, argv, envp)
sys_execve:
        push    ebx
        push    esi
        push    edi
        mov     esi, [ebp + FRAME_EBX]
        mov     edi, exec_path
        mov     ecx, PATH_SIZE
        call    copy_text_from_user
        test    eax, eax
        js      .done
        call    exec_copy_arguments
        test    eax, eax
        js      .done
        call    exec_program
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; Copies argv out of the old address space. EAX = 0 or an error.
exec_copy_arguments:
        xor     ebx, ebx                ; arguments so far
        mov     edi, exec_text
        cmp     dword [ebp + FRAME_ECX], 0
        je      .end
.next:  push    edi
        mov     esi, [ebp + FRAME_ECX]
        lea     esi, [esi + ebx * 4]
        mov     edi, exec_pointer
        mov     ecx, 4
        call    copy_from_user
        pop     edi
        test    eax, eax
        js      .done
        mov     esi, [exec_pointer]
        test    esi, esi
        jz      .end
        mov     eax, -E2BIG
        cmp     ebx, MAX_ARGUMENTS
        jae     .done
        mov     ecx, exec_text + EXEC_TEXT_SIZE
        sub     ecx, edi
        jz      .done
        call    copy_text_from_user
        test    eax, eax
        js      .done
        lea     edi, [edi + eax + 1]
        inc     ebx
        jmp     .next
.end:   mov     [exec_argument_count], ebx
        sub     edi, exec_text
        mov     [exec_text_length], edi
        xor     eax, eax
.done:  ret

; Starts the program exec_path with the arguments in exec_text. EBP = the trap frame through which it will begin.
; EAX = 0 or an error.
exec_program:
        push    ebx
        push    esi
        push    edi
        mov     esi, exec_path
        call    find_node
        mov     esi, eax                ; ESI = node
        mov     eax, -ENOENT
        jz      .done
        mov     eax, -EACCES
        cmp     dword [esi + NODE_KIND], NODE_PROGRAM
        jne     .done
        mov     ebx, [current]
        push    dword [ebx + PROCESS_HEAP_TOP]
        mov     eax, [esi + NODE_SIZE]
        add     eax, USER_BASE + PAGE_SIZE - 1
        and     eax, -PAGE_SIZE
        mov     [ebx + PROCESS_HEAP_TOP], eax   ; from here on this means the new address space
        call    address_space_create
        test    eax, eax
        jz      .no_directory
        lea     edi, [eax + KERNEL_BASE]        ; EDI = its page directory
        call    exec_map_image
        test    eax, eax
        jz      .no_memory
        call    exec_map_stack
        test    eax, eax
        jz      .no_memory
        call    exec_fill_frame

        lea     eax, [edi - KERNEL_BASE]
        call    address_space_publish
        lea     eax, [edi - KERNEL_BASE]
        mov     edi, [ebx + PROCESS_DIRECTORY]  ; EDI = the old one
        mov     [ebx + PROCESS_DIRECTORY], eax
        call    address_space_load
        pop     eax
        test    edi, edi
        jz      .no_old
        push    dword [ebx + PROCESS_HEAP_TOP]
        mov     [ebx + PROCESS_HEAP_TOP], eax
        mov     eax, edi
        call    address_space_destroy
        pop     dword [ebx + PROCESS_HEAP_TOP]
.no_old:
        paging_commit
        mov     eax, [ebx + PROCESS_HEAP_TOP]
        mov     [ebx + PROCESS_BREAK_START], eax
        mov     [ebx + PROCESS_BREAK], eax
        call    exec_set_name
        xor     eax, eax
        jmp     .done
.no_memory:
        lea     eax, [edi - KERNEL_BASE]
        call    address_space_free
.no_directory:
        pop     dword [ebx + PROCESS_HEAP_TOP]
        mov     eax, -ENOMEM
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; Copies the image of node ESI into frames of its own and maps them in the new directory EDI. EAX = 0: no memory.
exec_map_image:
        push    ebx
        xor     ebx, ebx                ; offset in the image
.page:  call    frame_allocate_zeroed
        test    eax, eax
        jz      .done
        push    esi
        push    edi
        lea     edi, [eax + KERNEL_BASE]
        mov     ecx, [esi + NODE_SIZE]
        sub     ecx, ebx
        cmp     ecx, PAGE_SIZE
        jbe     .last
        mov     ecx, PAGE_SIZE
.last:  mov     esi, [esi + NODE_DATA]
        add     esi, ebx
        rep movsb
        pop     edi
        pop     esi
        call    exec_map_frame
        test    eax, eax
        jz      .done
        add     ebx, PAGE_SIZE
        cmp     ebx, [esi + NODE_SIZE]
        jb      .page
        mov     eax, 1
.done:  pop     ebx
        ret

; EAX = frame for the page at offset EBX of the image. EAX = 0: no memory, and the frame is free again.
exec_map_frame:
        push    eax
        or      eax, USER_PAGE_FLAGS
        lea     edx, [ebx + USER_BASE]
        call    map_new_page
        pop     ecx
        test    eax, eax
        jnz     .done
        mov     eax, ecx
        call    frame_release
        xor     eax, eax
.done:  ret

; Builds the first page of the stack and maps it in the new directory EDI: from the top down the texts of the arguments,
; then envp (empty), argv and argc, at which ESP will point. EAX = 0: no memory.
exec_map_stack:
        push    ebx
        push    esi
        call    frame_allocate_zeroed
        test    eax, eax
        jz      .done
        push    eax
        push    edi
        lea     ebx, [eax + KERNEL_BASE]        ; EBX = the page as the kernel sees it
        mov     ecx, [exec_text_length]
        mov     edx, PAGE_SIZE
        sub     edx, ecx
        and     edx, -4                 ; EDX = offset of the texts
        mov     esi, exec_text
        lea     edi, [ebx + edx]
        rep movsb
        mov     ecx, [exec_argument_count]
        mov     eax, ecx
        add     eax, 3                  ; argc, the 0 that ends argv, the 0 that ends envp
        shl     eax, 2
        mov     edi, edx
        sub     edi, eax
        lea     eax, [edi + USER_STACK_TOP - PAGE_SIZE]
        mov     [exec_stack_pointer], eax
        add     edi, ebx
        mov     [edi], ecx
.argument:
        add     edi, 4
        test    ecx, ecx
        jz      .built
        lea     eax, [edx + USER_STACK_TOP - PAGE_SIZE]
        mov     [edi], eax
.text:  cmp     byte [ebx + edx], 0     ; on to the next text
        lea     edx, [edx + 1]
        jne     .text
        dec     ecx
        jmp     .argument
.built: pop     edi
        pop     eax
        push    eax
        or      eax, USER_PAGE_FLAGS
        mov     edx, USER_STACK_TOP - PAGE_SIZE
        call    map_new_page
        pop     ecx
        test    eax, eax
        jnz     .done
        mov     eax, ecx
        call    frame_release
        xor     eax, eax
.done:  pop     esi
        pop     ebx
        ret

; Rewrites the trap frame EBP: it returns to the first instruction of the new program with clean registers.
exec_fill_frame:
        push    edi
        mov     edi, ebp
        mov     ecx, FRAME_SIZE / 4
        xor     eax, eax
        rep stosd
        pop     edi
        mov     dword [ebp + FRAME_DS], USER_DS
        mov     dword [ebp + FRAME_ES], USER_DS
        mov     dword [ebp + FRAME_EIP], USER_BASE
        mov     dword [ebp + FRAME_CS], USER_CS
        mov     dword [ebp + FRAME_EFLAGS], USER_EFLAGS
        mov     eax, [exec_stack_pointer]
        mov     [ebp + FRAME_ESP], eax
        mov     dword [ebp + FRAME_SS], USER_DS
        ret

; The process EBX is named after the last part of exec_path.
exec_set_name:
        mov     esi, exec_path
        mov     edx, esi
.part:  lodsb
        test    al, al
        jz      .found
        cmp     al, '/'
        jne     .part
        mov     edx, esi
        jmp     .part
.found: mov     esi, edx
        lea     edi, [ebx + PROCESS_NAME]
        mov     ecx, 15
.copy:  lodsb
        stosb
        test    al, al
        jz      .done
        dec     ecx
        jnz     .copy
        mov     byte [edi], 0
.done:  ret

        section .bss
exec_argument_count:    resd 1
exec_text_length:       resd 1
exec_stack_pointer:     resd 1
exec_pointer:           resd 1
exec_path:              resb PATH_SIZE
exec_text:              resb EXEC_TEXT_SIZE
