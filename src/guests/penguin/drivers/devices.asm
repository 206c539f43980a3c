; The devices that Xen gives us, and who looks after them. When the store calls, there is something to find: then we set up
; grants, open what we have, and start a kernel task that attends to what the store has to say later: how much memory we
; shall have (balloon.asm), and that we shall stop.

        section .text
; Called at boot and by the idle task: opens what there is. Nothing to do as long as the store has not called.
devices_initialize:
        cmp     byte [device_work], 0
        je      .done
        cmp     dword [device_task], 0
        jne     .done                           ; the task will see to it
        push    ebx
        push    esi
        mov     esi, watch_target
        call    store_watch
        mov     esi, watch_shutdown
        call    store_watch
        call    grants_initialize
        jc      .opened
        call    disk_initialize
        call    net_initialize
.opened:
        call    device_task_start
        pop     esi
        pop     ebx
.done:  ret

; The event of the store's port: an answer that somebody waits for, or news. Before there is a task, a call to look.
store_event:
        cmp     dword [device_task], 0
        jne     .task
        mov     byte [device_work], 1
.task:  mov     eax, STATE_DEVICE
        jmp     wake_all

device_task_start:
        call    process_create
        test    eax, eax
        jz      .done
        mov     [device_task], ebx
        mov     dword [ebx + PROCESS_PARENT], processes
        mov     dword [ebx + PROCESS_NAME], "xenw"
        mov     dword [ebx + PROCESS_NAME + 4], "atch"
        mov     eax, .run
        mov     ecx, [ebx + PROCESS_STACK_TOP]
        call    process_prepare_stack
        mov     dword [ebx + PROCESS_STATE], STATE_READY
.done:  ret

.run:   interrupts_on
        call    store_poll
        cmp     byte [device_work], 0
        je      .sleep
        mov     byte [device_work], 0
        call    attend_shutdown
        call    attend_memory_target
        jmp     .run
.sleep: interrupts_off
        mov     ecx, [store_page]
        mov     eax, [ecx + STORE_REPLY_PROD]
        cmp     eax, [ecx + STORE_REPLY_CONS]
        jne     .run
        mov     eax, STATE_DEVICE
        call    sleep_in_state
        jmp     .run

; control/shutdown says how we shall end; an empty text says that we need not. We answer by emptying it.
attend_shutdown:
        push    esi
        push    edi
        mov     esi, path_control
        mov     edi, path_shutdown
        call    node_read
        jc      .done
        mov     eax, [store_reply]
        cmp     al, 0
        je      .done
        push    eax
        store_message_begin
        mov     esi, watch_shutdown
        call    print_string
        store_message_zero
        mov     eax, XS_WRITE
        call    store_call
        pop     eax
        cmp     eax, "rebo"
        je      .reboot
        cmp     eax, "powe"
        je      .halt
        cmp     eax, "halt"
        jne     .done
.halt:  print   "System halted."
        call    print_newline
        interrupts_off
        jmp     machine_power_off
.reboot:
        print   "Restarting system."
        call    print_newline
        interrupts_off
        jmp     machine_reboot
.done:  pop     edi
        pop     esi
        ret

        section .data
device_work:    db 0                            ; there is news in the store
watch_target:   db "memory/target", 0
watch_shutdown: db "control/shutdown", 0
path_memory:    db "memory", 0
path_target:    db "target", 0
path_control:   db "control", 0
path_shutdown:  db "shutdown", 0

        section .bss
device_task:    resd 1                          ; its process record; 0: the store has never called
