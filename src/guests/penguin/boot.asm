; The start of the system, in order. The architecture layer has brought us here: paging is on, the kernel runs at its
; linked address on the idle task's stack, traps have handlers, interrupts are off.

        section .text
kernel_main:
        print   "Penguin "
        print   PENGUIN_VERSION
        print   " "
        print   BUILD_NAME
        print   ": a small Linux-like kernel"
        call    print_newline
        call    print_platform
        call    print_newline
        call    memory_initialize
        call    print_memory
        call    processes_initialize
        call    timer_initialize
        call    start_init
        call    devices_initialize
        print   "Starting /bin/init"
        call    print_newline
        ; fall into

; The idle task: process 0, which has no program. It is what the processor does when nobody wants it.
idle:   interrupts_off
        call    schedule                ; comes back when nobody else can run
        call    devices_initialize
        call    wait_for_interrupt      ; lets interrupts in
        jmp     idle

print_memory:
        print   "Memory: "
        mov     eax, [frame_limit]
        shl     eax, 2
        call    print_decimal
        print   " KiB, kernel "
        mov     eax, [frame_next]
        sub     eax, KERNEL_LOAD / PAGE_SIZE
        shl     eax, 2
        call    print_decimal
        print   " KiB with its page tables, free "
        call    frames_free
        shl     eax, 2
        call    print_decimal
        print   " KiB"
        call    print_newline
        jmp     print_memory_map

        section .bss
; The first kernel stack is the idle task's.
idle_stack:     resb KERNEL_STACK_SIZE
idle_stack_top:
