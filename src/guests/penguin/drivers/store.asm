; The store: a tree of small texts that domain 0 keeps for all, and in which whoever has to find each other leaves word.
; Requests and answers go through two rings of bytes; between the answers there may be news of what we watch.
; Xen public headers: io/xs_wire.h; xen/docs/misc/xenstore.txt.

STORE_MESSAGE_MAX   equ 256
STORE_REPLY_MAX     equ 256

; A message is printed like any text: from here on `print` and its relatives write into it.
%macro store_message_begin 0
        mov     dword [print_target], store_message
%endmacro
; A text within a message ends. Keeps all registers.
%macro store_message_zero 0
        call    store_zero
%endmacro

        section .text
; Where the store is: EAX = linear address of its page, ECX = its port. From now on an event at it is heard. One that
; waits already says that there are devices to look for; without one we leave the store alone.
store_initialize:
        mov     [store_page], eax
        mov     [store_port], ecx
        lock btr [shared_info + SHARED_MASK], ecx
        lock btr [shared_info + SHARED_PENDING], ecx
        jnc     .done
        mov     byte [device_work], 1
.done:  ret

store_zero:
        push    eax
        xor     eax, eax
        call    print_character
        pop     eax
        ret

; EAX = type of the message that has been printed: sends it and waits. store_reply = the answer, ended by 0.
; Carry: it was an error.
store_call:
        push    ebx
        push    esi
        push    edi
        xor     ebx, ebx
        xchg    ebx, [print_target]
        mov     esi, store_message
        sub     ebx, esi                        ; EBX = length
        mov     [store_head], eax
        inc     dword [store_head + 4]          ; a number for this request
        mov     [store_head + 12], ebx
        mov     esi, store_head
        mov     ecx, STORE_HEADER
        call    store_put
        mov     esi, store_message
        mov     ecx, ebx
        call    store_put
        mov     eax, [store_port]
        call    event_send
.answer:
        call    store_receive
        mov     eax, [store_answer_head + 4]
        cmp     eax, [store_head + 4]
        jne     .answer
        cmp     dword [store_answer_head], XS_WATCH_EVENT
        je      .answer
        cmp     dword [store_answer_head], XS_ERROR
        clc
        jne     .done
        stc
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; Takes one message from the ring, waiting for it. News only says that there is work.
store_receive:
        push    edi
        mov     edi, store_answer_head
        mov     ecx, STORE_HEADER
        mov     edx, STORE_HEADER
        call    store_get
        mov     edi, store_reply
        mov     ecx, [store_answer_head + 12]
        mov     edx, STORE_REPLY_MAX
        call    store_get
        mov     byte [edi], 0
        cmp     dword [store_answer_head], XS_WATCH_EVENT
        jne     .done
        mov     byte [device_work], 1
.done:  pop     edi
        ret

; Takes all news that waits.
store_poll:
.next:  mov     ecx, [store_page]
        mov     eax, [ecx + STORE_REPLY_PROD]
        cmp     eax, [ecx + STORE_REPLY_CONS]
        je      .done
        call    store_receive
        jmp     .next
.done:  ret

; ESI = bytes, ECX = how many: into the ring.
store_put:
        push    ebx
        push    edi
        mov     edi, [store_page]
.byte:  cmp     ecx, 0
        je      .done
.full:  mov     ebx, [edi + STORE_REQUEST_PROD]
        mov     eax, ebx
        sub     eax, [edi + STORE_REQUEST_CONS]
        cmp     eax, STORE_SIZE
        jae     .wait
        and     ebx, STORE_SIZE - 1
        lodsb
        mov     [edi + STORE_REQUEST + ebx], al
        inc     dword [edi + STORE_REQUEST_PROD]
        dec     ecx
        jmp     .byte
.wait:  push    ecx
        mov     eax, [store_port]
        call    event_send
        pop     ecx
        call    give_time
        jmp     .full
.done:  pop     edi
        pop     ebx
        ret

; ECX bytes out of the ring to EDI, of which there is room for EDX: the rest is forgotten. EDI = behind the last.
store_get:
        push    ebx
        push    esi
        mov     esi, [store_page]
.byte:  cmp     ecx, 0
        je      .done
.empty: mov     ebx, [esi + STORE_REPLY_CONS]
        cmp     ebx, [esi + STORE_REPLY_PROD]
        je      .wait
        and     ebx, STORE_SIZE - 1
        mov     al, [esi + STORE_REPLY + ebx]
        inc     dword [esi + STORE_REPLY_CONS]
        dec     ecx
        sub     edx, 1
        jc      .byte
        stosb
        jmp     .byte
.wait:  push    ecx
        push    edx
        mov     eax, [store_port]               ; there is room again
        call    event_send
        pop     edx
        pop     ecx
        call    give_time
        jmp     .empty
.done:  pop     esi
        pop     ebx
        ret

; ESI = path: domain 0 shall tell us when it changes, and tells us at once.
store_watch:
        store_message_begin
        call    print_string
        store_message_zero
        print   "w"
        store_message_zero
        mov     eax, XS_WATCH
        jmp     store_call

        section .data
        align   4
store_port:     dd -1

        section .bss
store_page:         resd 1
store_head:         resd 4
store_answer_head:  resd 4
store_message:      resb STORE_MESSAGE_MAX
store_reply:        resb STORE_REPLY_MAX + 1
