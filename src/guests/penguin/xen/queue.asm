; Batching. A hypercall costs about a thousand cycles before it has done anything, so requests that need not take effect
; at once are queued, and go to Xen together: page-table writes side by side in one mmu_update, and everything in one
; multicall. Xen public headers: xen.h, multicall_entry, mmu_update, mmuext_op.

QUEUE_CALLS         equ 32
QUEUE_UPDATES       equ 64

        section .text
; Returns ECX = room for one more call in the queue, already counted; its operation is EAX.
queue_call:
        cmp     dword [queued_calls], QUEUE_CALLS
        jb      .room
        push    eax
        push    edx
        call    queue_send
        pop     edx
        pop     eax
.room:  mov     ecx, [queued_calls]
        inc     dword [queued_calls]
        shl     ecx, 5                  ; MULTICALL_SIZE
        add     ecx, call_queue
        mov     [ecx + MULTICALL_OP], eax
        mov     dword [open_update], 0
        ret

; EDI = page-table entry, EAX = its new value. Keeps all registers but EAX.
queue_update:
        push    ecx
        push    edx
        push    esi
        cmp     dword [queued_updates], QUEUE_UPDATES
        jae     .full
        cmp     dword [queued_calls], QUEUE_CALLS
        jb      .room
.full:  push    eax
        call    queue_send
        pop     eax
.room:  mov     esi, [queued_updates]
        inc     dword [queued_updates]
        shl     esi, 4                  ; MMU_UPDATE_SIZE
        add     esi, update_queue
        mov     [esi + 8], eax
        mov     dword [esi + 12], 0
        mov     eax, edi
        sub     eax, KERNEL_BASE
        entry_from_frame                ; the entry's machine address; entries are aligned, so the low bits are 0:
        mov     [esi], eax              ; MMU_NORMAL_PT_UPDATE
        mov     dword [esi + 4], 0
        mov     ecx, [open_update]
        test    ecx, ecx
        jz      .new
        inc     dword [ecx + MULTICALL_ARGS + 4]        ; the last call in the queue is such a list: one more
        jmp     .done
.new:   mov     eax, HYPERVISOR_mmu_update
        call    queue_call
        mov     [ecx + MULTICALL_ARGS], esi
        mov     dword [ecx + MULTICALL_ARGS + 4], 1
        mov     dword [ecx + MULTICALL_ARGS + 8], 0
        mov     dword [ecx + MULTICALL_ARGS + 12], DOMID_SELF
        mov     [open_update], ecx
.done:  pop     esi
        pop     edx
        pop     ecx
        ret

; EAX = MMUEXT operation, EDX = its argument.
queue_extended:
        push    eax
        mov     eax, HYPERVISOR_mmuext_op
        call    queue_call
        mov     eax, [queued_calls]     ; each call has an operation record of its own
        imul    eax, eax, MMUEXT_OP_SIZE
        add     eax, extended_queue - MMUEXT_OP_SIZE
        mov     [ecx + MULTICALL_ARGS], eax
        mov     dword [ecx + MULTICALL_ARGS + 4], 1
        mov     dword [ecx + MULTICALL_ARGS + 8], 0
        mov     dword [ecx + MULTICALL_ARGS + 12], DOMID_SELF
        pop     ecx
        mov     [eax], ecx
        mov     [eax + 4], edx
        mov     dword [eax + 8], 0
        ret

; EDX = pseudo-physical address of a frame, EAX = flags: its page in the kernel's mapping gets these.
queue_remap:
        push    eax
        mov     eax, HYPERVISOR_update_va_mapping
        call    queue_call
        pop     eax
        or      eax, edx
        entry_from_frame
        mov     [ecx + MULTICALL_ARGS + 4], eax
        add     edx, KERNEL_BASE
        mov     [ecx + MULTICALL_ARGS], edx
        mov     dword [ecx + MULTICALL_ARGS + 8], 0
        mov     dword [ecx + MULTICALL_ARGS + 12], UVMF_INVLPG
        ret

; Sends what is queued, in order. A request that Xen refuses is a bug of ours. Changes EAX, ECX, EDX.
queue_send:
        cmp     dword [queued_calls], 0
        je      .done
        push    ebx
        push    esi
        push    edi
        mov     ebx, call_queue
        mov     ecx, [queued_calls]
        hypercall HYPERVISOR_multicall
        mov     ebx, call_queue
        mov     ecx, [queued_calls]
.check: cmp     dword [ebx + MULTICALL_RESULT], 0
        jl      .refused
        add     ebx, MULTICALL_SIZE
        dec     ecx
        jnz     .check
        mov     [queued_calls], ecx
        mov     [queued_updates], ecx
        mov     [open_update], ecx
        pop     edi
        pop     esi
        pop     ebx
.done:  ret
.refused:
        print   "Xen refused hypercall "
        mov     eax, [ebx + MULTICALL_OP]
        call    print_decimal
        print   ", error "
        mov     eax, [ebx + MULTICALL_RESULT]
        neg     eax
        call    print_decimal
        call    print_newline
        panic   "page-table update refused"

        section .bss
call_queue:         resb QUEUE_CALLS * MULTICALL_SIZE
update_queue:       resb QUEUE_UPDATES * MMU_UPDATE_SIZE
extended_queue:     resb QUEUE_CALLS * MMUEXT_OP_SIZE
queued_calls:       resd 1
queued_updates:     resd 1
open_update:        resd 1              ; the last call in the queue, if it is an mmu_update, or 0
