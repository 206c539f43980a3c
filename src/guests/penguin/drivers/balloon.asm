; The balloon: a driver that takes memory from its own kernel, as anybody may, and gives the frames back to Xen, which can
; give them to another domain. The store says how much memory we shall have (memory/target, in KiB). To grow again, up to
; what we were born with, is the same in reverse. (Waldspurger 2002, "Memory Resource Management in VMware ESX Server",
; section 3.2.) The architecture layer offers balloon_give and balloon_get for one frame.

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
        push    esi
        call    frames_free
        cmp     eax, BALLOON_RESERVE
        jbe     .none
        call    frame_allocate
        mov     esi, eax
        shr     esi, 12                         ; ESI = frame
        call    balloon_give
        jc      .refused
        mov     eax, [balloon_frames]
        mov     [balloon + eax * 2], si
        inc     dword [balloon_frames]
        clc
        jmp     .done
.refused:
        mov     eax, esi
        shl     eax, 12
        call    frame_release
.none:  stc
.done:  pop     esi
        ret

; One frame comes back. Carry: Xen has none for us.
balloon_return:
        push    esi
        mov     eax, [balloon_frames]
        movzx   esi, word [balloon + eax * 2 - 2]
        call    balloon_get
        jc      .done
        dec     dword [balloon_frames]
        mov     eax, esi
        shl     eax, 12
        call    frame_release
        clc
.done:  pop     esi
        ret

; EAX = command for the one frame in balloon_list. Carry: Xen has not done it.
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
        cmp     eax, 1
        je      .done                           ; equal: no carry
        stc
.done:  pop     ebx
        ret

        section .bss
balloon_target:     resd 1                      ; frames; 0: nobody has said
balloon_list:       resd 1
balloon_frames:     resd 1
balloon:            resw MAX_FRAMES             ; numbers of the frames that Xen has
