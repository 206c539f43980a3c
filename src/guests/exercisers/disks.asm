; ringside-guest
; Asks every drive of a PC through its controller and writes on the serial port what it heard: identification, sectors by PIO
; and by bus-master DMA, packets of a CD, a diskette by the 8237A, errors too. Wired for QEMU's "pc" machine: a disk as primary
; device 0, a CD as secondary device 0, a diskette in drive A; the same image gives the same text there (disks.test.ts).

%define LOAD 0x100000

        bits    32
        org     LOAD
image:  dd      0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        dd      image, LOAD, image_end, memory_end, start

%include "exercisers/disks/report.inc"
%include "exercisers/disks/ata.inc"
%include "exercisers/disks/hard-disk.inc"
%include "exercisers/disks/cd.inc"
%include "exercisers/disks/floppy.inc"

start:  cld
        mov     esp, stack_top
        mov     al, 0xFF                        ; interrupts are seen in the controllers' request registers only
        out     0x21, al
        out     0xA1, al
        call    report_open
        call    pci_report
        call    disk_report
        call    cd_report
        call    floppy_report
        call    cmos_report
        say     "end", 10
        call    report_close
        mov     dx, 0x604                       ; ACPI: power off
        mov     ax, 0x2000
        out     dx, ax
.stop:  hlt
        jmp     .stop

; ---- PCI ---------------------------------------------------------------------------------------------------------

; EAX = register EBX (bus, device, function, offset) of configuration space.
pci_read:
        mov     dx, 0xCF8
        mov     eax, ebx
        or      eax, 0x80000000
        out     dx, eax
        mov     dx, 0xCFC
        in      eax, dx
        ret

; EAX into register EBX.
pci_write:
        push    eax
        mov     dx, 0xCF8
        mov     eax, ebx
        or      eax, 0x80000000
        out     dx, eax
        pop     eax
        mov     dx, 0xCFC
        out     dx, eax
        ret

pci_report:
        mov     esi, .functions
.next:  mov     ebx, [esi]
        say     "pci "
        mov     eax, ebx
        shr     eax, 8
        call    hex16
        call    pci_read                        ; vendor and device
        call    hex32
        mov     ebx, [esi]
        add     ebx, 8
        call    pci_read                        ; class
        shr     eax, 8
        call    hex32
        mov     ebx, [esi]
        add     ebx, 12
        call    pci_read                        ; header type
        shr     eax, 16
        call    hex8
        call    line
        add     esi, 4
        cmp     esi, .end
        jb      .next
        ; The size of the bus master's ports; then it is put back and switched on.
        mov     ebx, 0x0920
        call    pci_read
        push    eax
        mov     eax, -1
        call    pci_write
        call    pci_read
        say     "bar4 "
        call    hex32
        call    line
        pop     eax
        call    pci_write
        and     eax, 0xFFF0
        mov     [bus_master], ax
        mov     ebx, 0x0904
        call    pci_read
        or      eax, 5
        and     eax, 0xFFFF
        call    pci_write
        ret
.functions:
        dd      0x0000, 0x0800, 0x0900, 0x1000, 0xF800, 0x0A00
.end:

; ---- CMOS --------------------------------------------------------------------------------------------------------

cmos_report:
        say     "cmos "
        mov     al, 0x10
        out     0x70, al
        in      al, 0x71
        call    hex8
        mov     al, 0x14
        out     0x70, al
        in      al, 0x71
        and     al, 0xC1
        call    hex8
        call    line
        ret

        align   4, db 0
image_end:

bus_master      equ image_end                   ; first port of the bus master
regions         equ LOAD + 0x8000               ; its table
buffer          equ LOAD + 0x10000              ; 64 KiB for DMA, and more for PIO
floppy_buffer   equ 0x30000                     ; within the reach of the 8237A
stack_top       equ LOAD + 0x40000
memory_end      equ stack_top
