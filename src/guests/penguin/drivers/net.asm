; The front end of a virtual network interface: a ring of requests to send, a ring of pages put up for what arrives; the back
; end copies both ways. Frames are Ethernet without checksum. The only protocol here is an echo of our own, under the number
; that IEEE 802 leaves for experiments: the kernel itself answers it. Xen public headers: io/netif.h.

NET_TX_REQUESTS     equ 256             ; entries of the rings
NET_TX_SIZE         equ 12              ; request: {grant, 16 bits each: offset, flags, id, size}; response: {id, status}
NET_RX_REQUESTS     equ 256
NET_RX_SIZE         equ 8               ; request: {16 bits: id, grant}; response: {16 bits each: id, offset, flags, status}
NET_PAGES           equ 8               ; put up at a time
NET_SLOTS           equ 4               ; frames on their way out at a time; each has a page
NET_QUEUE           equ 4               ; frames that wait for a reader
NET_FRAME           equ 1536            ; room for the largest, with its length in front
NET_TIMEOUT         equ 100             ; ticks that a reader waits

FRAME_TO            equ 0               ; an Ethernet frame: two addresses of six bytes, a type in network order
FRAME_FROM          equ 6
FRAME_TYPE          equ 12
FRAME_BODY          equ 14
ECHO_TYPE           equ 0xB588          ; 88B5h
ECHO_REQUEST        equ 1               ; first byte of the body
ECHO_REPLY          equ 2

        section .text
; Finds our interface and opens it.
net_initialize:
        push    ebx
        push    esi
        push    edi
        mov     esi, .kind
        mov     edi, net_paths
        call    device_find
        jc      .done
        call    ring_page
        jc      .done
        mov     [net_tx], edi
        mov     esi, net_paths
        mov     edi, .tx_ring
        call    node_write
        call    ring_page
        jc      .done
        mov     [net_rx], edi
        mov     edi, .rx_ring
        call    node_write
        xor     ebx, ebx                ; pages: those to receive into first
.page:  call    frame_allocate
        test    eax, eax
        jz      .done
        lea     ecx, [eax + KERNEL_BASE]
        mov     [net_pages + ebx * 4], ecx
        call    grant_page
        mov     [net_grants + ebx * 4], eax
        inc     ebx
        cmp     ebx, NET_PAGES + NET_SLOTS
        jb      .page
        xor     eax, eax
.offer: call    net_put_up
        inc     eax
        cmp     eax, NET_PAGES
        jb      .offer
        call    event_offer
        mov     [net_port], eax
        mov     edi, node_channel
        call    node_write
        mov     eax, 1
        mov     edi, .copy
        call    node_write
        mov     edi, .mac
        push    esi
        call    node_read
        call    parse_address
        pop     esi
        mov     eax, XENBUS_CONNECTED
        mov     edi, node_state
        call    node_write
        call    device_connected
        jc      .done
        mov     byte [net_open], 1
        print   "net: "
        mov     esi, net_paths
        mov     edi, .mac
        call    node_read
        call    print_string
        call    print_newline
.done:  pop     edi
        pop     esi
        pop     ebx
        ret
        section .data
.kind:      db "vif", 0
.tx_ring:   db "tx-ring-ref", 0
.rx_ring:   db "rx-ring-ref", 0
.copy:      db "request-rx-copy", 0
.mac:       db "mac", 0

        section .text
; ESI = "00:16:3e:00:00:02": into net_address.
parse_address:
        push    edi
        mov     edi, net_address
        mov     ecx, 6
.byte:  xor     edx, edx
.digit: lodsb
        or      al, 0x20                ; digits and the colon stay as they are
        sub     al, '0'
        jb      .end
        cmp     al, 9
        jbe     .value
        sub     al, 'a' - '0' - 10
        jb      .end                    ; the colon
.value: shl     edx, 4
        or      dl, al
        jmp     .digit
.end:   mov     [edi], dl
        inc     edi
        dec     ecx
        jnz     .byte
        pop     edi
        ret

