; ringside-guest
; A hypervisor of one's own, for AMD's SVM: it runs on the bare machine, starts one guest in real mode, and prints every exit
; of that guest by its code until the guest halts. Written after the APM, volume 2, chapter 15. Its mirror is vmx.asm.
;
; SVM has run real mode from the start. What differs by generation is how the guest is kept to its own memory: by nested
; paging (2007; here --cpu nehalem), or in "paged real mode" (15.19), where page tables of ours are under a guest that
; believes to have none. The same two tables serve for both.

%include "own-hypervisor/vmcb.inc"              ; offsets in the VMCB, exit codes, intercepts

        bits    32
        org     0x100000

; ---- where things lie -------------------------------------------------------------------------------------------

vmcb            equ 0x110000                    ; each of these is a page of its own
host_save       equ 0x111000                    ; where VMRUN keeps us
host_directory  equ 0x112000                    ; our page tables: the first 4 MiB one to one
guest_directory equ 0x113000                    ; what the guest calls physical, in our format: 1 MiB and 64 KiB
guest_table     equ 0x114000
port_map        equ 0x115000                    ; three pages: one bit a port, 1 = it leaves
stack_top       equ 0x11A000
guest_memory    equ 0x200000                    ; what the guest calls address 0
GUEST_ENTRY     equ 0x7C00                      ; where a boot sector begins

image:  dd      0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)      ; multiboot, with addresses
        dd      image, image, 0, stack_top, start

; ---- 1. a processor that may execute VMRUN (APM 15.4) -----------------------------------------------------------------

start:  cli
        cld
        mov     esp, stack_top
        lgdt    [gdt_pointer]
        jmp     HOST_CODE:.flat
.flat:  mov     eax, HOST_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     fs, eax
        mov     gs, eax
        call    screen_clear
        mov     esi, text_hello
        call    print

        mov     esi, text_no_svm
        mov     eax, 0x80000000                 ; is there a leaf that could say so?
        cpuid
        cmp     eax, 0x80000001
        jb      fail
        mov     eax, 0x80000001                 ; ECX bit 2: SVM is there
        cpuid
        test    ecx, 1 << 2
        jz      fail
        mov     ecx, MSR_VM_CR                  ; bit 4: the firmware keeps it off
        rdmsr
        test    eax, 1 << 4
        jnz     fail
        mov     ecx, MSR_EFER                   ; SVME: from here on the instructions exist
        rdmsr
        or      eax, EFER_SVME
        wrmsr

        mov     edi, vmcb                       ; everything starts empty
        mov     ecx, (stack_top - vmcb) / 4
        xor     eax, eax
        rep     stosd
        mov     ecx, MSR_VM_HSAVE_PA
        mov     eax, host_save
        xor     edx, edx
        wrmsr
        mov     dword [host_directory], 0x83    ; present, writable, 4 MiB
        mov     eax, host_directory
        mov     cr3, eax
        mov     eax, cr4
        or      eax, CR4_PSE
        mov     cr4, eax
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax                        ; nested tables have the format of the host's own paging

; ---- 2. the guest's memory ---------------------------------------------------------------------------------------

        mov     edi, guest_memory               ; empty, but for the program at 7C00h
        mov     ecx, 0x100000 / 4
        xor     eax, eax
        rep     stosd
        mov     esi, guest_program
        mov     edi, guest_memory + GUEST_ENTRY
        mov     ecx, guest_program_end - guest_program
        rep     movsb
        mov     dword [guest_directory], guest_table | 7        ; nested walks count as accesses of ring 3
        mov     edi, guest_table
        mov     eax, guest_memory | 7
        mov     ecx, 0x110
.page:  stosd
        add     eax, 0x1000
        loop    .page
        mov     edi, port_map                   ; every port leaves
        mov     ecx, 0x3000 / 4
        or      eax, -1
        rep     stosd

; ---- 3. the VMCB (APM appendix B) ------------------------------------------------------------------------------------

        mov     esi, fields_both
        call    write_fields
        mov     eax, 0x80000000
        cpuid
        cmp     eax, 0x8000000A
        jb      .paged
        mov     eax, 0x8000000A                 ; EDX bit 0: nested paging
        cpuid
        mov     esi, fields_nested
        test    edx, 1
        jnz     .mode
.paged: mov     esi, fields_paged
.mode:  call    write_fields

; ---- 4. into the guest, and out again --------------------------------------------------------------------------------

guest_in:
        mov     ebx, [guest_ebx]                ; EAX, ESP and EIP are in the VMCB, the others are ours to keep
        mov     ecx, [guest_ecx]
        mov     edx, [guest_edx]
        mov     esi, [guest_esi]
        mov     edi, [guest_edi]
        mov     ebp, [guest_ebp]
        mov     eax, vmcb
        clgi                                    ; no interrupt may come between the two worlds
        vmrun
        mov     [guest_ebx], ebx                ; the guest has left: we go on behind VMRUN
        mov     [guest_ecx], ecx
        mov     [guest_edx], edx
        mov     [guest_esi], esi
        mov     [guest_edi], edi
        mov     [guest_ebp], ebp
        mov     ebx, [vmcb + EXITCODE]
        mov     esi, text_invalid
        cmp     ebx, -1                         ; VMEXIT_INVALID: VMRUN did not like the VMCB
        je      fail
        cmp     ebx, EXIT_CODES
        jb      .count
        mov     ebx, EXIT_CODES - 1             ; nested page fault, 400h: in the last place
.count: inc     dword [counts + ebx * 4]
        mov     eax, [vmcb + SAVE_RIP]
        call    print_hex
        mov     esi, text_gap
        call    print
        call    print_reason
        call    new_line

        cmp     ebx, VMEXIT_CPUID
        je      on_cpuid
        cmp     ebx, VMEXIT_HLT
        je      finished
        cmp     ebx, VMEXIT_IOIO
        je      on_port
        mov     esi, text_unexpected
        jmp     fail

