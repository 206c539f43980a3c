; From the boot loader to the kernel: protected mode without paging, at physical addresses, to paging, a GDT, an IDT
; and a TSS of our own. Multiboot specification 3.2, 3.3; Intel SDM vol. 3, "Processor Management and Initialization".

MULTIBOOT_LOADER    equ 0x2BADB002
MULTIBOOT_HAS_MEMORY equ 1
MULTIBOOT_HAS_MAP   equ 0x40
MEMORY_RANGES       equ 16
MEMORY_RANGE        equ 20                      ; base low, high, length low, high, type

CR0_PAGING          equ 0x80000000
CR0_WRITE_PROTECT   equ 0x00010000              ; read-only pages hold for the kernel too: copy-on-write relies on it
CR0_NO_FPU          equ 0x0000000C              ; EM and TS: a floating-point instruction raises an exception

; ---- Entry: EAX = magic, EBX = multiboot information, interrupts off, flat segments ------------------------------
        section .text
native_entry:
        cli
        cld
        mov     esp, physical(idle_stack_top)
        cmp     eax, MULTIBOOT_LOADER
        je      .multiboot
.hang:  hlt                                     ; not a multiboot loader: nothing is known, so nothing can be said
        jmp     .hang

.multiboot:
        call    save_boot_information
        call    build_page_tables               ; EAX = page directory
        mov     cr3, eax
        mov     eax, cr0
        or      eax, CR0_PAGING | CR0_WRITE_PROTECT | CR0_NO_FPU
        mov     cr0, eax
        mov     eax, .high
        jmp     eax                             ; leave the identity mapping for the kernel's own addresses
.high:
        mov     esp, idle_stack_top
        mov     eax, [kernel_directory]
        mov     dword [eax + KERNEL_BASE], 0    ; the identity mapping has served
        mov     cr3, eax

        lgdt    [gdt_pointer]
        jmp     KERNEL_CS:.segments
.segments:
        mov     eax, KERNEL_DS
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        call    task_state_initialize
        call    interrupts_initialize
        call    vga_initialize
        call    serial_initialize
        call    keyboard_initialize
        call    hypervisor_find
        jmp     kernel_main

; Runs before paging: copies what the boot loader left before anything can overwrite it.
save_boot_information:
        mov     eax, [ebx]                      ; flags
        test    eax, MULTIBOOT_HAS_MEMORY
        jz      .no_size
        mov     ecx, [ebx + 8]                  ; mem_upper: KiB from 1 MiB up
        shr     ecx, 2
        add     ecx, 256                        ; frames, with the first MiB
        cmp     ecx, MAX_FRAMES
        jbe     .fits
        mov     ecx, MAX_FRAMES
.fits:  mov     [physical(frame_limit)], ecx
.no_size:
        test    eax, MULTIBOOT_HAS_MAP
        jz      .done
        mov     esi, [ebx + 48]                 ; mmap_addr
        mov     ebp, [ebx + 44]                 ; mmap_length
        add     ebp, esi
        mov     edi, physical(memory_ranges)
        xor     edx, edx
.range: cmp     esi, ebp
        jae     .done
        cmp     edx, MEMORY_RANGES
        jae     .done
        mov     eax, [esi]                      ; size of this entry, itself not counted
        push    esi
        add     esi, 4
        mov     ecx, MEMORY_RANGE / 4
        rep movsd
        pop     esi
        lea     esi, [esi + eax + 4]
        inc     edx
        mov     [physical(memory_range_count)], edx
        jmp     .range
.done:  ret

