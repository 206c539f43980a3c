; Physical memory, frame by frame. A frame has a count of the address spaces that use it, which is what copy-on-write
; rests on: a frame with a count of one may be written, one with more must be copied first.
; Frames are named by their physical address, of which the lowest twelve bits are free for page-table flags.
;
; Free frames come from two places: those never used yet, from frame_next up to frame_limit, and a stack of frames that
; were given back. Nothing has to be built at boot, and memory that nobody needs is never touched.

        section .text
memory_initialize:
        mov     eax, [frame_limit]
        sub     eax, [frame_next]
        ja      .some
        panic   "no memory"
.some:  mov     [frames_never_used], eax
        ret

; EAX = number of free frames.
frames_free:
        mov     eax, [frames_never_used]
        add     eax, [frame_stack_depth]
        ret

; EAX = physical address of a frame with a count of one and unknown contents, or 0 when there is none left.
frame_allocate:
%ifdef CONTAINERS
        own_container
        mov     eax, [ecx + CONTAINER_FRAMES]
        cmp     eax, [ecx + CONTAINER_FRAME_LIMIT]
        jb      .allowed
        inc     dword [ecx + CONTAINER_FRAME_FAILS]
        jmp     .none
.allowed:
%endif
        mov     ecx, [frame_stack_depth]
        test    ecx, ecx
        jz      .fresh
        dec     ecx
        mov     [frame_stack_depth], ecx
        movzx   eax, word [frame_stack + ecx * 2]
        jmp     .found
.fresh: cmp     dword [frames_never_used], 0
        je      .none
        dec     dword [frames_never_used]
        mov     eax, [frame_next]
        inc     dword [frame_next]
.found: mov     word [frame_users + eax * 2], 1
%ifdef CONTAINERS
        own_container
        inc     dword [ecx + CONTAINER_FRAMES]
        mov     ecx, [ecx + CONTAINER_NUMBER]
        mov     [frame_owner + eax], cl
%endif
        shl     eax, 12
        ret
.none:  xor     eax, eax
        ret

; The same, filled with zeros.
frame_allocate_zeroed:
        call    frame_allocate
        test    eax, eax
        jz      .done
        push    edi
        push    eax
        lea     edi, [eax + KERNEL_BASE]
        mov     ecx, PAGE_SIZE / 4
        xor     eax, eax
        rep stosd
        pop     eax
        pop     edi
.done:  ret

; EAX = physical address in a frame that gets one more user. Keeps all registers.
frame_share:
        push    eax
        shr     eax, 12
        inc     word [frame_users + eax * 2]
        pop     eax
        ret

; EAX = physical address in a frame that loses a user; without users it is free.
frame_release:
        shr     eax, 12
        dec     word [frame_users + eax * 2]
        jnz     .in_use
        mov     ecx, [frame_stack_depth]
        mov     [frame_stack + ecx * 2], ax
        inc     dword [frame_stack_depth]
%ifdef CONTAINERS
        movzx   eax, byte [frame_owner + eax]
        imul    eax, eax, CONTAINER_SIZE
        dec     dword [containers + eax + CONTAINER_FRAMES]
%endif
.in_use:
        ret

        section .bss
frame_users:        resw MAX_FRAMES     ; by frame number
frame_stack:        resw MAX_FRAMES     ; frame numbers
frame_stack_depth:  resd 1
frames_never_used:  resd 1
