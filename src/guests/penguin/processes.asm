; Processes from birth to burial: fork, exit, waitpid, kill. A process is a record (kernel.inc), a kernel stack and an
; address space. All records and stacks exist from the start; a free slot is one whose state is STATE_FREE.

        section .text
processes_initialize:
        mov     eax, processes
        mov     [eax + PROCESS_PARENT], eax
        mov     dword [eax + PROCESS_STACK_TOP], idle_stack_top
        mov     dword [eax + PROCESS_NAME], "idle"
        ret

; Returns EBX = a free slot with a fresh process record in it, EAX = its pid; or EAX = 0.
process_create:
        push    edi
%ifdef CONTAINERS
        push    esi
        mov     esi, [container_for_new]
        test    esi, esi
        jnz     .limit
        own_container
        mov     esi, ecx
.limit: mov     eax, [esi + CONTAINER_PROCESSES]
        cmp     eax, [esi + CONTAINER_PROCESS_LIMIT]
        jb      .allowed
        inc     dword [esi + CONTAINER_PROCESS_FAILS]
        xor     eax, eax
        jmp     .done
.allowed:
%endif
        mov     ebx, processes + PROCESS_SIZE
        mov     edx, kernel_stacks + KERNEL_STACK_SIZE
.look:  cmp     dword [ebx + PROCESS_STATE], STATE_FREE
        je      .found
        add     edx, KERNEL_STACK_SIZE
        add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .look
        xor     eax, eax
        jmp     .done
.found: mov     edi, ebx
        mov     ecx, PROCESS_SIZE / 4
        xor     eax, eax
        rep stosd
        mov     [ebx + PROCESS_STACK_TOP], edx
%ifdef CONTAINERS
        mov     [ebx + PROCESS_CONTAINER], esi
        inc     dword [esi + CONTAINER_LAST_PID]
        mov     eax, [esi + CONTAINER_LAST_PID]
%else
        inc     dword [last_pid]
        mov     eax, [last_pid]
%endif
        mov     [ebx + PROCESS_PID], eax
        mov     ecx, [current]
        mov     [ebx + PROCESS_PARENT], ecx
.done:
%ifdef CONTAINERS
        pop     esi
%endif
        pop     edi
        ret

; EBX = new process, EAX = where its kernel stack shall continue, ECX = its stack pointer then.
; Builds what `schedule` expects to find on the stack of a process that it resumes.
process_prepare_stack:
        mov     [ecx - 4], eax          ; return address
        xor     edx, edx
        mov     [ecx - 8], edx          ; EBP EBX ESI EDI
        mov     [ecx - 12], edx
        mov     [ecx - 16], edx
        mov     [ecx - 20], edx
        mov     [ecx - 24], edx
        mov     [ecx - 24], fs          ; a child starts with its parent's
        mov     [ecx - 28], edx
        mov     [ecx - 28], gs
        sub     ecx, 28
        mov     [ebx + PROCESS_ESP], ecx
        ret

; The first process. It starts in the kernel, and gets a program and an address space as any process does: by execve.
start_init:
        push    ebx
        call    process_create
        mov     eax, .run
        mov     ecx, [ebx + PROCESS_STACK_TOP]
        sub     ecx, FRAME_SIZE
        call    process_prepare_stack
        mov     dword [ebx + PROCESS_STATE], STATE_READY
%ifdef CONTAINERS
        mov     [containers + CONTAINER_INIT], ebx
        inc     dword [containers + CONTAINER_PROCESSES]
%endif
        pop     ebx
        ret
.run:   mov     ebp, esp                ; an empty trap frame, for execve to fill in
        mov     eax, [current]
        mov     dword [eax + PROCESS_FILES + 0 * FILE_SIZE], console_node
        mov     dword [eax + PROCESS_FILES + 1 * FILE_SIZE], console_node
        mov     dword [eax + PROCESS_FILES + 2 * FILE_SIZE], console_node
        mov     esi, .path
        mov     edi, exec_path
        mov     ecx, .path_end - .path
        rep movsb
        mov     dword [exec_argument_count], 0
        mov     dword [exec_text_length], 0
        call    exec_program
        test    eax, eax
        jz      return_from_trap
        panic   "cannot start /bin/init"
