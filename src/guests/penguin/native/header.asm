; ELF header and multiboot header, written by hand so that the assembler's flat output is an executable file.
; ELF: Tool Interface Standard 1.2, book I, chapter 1. Multiboot: specification 0.6.96, section 3.1.

        section .text
image:
        db      0x7F, "ELF", 1, 1, 1, 0         ; 32 bits, little-endian, version 1
        times   8 db 0
        dw      2, 3                            ; an executable, for the 386
        dd      1
        dd      physical(native_entry)          ; the loader jumps here with paging off: a physical address
        dd      52, 0, 0                        ; program headers follow; no section headers; flags
        dw      52, 32, 1, 40, 0, 0             ; sizes and counts: one program header
        dd      1, 0                            ; PT_LOAD, from the file's start
        dd      KERNEL_BASE + KERNEL_LOAD       ; linear address
        dd      KERNEL_LOAD                     ; physical address
        dd      file_end - KERNEL_BASE - KERNEL_LOAD
        dd      memory_end - KERNEL_BASE - KERNEL_LOAD
        dd      7, PAGE_SIZE                    ; readable, writable, executable

MULTIBOOT_MAGIC     equ 0x1BADB002
MULTIBOOT_FLAGS     equ 3                       ; align modules on pages; tell about memory
        align   4
        dd      MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
