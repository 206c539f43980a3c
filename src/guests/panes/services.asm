; System calls: int 2Eh with the service number in EAX and arguments in EBX, ECX, EDX, ESI, EDI. The result comes back in
; EAX. Pointers from programs are checked before they are followed; what they point at may still fault, and then the
; program ends (traps.asm).

        align   4
service_table:
        dd      thread_exit             ; 0  exit
        dd      service_yield           ; 1  yield
        dd      service_sleep           ; 2  sleep EBX ticks
        dd      service_wait            ; 3  wait for an event, EBX ticks at most -> event
        dd      service_self            ; 4  own number
        dd      service_ticks           ; 5  ticks since the start (100 a second)
        dd      service_counter         ; 6  ticks of the timer chip (1 193 182 a second)
        dd      service_time            ; 7  hour << 16 | minute << 8 | second; ECX = year << 16 | month << 8 | day
        dd      service_statistics      ; 8  fills ten words at EBX
        dd      service_window          ; 9  opens the window described at EBX -> first pixel; ECX = bytes from row to row
        dd      service_present         ; 10 shows what changed: x EBX, y ECX, width EDX, height ESI
        dd      service_fill            ; 11 rectangle x EBX, y ECX, width EDX, height ESI in colour EDI
        dd      service_text            ; 12 text at EDX, x EBX, y ECX, colour ESI (+ 256 = bold) -> x behind it
        dd      service_send            ; 13 sends event ECX to the program called EBX
        dd      service_release         ; 14 gives all heap pages back
SERVICES        equ     15

; EBP = frame.
service:
        inc     dword [count_services]
        mov     eax, [ebp + F_EAX]
        cmp     eax, SERVICES
        jae     .bad
        mov     ebx, [ebp + F_EBX]
        mov     ecx, [ebp + F_ECX]
        mov     edx, [ebp + F_EDX]
        mov     esi, [ebp + F_ESI]
        mov     edi, [ebp + F_EDI]
        push    ebp
        call    [service_table + eax * 4]
        pop     ebp
        mov     [ebp + F_EAX], eax
        ret
.bad:   mov     dword [ebp + F_EAX], -1
        ret

service_yield:
        call    schedule
        xor     eax, eax
        ret

service_sleep:
        call    thread_sleep
        xor     eax, eax
        ret

service_wait:
        jmp     thread_wait

service_self:
        mov     eax, [current]
        sub     eax, threads
        shr     eax, 6                  ; T_SIZE
        ret

service_ticks:
        mov     eax, [ticks]
        ret

service_counter:
        jmp     counter

service_time:
        mov     eax, [clock_date]
        mov     [ebp + F_ECX], eax
        mov     eax, [clock_time]
        ret

service_statistics:
        mov     eax, ebx
        mov     ecx, 40
        call    user_range
        jc      service_refuse
        mov     edi, ebx
        mov     eax, [ticks]
        stosd
        mov     eax, [count_switches]
        stosd
        mov     eax, [count_interrupts]
        stosd
        mov     eax, [count_services]
        stosd
        mov     eax, [count_faults]
        stosd
        mov     eax, [count_free]
        stosd
        mov     eax, [idle_cycles]
        stosd
        mov     eax, [idle_cycles + 4]
        stosd
        rdtsc
        stosd
        mov     eax, edx
        stosd
        xor     eax, eax
        ret

service_refuse:
        mov     eax, -1
        ret

