; Is there a hypervisor beneath this kernel, and which? An unmodified kernel need not ask. One that asks, and knows the
; answer, gets the same done with less: it is enlightened. Bit 31 of CPUID leaf 1 is 0 in every real processor; hypervisors
; say who they are in the leaves from 40000000h, in steps of 100h when there are several interfaces.

CPUID_HYPERVISOR    equ 0x40000000
CPUID_HYPERVISOR_END equ 0x40000300

        section .text
hypervisor_find:
        push    ebx
        push    esi
        mov     eax, 1
        cpuid
        test    ecx, ecx
        jns     .done
        mov     esi, CPUID_HYPERVISOR
.leaf:  mov     eax, esi
        cpuid
        mov     eax, esi
        cmp     ebx, "Micr"
        jne     .xen
        cmp     ecx, "osof"
        jne     .next
        call    hyper_v_attach
        jmp     .next
.xen:   cmp     ebx, "XenV"
        jne     .next
        cmp     ecx, "MMXe"
        jne     .next
        call    xen_attach
.next:  add     esi, 0x100
        cmp     esi, CPUID_HYPERVISOR_END
        jb      .leaf
.done:  pop     esi
        pop     ebx
        ret
