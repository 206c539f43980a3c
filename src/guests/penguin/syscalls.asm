; System calls. A program loads EAX with the number and EBX, ECX, EDX with arguments and executes INT 0x80: the same
; numbers and conventions as Linux on i386. The gate leaves interrupts on: a call may be interrupted, but another
; process runs only when the call is done or sleeps of its own will.

        section .text
system_call_entry:
        push    0
        push    0x80
        save_registers
        mov     ebp, esp                ; handlers find the arguments in the frame and return EAX
        cmp     eax, SYSTEM_CALLS
        jae     .unknown
        call    [system_calls + eax * 4]
.return:
        mov     [ebp + FRAME_EAX], eax
        jmp     return_from_trap
.unknown:
        mov     eax, -ENOSYS
        jmp     .return

no_such_call:
        mov     eax, -ENOSYS
        ret

; ---- The small ones ----------------------------------------------------------------------------------------------
sys_getpid:
        mov     eax, [current]
        mov     eax, [eax + PROCESS_PID]
        ret

sys_getppid:
        mov     eax, [current]
        mov     eax, [eax + PROCESS_PARENT]
        mov     eax, [eax + PROCESS_PID]
        ret

; time(address or 0)
sys_time:
        clock_update
        mov     eax, [ticks]
        xor     edx, edx
        mov     ecx, TICKS_PER_SECOND
        div     ecx
        add     eax, [boot_time]
        ; fall into

; EAX = a number that is both the result and, unless EBX of the caller is 0, stored there.
return_and_store:
        push    esi
        push    edi
        push    eax
        mov     edi, [ebp + FRAME_EBX]
        test    edi, edi
        jz      .done
        mov     esi, esp
        mov     ecx, 4
        call    copy_to_user
        test    eax, eax
        jz      .done
        mov     [esp], eax
.done:  pop     eax
        pop     edi
        pop     esi
        ret

; times(address or 0): the ticks since boot. The four times it could store are this process's ticks and zeros.
sys_times:
        clock_update
        push    esi
        push    edi
        mov     edi, [ebp + FRAME_EBX]
        test    edi, edi
        jz      .result
        push    0
        push    0
        push    0
        mov     eax, [current]
        push    dword [eax + PROCESS_TICKS]
        mov     esi, esp
        mov     ecx, 16
        call    copy_to_user
        add     esp, 16
        test    eax, eax
        jnz     .done
.result:
        mov     eax, [ticks]
.done:  pop     edi
        pop     esi
        ret

; brk(new end or 0): moves the end of the heap. Nothing is mapped before it is touched.
sys_brk:
        push    ebx
        push    esi
        mov     esi, [current]
        mov     ebx, [ebp + FRAME_EBX]
        cmp     ebx, [esi + PROCESS_BREAK_START]
        jb      .done                   ; Linux too answers a bad wish with the old end
        cmp     ebx, USER_HEAP_LIMIT
        ja      .done
        cmp     ebx, [esi + PROCESS_BREAK]
        jae     .grow
        call    heap_shrink
        jmp     .done
.grow:  mov     [esi + PROCESS_BREAK], ebx
        add     ebx, PAGE_SIZE - 1
        and     ebx, -PAGE_SIZE
        cmp     ebx, [esi + PROCESS_HEAP_TOP]
        jbe     .done
        mov     [esi + PROCESS_HEAP_TOP], ebx
.done:  mov     eax, [esi + PROCESS_BREAK]
        pop     esi
        pop     ebx
        ret

; ESI = process, EBX = new, lower end of its heap: whole pages above it are given back.
heap_shrink:
        push    edi
        mov     edi, [esi + PROCESS_BREAK]
        mov     [esi + PROCESS_BREAK], ebx
        lea     edx, [ebx + PAGE_SIZE - 1]
        and     edx, -PAGE_SIZE
.page:  cmp     edx, edi
        jae     .done
        mov     eax, [esi + PROCESS_DIRECTORY]
        add     eax, KERNEL_BASE
        call    entry_pointer
        test    eax, eax
        jz      .next
        mov     eax, [eax]
        test    al, PAGE_PRESENT
        jz      .next
        push    edx
        frame_from_entry
        push    eax
        xor     eax, eax
        call    page_entry_set
        pop     eax
        call    frame_release           ; only now: nobody can reach it any more
        pop     edx
