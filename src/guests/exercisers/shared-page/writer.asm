; ringside-guest
; One of two guests that have a page in common: this one grants it (grant_table.h), says something in it, and watches what its
; entry says about who uses it. The other is reader.asm; both on one host, this one first:
;   ringside run src/guests/exercisers/shared-page/writer.asm src/guests/exercisers/shared-page/reader.asm

%include "include/xen.inc"
%include "exercisers/shared-page/common.inc"

        xen_guest "writer", "1", start

start:  cld
        mov     esp, stack_top
        mov     [start_info], esi
        call    prepare

; A grant table of one frame, mapped at `grants`.
        mov     ebx, GNTTABOP_setup_table
        mov     ecx, setup
        mov     edx, 1
        hypercall HYPERVISOR_grant_table_op
        checked
        cmp     word [setup + 8], 0
        jne     failed
        mov     eax, [grant_frame]
        mov     ebx, grants
        call    map

; The entry: domain and frame, and then, when they are there, what it is.
        mov     eax, [start_info]
        mov     eax, [eax + START_MFN_LIST]
        mov     ecx, page - XEN_VIRT_BASE
        shr     ecx, 12
        mov     eax, [eax + ecx * 4]
        mov     edi, grants + REFERENCE * GRANT_SIZE
        mov     [edi + 4], eax
        mov     ax, [partner]
        mov     [edi + 2], ax
        mov     word [edi], GTF_permit_access

; A port that only the other may bind to; from then on it may come at any time.
        mov     ax, [partner]
        mov     [offer + 2], ax
        mov     ebx, EVTCHNOP_alloc_unbound
        mov     ecx, offer
        hypercall HYPERVISOR_event_channel_op
        checked
        mov     eax, [offer + 4]
        mov     [port], eax
        print   offered

        call    wait_for_other
        print   answered
        print   page + ANSWER
        test    word [grants + REFERENCE * GRANT_SIZE], GTF_reading
        jz      failed
        test    word [grants + REFERENCE * GRANT_SIZE], GTF_writing
        jz      failed
        print   in_use
        call    tell

        call    wait_for_other
        test    word [grants + REFERENCE * GRANT_SIZE], GTF_reading | GTF_writing
        jnz     failed
        print   is_free
        jmp     end

        common_code

offered:        db "writer: here is a page for you", 13, 10, 0
answered:       db "writer: the answer is ", 0
in_use:         db "writer: my entry says that it is read and written", 13, 10, 0
is_free:        db "writer: my entry says that nobody uses it any more", 13, 10, 0
        align   4, db 0
partner:        dw 2, 0
setup:          dw DOMID_SELF, 0
                dd 1
                dw -1, 0
                dd grant_frame
grant_frame:    dd 0
offer:          dw DOMID_SELF, 0
                dd 0
        common_data
grants:         times 4096 db 0                 ; the grant table takes this place
page:           db "what one of us writes, both of us have", 13, 10, 0
        align   4096, db 0

        section .bss
                resb 4096
stack_top:
        xen_guest_end
