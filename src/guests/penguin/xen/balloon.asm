; The balloon: a driver that takes memory from its own kernel, as anybody may, and gives the frames back to Xen, which can
; give them to another domain. The store says how much memory we shall have (memory/target, in KiB). To grow again, up to
; what we were born with, is the same in reverse. Xen public headers: memory.h. (Waldspurger 2002, "Memory Resource
; Management in VMware ESX Server", section 3.2.)

BALLOON_RESERVE     equ 64                      ; frames that we keep: who gives the last one cannot even obey

        section .text
; Reads the target and moves towards it. Process context.
attend_memory_target:
        push    ebx
        push    esi
        push    edi
        mov     esi, path_memory
        mov     edi, path_target
        call    node_number
        jc      .done
        shr     eax, 2                          ; in frames
        jz      .done
        mov     [balloon_target], eax
        mov     ebx, [frame_limit]
        sub     ebx, eax                        ; EBX = frames that shall be in the balloon
        jns     .inflate
        xor     ebx, ebx
.inflate:
        cmp     [balloon_frames], ebx
        jae     .deflate
        call    balloon_take
        jnc     .inflate
.deflate:
        cmp     [balloon_frames], ebx
        jbe     .done
        call    balloon_return
        jnc     .deflate
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; One frame goes to Xen. Carry: none can be spared.
balloon_take:
        push    ebx
        push    esi
        call    frames_free
        cmp     eax, BALLOON_RESERVE
        jbe     .none
        call    frame_allocate
        mov     esi, eax
        mov     edx, eax
        shr     esi, 12                         ; ESI = frame
        mov     eax, [machine_frames]
        mov     eax, [eax + esi * 4]
        mov     [balloon_list], eax
        call    .unmap                          ; Xen takes no frame that is still mapped
        mov     eax, XENMEM_decrease_reservation
        call    balloon_ask
        cmp     eax, 1
        jne     .refused
        mov     eax, [machine_frames]
        mov     dword [eax + esi * 4], -1
        mov     eax, [balloon_frames]
        mov     [balloon + eax * 2], si
        inc     dword [balloon_frames]
        clc
        jmp     .done
.refused:
        mov     edx, esi
        shl     edx, 12
        call    balloon_map
        mov     eax, esi
        shl     eax, 12
        call    frame_release
.none:  stc
.done:  pop     esi
        pop     ebx
        ret

; EDX = physical address of a frame: its page in the kernel's mapping becomes empty.
.unmap: push    esi
        lea     ebx, [edx + KERNEL_BASE]
        xor     ecx, ecx
        xor     edx, edx
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        pop     esi
        ret

; One frame comes back. Carry: Xen has none for us.
balloon_return:
        push    esi
        mov     eax, [balloon_frames]
        movzx   esi, word [balloon + eax * 2 - 2]
        mov     [balloon_list], esi             ; where we want it; Xen answers with the machine's frame
        mov     eax, XENMEM_populate_physmap
        call    balloon_ask
        cmp     eax, 1
        jne     .none
        mov     eax, [machine_frames]
        mov     ecx, [balloon_list]
        mov     [eax + esi * 4], ecx
        mov     edx, esi
        shl     edx, 12
        call    balloon_map
        dec     dword [balloon_frames]
        mov     eax, esi
        shl     eax, 12
        call    frame_release
        clc
        jmp     .done
.none:  stc
.done:  pop     esi
        ret

; EDX = physical address of a frame: mapped again where the kernel has all memory.
balloon_map:
        push    ebx
        push    esi
        lea     ebx, [edx + KERNEL_BASE]
        mov     eax, edx
        or      eax, KERNEL_PAGE_FLAGS
        entry_from_frame
        mov     ecx, eax
        xor     edx, edx
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        pop     esi
        pop     ebx
        ret

; EAX = command for the one frame in balloon_list. Returns EAX = how many Xen has dealt with.
balloon_ask:
        push    ebx
        mov     dword [driver_argument], balloon_list
        mov     dword [driver_argument + 4], 1
        mov     dword [driver_argument + 8], 0
        mov     dword [driver_argument + 12], 0
        mov     dword [driver_argument + 16], DOMID_SELF
        mov     ebx, eax
        mov     ecx, driver_argument
        hypercall HYPERVISOR_memory_op
        pop     ebx
        ret

        section .bss
balloon_target:     resd 1                      ; frames; 0: nobody has said
balloon_list:       resd 1
balloon_frames:     resd 1
balloon:            resw MAX_FRAMES             ; numbers of the frames that Xen has
