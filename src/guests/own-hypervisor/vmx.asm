; ringside-guest
; A hypervisor of one's own, for Intel VT-x: it runs on the bare machine, starts one guest in real mode, and prints every
; exit of that guest by its reason until the guest halts. Written after the SDM, volume 3, chapters 23 to 28.
;
; Two kinds of processor, two ways to run real mode. With EPT and "unrestricted guest" (2008; --cpu nehalem) the silicon
; does it. Before (2005; --cpu prescott) CR0.PE must be 1 in a guest, so it runs in virtual-8086 mode, and what that mode
; forbids comes here as #GP and is done by hand. The guest cannot tell the two apart.

%include "own-hypervisor/fields.inc"            ; names of VMCS fields, exit reasons and control bits

        bits    32
        org     0x100000

; ---- where things lie -------------------------------------------------------------------------------------------

vmxon_region    equ 0x110000                    ; each of these is a page of its own
vmcs_region     equ 0x111000
host_directory  equ 0x112000                    ; our page tables: the first 4 MiB one to one
guest_directory equ 0x113000                    ; the guest's, without EPT: the silicon wants paging on
guest_table     equ 0x114000
ept_pml4        equ 0x115000                    ; with EPT: three tables, and one page of 2 MiB
ept_pdpt        equ 0x116000
ept_directory   equ 0x117000
stack_top       equ 0x11A000
guest_memory    equ 0x200000                    ; what the guest calls address 0
GUEST_ENTRY     equ 0x7C00                      ; where a boot sector begins

image:  dd      0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)      ; multiboot, with addresses
        dd      image, image, 0, stack_top, start

; ---- 1. a processor that may enter VMX operation (SDM 23.6 to 23.8) -------------------------------------------------

start:  cli
        cld
        mov     esp, stack_top
        lgdt    [gdt_pointer]
        jmp     HOST_CODE:.flat
.flat:  mov     eax, HOST_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        mov     eax, HOST_TASK                  ; the host area of a VMCS wants a task register
        ltr     ax
        call    screen_clear
        mov     esi, text_hello
        call    print

        mov     eax, 1                          ; CPUID.1:ECX bit 5: VT-x is there
        cpuid
        mov     esi, text_no_vmx
        test    ecx, 1 << 5
        jz      fail
        mov     ecx, IA32_FEATURE_CONTROL       ; locked, with bit 2: the firmware allows it
        rdmsr
        and     eax, 5
        cmp     eax, 5
        jne     fail

        mov     edi, vmxon_region               ; regions and tables start empty
        mov     ecx, (stack_top - vmxon_region) / 4
        xor     eax, eax
        rep     stosd
        mov     dword [host_directory], 0x83    ; present, writable, 4 MiB
        mov     eax, host_directory
        mov     cr3, eax
        mov     eax, cr4
        or      eax, CR4_PSE | CR4_VMXE
        mov     cr4, eax
        mov     eax, cr0                        ; PE, NE and PG must be 1 from VMXON on
        or      eax, CR0_PG | CR0_NE
        and     eax, ~(CR0_CD | CR0_NW)
        mov     cr0, eax

        mov     ecx, IA32_VMX_BASIC             ; each region begins with the processor's revision identifier
        rdmsr
        mov     [vmxon_region], eax
        mov     [vmcs_region], eax
        mov     esi, text_vmxon
        vmxon   [vmxon_address]
        jbe     fail                            ; CF: no current VMCS to say why; ZF: its error field says
        mov     esi, text_vmcs
        vmclear [vmcs_address]
        jbe     fail
        vmptrld [vmcs_address]
        jbe     fail

; ---- 2. the guest's memory ---------------------------------------------------------------------------------------

        mov     edi, guest_memory               ; empty, but for the program at 7C00h
        mov     ecx, 0x100000 / 4
        xor     eax, eax
        rep     stosd
        mov     esi, guest_program
        mov     edi, guest_memory + GUEST_ENTRY
        mov     ecx, guest_program_end - guest_program
        rep     movsb

        call    can_have_real_mode
        mov     [unrestricted], eax
        test    eax, eax
        jz      .virtual_8086
        mov     dword [ept_pml4], ept_pdpt | 7  ; readable, writable, executable
        mov     dword [ept_pdpt], ept_directory | 7
        mov     dword [ept_directory], guest_memory | 0xB7      ; a page of 2 MiB, write-back
        jmp     .fill
