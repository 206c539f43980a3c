; One frame to Xen, and one back (drivers/balloon.asm says which and when). Xen takes no frame that is still mapped, and what
; it gives is another one of the machine's, which becomes ours by the table of machine frames. Xen public headers: memory.h.

        section .text
; ESI = frame: goes to Xen. Carry: it has been refused, and is as it was.
balloon_give:
        push    ebx
        mov     eax, [machine_frames]
        mov     eax, [eax + esi * 4]
        mov     [balloon_list], eax
        push    esi
        mov     ebx, esi
        shl     ebx, 12
        add     ebx, KERNEL_BASE
        xor     ecx, ecx                        ; its page in the kernel's mapping becomes empty
        xor     edx, edx
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        pop     esi
        mov     eax, XENMEM_decrease_reservation
        call    balloon_ask
        jc      .refused
        mov     eax, [machine_frames]
        mov     dword [eax + esi * 4], -1
        clc
        jmp     .done
.refused:
        call    balloon_map
        stc
.done:  pop     ebx
        ret

; ESI = frame: has memory again. Carry: Xen has none.
balloon_get:
        mov     [balloon_list], esi             ; where we want it; Xen answers with the machine's frame
        mov     eax, XENMEM_populate_physmap
        call    balloon_ask
        jc      .done
        mov     eax, [machine_frames]
        mov     ecx, [balloon_list]
        mov     [eax + esi * 4], ecx
        call    balloon_map
        clc
.done:  ret

; ESI = frame: mapped again where the kernel has all memory.
balloon_map:
        push    ebx
        push    esi
        mov     ebx, esi
        shl     ebx, 12
        mov     eax, ebx
        add     ebx, KERNEL_BASE
        or      eax, KERNEL_PAGE_FLAGS
        entry_from_frame
        mov     ecx, eax
        xor     edx, edx
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        pop     esi
        pop     ebx
        ret