.path:  db      "/bin/init", 0
.path_end:

; ---- fork --------------------------------------------------------------------------------------------------------
sys_fork:
        push    ebx
        push    esi
        push    edi
        call    process_create
        mov     ecx, -EAGAIN
        test    eax, eax
        jz      .failed
        mov     esi, [current]
        mov     eax, [esi + PROCESS_BREAK_START]
        mov     [ebx + PROCESS_BREAK_START], eax
        mov     eax, [esi + PROCESS_BREAK]
        mov     [ebx + PROCESS_BREAK], eax
        mov     eax, [esi + PROCESS_HEAP_TOP]
        mov     [ebx + PROCESS_HEAP_TOP], eax
        lea     edi, [ebx + PROCESS_NAME]
        add     esi, PROCESS_NAME
        mov     ecx, (PROCESS_SIZE - PROCESS_NAME) / 4  ; name and open files
        rep movsd
        call    address_space_fork
        mov     ecx, -ENOMEM
        test    eax, eax
        jz      .failed
        mov     [ebx + PROCESS_DIRECTORY], eax
        call    address_space_publish

        mov     edi, [ebx + PROCESS_STACK_TOP]
        sub     edi, FRAME_SIZE
        mov     edx, edi
        mov     esi, ebp
        mov     ecx, FRAME_SIZE / 4
        rep movsd                       ; the child returns from the same call,
        mov     dword [edx + FRAME_EAX], 0      ; but with 0
        mov     eax, return_from_trap
        mov     ecx, edx
        call    process_prepare_stack
        mov     eax, [ebx + PROCESS_PID]
        interrupts_off
        mov     dword [ebx + PROCESS_STATE], STATE_READY
%ifdef CONTAINERS
        mov     ecx, [ebx + PROCESS_CONTAINER]
        inc     dword [ecx + CONTAINER_PROCESSES]
%endif
        interrupts_on
        jmp     .done
.failed:
        mov     eax, ecx                ; the slot was never anything but free
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; ---- exit --------------------------------------------------------------------------------------------------------
sys_exit:
        movzx   eax, byte [ebp + FRAME_EBX]
        shl     eax, 8                  ; waitpid's format: the exit code above, the ending signal below
        ; fall into

; EAX = status. Ends the current process; does not return.
process_end:
        interrupts_on                   ; taking down an address space takes a while
        mov     ebx, [current]
        mov     [ebx + PROCESS_STATUS], eax
        cmp     dword [ebx + PROCESS_PID], 1
        jne     .mortal
%ifdef CONTAINERS
        cmp     dword [ebx + PROCESS_CONTAINER], containers
        jne     .mortal
%endif
        panic   "init has ended"
.mortal:
        mov     eax, [kernel_directory]
        call    address_space_load      ; one cannot saw off the branch one sits on
        xor     eax, eax
        xchg    eax, [ebx + PROCESS_DIRECTORY]
        call    address_space_destroy

%ifdef CONTAINERS
        cmp     dword [ebx + PROCESS_PID], 1
        je      container_end
        interrupts_off
        mov     esi, [ebx + PROCESS_CONTAINER]
        cmp     dword [esi + CONTAINER_STATE], CONTAINER_ENDING
        jne     .orphans
        dec     dword [esi + CONTAINER_PROCESSES]
        mov     dword [ebx + PROCESS_STATE], STATE_FREE
        call    schedule                ; for ever: nobody will ask how it ended
.orphans:
        mov     esi, [esi + CONTAINER_INIT]
%else
        interrupts_off
        mov     esi, processes + PROCESS_SIZE   ; ESI = init: the first slot
%endif
        mov     edi, processes + PROCESS_SIZE
.child: cmp     [edi + PROCESS_PARENT], ebx
        jne     .next
        cmp     dword [edi + PROCESS_STATE], STATE_FREE
        je      .next
        mov     [edi + PROCESS_PARENT], esi     ; orphans go to init
        cmp     dword [edi + PROCESS_STATE], STATE_ZOMBIE
        jne     .next
        call    .tell_parent
.next:  add     edi, PROCESS_SIZE
        cmp     edi, processes_end
        jb      .child
        mov     edi, ebx
        mov     esi, [ebx + PROCESS_PARENT]
        call    .tell_parent
        mov     eax, STATE_ZOMBIE
        call    sleep_in_state          ; for ever: the parent frees the slot
