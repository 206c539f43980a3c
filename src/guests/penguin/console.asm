; The terminal, above the devices. Output passes through; input waits in a queue until a process reads it. Editing and
; echo are the shell's work, as with a terminal in raw mode; only Ctrl-C is dealt with here.
;
; The architecture layer offers console_emit, console_room, console_kick and console_drain, and calls
; console_input for each character typed and console_output_ready when it has room again.
; There is one terminal; or one for each container (containers/terminals.asm), as a part of its record.

INPUT_QUEUE         equ 256             ; a power of two
OUTPUT_CHUNK        equ 64

; A terminal: counts of characters, whose difference is what waits, and the queue's address.
%ifdef CONTAINERS
TERMINAL_TYPED      equ CONTAINER_TYPED
TERMINAL_READ       equ CONTAINER_READ
TERMINAL_QUEUE      equ CONTAINER_QUEUE
terminal            equ containers      ; the machine's own
%else
TERMINAL_TYPED      equ 0
TERMINAL_READ       equ 4
TERMINAL_QUEUE      equ 8
%endif

; ECX = the current process's terminal.
%macro own_terminal 0
%ifdef CONTAINERS
        own_container
%else
        mov     ecx, terminal
%endif
%endmacro

        section .text
; AL = character. Keeps all registers.
console_put:
        cmp     al, 10
        jne     console_emit
        push    eax
        mov     al, 13                  ; a terminal wants carriage return and line feed
        call    console_emit
        pop     eax
        jmp     console_emit

; AL = character that has been typed at the machine. Called from an interrupt.
console_input:
        push    ebx
        mov     ebx, terminal
        call    console_typed
        pop     ebx
        ret

; AL = character that has been typed on terminal EBX. Called from an interrupt.
console_typed:
        cmp     al, 3                   ; Ctrl-C
        jne     .queue
        call    console_interrupt
        jnc     .done
        mov     al, 3                   ; nobody to interrupt: the shell sees it as a key
.queue: mov     ecx, [ebx + TERMINAL_TYPED]
        mov     edx, ecx
        sub     edx, [ebx + TERMINAL_READ]
        cmp     edx, INPUT_QUEUE
        jae     .done                   ; full: lost, as on any terminal
        and     ecx, INPUT_QUEUE - 1
        add     ecx, [ebx + TERMINAL_QUEUE]
        mov     [ecx], al
        inc     dword [ebx + TERMINAL_TYPED]
        mov     eax, STATE_READING
        call    wake_all
.done:  ret

; Room in the output buffer: writers may go on. Called from an interrupt. Waits until it is worth while.
console_output_ready:
        call    console_room
        cmp     eax, 1024
        jb      .done
        mov     eax, STATE_WRITING
        jmp     wake_all
.done:  ret

