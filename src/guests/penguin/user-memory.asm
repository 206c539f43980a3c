; Reading and writing a program's memory. A program may pass any address to a system call, so each is tested twice:
; it must lie below the kernel, and the access itself may still fault. Such a fault is not a bug of the kernel: the
; page-fault handler looks the instruction up in user_memory_recovery and continues at the address beside it.
; A promised page (heap, stack, copy-on-write) is given by that handler as if the program had touched it.

        section .text
; ESI = user address, EDI = kernel address, ECX = bytes. EAX = 0 or -EFAULT. Changes ECX.
copy_from_user:
        push    esi
        push    edi
        mov     eax, esi
        jmp     user_memory_copy

; ESI = kernel address, EDI = user address, ECX = bytes. EAX = 0 or -EFAULT. Changes ECX.
copy_to_user:
        push    esi
        push    edi
        mov     eax, edi
user_memory_copy:
        add     eax, ecx
        jc      copy_failed
        cmp     eax, KERNEL_BASE
        ja      copy_failed
copy_instruction:
        rep movsb
        xor     eax, eax
        pop     edi
        pop     esi
        ret
copy_failed:
        mov     eax, -EFAULT
        pop     edi
        pop     esi
        ret

; ESI = user address of a text that ends with 0, EDI = kernel address, ECX = room there.
; EAX = its length, -EFAULT or -ENAMETOOLONG.
copy_text_from_user:
        push    esi
        push    edi
        push    edi
text_next:
        cmp     esi, KERNEL_BASE
        jae     text_failed
text_instruction:
        mov     al, [esi]
        mov     [edi], al
        test    al, al
        jz      text_end
        inc     esi
        inc     edi
        dec     ecx
        jnz     text_next
        mov     eax, -ENAMETOOLONG
        jmp     text_done
text_end:
        mov     eax, edi
        sub     eax, [esp]
text_done:
        pop     ecx
        pop     edi
        pop     esi
        ret
text_failed:
        mov     eax, -EFAULT
        jmp     text_done

        section .data
        align   4
user_memory_recovery:
        dd      copy_instruction, copy_failed
        dd      text_instruction, text_failed
user_memory_recovery_end:
