; /proc: files that nobody wrote. Their contents are printed into a buffer when they are read, from what the kernel
; knows at that moment.

PROC_BUFFER_SIZE    equ 2048

        section .text
; ESI = node: ESI = contents, ECX = size.
proc_contents:
        mov     dword [print_target], proc_buffer
        push    ebx
        push    edi
        call    [esi + NODE_DATA]
        pop     edi
        pop     ebx
        mov     ecx, [print_target]
        mov     esi, proc_buffer
        sub     ecx, esi
        mov     dword [print_target], 0
        ret

proc_version:
        print   "Penguin version "
        print   PENGUIN_VERSION
        print   " "
        print   BUILD_NAME
        jmp     print_newline

; Seconds since boot, and how many of them nobody wanted the processor.
proc_uptime:
        clock_update
        mov     eax, [ticks]
        call    print_seconds
        print   " "
        mov     eax, [processes + PROCESS_TICKS]
        call    print_seconds
        jmp     print_newline

proc_meminfo:
        print   "MemTotal: "
        mov     eax, [frame_limit]
        sub     eax, [balloon_frames]   ; Xen has those
        call    .kib
        print   "MemFree:  "
        call    frames_free
        call    .kib
        print   "Shared:   "              ; by more than one address space, copied when written
        xor     eax, eax
        xor     ecx, ecx
.frame: cmp     word [frame_users + ecx * 2], 1
        jbe     .one
        inc     eax
.one:   inc     ecx
        cmp     ecx, [frame_next]
        jb      .frame
.kib:   shl     eax, 2
        mov     ecx, 6
        call    print_padded
        print   " kB"
        jmp     print_newline

proc_balloon:
        cmp     dword [store_page], 0
        jne     .there
        print   "There is no Xen below us."
        jmp     print_newline
.there:
        print   "Target:   "
        mov     eax, [balloon_target]
        test    eax, eax
        jnz     .target
        mov     eax, [frame_limit]      ; nobody has said: all that we were born with
.target:
        call    proc_meminfo.kib
        print   "Given:    "
        mov     eax, [balloon_frames]
        jmp     proc_meminfo.kib

proc_processes:
        print   "  PID  PPID STATE     SECONDS  FAULTS NAME"
        call    print_newline
        mov     ebx, processes
.next:  cmp     dword [ebx + PROCESS_STATE], STATE_FREE
        jne     .print
        cmp     ebx, processes          ; the idle task is neither asleep nor waiting in line
        jne     .free
.print:
%ifdef CONTAINERS
        own_container
        cmp     ecx, containers         ; the machine sees all, a container its own
        je      .shown
        cmp     ecx, [ebx + PROCESS_CONTAINER]
        jne     .free
.shown:
%endif
        mov     ecx, 5
        mov     eax, [ebx + PROCESS_PID]
        call    print_padded
        mov     eax, [ebx + PROCESS_PARENT]
        mov     eax, [eax + PROCESS_PID]
        mov     ecx, 6
        call    print_padded
        print   " "
        mov     eax, [ebx + PROCESS_STATE]
        mov     esi, [state_names + eax * 4]
        mov     ecx, 9
        call    print_column
        mov     eax, [ebx + PROCESS_TICKS]
        xor     edx, edx
        mov     ecx, TICKS_PER_SECOND
        div     ecx
        mov     ecx, 5
        call    print_padded
        call    print_hundredths
        mov     eax, [ebx + PROCESS_FAULTS]
        mov     ecx, 8
        call    print_padded
        print   " "
        lea     esi, [ebx + PROCESS_NAME]
        call    print_string
        call    print_newline
.free:  add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .next
        ret

; EAX = ticks, printed as seconds with two decimals.
print_seconds:
        xor     edx, edx
        mov     ecx, TICKS_PER_SECOND
        div     ecx
        call    print_decimal
        ; fall into

; EDX = 0..99: a point and two digits.
print_hundredths:
        print   "."
        mov     eax, edx
        cmp     eax, 10
        jae     .two
        print   "0"
.two:   jmp     print_decimal

        section .data
        align   4
state_names:
        dd      .idle, .ready, .sleeping, .reading, .writing, .waiting, .zombie, .device
.idle:      db "idle", 0
.ready:     db "ready", 0
.sleeping:  db "sleeping", 0
.reading:   db "reading", 0
.writing:   db "writing", 0
.waiting:   db "waiting", 0
.zombie:    db "zombie", 0
.device:    db "device", 0

        section .bss
proc_buffer:    resb PROC_BUFFER_SIZE