; EBX -> x, y, width, height of the contents, title.
service_window:
        mov     eax, [current]
        cmp     dword [eax + T_WINDOW], 0
        jne     service_refuse
        mov     eax, ebx
        mov     ecx, 20
        call    user_range
        jc      service_refuse
        mov     edi, [ebx + 16]
        mov     eax, edi
        mov     ecx, 16
        call    user_range
        jc      service_refuse
        mov     edx, [ebx + 8]
        mov     esi, [ebx + 12]
        cmp     edx, SCREEN_WIDTH - 2 * FRAME
        ja      service_refuse
        cmp     esi, TASKBAR_TOP - TITLE_HEIGHT - FRAME
        ja      service_refuse
        add     edx, 2 * FRAME
        add     esi, TITLE_HEIGHT + FRAME
        mov     eax, SCREEN_WIDTH
        sub     eax, edx
        cmp     [ebx], eax
        ja      service_refuse
        mov     eax, TASKBAR_TOP
        sub     eax, esi
        cmp     [ebx + 4], eax
        ja      service_refuse
        mov     ecx, [ebx + 4]
        mov     ebx, [ebx]
        mov     eax, [current]
        call    window_create
        jc      service_refuse
        ; Map its pixels for the program.
        mov     ebx, [current]
        mov     [ebx + T_WINDOW], eax
        mov     edx, [eax + W_WIDTH]
        mov     [ebp + F_ECX], edx
        mov     ecx, edx
        imul    ecx, [eax + W_HEIGHT]
        add     ecx, 4095
        shr     ecx, 12
        mov     edx, [eax + W_PIXELS]
        sub     edx, KERNEL_BASE - (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
        mov     edi, [ebx + T_TABLE]
        add     edi, ((USER_PIXELS - USER_CODE) >> 12) * 4
.page:  mov     [edi], edx
        add     edx, 4096
        add     edi, 4
        loop    .page
        mov     eax, [eax + W_WIDTH]
        imul    eax, eax, TITLE_HEIGHT
        add     eax, USER_PIXELS + FRAME
        ret

; Gives EAX = the window of this program and sets the drawing target to its contents; carry when it has none.
service_target:
        mov     eax, [current]
        mov     eax, [eax + T_WINDOW]
        test    eax, eax
        stc
        jz      .none
        call    window_target
        clc
.none:  ret

service_present:
        call    service_target
        jc      service_refuse
        ; Clip to the contents, then move to the screen.
        cmp     ebx, [draw_width]
        ja      service_refuse
        cmp     ecx, [draw_height]
        ja      service_refuse
        cmp     edx, [draw_width]
        ja      service_refuse
        cmp     esi, [draw_height]
        ja      service_refuse
        add     ebx, [eax + W_X]
        add     ebx, FRAME
        add     ecx, [eax + W_Y]
        add     ecx, TITLE_HEIGHT
        mov     [clip_left], ebx
        mov     [clip_top], ecx
        add     edx, ebx
        add     esi, ecx
        mov     ebx, [eax + W_X]
        add     ebx, [eax + W_WIDTH]
        sub     ebx, FRAME
        cmp     edx, ebx
        jbe     .right
        mov     edx, ebx
.right: mov     ebx, [eax + W_Y]
        add     ebx, [eax + W_HEIGHT]
        sub     ebx, FRAME
        cmp     esi, ebx
        jbe     .bottom
        mov     esi, ebx
.bottom:
        mov     [clip_right], edx
        mov     [clip_bottom], esi
        call    compose
        xor     eax, eax
        ret

service_fill:
        call    service_target
        jc      service_refuse
        call    draw_fill
        xor     eax, eax
        ret

service_text:
        call    service_target
        jc      service_refuse
        mov     eax, edx
        push    ecx
        mov     ecx, 1
        call    user_range
        pop     ecx
        jc      service_refuse
        jmp     draw_text

service_send:
        mov     eax, threads + 2 * T_SIZE
        push    esi
.look:  cmp     dword [eax + T_STATE], STATE_FREE
        je      .next
        push    ecx
        push    edi
        mov     esi, [eax + T_NAME]
        call    name_is
        pop     edi
        pop     ecx
        je      .found
.next:  add     eax, T_SIZE
        cmp     eax, threads + THREADS * T_SIZE
        jb      .look
        pop     esi
        jmp     service_refuse
.found: pop     esi
        call    event_post
        xor     eax, eax
        ret

; Compares the first four letters of a kernel name at ESI with the number EBX made of four letters.
name_is:
        cmp     [esi], ebx
        ret

service_release:
        mov     ebx, [current]
        call    heap_release
        xor     eax, eax
        ret

; Is [EAX, EAX + ECX) in the program's part of the address space? Carry when not.
user_range:
        cmp     eax, USER_CODE
        jb      .no
        add     ecx, eax
        jc      .no
        cmp     ecx, USER_END
        ja      .no
        clc
        ret
.no:    stc
        ret

        align   4
count_services: dd 0