.tell_parent:                           ; EDI = zombie, ESI = its parent
        cmp     dword [esi + PROCESS_STATE], STATE_WAITING
        jne     .busy
        push    ebx
        mov     ebx, esi
        call    wake
        pop     ebx
.busy:  ret

; ---- waitpid(pid or -1, address of status or 0, options) -----------------------------------------------------------
sys_waitpid:
        push    ebx
        push    esi
        push    edi
.again: interrupts_off
        mov     esi, [current]
        xor     edi, edi                ; has it any such child?
        mov     ebx, processes + PROCESS_SIZE
.look:  cmp     dword [ebx + PROCESS_STATE], STATE_FREE
        je      .next
        cmp     [ebx + PROCESS_PARENT], esi
        jne     .next
        mov     eax, [ebp + FRAME_EBX]
        cmp     eax, -1
        je      .wanted
        cmp     eax, [ebx + PROCESS_PID]
        jne     .next
.wanted:
        inc     edi
        cmp     dword [ebx + PROCESS_STATE], STATE_ZOMBIE
        je      .found
.next:  add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .look
        mov     eax, -ECHILD
        test    edi, edi
        jz      .done
        xor     eax, eax
        test    byte [ebp + FRAME_EDX], WNOHANG
        jnz     .done
        mov     eax, -EINTR
        cmp     dword [esi + PROCESS_SIGNAL], 0
        jne     .done
        mov     eax, [ebp + FRAME_EBX]
        mov     [esi + PROCESS_WAITS_FOR], eax
        mov     eax, STATE_WAITING
        call    sleep_in_state
        jmp     .again
.found: mov     dword [ebx + PROCESS_STATE], STATE_FREE
%ifdef CONTAINERS
        mov     eax, [ebx + PROCESS_CONTAINER]
        dec     dword [eax + CONTAINER_PROCESSES]
%endif
        interrupts_on
        mov     edi, [ebp + FRAME_ECX]
        test    edi, edi
        jz      .pid
        lea     esi, [ebx + PROCESS_STATUS]
        mov     ecx, 4
        call    copy_to_user
        test    eax, eax
        jnz     .done
.pid:   mov     eax, [ebx + PROCESS_PID]
.done:  interrupts_on
        pop     edi
        pop     esi
        pop     ebx
        ret

; ---- kill(pid, signal): every signal ends the process --------------------------------------------------------------
sys_kill:
        push    ebx
        mov     eax, [ebp + FRAME_EBX]
        mov     ecx, [ebp + FRAME_ECX]
        mov     ebx, processes + PROCESS_SIZE
.look:  cmp     [ebx + PROCESS_PID], eax
        jne     .next
        cmp     dword [ebx + PROCESS_STATE], STATE_FREE
        je      .next
%ifdef CONTAINERS
        mov     edx, [current]          ; other containers' processes are not there
        mov     edx, [edx + PROCESS_CONTAINER]
        cmp     edx, [ebx + PROCESS_CONTAINER]
        jne     .next
%endif
        mov     eax, -EPERM
        cmp     dword [ebx + PROCESS_PID], 1
        je      .done
        mov     eax, -EINVAL
        cmp     ecx, 31
        ja      .done
        xor     eax, eax
        jecxz   .done                   ; signal 0 only asks whether there is such a process
        interrupts_off
        call    process_signal
        interrupts_on
        xor     eax, eax
        jmp     .done
.next:  add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .look
        mov     eax, -ESRCH
.done:  pop     ebx
        ret

; EBX = process, ECX = signal: it ends when it is next about to return to user mode. Interrupts are off.
process_signal:
        cmp     dword [ebx + PROCESS_STATE], STATE_ZOMBIE
        je      .done
        mov     [ebx + PROCESS_SIGNAL], ecx
        jmp     wake                    ; whatever it waits for will not come
.done:  ret

        section .data
        align   4
last_pid:       dd 0

        section .bss
processes:      resb PROCESS_SIZE * MAX_PROCESSES
processes_end:
kernel_stacks:  resb KERNEL_STACK_SIZE * (MAX_PROCESSES - 1)    ; for slots 1 and up
