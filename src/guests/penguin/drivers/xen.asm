; What all drivers for Xen's split devices need: event ports, granted pages, nodes in the store. A split device is a front
; end here and a back end in another domain, which share a page and an event channel; the store introduces them to each
; other. Both builds use these drivers: the paravirtualized one always, the native one when it finds Xen beneath it.
; Xen public headers: event_channel.h, grant_table.h, io/xenbus.h.

        section .text
; Serves every event that is pending. The flag is cleared before the bits are looked at, so that one that comes in
; between is seen by the check on the way out.
dispatch_events:
        push    ebx
        push    esi
        push    edi
        mov     byte [shared_info + VCPU_UPCALL_PENDING], 0
        xor     edi, edi
        xchg    edi, [shared_info + VCPU_PENDING_SEL]   ; EDI = words with pending bits
.word:  bsf     esi, edi
        jz      .done
        btr     edi, esi
        mov     ebx, [shared_info + SHARED_MASK + esi * 4]
        not     ebx
        and     ebx, [shared_info + SHARED_PENDING + esi * 4]
.port:  bsf     eax, ebx
        jz      .word
        btr     ebx, eax
        mov     ecx, esi
        shl     ecx, 5
        add     eax, ecx                ; EAX = port
        lock btr [shared_info + SHARED_PENDING], eax
        call    port_event
        jmp     .port
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; EAX = port: whoever has it.
port_event:
        cmp     eax, [timer_port]
        je      timer_event
%ifdef PV
        cmp     eax, [console_port]
        je      console_event
%endif
        cmp     eax, [net_port]
        je      net_event
        cmp     eax, [disk_port]
        je      disk_event
        cmp     eax, [store_port]
        je      store_event
        ret

; EAX = port: the other end gets an event.
event_send:
        push    ebx
        mov     [driver_argument], eax
        mov     ebx, EVTCHNOP_send
        mov     ecx, driver_argument
        hypercall HYPERVISOR_event_channel_op
        pop     ebx
        ret

; Returns EAX = a port that domain 0 may bind to; its events come through. Nothing is pending on a fresh port, so that
; clearing its mask bit is all that is needed.
event_offer:
        push    ebx
        mov     dword [driver_argument], DOMID_SELF     ; and domain 0 in the upper half
        mov     ebx, EVTCHNOP_alloc_unbound
        mov     ecx, driver_argument
        hypercall HYPERVISOR_event_channel_op
        mov     eax, [driver_argument + 4]
        lock btr [shared_info + SHARED_MASK], eax
        pop     ebx
        ret

; Lets whoever we wait for run. Keeps all registers.
give_time:
        pushad
        mov     ebx, SCHEDOP_yield
        xor     ecx, ecx
        hypercall HYPERVISOR_sched_op
        popad
        ret

; ---- Grants --------------------------------------------------------------------------------------------------------
; Has Xen make a grant table of one page, and maps it. Carry: there is none to have.
grants_initialize:
        push    ebx
        mov     dword [driver_argument], DOMID_SELF
        mov     dword [driver_argument + 4], 1
        mov     dword [driver_argument + 12], grant_frame
        mov     ebx, GNTTABOP_setup_table
        mov     ecx, driver_argument
        mov     edx, 1
        hypercall HYPERVISOR_grant_table_op
        test    eax, eax
        jnz     .none
        cmp     word [driver_argument + 8], 0
        jne     .none
        mov     eax, [grant_frame]
        call    map_grant_table
        clc
        jmp     .done
.none:  stc
.done:  pop     ebx
        ret

; EAX = physical address of a page that domain 0 may use from now on. Returns EAX = the reference by which it may.
grant_page:
        push    ebx
        entry_from_frame
        shr     eax, 12
        mov     ebx, [next_grant]
        inc     dword [next_grant]
        mov     [grant_table + ebx * GRANT_SIZE + 4], eax
        mov     dword [grant_table + ebx * GRANT_SIZE], GTF_permit_access   ; last: it makes the entry valid
        mov     eax, ebx
        pop     ebx
        ret

; Returns EDI = a new page for a ring, empty, with an event asked for at the first response; EAX = its reference.
; Carry: no memory.
ring_page:
        call    frame_allocate_zeroed
        cmp     eax, 1
        jb      .done
        lea     edi, [eax + KERNEL_BASE]
        mov     dword [edi + RING_REQUEST_EVENT], 1
        mov     dword [edi + RING_RESPONSE_EVENT], 1
        call    grant_page
        clc
.done:  ret

; ---- Nodes ---------------------------------------------------------------------------------------------------------
; ESI = kind of device ("vbd"), EDI = room for two paths of DEVICE_PATH bytes: the front end's and the back end's.
; Carry: we have no such device.
DEVICE_PATH     equ 64
device_find:
        push    esi
        store_message_begin
        print   "device/"
        call    print_string
        store_message_zero
        mov     eax, XS_DIRECTORY
        call    store_call
        jc      .done
        cmp     byte [store_reply], 1           ; empty: carry
        jc      .done
        mov     [print_target], edi
        print   "device/"
        call    print_string
        print   "/"
        mov     esi, store_reply                ; the first of them
        call    print_string
        xor     eax, eax
        call    print_character
        mov     dword [print_target], 0
        mov     esi, edi
        push    edi
        mov     edi, node_backend
        call    node_read
        pop     edi
        jc      .done
        push    edi
        add     edi, DEVICE_PATH
        mov     ecx, DEVICE_PATH - 1
.copy:  lodsb
        stosb
        test    al, al
        jz      .copied
        dec     ecx
        jnz     .copy
        mov     byte [edi], 0
.copied:
        pop     edi
        clc
.done:  pop     esi
        ret

; ESI = path of a device, EDI = name of a node. Returns ESI = its value, a text; carry: there is none.
node_read:
        store_message_begin
        call    node_print
        store_message_zero
        mov     eax, XS_READ
        call    store_call
        mov     esi, store_reply
        ret

; The same. Returns EAX = its value, a number.
node_number:
        push    esi
        call    node_read
        xor     eax, eax
        jc      .done
.digit: movzx   ecx, byte [esi]
        sub     ecx, '0'
        cmp     ecx, 9
        ja      .end
        imul    eax, eax, 10
        add     eax, ecx
        inc     esi
        jmp     .digit
.end:   clc
.done:  pop     esi
        ret

; ESI = path of a device, EDI = name of a node, EAX = a number: becomes its value.
node_write:
        store_message_begin
        call    node_print
        store_message_zero
        call    print_decimal
        mov     eax, XS_WRITE
        jmp     store_call

node_print:
        push    esi
        call    print_string
        print   "/"
        mov     esi, edi
        call    print_string
        pop     esi
        ret

; ESI = two paths of a device whose front end has said all it has to say: waits until the back end has connected.
; Carry: it does not.
device_connected:
        push    ebx
        push    esi
        push    edi
        mov     ebx, 1000
        add     esi, DEVICE_PATH
        mov     edi, node_state
.again: call    node_number
        cmp     eax, XENBUS_CONNECTED
        je      .done
        call    give_time
        dec     ebx
        jnz     .again
        stc
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

        section .data
        align   4
next_grant:     dd GRANTS_RESERVED
node_backend:   db "backend", 0
node_state:     db "state", 0
node_ring:      db "ring-ref", 0
node_channel:   db "event-channel", 0

        section .bss
driver_argument:    resd 6
grant_frame:        resd 1
