; Microsoft's hypervisor beneath an unmodified kernel, and what such a kernel can do about it ("enlightenments"): read the
; time from a page instead of counting interrupts, and so sleep through most of them; and ask for another address space, or
; for a flush, in one call instead of by instructions that each leave the guest. Hypervisor Top-Level Functional
; Specification: 2.4 (CPUID), 3 (hypercalls), 9.4 (virtual addresses), 12.6 (reference time).

HYPER_V_FEATURES    equ 3               ; leaf: EAX = what there is
HYPER_V_HAS_CALLS   equ 1 << 5
HYPER_V_HAS_TIME    equ 1 << 9
HYPER_V_ADVICE      equ 4               ; leaf: EAX = what had better be used
HYPER_V_SWITCH      equ 1 << 0
MSR_GUEST_OS_ID     equ 0x40000000
MSR_HYPERCALL       equ 0x40000001
MSR_REFERENCE_TSC   equ 0x40000021
MSR_ENABLE          equ 1
HV_SWITCH_SPACE     equ 0x10001         ; call 1, its parameter in registers
HV_FLUSH_SPACE      equ 2               ; its parameters in memory: {space, flags, processors}, 64 bits each
REFERENCE_SEQUENCE  equ 0
REFERENCE_SCALE     equ 8
REFERENCE_OFFSET    equ 16
TICK_UNITS          equ 100000          ; a tick of 10 ms in units of 100 ns

        section .text
; EAX = the first CPUID leaf of the interface.
hyper_v_attach:
        push    ebx
        push    edi
        lea     edi, [eax + HYPER_V_FEATURES]
        mov     ecx, MSR_GUEST_OS_ID    ; first say who we are: open source, and no system that they know
        mov     edx, 0x80000000
        mov     eax, 1
        wrmsr
        mov     eax, edi
        cpuid
        mov     ebx, eax
        test    ebx, HYPER_V_HAS_TIME
        jz      .no_time
        mov     ecx, MSR_REFERENCE_TSC
        mov     eax, physical(reference_page) + MSR_ENABLE
        xor     edx, edx
        wrmsr
        mov     byte [hyper_v_time], 1
.no_time:
        test    ebx, HYPER_V_HAS_CALLS
        jz      .done
        mov     ecx, MSR_HYPERCALL
        mov     eax, physical(hyper_v_page) + MSR_ENABLE
        xor     edx, edx
        wrmsr
        lea     eax, [edi + HYPER_V_ADVICE - HYPER_V_FEATURES]
        cpuid
        test    al, HYPER_V_SWITCH
        jz      .done
        mov     byte [hyper_v_spaces], 1
.done:  pop     edi
        pop     ebx
        ret

; EAX = physical address of a page directory: continue there.
hyper_v_switch:
        push    ebx
        mov     [loaded_space], eax
        mov     ecx, eax                ; EBX:ECX = the parameter
        xor     ebx, ebx
        xor     edx, edx                ; EDX:EAX = which call
        mov     eax, HV_SWITCH_SPACE
        call    hyper_v_page
        pop     ebx
        ret

; Old translations of this address space are forgotten.
hyper_v_flush:
        push    ebx
        mov     eax, [loaded_space]
        mov     [flush_parameters], eax
        mov     ecx, physical(flush_parameters)
        xor     ebx, ebx
        xor     edx, edx
        mov     eax, HV_FLUSH_SPACE
        call    hyper_v_page
        pop     ebx
        ret

; EDX:EAX = time since boot in units of 100 ns: (cycles * scale) / 2^64 + offset. While the sequence changes, the page does.
reference_time:
        push    ebx
        push    esi
        push    edi
        push    ebp
.again: mov     ebp, [reference_page + REFERENCE_SEQUENCE]
        rdtsc
        mov     esi, eax                ; EDI:ESI = cycles
        mov     edi, edx
        mul     dword [reference_page + REFERENCE_SCALE]
        mov     ebx, edx                ; EBX = bits 32 to 63 of the product so far, ECX = bits 64 to 95
        xor     ecx, ecx
        mov     eax, esi
        mul     dword [reference_page + REFERENCE_SCALE + 4]
        add     ebx, eax
        adc     ecx, edx
        mov     eax, edi
        mul     dword [reference_page + REFERENCE_SCALE]
        xor     esi, esi
        add     ebx, eax
        adc     ecx, edx
        adc     esi, 0
        mov     eax, edi
        mul     dword [reference_page + REFERENCE_SCALE + 4]
        add     eax, ecx
        adc     edx, esi
        add     eax, [reference_page + REFERENCE_OFFSET]
        adc     edx, [reference_page + REFERENCE_OFFSET + 4]
        cmp     ebp, [reference_page + REFERENCE_SEQUENCE]
        jne     .again
        pop     ebp
        pop     edi
        pop     esi
        pop     ebx
        ret

; EAX = whole ticks since it was last asked; they count as served.
reference_elapsed:
        call    reference_time
        sub     eax, [units_until]
        sbb     edx, [units_until + 4]
        jc      .none
        mov     ecx, TICK_UNITS
        div     ecx
        mov     ecx, eax
        mov     edx, TICK_UNITS
        mul     edx
        add     [units_until], eax
        adc     [units_until + 4], edx
        mov     eax, ecx
        ret
.none:  xor     eax, eax
        ret

; Sleeps until the first sleeper's time, as far as the timer chip can count, or the next event: there are no ticks
; meanwhile. Interrupts are off, and off again afterwards: nobody may become ready between the question whether ticks are
; needed and the choice of who runs.
hyper_v_wait:
        call    reference_elapsed
        call    clock_advance
        cmp     byte [need_schedule], 0
        jne     .awake
        call    next_sleeper
        jc      .longest
        cmp     eax, PIT_LONGEST
        jb      .ticks
.longest:
        mov     eax, PIT_LONGEST
        ; fall into
.ticks: mov     dword [slice_left], 0x7FFFFFFF  ; the idle task's turn does not end by itself
        cmp     eax, 1
        adc     eax, 0                  ; one tick at least
        imul    eax, eax, PIT_FREQUENCY / TICKS_PER_SECOND
        mov     ecx, eax
        mov     al, 0x30                ; channel 0, low then high byte, mode 0: once
        call    timer_set
        sti
        hlt
        cli
        call    reference_elapsed
        call    clock_advance
        cmp     byte [need_schedule], 0
        je      .done
        call    timer_periodic          ; somebody has work to do, and takes turns by ticks
.done:
.awake: ret

        section .data
        align   8
flush_parameters:   dd 0, 0, 0, 0, 1, 0         ; space, flags, processors: the first
hyper_v_time:       db 0                        ; the time is in reference_page
hyper_v_spaces:     db 0                        ; address spaces are switched and flushed by call

        section .text
; Pages that the hypervisor lays its own over.
        align   PAGE_SIZE, db 0
hyper_v_page:
        times   PAGE_SIZE db 0
reference_page:
        times   PAGE_SIZE db 0

        section .bss
units_until:        resd 2                      ; reference time that has been counted as ticks
loaded_space:       resd 1                      ; the page directory in use: reading CR3 would leave the guest
