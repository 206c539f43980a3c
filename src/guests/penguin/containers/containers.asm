; Containers: what a process sees and what it may have is its container's. The kernel is one; a system call pays a few
; instructions for the question whose it is, and nothing else: there is no second kernel under or over this one.
;
; A container begins with an init of its own (pid 1 inside), is refused processes and pages beyond its limits, gets the
; processor in turn with the others however many processes it has, and ends when its init ends.

        section .text
containers_initialize:
        push    ebx
        mov     ebx, containers
        xor     eax, eax
.next:  mov     [ebx + CONTAINER_NUMBER], eax
        mov     ecx, [container_ports + eax * 4]
        mov     [ebx + CONTAINER_PORT], ecx
        mov     ecx, eax
        shl     ecx, 12
        add     ecx, terminal_rings
        mov     [ebx + CONTAINER_RING], ecx
        mov     ecx, eax
        shl     ecx, 8
        add     ecx, terminal_queues
        mov     [ebx + CONTAINER_QUEUE], ecx
        add     ebx, CONTAINER_SIZE
        inc     eax
        cmp     eax, MAX_CONTAINERS
        jb      .next
        mov     ebx, containers
        mov     dword [ebx + CONTAINER_STATE], CONTAINER_ALIVE
        or      dword [ebx + CONTAINER_PROCESS_LIMIT], -1
        or      dword [ebx + CONTAINER_FRAME_LIMIT], -1
        mov     dword [ebx + CONTAINER_INIT], processes + PROCESS_SIZE
        mov     [processes + PROCESS_CONTAINER], ebx    ; the idle task
        pop     ebx
        ret

; EAX = number from a program: ECX = that container's record, or carry. Only the machine's own programs may.
container_by_number:
        own_container
        cmp     ecx, containers
        mov     edx, -EPERM
        jne     .refused
        mov     edx, -EINVAL
        dec     eax
        cmp     eax, MAX_CONTAINERS - 1
        jae     .refused
        inc     eax
        imul    ecx, eax, CONTAINER_SIZE
        add     ecx, containers
        clc
        ret
.refused:
        mov     eax, edx
        stc
        ret

; container_start(number, most processes, most pages)
sys_container_start:
        push    ebx
        mov     eax, [ebp + FRAME_EBX]
        call    container_by_number
        jc      .done
        mov     eax, -EAGAIN
        cmp     dword [ecx + CONTAINER_STATE], CONTAINER_FREE
        jne     .done
        mov     eax, [ebp + FRAME_ECX]
        mov     [ecx + CONTAINER_PROCESS_LIMIT], eax
        mov     eax, [ebp + FRAME_EDX]
        mov     [ecx + CONTAINER_FRAME_LIMIT], eax
        xor     eax, eax
        mov     [ecx + CONTAINER_PROCESSES], eax
        mov     [ecx + CONTAINER_PROCESS_FAILS], eax
        mov     [ecx + CONTAINER_FRAMES], eax
        mov     [ecx + CONTAINER_FRAME_FAILS], eax
        mov     [ecx + CONTAINER_LAST_PID], eax
        mov     [ecx + CONTAINER_RESTART], eax
        mov     [container_for_new], ecx
        call    process_create          ; EBX = its init
        mov     ecx, [container_for_new]
        mov     dword [container_for_new], 0
        test    eax, eax
        mov     eax, -EAGAIN
        jz      .done
        mov     dword [ecx + CONTAINER_STATE], CONTAINER_ALIVE
        mov     [ecx + CONTAINER_INIT], ebx
        mov     dword [ecx + CONTAINER_PROCESSES], 1
        mov     [ebx + PROCESS_PARENT], ebx
        mov     eax, start_init.run
        mov     ecx, [ebx + PROCESS_STACK_TOP]
        sub     ecx, FRAME_SIZE
        call    process_prepare_stack
        interrupts_off
        mov     dword [ebx + PROCESS_STATE], STATE_READY
        interrupts_on
        xor     eax, eax
.done:  pop     ebx
        ret

; container_stop(number)
sys_container_stop:
        mov     eax, [ebp + FRAME_EBX]
        call    container_by_number
        jc      .done
        mov     eax, -ESRCH
        cmp     dword [ecx + CONTAINER_STATE], CONTAINER_ALIVE
        jne     .done
        call    container_halt
        xor     eax, eax
.done:  ret

; ECX = container: its init ends as soon as it next returns to user mode, and the container with it.
container_halt:
        push    ebx
        mov     ebx, [ecx + CONTAINER_INIT]
        mov     ecx, SIGKILL
        interrupts_off
        call    process_signal
        interrupts_on
        pop     ebx
        ret

; The end of a container: EBX = its init, which is the current process and has no address space any more. All others are
; told to go; when the last has gone, the slot is free, or another init begins. Does not return.
container_end:
        mov     esi, [ebx + PROCESS_CONTAINER]
        mov     dword [esi + CONTAINER_STATE], CONTAINER_ENDING
.again: interrupts_off
        mov     eax, ebx
        mov     ebx, processes + PROCESS_SIZE
.other: cmp     ebx, eax
        je      .next
        cmp     [ebx + PROCESS_CONTAINER], esi
        jne     .next
        cmp     dword [ebx + PROCESS_STATE], STATE_FREE
        je      .next
        cmp     dword [ebx + PROCESS_STATE], STATE_ZOMBIE
        je      .bury
        mov     ecx, SIGKILL
        push    eax
        call    process_signal
        pop     eax
        jmp     .next
.bury:  mov     dword [ebx + PROCESS_STATE], STATE_FREE
        dec     dword [esi + CONTAINER_PROCESSES]
.next:  add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .other
        mov     ebx, eax
        cmp     dword [esi + CONTAINER_PROCESSES], 1
        je      .last
        call    schedule                ; they run, and go
        interrupts_on
        jmp     .again