.virtual_8086:
        mov     dword [guest_directory], guest_table | 7        ; ring 3 may: virtual-8086 mode is ring 3
        mov     edi, guest_table
        mov     eax, guest_memory | 7
        mov     ecx, 0x110                      ; 1 MiB and the 64 KiB above it
.page:  stosd
        add     eax, 0x1000
        loop    .page

; ---- 3. the VMCS (SDM 24) ------------------------------------------------------------------------------------------

.fill:  mov     ecx, IA32_VMX_PINBASED_CTLS     ; controls: what we wish, and what the processor insists on
        xor     eax, eax
        mov     ebx, PIN_BASED_VM_EXEC_CONTROL
        call    write_control
        mov     ecx, IA32_VMX_EXIT_CTLS
        xor     eax, eax
        mov     ebx, VM_EXIT_CONTROLS
        call    write_control
        mov     ecx, IA32_VMX_ENTRY_CTLS
        xor     eax, eax
        mov     ebx, VM_ENTRY_CONTROLS
        call    write_control
        mov     ecx, IA32_VMX_PROCBASED_CTLS
        mov     eax, HLT_EXITING | UNCONDITIONAL_IO_EXITING
        mov     ebx, CPU_BASED_VM_EXEC_CONTROL
        cmp     dword [unrestricted], 0
        je      .primary
        mov     ecx, IA32_VMX_TRUE_PROCBASED_CTLS       ; here CR3 exits are not insisted on
        or      eax, SECONDARY_CONTROLS
.primary:
        call    write_control

        mov     esi, fields_both
        call    write_fields
        mov     esi, fields_virtual_8086
        cmp     dword [unrestricted], 0
        je      .mode
        mov     esi, fields_unrestricted
.mode:  call    write_fields
        mov     eax, cr0                        ; the host comes back as it is now
        mov     ecx, HOST_CR0
        vmwrite ecx, eax
        mov     eax, cr3
        mov     ecx, HOST_CR3
        vmwrite ecx, eax
        mov     eax, cr4
        mov     ecx, HOST_CR4
        vmwrite ecx, eax

; ---- 4. into the guest, and out again --------------------------------------------------------------------------------

        call    registers_in
        vmlaunch                                ; goes on at `exit`, unless it fails
        mov     esi, text_entry
        jmp     fail

exit:   mov     [guest_eax], eax                ; general registers are ours to keep; RSP and RIP are in the VMCS
        mov     [guest_ebx], ebx
        mov     [guest_ecx], ecx
        mov     [guest_edx], edx
        mov     [guest_esi], esi
        mov     [guest_edi], edi
        mov     [guest_ebp], ebp
        mov     eax, VM_EXIT_REASON
        vmread  ebx, eax
        mov     esi, text_invalid
        test    ebx, ebx                        ; bit 31: the entry failed, the guest never ran
        js      fail
        and     ebx, 63
        inc     dword [counts + ebx * 4]
        mov     eax, GUEST_RIP
        vmread  eax, eax
        call    print_hex
        mov     esi, text_gap
        call    print
        call    print_reason
        call    new_line

        cmp     ebx, EXIT_CPUID
        je      on_cpuid
        cmp     ebx, EXIT_HLT
        je      finished
        cmp     ebx, EXIT_IO_INSTRUCTION
        je      on_port
        cmp     ebx, EXIT_EXCEPTION_NMI
        je      on_exception
        mov     esi, text_unexpected
        jmp     fail

; The guest asks what processor it has. It gets the truth, but for VT-x, which we do not offer.
on_cpuid:
        mov     eax, [guest_eax]
        mov     ecx, [guest_ecx]
        cpuid
        cmp     dword [guest_eax], 1
        jne     .keep
        and     ecx, ~(1 << 5)