; EAX = number of a page: the back end may put a frame into it. Keeps EAX.
net_put_up:
        push    ebx
        mov     ebx, [net_rx]
        mov     ecx, [ebx + RING_REQUEST_PROD]
        and     ecx, NET_RX_REQUESTS - 1
        mov     edx, [net_grants + eax * 4]
        mov     [ebx + ecx * NET_RX_SIZE + RING_ENTRIES], eax
        mov     [ebx + ecx * NET_RX_SIZE + RING_ENTRIES + 4], edx
        inc     dword [ebx + RING_REQUEST_PROD]
        pop     ebx
        ret

; The event: frames have arrived, or have been sent. Interrupts are off.
net_event:
        push    ebx
        push    esi
        push    edi
        mov     ebx, [net_rx]
        mov     edi, [net_taken]
.next:  cmp     edi, [ebx + RING_RESPONSE_PROD]
        je      .all
        mov     ecx, edi
        and     ecx, NET_RX_REQUESTS - 1
        lea     ecx, [ebx + ecx * NET_RX_SIZE + RING_ENTRIES]
        movzx   eax, word [ecx]
        and     eax, NET_PAGES - 1
        movsx   ecx, word [ecx + 6]
        mov     esi, [net_pages + eax * 4]
        push    eax
        cmp     ecx, FRAME_BODY + 1
        jl      .took
        call    net_arrived
.took:  pop     eax
        call    net_put_up
        inc     edi
        jmp     .next
.all:   cmp     edi, [net_taken]
        je      .done
        mov     [net_taken], edi
        lea     eax, [edi + 1]
        mov     [ebx + RING_RESPONSE_EVENT], eax
        mov     eax, [net_port]         ; there are pages to put frames into again
        call    event_send
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; ESI = frame, ECX = length. Echoes are answered, everything else waits for a reader; without room it is lost, and so is
; what a bridge sent our way that does not know us yet, but is for somebody else.
net_arrived:
        test    byte [esi + FRAME_TO], 1        ; to all, or to many
        jnz     .ours
        mov     eax, [esi + FRAME_TO]
        cmp     eax, [net_address]
        jne     .done
        mov     ax, [esi + FRAME_TO + 4]
        cmp     ax, [net_address + 4]
        jne     .done
.ours:  cmp     word [esi + FRAME_TYPE], ECHO_TYPE
        jne     .queue
        cmp     byte [esi + FRAME_BODY], ECHO_REQUEST
        jne     .queue
        mov     byte [esi + FRAME_BODY], ECHO_REPLY
        mov     eax, [esi + FRAME_FROM]
        mov     [esi + FRAME_TO], eax
        mov     ax, [esi + FRAME_FROM + 4]
        mov     [esi + FRAME_TO + 4], ax
        jmp     net_transmit
.queue: mov     eax, [net_produced]
        mov     edx, eax
        sub     edx, [net_consumed]
        cmp     edx, NET_QUEUE
        jae     .done
        inc     dword [net_produced]
        and     eax, NET_QUEUE - 1
        imul    eax, eax, NET_FRAME
        push    edi
        lea     edi, [net_queue + eax]
        mov     [edi], ecx
        add     edi, 4
        rep movsb
        pop     edi
        push    ebx
        mov     ebx, [net_reader]
        test    ebx, ebx
        jz      .woken
        call    wake
.woken: pop     ebx
.done:  ret