.last:  cmp     dword [esi + CONTAINER_RESTART], 0
        jne     .anew
        mov     dword [esi + CONTAINER_PROCESSES], 0
        mov     eax, [esi + CONTAINER_TYPED]    ; what was typed and not read was meant for it
        mov     [esi + CONTAINER_READ], eax
        mov     dword [esi + CONTAINER_STATE], CONTAINER_FREE
        mov     dword [ebx + PROCESS_STATE], STATE_FREE
        call    schedule                ; for ever
.anew:  mov     dword [esi + CONTAINER_RESTART], 0
        mov     dword [esi + CONTAINER_STATE], CONTAINER_ALIVE
        mov     dword [esi + CONTAINER_LAST_PID], 1
        mov     dword [ebx + PROCESS_SIGNAL], 0
        mov     dword [ebx + PROCESS_TICKS], 0
        mov     esp, [ebx + PROCESS_STACK_TOP]
        sub     esp, FRAME_SIZE
        interrupts_on
        jmp     start_init.run

; EBX = the process whose turn it is: the next container that has one ready, and in it the next after the one that ran
; last; the idle task when there is none. Interrupts are off. Changes EAX, ECX, EDX, EDI.
container_next:
        own_container
        mov     edi, MAX_CONTAINERS
.container:
        add     ecx, CONTAINER_SIZE
        cmp     ecx, containers + MAX_CONTAINERS * CONTAINER_SIZE
        jb      .look
        mov     ecx, containers
.look:  mov     ebx, [ecx + CONTAINER_RECENT]
        test    ebx, ebx
        jnz     .begin
        mov     ebx, processes
.begin: mov     edx, MAX_PROCESSES
.process:
        add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .slot
        mov     ebx, processes + PROCESS_SIZE
.slot:  cmp     [ebx + PROCESS_CONTAINER], ecx
        jne     .not
        cmp     dword [ebx + PROCESS_STATE], STATE_READY
        je      .found
.not:   dec     edx
        jnz     .process
        dec     edi
        jnz     .container
        mov     ebx, processes
        ret
.found: mov     [ecx + CONTAINER_RECENT], ebx
        ret

; ESI leaves the processor, EBX gets it: says so where somebody outside can see it. Changes EAX, ECX.
container_switched:
        xor     eax, eax
        cmp     dword [esi + PROCESS_STATE], STATE_READY
        sete    al
        mov     [container_preempted], eax
        mov     ecx, [ebx + PROCESS_CONTAINER]
        mov     eax, [ecx + CONTAINER_NUMBER]
        mov     [container_current], eax
        ret

; The name of the current container, in the record that uname copies: ve1, ve2 … or the machine's own.
container_name:
        own_container
        mov     eax, [ecx + CONTAINER_NUMBER]
        mov     dword [uname_record + UTSNAME_NODE], "peng"
        mov     dword [uname_record + UTSNAME_NODE + 4], "uin"
        test    eax, eax
        jz      .done
        shl     eax, 16
        add     eax, "ve0"
        mov     [uname_record + UTSNAME_NODE], eax
.done:  ret

; /proc/limits
proc_limits:
        print   "              HELD   LIMIT REFUSED"
        call    print_newline
        own_container
        push    ecx
        print   "processes "
        pop     ecx
        push    ecx
        lea     ebx, [ecx + CONTAINER_PROCESSES]
        call    .row
        print   "pages     "
        pop     ecx
        lea     ebx, [ecx + CONTAINER_FRAMES]
.row:   mov     eax, [ebx]
        mov     ecx, 8
        call    print_padded
        mov     eax, [ebx + 4]
        cmp     eax, -1
        je      .none
        call    print_padded
        jmp     .fails
.none:  print   "       -"
.fails: mov     eax, [ebx + 8]
        mov     ecx, 8
        call    print_padded
        jmp     print_newline

; ---- The root of a container: files of its own first (veN/…), then those that all share ----------------------------
; ESI = name of a node. EAX = 0: everybody's; else the digit of the container whose it is. Keeps the others.
node_owner:
        xor     eax, eax
        cmp     word [esi], "ve"
        jne     .done
        cmp     byte [esi + 3], '/'
        jne     .done
        movzx   eax, byte [esi + 2]
.done:  ret

; ESI = node: carry when the current container must not see it; else ESI = the node's name as it sees it. Keeps EAX, EBX.
node_visible:
        push    eax
        push    ecx
        mov     esi, [esi + NODE_NAME]
        own_container
        mov     ecx, [ecx + CONTAINER_NUMBER]
        jecxz   .yes                    ; the machine sees all roots
        call    node_owner
        test    eax, eax
        jz      .yes
        sub     eax, '0'
        cmp     eax, ecx
        stc
        jne     .done
        add     esi, 4
.yes:   clc
.done:  pop     ecx
        pop     eax
        ret

        section .data
        align   16
; For who looks from outside: what is where. Physical addresses.
container_signature:
        db      "Penguin VE table"
        dd      physical(container_current), physical(container_preempted), physical(containers)
        dd      MAX_CONTAINERS, CONTAINER_SIZE
container_current:      dd 0            ; number of the container that has the processor
container_preempted:    dd 0            ; 1: whoever had it before wanted to go on
container_for_new:      dd 0            ; where process_create puts the next process, if not where the current one is
container_ports:        dd 0x3F8, 0x2F8, 0x3E8, 0x2E8

        section .bss
containers:             resb CONTAINER_SIZE * MAX_CONTAINERS
frame_owner:            resb MAX_FRAMES ; number of the container that a frame was given to
terminal_rings:         resb 4096 * MAX_CONTAINERS
terminal_queues:        resb 256 * MAX_CONTAINERS