.keep:  mov     [guest_eax], eax
        mov     [guest_ebx], ebx
        mov     [guest_ecx], ecx
        mov     [guest_edx], edx
        jmp     skip

; OUT of a byte is what it says; IN gives ones: nobody is there.
on_port:
        mov     eax, EXIT_QUALIFICATION         ; bit 3: IN; 31:16: the port
        vmread  eax, eax
        test    eax, 8
        jnz     .in
        mov     al, [guest_eax]
        call    guest_says
        jmp     skip
.in:    mov     byte [guest_eax], 0xFF

; Behind the instruction that left. In real mode IP has 16 bits.
skip:   mov     eax, VM_EXIT_INSTRUCTION_LEN
        vmread  ecx, eax
skip_ecx:
        mov     eax, GUEST_RIP
        vmread  edx, eax
        add     edx, ecx
        and     edx, 0xFFFF
        vmwrite eax, edx
resume: call    registers_in
        vmresume
        mov     esi, text_entry
        jmp     fail

; Virtual-8086 mode said #GP: the instruction is one of those that would show the mode. Done here as real mode does it.
on_exception:
        mov     eax, VM_EXIT_INTR_INFO
        vmread  eax, eax
        mov     esi, text_unexpected
        cmp     al, 13
        jne     fail
        call    guest_code                      ; EDI = its address in our memory
        mov     al, [edi]
        mov     ecx, 1
        cmp     al, 0xF4                        ; HLT
        je      finished
        cmp     al, 0xFA                        ; CLI, STI: there is no interrupt to hold off or to let through
        je      skip_ecx
        cmp     al, 0xFB
        je      skip_ecx
        inc     ecx
        cmp     al, 0xE6                        ; OUT imm8, AL
        je      .out
        cmp     al, 0xCD                        ; INT n
        je      .interrupt
        cmp     al, 0xCF                        ; IRET
        je      .return
        jmp     fail
.out:   mov     al, [guest_eax]
        call    guest_says
        jmp     skip_ecx

; INT n: flags, CS and IP go to the guest's stack, CS:IP come from its table at address 0.
.interrupt:
        movzx   ebp, byte [edi + 1]
        mov     eax, GUEST_RFLAGS
        vmread  eax, eax
        call    guest_push
        mov     eax, GUEST_CS_SELECTOR
        vmread  eax, eax
        call    guest_push
        mov     eax, GUEST_RIP
        vmread  eax, eax
        add     eax, ecx
        call    guest_push
        movzx   edx, word [guest_memory + ebp * 4]
        movzx   ecx, word [guest_memory + ebp * 4 + 2]
        jmp     .far
.return:
        call    guest_pop                       ; IRET: the same way back
        mov     edx, eax
        call    guest_pop
        mov     ecx, eax
        call    guest_pop
        and     eax, 0x0CD5                     ; IF and IOPL stay as they must be
        or      eax, 0x20002                    ; VM
        mov     ebx, GUEST_RFLAGS
        vmwrite ebx, eax
.far:   mov     eax, GUEST_RIP
        vmwrite eax, edx
        mov     eax, GUEST_CS_SELECTOR
        vmwrite eax, ecx
        shl     ecx, 4                          ; a segment's base is 16 times its selector
        mov     eax, GUEST_CS_BASE
        vmwrite eax, ecx
        jmp     resume

; ---- 5. the guest has halted: what it left for, and how often -----------------------------------------------------------

finished:
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
        cmp     ebx, 64
        jb      .next
        vmxoff
power_off:
        mov     dx, 0x3FD                       ; the last character has to leave the serial port first
.wait:  in      al, dx
        test    al, 0x40
        jz      .wait
        mov     dx, 0x604                       ; ACPI
        mov     ax, 0x2000
        out     dx, ax
        hlt

%include "own-hypervisor/vmx-helpers.inc"       ; writing fields, reaching the guest's memory
%include "own-hypervisor/printing.inc"          ; screen and serial port
%include "own-hypervisor/guest.inc"             ; the guest: 16-bit code
