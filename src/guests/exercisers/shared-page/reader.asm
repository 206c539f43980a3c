; ringside-guest
; The other of two guests that have a page in common (see writer.asm): this one maps it where a page of its own was, reads it,
; writes an answer into it, and unmaps it.

%include "include/xen.inc"
%include "exercisers/shared-page/common.inc"

        xen_guest "reader", "1", start

start:  cld
        mov     esp, stack_top
        mov     [start_info], esi
        call    prepare

; The one port that is offered to us is the one that we can bind to. Until it is there, others may have the processor.
.again: mov     ax, [partner]
        mov     [bind], ax
        mov     ebx, EVTCHNOP_bind_interdomain
        mov     ecx, bind
        hypercall HYPERVISOR_event_channel_op
        test    eax, eax
        jns     .bound
        inc     dword [bind + 4]
        and     dword [bind + 4], 31
        jnz     .again
        mov     ebx, SCHEDOP_yield
        hypercall HYPERVISOR_sched_op
        jmp     .again

.bound: mov     eax, [bind + 8]
        mov     [port], eax
        btr     [shared + SHARED_PENDING], eax  ; binding leaves an event, in case one was sent before

        mov     ax, [partner]
        mov     [request + 16], ax
        mov     ebx, GNTTABOP_map_grant_ref
        mov     ecx, request
        mov     edx, 1
        hypercall HYPERVISOR_grant_table_op
        checked
        cmp     word [request + 18], 0
        jne     failed
        mov     eax, [request + 20]
        mov     [unmap + 16], eax

        print   it_says
        print   page
        mov     esi, answer
        mov     edi, page + ANSWER
        mov     ecx, answer_end - answer
        rep movsb
        call    tell

        call    wait_for_other
        mov     ebx, GNTTABOP_unmap_grant_ref
        mov     ecx, unmap
        mov     edx, 1
        hypercall HYPERVISOR_grant_table_op
        checked
        cmp     word [unmap + 20], 0
        jne     failed
        print   unmapped
        call    tell
        jmp     end

        common_code

it_says:        db "reader: your page says ", 0
answer:         db "and what the other writes, too", 13, 10, 0
answer_end:
unmapped:       db "reader: unmapped", 13, 10, 0
        align   4, db 0
partner:        dw 1, 0
bind:           dd 0, 0, 0                      ; {domain, its port, ours}
request:        dd page, 0, GNTMAP_host_map, REFERENCE
                dw 0, -1
                dd 0, 0, 0
unmap:          dd page, 0, 0, 0, 0, -1
        common_data
page:           times 4096 db 0                 ; the writer's page takes this place

        section .bss
                resb 4096
stack_top:
        xen_guest_end