; Ctrl-C on terminal EBX ends what its shell is waiting for, and what that is waiting for. The shell is a child of init
; (of the container's own) that waits for one certain process. Carry set: there is nothing in the foreground.
console_interrupt:
        push    ebx
        push    esi
        mov     esi, ebx
%ifdef CONTAINERS
        mov     eax, [esi + CONTAINER_INIT]
%else
        mov     eax, processes + PROCESS_SIZE
%endif
        mov     ebx, processes + PROCESS_SIZE
.shell: cmp     [ebx + PROCESS_PARENT], eax
        jne     .not
        cmp     dword [ebx + PROCESS_STATE], STATE_WAITING
        jne     .not
        mov     edx, [ebx + PROCESS_WAITS_FOR]
        cmp     edx, 0
        jg      .chain
.not:   add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .shell
        stc
        jmp     .done
.chain: mov     ebx, processes + PROCESS_SIZE   ; EDX = pid
.find:  cmp     [ebx + PROCESS_PID], edx
        jne     .other
%ifdef CONTAINERS
        cmp     [ebx + PROCESS_CONTAINER], esi
        jne     .other                  ; another's pid
%endif
        jmp     .found
.other: add     ebx, PROCESS_SIZE
        cmp     ebx, processes_end
        jb      .find
        jmp     .end
.found: xor     edx, edx
        cmp     dword [ebx + PROCESS_STATE], STATE_WAITING
        jne     .signal
        mov     edx, [ebx + PROCESS_WAITS_FOR]
.signal:
        mov     ecx, SIGINT
        call    process_signal
        cmp     edx, 0
        jg      .chain
.end:   clc
.done:  pop     esi
        pop     ebx
        ret

; ---- read and write of the console: arguments are in the trap frame EBP ------------------------------------------
; Waits for at least one character, then takes what is there. EAX = how many, or an error.
console_read:
        push    ebx
        push    esi
        push    edi
        own_terminal
        mov     esi, ecx
        xor     ebx, ebx                ; characters so far
        cmp     dword [ebp + FRAME_EDX], 0
        je      .end
.wait:  interrupts_off
        mov     eax, [esi + TERMINAL_TYPED]
        cmp     eax, [esi + TERMINAL_READ]
        jne     .ready
        mov     ecx, [current]
        cmp     dword [ecx + PROCESS_SIGNAL], 0
        jne     .interrupted
        mov     eax, STATE_READING
        call    sleep_in_state
        jmp     .wait
.ready: interrupts_on
.next:  cmp     ebx, [ebp + FRAME_EDX]
        jae     .end
        mov     eax, [esi + TERMINAL_READ]
        cmp     eax, [esi + TERMINAL_TYPED]
        je      .end
        push    esi
        and     eax, INPUT_QUEUE - 1
        mov     esi, [esi + TERMINAL_QUEUE]
        add     esi, eax
        mov     edi, [ebp + FRAME_ECX]
        add     edi, ebx
        mov     ecx, 1
        call    copy_to_user
        pop     esi
        test    eax, eax
        js      .done
        inc     dword [esi + TERMINAL_READ]
        inc     ebx
        jmp     .next
.interrupted:
        interrupts_on
        mov     eax, -EINTR
        jmp     .done
.end:   mov     eax, ebx
.done:  pop     edi
        pop     esi
        pop     ebx
        ret

; Writes in chunks, and sleeps while the output buffer has no room for another. EAX = how many, or an error.
console_write:
        push    ebx
        push    esi
        push    edi
        sub     esp, OUTPUT_CHUNK
        xor     ebx, ebx
.chunk: mov     edi, [ebp + FRAME_EDX]
        sub     edi, ebx
        jz      .end
        cmp     edi, OUTPUT_CHUNK
        jbe     .copy
        mov     edi, OUTPUT_CHUNK
.copy:  mov     ecx, edi                ; EDI = size of this chunk
        mov     esi, [ebp + FRAME_ECX]
        add     esi, ebx
        push    edi
        lea     edi, [esp + 4]
        call    copy_from_user
        pop     edi
        test    eax, eax
        js      .done
        call    .wait_for_room
        js      .done
        mov     esi, esp
        add     ebx, edi
.next:  lodsb
        call    console_put
        dec     edi
        jnz     .next
        jmp     .chunk
.end:   call    console_kick
        mov     eax, ebx
.done:  add     esp, OUTPUT_CHUNK
        pop     edi
        pop     esi
        pop     ebx
        ret

; Returns with room for a chunk of line feeds, each of which takes two; or with the sign flag and EAX = -EINTR.
.wait_for_room:
        call    console_room
        cmp     eax, OUTPUT_CHUNK * 2
        jae     .room
        call    console_kick
        interrupts_off
        call    console_room
        cmp     eax, OUTPUT_CHUNK * 2
        jae     .now
        mov     ecx, [current]
        cmp     dword [ecx + PROCESS_SIGNAL], 0
        jne     .signalled
        mov     eax, STATE_WRITING
        call    sleep_in_state
        interrupts_on
        jmp     .wait_for_room
.now:   interrupts_on
.room:  xor     eax, eax
        ret
.signalled:
        interrupts_on
        mov     eax, -EINTR
        test    eax, eax
        ret

%ifndef CONTAINERS
        section .data
        align   4
terminal:       dd 0, 0, input_queue

        section .bss
input_queue:    resb INPUT_QUEUE
%endif
