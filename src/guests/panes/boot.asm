; From the loader to the first window. The loader leaves flat protected mode without paging; Panes turns paging on in its
; first few instructions and never turns it off again.

; Runs at its physical address: every label needs `- KERNEL_BASE` until the jump.
entry:
        cli
        cld
        mov     ebp, ebx                ; the loader's information
        ; The kernel's page table: the first 4 MiB, for the kernel only.
        mov     edi, TABLE_PHYSICAL
        mov     eax, PAGE_PRESENT | PAGE_WRITE
        mov     ecx, 1024
.page:  mov     [edi], eax
        add     eax, 4096
        add     edi, 4
        loop    .page
        ; Its directory: that table at 80000000h, and for the next few instructions at 0 too.
        mov     edi, DIRECTORY_PHYSICAL
        xor     eax, eax
        mov     ecx, 1024
        rep     stosd
        mov     eax, TABLE_PHYSICAL | PAGE_PRESENT | PAGE_WRITE
        mov     [DIRECTORY_PHYSICAL], eax
        mov     [DIRECTORY_PHYSICAL + (KERNEL_BASE >> 22) * 4], eax
        mov     eax, DIRECTORY_PHYSICAL
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000         ; PG and WP: the kernel respects read-only pages
        mov     cr0, eax
        mov     eax, high
        jmp     eax

high:   mov     esp, KERNEL_BASE + STACKS_PHYSICAL + 4096
        mov     dword [KERNEL_BASE + DIRECTORY_PHYSICAL], 0
        mov     eax, cr3
        mov     cr3, eax                ; nothing is mapped at 0 any more

        mov     eax, [ebp + KERNEL_BASE + 8]    ; KiB above 1 MiB
        mov     [memory_kib], eax
        lgdt    [gdt_pointer]
        jmp     KERNEL_CODE:.flat
.flat:  mov     eax, KERNEL_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        lldt    ax
        call    tables_initialize
        mov     eax, TASK_SEL
        ltr     ax

        call    serial_initialize
        cmp     dword [memory_kib], 2048
        jae     .enough
        mov     esi, text_memory
        call    serial_text
        call    serial_flush
        jmp     halt
.enough:
        mov     esi, text_banner
        call    serial_text
        call    memory_initialize
        call    interrupts_initialize
        call    clock_initialize
        call    input_initialize
        call    threads_initialize
        call    vga13_set
        call    palette_load
        call    wallpaper_paint
        call    desktop_start

        mov     esi, programs
.next:  mov     eax, [esi]
        test    eax, eax
        jz      .run
        mov     edx, [esi + 4]
        call    process_create
        add     esi, 8
        jmp     .next
.run:   mov     esi, text_ready
        call    serial_text
        jmp     idle

; Entry point and name of every program that starts with the system.
programs:
        dd      welcome_main USER, text_welcome
        dd      clock_main USER, text_clock
        dd      monitor_main USER, text_monitor
        dd      cube_main USER, text_cube
        dd      benchmark_main USER, text_benchmark
        dd      echo_main USER, text_echo
        dd      0

memory_kib:     dd 0
text_banner:    db "Panes 1.0 (build 2195) for IA-32", 13, 10, 0
text_ready:     db "Panes: desktop ready", 13, 10, 0
text_memory:    db "Panes: needs 3 MB of memory", 13, 10, 0
text_welcome:   db "Welcome", 0
text_clock:     db "Clock", 0
text_monitor:   db "Monitor", 0
text_cube:      db "Cube", 0
text_benchmark: db "Bench", 0
text_echo:      db "Echo", 0
