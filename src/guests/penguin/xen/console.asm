; The console on Xen: a page shared with whoever shows it, with a ring of characters in each direction, and an event
; channel on which either side tells the other that it has moved on. Xen public headers: io/console.h.

        section .text
console_initialize:
        push    ebx
        mov     esi, [start_info]
        mov     eax, [esi + START_CONSOLE_MFN]
        mov     eax, [MACH2PHYS_VIRT_START + eax * 4]
        shl     eax, 12
        add     eax, KERNEL_BASE
        mov     [console_page], eax
        mov     eax, [esi + START_CONSOLE_EVTCHN]
        mov     [console_port], eax
        call    event_unmask
        pop     ebx
        ret

; ---- The console's lower half: these are what console.asm asks of every build --------------------------------------
; EAX = how many characters can be written without waiting.
console_room:
        mov     ecx, [console_page]
        mov     eax, CONSOLE_OUT_SIZE
        sub     eax, [ecx + CONSOLE_OUT_PROD]
        add     eax, [ecx + CONSOLE_OUT_CONS]
        ret

; AL = character. Waits for the other side when the ring is full. Keeps all registers.
console_emit:
        push    eax
        push    ecx
        push    edx
        mov     dl, al
.full:  call    console_room
        test    eax, eax
        jnz     .room
        call    console_give_time
        jmp     .full
.room:  mov     eax, [ecx + CONSOLE_OUT_PROD]
        and     eax, CONSOLE_OUT_SIZE - 1
        mov     [ecx + CONSOLE_OUT + eax], dl
        inc     dword [ecx + CONSOLE_OUT_PROD]  ; after the character, so that nobody takes an old one
        pop     edx
        pop     ecx
        pop     eax
        ret

; All that has been emitted shall appear now.
console_kick:
        mov     ecx, [console_page]
        mov     eax, [ecx + CONSOLE_OUT_PROD]
        cmp     eax, [ecx + CONSOLE_OUT_CONS]
        jne     console_notify
        ret                             ; it has all been taken already

; Tells the other side to look at the rings.
console_notify:
        push    ebx
        mov     eax, [console_port]
        mov     [event_argument], eax
        mov     ebx, EVTCHNOP_send
        mov     ecx, event_argument
        hypercall HYPERVISOR_event_channel_op
        pop     ebx
        ret

; Lets others run, so that the one who empties the ring can. Keeps all registers.
console_give_time:
        pushad
        call    console_notify
        mov     ebx, SCHEDOP_yield
        xor     ecx, ecx
        hypercall HYPERVISOR_sched_op
        popad
        ret

; The domain is about to end: waits until the ring is empty.
console_drain:
        call    console_room
        cmp     eax, CONSOLE_OUT_SIZE
        je      .done
        call    console_give_time
        jmp     console_drain
.done:  ret

; The console's event: characters have come, or there is room for more.
console_event:
        push    ebx
        mov     ebx, [console_page]
        mov     eax, [ebx + CONSOLE_IN_CONS]
        cmp     eax, [ebx + CONSOLE_IN_PROD]
        je      .output
.input: and     eax, CONSOLE_IN_SIZE - 1
        mov     al, [ebx + CONSOLE_IN + eax]
        inc     dword [ebx + CONSOLE_IN_CONS]
        call    console_input
        mov     eax, [ebx + CONSOLE_IN_CONS]
        cmp     eax, [ebx + CONSOLE_IN_PROD]
        jne     .input
        call    console_notify          ; there is room again
.output:
        call    console_output_ready
        pop     ebx
        ret

        section .data
        align   4
console_port:   dd -1

        section .bss
console_page:   resd 1
