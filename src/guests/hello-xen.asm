; ringside-guest
; The smallest paravirtualized guest: it asks the hypervisor to print, then to shut it down.
; It runs at ring 1, owns no device and needs none: a hypercall is to a kernel what a system call is to a program.
; Assemble: nasm -f bin -I src/guests/ -o hello-xen.elf src/guests/hello-xen.asm

%include "include/xen.inc"

        xen_guest "hello", "1", start           ; ELF header, notes and hypercall page

start:  mov     ebx, CONSOLEIO_write            ; argument 1: what to do
        mov     ecx, message_end - message      ; argument 2: how many characters
        mov     edx, message                    ; argument 3: where they are
        hypercall HYPERVISOR_console_io

        mov     ebx, SCHEDOP_shutdown
        mov     ecx, shutdown_argument
        hypercall HYPERVISOR_sched_op           ; does not return
        jmp     $

message:
        db      "Hello from ring 1!", 13, 10
message_end:
shutdown_argument:
        dd      SHUTDOWN_poweroff

        xen_guest_end