; The guest asks what processor it has. It gets the truth, but for SVM, which we do not offer.
on_cpuid:
        mov     eax, [vmcb + SAVE_RAX]
        mov     ecx, [guest_ecx]
        cpuid
        cmp     dword [vmcb + SAVE_RAX], 0x80000001
        jne     .keep
        and     ecx, ~(1 << 2)
.keep:  mov     [vmcb + SAVE_RAX], eax
        mov     [guest_ebx], ebx
        mov     [guest_ecx], ecx
        mov     [guest_edx], edx
        mov     eax, [vmcb + SAVE_RIP]          ; CPUID has two bytes
        add     eax, 2
        jmp     go_on

; OUT of a byte is what it says; IN gives ones: nobody is there. EXITINFO1 bit 0: IN; 31:16: the port.
on_port:
        test    dword [vmcb + EXITINFO1], 1
        jnz     .in
        mov     al, [vmcb + SAVE_RAX]
        call    guest_says
        jmp     .behind
.in:    mov     byte [vmcb + SAVE_RAX], 0xFF
.behind:
        mov     eax, [vmcb + EXITINFO2]         ; the address behind the instruction
go_on:  and     eax, 0xFFFF
        mov     [vmcb + SAVE_RIP], eax
        jmp     guest_in

; ---- 5. the guest has halted: what it left for, and how often -----------------------------------------------------------

finished:
        stgi
        mov     esi, text_said
        call    print
        mov     esi, said
        call    print
        call    new_line
        xor     ebx, ebx
.next:  mov     eax, [counts + ebx * 4]
        test    eax, eax
        jz      .none
        call    print_decimal
        mov     esi, text_times
        call    print
        call    print_reason
        call    new_line
.none:  inc     ebx
        cmp     ebx, EXIT_CODES
        jb      .next
power_off:
        mov     dx, 0x3FD                       ; the last character has to leave the serial port first
.wait:  in      al, dx
        test    al, 0x40
        jz      .wait
        mov     dx, 0x604                       ; ACPI
        mov     ax, 0x2000
        out     dx, ax
        hlt

; Fields from a table at ESI: offset in the VMCB, value; ends with -1.
write_fields:
        lodsd
        cmp     eax, -1
        je      .end
        mov     edx, eax
        lodsd
        mov     [vmcb + edx], eax
        jmp     write_fields
.end:   ret

; The byte in AL is kept as what the guest has said.
guest_says:
        mov     edi, [said_length]
        cmp     edi, 63
        jae     .full
        mov     [said + edi], al
        inc     dword [said_length]
.full:  ret

; ---- tables of fields --------------------------------------------------------------------------------------------------

fields_both:
        dd      INTERCEPT_GENERAL1, INTERCEPT_CPUID | INTERCEPT_HLT | INTERCEPT_IOIO | INTERCEPT_SHUTDOWN
        dd      INTERCEPT_GENERAL2, INTERCEPT_VMRUN             ; VMRUN insists on this one
        dd      IOPM_BASE_PA, port_map, GUEST_ASID, 1
%assign n 0
%rep 6                                          ; ES CS SS DS FS GS: selector 0, base 0, present, writable
        dd      SAVE_ES + n, 0x93 << 16, SAVE_ES + n + 4, 0xFFFF
%assign n n + 16
%endrep
        dd      SAVE_IDTR + 4, 0x3FF            ; the table at address 0
        dd      SAVE_EFER, EFER_SVME            ; VMRUN insists on this one too
        dd      SAVE_DR7, 0x400, SAVE_DR6, 0xFFFF0FF0
        dd      SAVE_RFLAGS, 2, SAVE_RIP, GUEST_ENTRY, SAVE_RSP, GUEST_ENTRY
        dd      -1
fields_nested:
        dd      NP_ENABLE, 1, N_CR3, guest_directory
        dd      SAVE_G_PAT, 0x00070406, SAVE_G_PAT + 4, 0x00070406
        dd      SAVE_CR0, 0x10
        dd      -1
fields_paged:                                   ; PG without PE: nowhere else is that allowed
        dd      SAVE_CR0, CR0_PG | 0x10, SAVE_CR3, guest_directory
        dd      -1

; ---- data ----------------------------------------------------------------------------------------------------------------

        align   8
gdt:    dq      0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer:
        dw      gdt_pointer - gdt - 1
        dd      gdt
        align   4
guest_ebx:      dd 0
guest_ecx:      dd 0
guest_edx:      dd 0
guest_esi:      dd 0
guest_edi:      dd 0
guest_ebp:      dd 0
counts: times EXIT_CODES dd 0                   ; exits by code
said_length:    dd 0
said:   times 64 db 0
reasons:
        dd      VMEXIT_CPUID, .cpuid, VMEXIT_HLT, .hlt, VMEXIT_IOIO, .port, VMEXIT_SHUTDOWN, .shutdown
        dd      EXIT_CODES - 1, .nested, -1, .other
.cpuid: db      'cpuid', 0
.hlt:   db      'hlt', 0
.port:  db      'io', 0
.shutdown: db   'shutdown', 0
.nested: db     'npf', 0
.other: db      'another code', 0
text_hello:     db 'A hypervisor of one', 39, 's own, by SVM', 10, 0
text_no_svm:    db 'this processor has no SVM, or its firmware keeps it off', 10, 0
text_invalid:   db 'VMRUN refused the VMCB', 10, 0
text_unexpected: db 'an exit that nobody expected', 10, 0

%include "own-hypervisor/printing.inc"          ; screen and serial port
%include "own-hypervisor/guest.inc"             ; the guest: 16-bit code
