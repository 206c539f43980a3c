; classes [N]: executes given instructions, one after another from number N on, in a program of Penguin's: at ring 3, under a
; kernel that is not its own. Each is tried in a child of its own, which tells what it found if it comes back; if it does not,
; the kernel has ended it by a signal and says why. What is told goes to standard output, a line each:
;   =WORDS          the child: registers, flags, segments, where it came back from, memory (21 words in hexadecimal)
;   @NUMBER STATUS  the parent, when the child is gone: which trial, and what waitpid said of it
; Whoever assembles it puts the trials in (src/session/popek-goldberg/container.ts).

MAX_TRIALS      equ 2048                ; {32 bytes of code, ECX, EFLAGS, 5 words of stack}
CLASSES_WORDS   equ 21

%define program classes_program
classes_program:
        xor     eax, eax
        call    .argument_or_default
        mov     [here(.cursor)], eax
.next:  mov     esi, [here(.cursor)]
        cmp     esi, [here(.count)]
        jae     .end
        cmp     dword [here(.backwards)], 0
        je      .forwards
        sub     esi, [here(.count)]
        not     esi                     ; count - 1 - cursor
.forwards:
        shl     esi, 6
        add     esi, here(.trials)
        mov     [here(.target)], esi
        system_call SYS_fork
        test    eax, eax
        jz      .child
        js      .failed
        mov     ebx, eax
        mov     ecx, here(.status)
        xor     edx, edx
        system_call SYS_waitpid
        mov     edi, here(.line)
        mov     al, '@'
        stosb
        mov     eax, [here(.cursor)]
        call    .hexadecimal
        mov     al, ' '
        stosb
        mov     eax, [here(.status)]
        call    .hexadecimal
        call    .tell
        inc     dword [here(.cursor)]
        jmp     .next
.end:   xor     ebx, ebx
        system_call SYS_exit
.failed:
        mov     esi, here(.no)
        call    .print
        mov     ebx, 1
        system_call SYS_exit

; ESI = trial. Memory is as it was before the first one: what a child changes is its own.
.child: mov     dword [here(.operand)], here(.landing)
        mov     ecx, [esi + 32]
        mov     [here(.operand) + 4], ecx
        mov     [here(.selector)], ecx
        mov     edi, here(.stack)
        lea     ebx, [esi + 40]
        mov     ecx, 5
.word:  mov     eax, [ebx]
        stosd
        add     ebx, 4
        loop    .word
        push    dword [esi + 36]
        mov     eax, ds
        mov     fs, eax
        mov     gs, eax
        popfd
        mov     esp, here(.stack)
        mov     ebp, esp
        mov     eax, 0x12340078
        mov     ecx, [here(.selector)]
        mov     edx, 1
        mov     ebx, here(.operand)
        mov     esi, here(.operand)
        mov     edi, here(.operand) + 0x40
        jmp     [here(.target)]

; Where far transfers of the trials lead; and where each trial comes back, by a jump behind the instruction. Only SS is
; certainly still good.
.landing:
        mov     dword [ss:here(.landed)], 1
.over:  mov     [ss:here(.words)], eax
        mov     [ss:here(.words) + 4], ecx
        mov     [ss:here(.words) + 8], edx
        mov     [ss:here(.words) + 12], ebx
        mov     [ss:here(.words) + 16], esp
        mov     [ss:here(.words) + 20], ebp
        mov     [ss:here(.words) + 24], esi
        mov     [ss:here(.words) + 28], edi
        mov     esp, here(.own_stack)
        pushfd
        push    ds
        push    es
        push    fs
        push    gs
        push    cs
        push    ss
        mov     eax, ss
        mov     ds, eax
        mov     es, eax
        cld
        mov     edi, here(.words) + 14 * 4
        mov     ecx, 7
.taken: pop     eax                     ; SS, CS, GS, FS, ES, DS, flags
        mov     [edi], eax
        sub     edi, 4
        loop    .taken
        mov     edi, here(.words) + 15 * 4
        mov     eax, [here(.landed)]
        stosd
        mov     eax, [here(.operand)]
        stosd
        mov     eax, [here(.operand) + 4]
        stosd
        mov     esi, here(.operand)
        mov     ecx, 512 / 4
        call    .checksum
        stosd
        mov     esi, here(.stack) - 128
        mov     ecx, 64
        call    .checksum
        stosd
        mov     esi, here(.landing)     ; code that a trial may have written to
        mov     ecx, (.over - .landing) / 4
        call    .checksum
        stosd
        mov     esi, here(.words)
        mov     edi, here(.line)
        mov     al, '='
        stosb
        mov     ebp, CLASSES_WORDS
.put:   lodsd
        call    .hexadecimal
        dec     ebp
        jnz     .put
        call    .tell
        jmp     .end

; ECX words at ESI. EAX: their sum, each turned by its place.
.checksum:
        xor     eax, eax
.sum:   rol     eax, 1
        xor     eax, [esi]
        add     esi, 4
        loop    .sum
        ret

; EAX to eight digits at EDI. Keeps ESI and EBP.
.hexadecimal:
        mov     edx, eax
        mov     ecx, 8
.digit: rol     edx, 4
        mov     eax, edx
        and     eax, 15
        mov     al, [here(.digits) + eax]
        stosb
        loop    .digit
        ret

; Writes the line that ends at EDI.
.tell:  mov     al, 10
        stosb
        mov     ebx, 1
        mov     ecx, here(.line)
        mov     edx, edi
        sub     edx, ecx
        system_call SYS_write
        ret

.no:    db      "fork failed", 10, 0
.digits: db     "0123456789ABCDEF"
.cursor: dd     0
.count: dd      0
.backwards: dd  0                       ; 1: the last trial comes first
.target: dd     0
.status: dd     0
.selector: dd   0
.landed: dd     0
.words: times   CLASSES_WORDS dd 0
.line:  times   CLASSES_WORDS * 8 + 8 db 0
        times   256 db 0
.own_stack:
        times   (16 - (($ - program) & 15)) & 15 db 0
.operand: times 512 db 0
        times   512 db 0
.stack: times   512 db 0
%include "penguin/programs/library.asm"
.trials: times  MAX_TRIALS * 64 db 0
classes_program_end:
