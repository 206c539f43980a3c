; ringside-guest
; A hostile kernel at ring 1: it forges machine addresses, page tables, descriptors, selectors, flags, pointers, counts and
; stacks, and uses whatever it is let have. It says how much it tried; a test looks whether any byte outside its domain
; has changed. The command line is a digit: how it ends (hostile/xen-endings.inc); `!` behind it: do only that.

%include "include/xen.inc"
%include "exercisers/hostile/counting.inc"

        xen_guest "hostile", "2", start

%define SCRATCH (XEN_VIRT_BASE + 0x3FF000)      ; a linear page whose entry is replaced again and again
%define VICTIM  (XEN_VIRT_BASE + 0x3FE000)      ; a page of ours that becomes table, descriptor page and data in turn
%define SPRAY   0xDEADBEEF

; refused NUMBER: the hypercall that was just made must have failed.
%macro refused 1
        inc     dword [attempts]
        test    eax, eax
        js      %%fine
        breach  %1
%%fine:
%endmacro

start:  cld
        mov     esp, stack_top
        mov     [start_info], esi
        mov     ebx, traps
        hypercall HYPERVISOR_set_trap_table
        mov     eax, [start_info]
        mov     ecx, [eax + START_PT_BASE]
        mov     [directory], ecx
        mov     ebx, FLAT_RING1_SS
        mov     ecx, inner_stack_top
        hypercall HYPERVISOR_stack_switch
        mov     eax, [start_info]
        cmp     byte [eax + START_CMD_LINE + 1], "!"
        je      ending

        call    forge_frames
        call    forge_tables
        call    forge_descriptors
        call    forge_accesses
        call    forge_arguments
        call    forge_entries

        call    tell
        mov     edx, line
        mov     ebx, CONSOLEIO_write
        hypercall HYPERVISOR_console_io
        jmp     ending

%include "exercisers/hostile/xen-frames.inc"
%include "exercisers/hostile/xen-tables.inc"
%include "exercisers/hostile/xen-descriptors.inc"
%include "exercisers/hostile/xen-accesses.inc"
%include "exercisers/hostile/xen-arguments.inc"
%include "exercisers/hostile/xen-entries.inc"
%include "exercisers/hostile/xen-endings.inc"

        counting_code

; EAX = machine frame of the page at linear address EBX, which lies in our memory.
frame_of:
        push    ecx
        mov     ecx, ebx
        sub     ecx, XEN_VIRT_BASE
        shr     ecx, 12
        mov     eax, [start_info]
        mov     eax, [eax + START_MFN_LIST]
        mov     eax, [eax + ecx * 4]
        pop     ecx
        ret

; ZF = 1 when machine frame EBP is one of ours. Changes EAX, ECX, EDX.
own_frame:
        mov     edx, [start_info]
        mov     eax, [edx + START_SHARED_INFO]
        shr     eax, 12
        cmp     eax, ebp
        je      .known
        cmp     ebp, [frames]
        jae     .foreign
        mov     ecx, [MACH2PHYS_VIRT_START + ebp * 4]
        cmp     ecx, [edx + START_NR_PAGES]
        jae     .foreign
        mov     eax, [edx + START_MFN_LIST]
        cmp     [eax + ecx * 4], ebp
.known: ret
.foreign:
        test    esp, esp                        ; ZF = 0
        ret

; Makes the page-table entry of linear address EBX be ECX.
set_entry:
        xor     edx, edx
        mov     esi, UVMF_INVLPG
        hypercall HYPERVISOR_update_va_mapping
        ret

; EDI = command, EBP = frame: one operation of mmuext_op.
extended:
        mov     [operation], edi
        mov     [operation + 4], ebp
        mov     ebx, operation
        mov     ecx, 1
        xor     edx, edx
        mov     esi, DOMID_SELF
        hypercall HYPERVISOR_mmuext_op
        ret

; ECX requests at EBX: mmu_update without a done-count.
update: xor     edx, edx
        mov     esi, DOMID_SELF
        hypercall HYPERVISOR_mmu_update
        ret

; A fault, from whatever ring: its frame is thrown away and the kernel goes on where the attempt said.
fault:  mov     eax, FLAT_RING1_DS              ; the way to ring 3 has made them null
        mov     ds, eax
        mov     es, eax
        mov     esp, stack_top
        add     esp, [depth]
        cld
        jmp     [resume]

        align   4, db 0
traps:
%macro trap 2
        db      %1, 0
        dw      FLAT_RING1_CS
        dd      %2
%endmacro
%assign vector 0
%rep 18
  %if vector != 2 && vector != 15
        trap    vector, fault
  %endif
  %assign vector vector + 1
%endrep
        dd      0, 0

        counting_data
start_info:     dd 0
directory:      dd 0                            ; linear address of our page directory
frames:         dd 0                            ; machine frames of the host
depth:          dd -4                           ; what is on our stack below an attempt: one return address
request:        times 8 dd 0
operation:      times 3 dd 0
victim:         dd 0                            ; frame of the page at VICTIM

        section .bss
                resb 4096
inner_stack_top:                                ; for entries from ring 3
                resb 4096
stack_top:
        xen_guest_end