; Runs before paging: maps all memory at KERNEL_BASE, and the first 4 MiB at 0 as well, because that is where this
; code executes at the moment paging comes on. Returns EAX = physical address of the page directory.
build_page_tables:
        mov     ebx, physical(memory_end) + PAGE_SIZE - 1
        and     ebx, -PAGE_SIZE                 ; the tables lie behind the kernel
        mov     [physical(kernel_directory)], ebx
        mov     edi, ebx
        mov     ecx, PAGE_SIZE / 4
        xor     eax, eax
        rep stosd                               ; an empty directory; EDI = the first table
        lea     edx, [ebx + KERNEL_SLOT * 4]    ; EDX = its entry
        mov     eax, PAGE_PRESENT | PAGE_WRITABLE       ; EAX = entry that maps frame 0
        mov     esi, [physical(frame_limit)]    ; ESI = frames to go
.table: mov     ecx, edi
        or      ecx, PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER
        mov     [edx], ecx
        add     edx, 4
        mov     ecx, 1024
.entry: cmp     esi, 0
        je      .absent
        stosd
        add     eax, PAGE_SIZE
        dec     esi
        jmp     .next
.absent:
        mov     dword [edi], 0
        add     edi, 4
.next:  dec     ecx
        jnz     .entry
        cmp     esi, 0
        jne     .table
        shr     edi, 12
        mov     [physical(frame_next)], edi     ; everything above is free
        mov     eax, [ebx + KERNEL_SLOT * 4]
        mov     [ebx], eax
        mov     eax, ebx
        ret

; ---- The GDT and the task-state segment --------------------------------------------------------------------------
; The TSS is there for one thing: it tells the processor which stack to take when ring 3 enters ring 0.
task_state_initialize:
        mov     dword [task_state + TASK_STATE_SS0], KERNEL_DS
        mov     word [task_state + TASK_STATE_IO_MAP], TASK_STATE_SIZE ; no I/O bitmap: ring 3 has no ports
        mov     eax, task_state
        mov     [gdt.task_state + 2], ax        ; the base is scattered over the descriptor
        shr     eax, 16
        mov     [gdt.task_state + 4], al
        mov     [gdt.task_state + 7], ah
        mov     eax, gdt.task_state - gdt
        ltr     ax
        ret

; ---- What the loader said about memory ---------------------------------------------------------------------------
print_memory_map:
        push    ebx
        push    esi
        mov     ebx, memory_ranges
        mov     esi, [memory_range_count]
.range: cmp     esi, 0
        je      .done
        print   "  "
        mov     eax, [ebx]
        call    print_hexadecimal
        print   " - "
        mov     eax, [ebx]
        add     eax, [ebx + 8]
        dec     eax
        call    print_hexadecimal
        cmp     dword [ebx + 16], 1
        je      .usable
        print   " reserved"
        jmp     .next
.usable:
        print   " usable"
.next:  call    print_newline
        add     ebx, MEMORY_RANGE
        dec     esi
        jmp     .range
.done:  pop     esi
        pop     ebx
        ret

print_platform:
        print   "Ring 0, multiboot, PC devices"
        ret

        section .data
        align   8
gdt:    dq      0
        dq      0x00CF9A000000FFFF              ; 08: ring-0 code, 4 GiB
        dq      0x00CF92000000FFFF              ; 10: ring-0 data
        dq      0x00CFFA000000FFFF              ; 18: ring-3 code
        dq      0x00CFF2000000FFFF              ; 20: ring-3 data
.task_state:
        dw      TASK_STATE_SIZE - 1, 0          ; 28: the TSS; its base is filled in at boot
        db      0, 0x89, 0, 0
gdt_end:
gdt_pointer:
        dw      gdt_end - gdt - 1
        dd      gdt

TASK_STATE_SIZE     equ 104
TASK_STATE_ESP0     equ 4
TASK_STATE_SS0      equ 8
TASK_STATE_IO_MAP   equ 102

frame_limit:        dd 4096                     ; frames of memory; 16 MiB when the loader does not say
memory_range_count: dd 0

        section .bss
task_state:         resb TASK_STATE_SIZE
memory_ranges:      resb MEMORY_RANGES * MEMORY_RANGE
kernel_directory:   resd 1                      ; physical address; has the kernel's mappings and nothing else
frame_next:         resd 1                      ; first frame that has never been used