; ESI = frame, ECX = length: sent, with our address as its sender. EAX = 0, or -EAGAIN when all slots are on their way.
; Interrupts are off.
net_transmit:
        push    ebx
        push    edi
        mov     ebx, [net_tx]
        mov     edx, [ebx + RING_REQUEST_PROD]
        mov     eax, edx
        sub     eax, [ebx + RING_RESPONSE_PROD]
        cmp     eax, NET_SLOTS
        mov     eax, -EAGAIN
        jae     .done
        mov     eax, edx
        and     eax, NET_SLOTS - 1
        mov     edi, [net_pages + NET_PAGES * 4 + eax * 4]
        and     edx, NET_TX_REQUESTS - 1
        imul    edx, edx, NET_TX_SIZE
        lea     edx, [ebx + edx + RING_ENTRIES]
        mov     [edx + 8], ax           ; id
        mov     eax, [net_grants + NET_PAGES * 4 + eax * 4]
        mov     [edx], eax
        mov     dword [edx + 4], 0      ; offset, flags
        mov     [edx + 10], cx
        push    edi
        rep movsb
        pop     edi
        mov     eax, [net_address]
        mov     [edi + FRAME_FROM], eax
        mov     ax, [net_address + 4]
        mov     [edi + FRAME_FROM + 4], ax
        inc     dword [ebx + RING_REQUEST_PROD]
        mov     eax, [net_port]
        call    event_send
        xor     eax, eax
.done:  pop     edi
        pop     ebx
        ret

; ---- read and write of /dev/net: one frame each; the trap frame is EBP --------------------------------------------
; EAX = length of the frame, 0 when none came in a second, or an error. What the buffer does not hold is lost.
net_read:
        push    ebx
        push    esi
        push    edi
        interrupts_off
        clock_update
        mov     ebx, [current]
        mov     eax, [ticks]
        add     eax, NET_TIMEOUT
        mov     edi, eax
.wait:  interrupts_off
        mov     esi, [net_consumed]
        cmp     esi, [net_produced]
        jne     .ready
        mov     eax, -EINTR
        cmp     dword [ebx + PROCESS_SIGNAL], 0
        jne     .out
        xor     eax, eax
        mov     ecx, edi
        sub     ecx, [ticks]
        jle     .out
        mov     [net_reader], ebx
        mov     [ebx + PROCESS_WAKE_TICK], edi
        mov     eax, STATE_SLEEPING
        call    sleep_in_state
        mov     dword [net_reader], 0
        jmp     .wait
.ready: interrupts_on
        and     esi, NET_QUEUE - 1
        imul    esi, esi, NET_FRAME
        add     esi, net_queue
        lodsd
        mov     ecx, [ebp + FRAME_EDX]
        cmp     ecx, eax
        jbe     .fits
        mov     ecx, eax
.fits:  mov     ebx, ecx
        mov     edi, [ebp + FRAME_ECX]
        call    copy_to_user
        inc     dword [net_consumed]
        test    eax, eax
        js      .out
        mov     eax, ebx
.out:   interrupts_on
        pop     edi
        pop     esi
        pop     ebx
        ret

net_write:
        push    esi
        push    edi
        mov     ecx, [ebp + FRAME_EDX]
        mov     eax, -EINVAL
        cmp     ecx, FRAME_BODY
        jb      .done
        cmp     ecx, 1514
        ja      .done
        mov     esi, [ebp + FRAME_ECX]
        mov     edi, net_out
        call    copy_from_user
        test    eax, eax
        js      .done
        mov     esi, net_out
        mov     ecx, [ebp + FRAME_EDX]
        interrupts_off
        call    net_transmit
        interrupts_on
        test    eax, eax
        js      .done
        mov     eax, [ebp + FRAME_EDX]
.done:  pop     edi
        pop     esi
        ret

        section .data
        align   4
net_port:       dd -1
net_open:       db 0

        section .bss
net_paths:      resb DEVICE_PATH * 2
net_tx:         resd 1
net_rx:         resd 1
net_taken:      resd 1                          ; responses of the receiving ring that have been seen
net_pages:      resd NET_PAGES + NET_SLOTS
net_grants:     resd NET_PAGES + NET_SLOTS
net_address:    resb 8
net_reader:     resd 1                          ; the process that waits for a frame, or 0
net_produced:   resd 1
net_consumed:   resd 1
net_queue:      resb NET_QUEUE * NET_FRAME
net_out:        resb NET_FRAME