.next:  add     edx, PAGE_SIZE
        jmp     .page
.done:  pop     edi
        ret

; uname(address)
sys_uname:
        push    esi
        push    edi
%ifdef CONTAINERS
        call    container_name
%endif
        mov     esi, uname_record
        mov     edi, [ebp + FRAME_EBX]
        mov     ecx, UTSNAME_SIZE
        call    copy_to_user
        pop     edi
        pop     esi
        ret

; reboot(magic, magic, command)
sys_reboot:
        cmp     dword [ebp + FRAME_EBX], LINUX_REBOOT_MAGIC1
        jne     .invalid
        cmp     dword [ebp + FRAME_ECX], LINUX_REBOOT_MAGIC2
        jne     .invalid
        mov     eax, [ebp + FRAME_EDX]
        cmp     eax, LINUX_REBOOT_CMD_RESTART
        je      .restart
        cmp     eax, LINUX_REBOOT_CMD_HALT
        je      .halt
        cmp     eax, LINUX_REBOOT_CMD_POWER_OFF
        je      .halt
.invalid:
        mov     eax, -EINVAL
        ret
%ifdef CONTAINERS
; In a container: only the container ends.
.own:   own_container
        cmp     ecx, containers
        ret
.restart:
        call    .own
        je      .machine
        mov     dword [ecx + CONTAINER_RESTART], 1
        jmp     container_halt
.halt:  call    .own
        je      .off
        jmp     container_halt
.machine:
%else
.restart:
%endif
        print   "Restarting system."
        call    print_newline
        interrupts_off
        jmp     machine_reboot
%ifdef CONTAINERS
.off:
%else
.halt:
%endif
        print   "System halted."
        call    print_newline
        interrupts_off
        jmp     machine_power_off

        section .data
        align   4
system_calls:
        dd      no_such_call, sys_exit, sys_fork, sys_read, sys_write                   ; 0
        dd      sys_open, sys_close, sys_waitpid, no_such_call, no_such_call            ; 5
        dd      no_such_call, sys_execve, no_such_call, sys_time, no_such_call          ; 10
        dd      no_such_call, no_such_call, no_such_call, no_such_call, sys_lseek       ; 15
        dd      sys_getpid                                                              ; 20
        times   SYS_kill - SYS_getpid - 1 dd no_such_call
        dd      sys_kill                                                                ; 37
        times   SYS_times - SYS_kill - 1 dd no_such_call
        dd      sys_times, no_such_call, sys_brk                                        ; 43
        times   SYS_getppid - SYS_brk - 1 dd no_such_call
        dd      sys_getppid                                                             ; 64
        times   SYS_reboot - SYS_getppid - 1 dd no_such_call
        dd      sys_reboot, sys_readdir                                                 ; 88
        times   SYS_fsync - SYS_readdir - 1 dd no_such_call
        dd      sys_fsync                                                               ; 118
        times   SYS_uname - SYS_fsync - 1 dd no_such_call
        dd      sys_uname                                                               ; 122
        times   SYS_sched_yield - SYS_uname - 1 dd no_such_call
        dd      sys_sched_yield, no_such_call, no_such_call, no_such_call               ; 158
        dd      sys_nanosleep                                                           ; 162
%ifdef CONTAINERS
        times   SYS_container_start - SYS_nanosleep - 1 dd no_such_call
        dd      sys_container_start, sys_container_stop                                 ; 250
%endif
system_calls_end:
SYSTEM_CALLS    equ (system_calls_end - system_calls) / 4

uname_record:
.system:        db "Penguin"
        times   uname_record + UTSNAME_NODE - $ db 0
        db      "penguin"
        times   uname_record + UTSNAME_RELEASE - $ db 0
        db      PENGUIN_VERSION
        times   uname_record + UTSNAME_VERSION - $ db 0
        db      "#1 ", BUILD_NAME
        times   uname_record + UTSNAME_MACHINE - $ db 0
        db      "i686"
        times   uname_record + UTSNAME_SIZE - $ db 0
