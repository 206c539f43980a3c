// The language, feature by feature: each snippet gives nasm's bytes, or is rejected by both.
import { describe, test } from 'vitest';
import { noNasm, sameAsNasm } from './oracle.test.ts';

/** Title → source. Sources are short enough to be read as documentation. */
type Snippets = Readonly<Record<string, string>>;

const LABELS: Snippets = {
  'local labels belong to the last label': `
    first: jmp .end
    .end: nop
    second: jmp .end
    jmp first.end
    .end: nop`,
  'equ starts no family of local labels': `
    a: nop
    b equ 5
    .x: jmp a.x`,
  '..@ labels start no family either': `
    a: nop
    ..@special: nop
    .x: jmp a.x
    jmp ..@special`,
  'a label needs no colon': `
    here nop
    db 1
    table dw here, table
    buffer resb 4
    jmp here`,
  'a label alone on its line': `
    here
    jmp here`,
  'names of instructions can be labels with a colon': `
    add: nop
    loop: jmp add
    times: db 1`,
  '$ makes a name out of a reserved word': `
    $eax: nop
    mov eax, $eax
    jmp $eax`,
  'twice the same label': `
    a: nop
    a: nop`,
  'twice the same value is no contradiction': `
    a equ 5
    a equ 5
    db a`,
  'twice different values': `
    a equ 5
    a equ 6`,
  'case matters in labels': `
    Abc: nop
    abc: nop
    dw Abc, abc`,
  'characters of labels': `
    _a.b@c?d~e#f$g: dw _a.b@c?d~e#f$g
    .1: jmp .1`,
  undefined: `
    jmp nowhere`,
  'forward references everywhere': `
    mov ax, late
    mov bx, [late]
    db late - early
    dw late
    early: nop
    late: nop`,
  'equates of later equates': `
    a equ b + 1
    b equ c * 2
    dw a, b
    c equ 21`,
  'an equate of an address': `
    org 0x100
    start: nop
    here equ $
    twice equ start + 2
    dw here, twice
    jmp here`,
};

const NUMBERS: Snippets = {
  'all notations': `
    db 0xff, 0ffh, $0ff, 0hff, 255, 255d, 0d255, 0t255, 377q, 377o, 0q377, 0o377
    db 11111111b, 0b11111111, 1111_1111b, 0y11111111, 11111111y
    dd 0x1234_5678, 1_000_000, 0b1h, 0dh
    dq 0x123456789abcdef0, 18446744073709551615`,
  characters: `
    dw 'a', 'ab', "ba"
    dd 'abcd', 'abcdefgh'
    dq 'abcdefgh'
    mov eax, 'abcd'
    mov al, 'a' + 1
    cmp al, "z"
    push 'x'`,
  'strings in data': `
    db 'it', "is", 'a "quoted" one', "it's"
    dw 'abc'
    dd 'abcde', 'x'
    db ''
    db 'é€😀'`,
  'escapes in backquotes':
    "\n    db `a\\n\\r\\t\\0\\x41\\101\\\\\\`\\e\\a\\b\\v\\f\\'\\\"`, '\\n'\n    db `\\u263a\\U0001f600`",
  'floating point': `
    dw 1.5, -0.1, 65504.0, 1e9, 0.00001
    db 1.5, -3.25, 0.1
    dd 1.5, -2.25, 1e10, 3.14159265, 1.0e-5
    dq 1.5, -0.1, 1e+100`,
  'not numbers': `
    db 12q9`,
  'hexadecimal without prefix': `
    mov ax, 0ah
    mov ax, a0h`,
  'data that does not fit is cut': `
    db 256, -200, -257, 300
    dw 65536, -65537`,
  'uninitialized data': `
    db ?
    dw ?, 1`,
  dup: `
    db 5 dup (1)
    db 2 dup (1, 2), 3
    dw 2 dup (1, 2 dup (3))
    db 2 dup ('ab', 5)
    db 3 dup 7, 8
    db 2 dup (?)
    dd 2 dup 1.5
    a: db 2 dup ($ - a)
    db 2 * 2 dup 1, 0 dup 5
    db 2 dup (byte 1, word 2)
    times 2 db 2 dup (1, 2)`,
  'dup of a negative number': `
    db -1 dup 5`,
  'a minus before a string in data': `
    db -'a'`,
};

const EXPRESSIONS: Snippets = {
  precedence: `
    dd 2 + 3 * 4, (2 + 3) * 4, 1 << 4 + 1, 1 | 6 & 4, 7 ^ 2 | 8, 10 - 4 - 3, 100 / 7 / 2
    dd -3 * 2, ~3 & 15, !5 + 1, 5 % 3 * 2, 1 + 2 << 3 - 1
    dd 1 || 0 && 0, 1 ^^ 1 || 1, 3 > 2 == 1, 5 & 3 == 1, 1 ? 2 : 0 ? 3 : 4`,
  'signed and unsigned division': `
    dd -7 // 2, -7 %% 3, 7 // -2, 100 // 7
    dq -7 / 2, -7 % 3`,
  shifts: `
    dq 1 << 40, -1 >> 60, -256 >>> 4, 1 <<< 3, 1 << 63, 1 << 64, 0x8000000000000000 >> 63`,
  comparisons: `
    db 1 = 1, 1 == 2, 1 != 2, 1 <> 1, 2 < 1, 2 > 1, 1 <= 1, 1 >= 2, 4 <=> 5, 5 <=> 4
    db -1 < 1, 0xffffffffffffffff < 1`,
  'the here and the base': `
    org 0x1000
    nop
    dw $, $$, $ - $$, $
    times 3 dw $ - $$
    a: db $ - a, 0, $ - a
    mov ax, $
    jmp $ + 2
    times 2 jmp $`,
  'differences of labels are numbers': `
    a: times 5 nop
    b: dw (b - a) * 3, b - a & 3, -(b - a)
    times b - a db 7
    add ax, b - a
    cmp byte [bx + b - a], b - a`,
  'addresses are not numbers': `
    a: dw a * 2`,
  'addresses cannot be masked': `
    a: dw a & 0xff`,
  'two addresses cannot be added': `
    a: nop
    b: dw a + b`,
  'comparing addresses of one section': `
    a: nop
    b: db a < b, a == b, b > a, b - a == 1`,
  'division by zero': `
    db 1 / 0`,
  'a bracket too few': `
    db (1 + 2`,
  'a bracket too many': `
    db 1 + 2)`,
  'times needs what is known': `
    times later db 0
    later equ 3`,
  'times with an earlier label': `
    a: nop
    nop
    times 8 - ($ - a) db 0xcc
    times 510 - ($ - $$) db 0
    dw 0xaa55`,
  'times cannot be negative': `
    times 5 nop
    times 3 - ($ - $$) db 0`,
  'unknown characters': `
    db 1 @ 2`,
  'the remainder wants a space': `
    db 7 %3`,
  remainder: `
    db 7 % 3, 7 %% 3, (7) % (3)`,
};

const OPERANDS: Snippets = {
  'sizes are needed': `
    mov [bx], 5`,
  sizes: `
    mov byte [bx], 5
    mov [bx], byte 5
    mov word [bx], 5
    mov dword [bx], 5
    inc word [bx]
    push word [bx]
    push dword [bx]
    mov [bx], al
    shl byte [bx], 1
    add word [bx], byte 3
    mov ax, word 5`,
  'sizes that differ': `
    mov eax, bx`,
  'sizes that differ from the keyword': `
    mov eax, word [bx]`,
  'strict keeps the long form': `
    bits 32
    add eax, 5
    add eax, strict dword 5
    push strict dword 5
    push strict byte 5
    push dword 5
    push word 5
    mov eax, [strict dword ebx]`,
  'a pair of registers': `
    bits 32
    mov eax, [ebx + ecx]
    mov eax, [ebx + ecx * 4 + 8]
    mov eax, [8 + ecx * 4 + ebx]
    mov eax, [ebx * 3]
    mov eax, [ebx * 5 + 1]
    mov eax, [ebx * 9]
    mov eax, [ebx * 2]
    mov eax, [nosplit ebx * 2]
    mov eax, [ebp]
    mov eax, [esp]
    mov eax, [ebx + esp]
    mov eax, [byte ebx + 1]
    mov eax, [dword ebx + 1]
    mov eax, [ebx - 128]
    mov eax, [ebx - 129]
    mov eax, [(ebx + ecx) * 1 + 2 * 3]
    mov eax, [ebx + ebx * 2]
    mov eax, [2 * (ebx + 3)]
    mov eax, [ecx*1 + ebx]`,
  'no such pair': `
    bits 32
    mov eax, [ebx * 6]`,
  'three registers': `
    bits 32
    mov eax, [ebx + ecx + edx]`,
  'esp is no index': `
    bits 32
    mov eax, [ebx + esp * 2]`,
  'no such 16-bit address': `
    mov ax, [ax]`,
  'mixed registers': `
    mov ax, [bx + ecx]`,
  'addresses of the other size': `
    mov ax, [eax]
    mov ax, [dword 0x1234]
    a32 mov ax, [0x1234]
    bits 32
    mov ax, [bx]
    mov ax, [word 0x1234]
    mov eax, [word 0x1234]
    mov ebx, [word 0x1234]
    a16 lodsb
    o16 lodsd`,
  'segment overrides': `
    mov ax, [es:bx]
    mov ax, [cs:0x10]
    es mov ax, [bx]
    mov ax, es:[bx]
    mov ax, es:bx
    mov ax, es:bx+4
    mov es:5, al
    fs lodsb
    mov [gs:di], al
    mov al, [fs:5]`,
  'two overrides': `
    es mov ax, [ds:bx]`,
  prefixes: `
    lock add [bx], ax
    rep movsb
    repne scasb
    repe cmpsw
    o32 ret
    a32 stosb
    rep lock add [bx], ax
    times 2 rep stosw
    rep
    movsb
    lock
    cs nop`,
  'conflicting prefixes': `
    rep repne movsb`,
  'spellings of registers and addresses': `
    mov ax, (bx)
    mov byte ax, 5
    lea si, here
    here: lea ax, 5`,
  'a number made of registers': `
    mov ax, (bx + 1)`,
  'far jumps': `
    jmp 0x10:0x1234
    jmp dword 8:start
    jmp word 8:start
    call 0x10:start
    start: jmp far [bx]
    call far [bx]
    jmp far dword [bx]
    jmp dword far [bx]
    call dword far [bx]
    retf
    bits 32
    jmp 8:start
    jmp far [ebx]
    jmp word 8:start
    call word far [ebx]`,
  'segment registers': `
    mov ds, ax
    mov ax, ds
    mov [bx], es
    mov es, [bx]
    push ds
    pop es
    push fs
    pop gs
    bits 32
    mov ds, ax
    mov eax, ds
    mov ax, ds
    mov ds, eax
    mov [ebx], ds
    mov word [ebx], ss`,
  'segment registers take no numbers': `
    mov ds, 5`,
  'segment registers are not copied': `
    mov ds, es`,
  'two memory operands': `
    mov [bx], [si]`,
  'too many operands': `
    add ax, bx, cx`,
  'too few operands': `
    add ax`,
  'no operands wanted': `
    cli ax`,
  'system registers': `
    bits 32
    mov eax, cr0
    mov cr3, eax
    mov dr7, ebx
    mov ecx, dr6
    smsw ax
    smsw eax
    lmsw ax
    lgdt [0x100]
    sidt [ebx]
    lldt ax
    ltr [ebx]
    str eax
    invlpg [ebx]
    rdmsr
    wbinvd`,
  'rubbish after the operands': `
    mov ax, bx cx`,
  'a comma too many': `
    mov ax, bx,`,
};

const around = (count: number, jump: string): string => `
    ${jump} target
    times ${count} nop
    target:
    times ${count} nop
    ${jump} target`;

const BRANCHES: Snippets = {
  ...Object.fromEntries(
    ['jmp', 'jz', 'jmp near', 'call'].flatMap((jump) =>
      [123, 124, 125, 126, 127, 128, 129, 130].map((count) => [
        `${jump} over ${count} bytes`,
        around(count, jump),
      ]),
    ),
  ),
  'a short jump too far': around(130, 'jmp short'),
  'a loop too far': around(130, 'loop'),
  'a loop in reach': around(120, 'loop'),
  'jumps that push each other': Array.from(
    { length: 30 },
    (_, i) => `l${i}: jz l${(i * 7 + 3) % 30}\n jmp l${(i * 11 + 5) % 30}\n times ${i % 9} nop`,
  ).join('\n'),
  'a chain that grows late': `
    jmp a
    times 121 nop
    jmp b
    a: times 124 nop
    jmp c
    b: times 120 nop
    c: nop`,
  'a jump to a number': `
    org 0x7c00
    jmp 0x7c00
    call 0x8000
    jmp short 0x7c02`,
  'jumps into other sections': `
    jmp other
    call other
    section .data
    other: jmp start
    section .text
    start: nop`,
  'jumps with a size': `
    bits 32
    jmp dword target
    jmp word target
    call dword target
    jmp strict target
    target: nop`,
  'jecxz and friends': `
    target: jcxz target
    jecxz target
    loop target, ecx
    loop target, cx
    bits 32
    jcxz target
    jecxz target
    loopne target, cx`,
};

const SECTIONS: Snippets = {
  'text, data, bss': `
    org 0x7c00
    section .data
    message: db 'hello'
    section .bss
    buffer: resb 10
    word1: resw 1
    section .text
    mov si, message
    mov di, buffer
    mov ax, word1
    dw message, buffer, word1, $$`,
  'alignment of sections': `
    nop
    section .data align=16
    d: db 1
    section extra align=64
    e: db 2
    section .text
    dw d, e`,
  'align inside a section raises its alignment': `
    nop
    section .data
    db 1
    align 32
    d: db 2
    section .text
    dw d`,
  'start and vstart': `
    section .text
    dw a, b
    section one start=0x20 vstart=0x1000
    a: db 1
    dw a
    section two vstart=0x2000
    b: db 2
    dw b, $$`,
  follows: `
    db 1
    section two
    t: db 2
    section one follows=.text
    o: db 3
    section .text
    dw t, o`,
  vfollows: `
    db 1
    section one vstart=0x1000
    o: db 3
    section two vfollows=one
    t: db 2
    dw t, o`,
  'facts about sections': `
    org 0x100
    dw section..text.start, section..data.start, section..data.vstart, section.one.vstart
    section .data
    db 1, 2, 3
    section one vstart=0x500
    db 1, 2`,
  'nobits sections': `
    db 1
    section .bss
    b: resb 10
    section heap nobits
    h: resb 100
    section heap2 nobits align=64
    h2: resb 1
    section heap3 nobits follows=.bss
    h3: resb 1
    section .text
    dw h, b, h2`,
  'data in bss': `
    section .bss
    db 1`,
  'reserving in text': `
    db 1
    resb 3
    db 2
    resw 2`,
  absolute: `
    absolute 0x500
    a: resb 4
    b: resw 2
    c:
    section .text
    dw a, b, c, c - a
    mov ax, [b]
    add ax, c - b`,
  'data in absolute': `
    absolute 0x500
    db 1`,
  structures: `
    struc point
    .x: resd 1
    .y: resw 1
    .name: resb 8
    endstruc
    struc other, 16
    .a: resb 1
    endstruc
    p: istruc point
    at .x, dd 5
    at .name, db 'abc'
    iend
    istruc point
    at point.y, dw 7
    iend
    mov eax, [bx + point.y]
    dw point_size, point.name, other_size, other.a`,
  'a structure returns to its section': `
    section .data
    db 1
    struc s
    .a: resb 1
    endstruc
    db 2
    section .text
    db 3`,
  __SECT__: `
    section .data
    db 1
    [section .text]
    db 2
    __SECT__
    db 3`,
  'several spellings': `
    [bits 32]
    mov eax, 1
    [BITS 16]
    mov eax, 1
    use32
    mov eax, 1
    segment .data
    db 1
    SECTION .text
    db 2`,
  'origin twice': `
    org 0x100
    org 0x200
    dw $`,
  'origin later': `
    a: dw a
    org 0x100
    dw a`,
  ignored: `
    cpu 386
    global start
    start: nop`,
  extern: `
    extern printf
    call printf`,
  align: `
    db 1
    align 4
    db 2
    align 8, db 0xcc
    db 3
    align 16, int3
    db 4
    alignb 4
    align 1
    db 5`,
  'align to no power of two': `
    db 1
    align 3`,
  'bits 64': `
    bits 63`,
};

const MACROS: Snippets = {
  define: `
    %define one 1
    %define twice(x) ((x) * 2)
    %define sum(a, b) a + b
    %define empty
    db one, twice(3), sum(1, 2), twice(sum(1, 2)) empty
    db sum((1, 2) ? 3 : 4, 5)`,
  'define by number of arguments': `
    %define f(a) a
    %define f(a, b) a + b
    db f(1), f(1, 2)`,
  'define is late, xdefine is early': `
    %define a 1
    %define late a
    %xdefine early a
    %define a 2
    db late, early`,
  idefine: `
    %idefine Foo 5
    db foo, FOO, Foo`,
  'a macro does not expand in itself': `
    a equ 7
    %define a a + 1
    db a`,
  'a macro name without its parentheses': `
    f: nop
    %define f(x) x
    dw f
    db f(3)`,
  'nested calls of one macro': `
    %define f(x) x + 1
    db f(f(1))`,
  'a macro that makes another call': `
    %define a b
    %define b(x) x * 2
    db a(5)`,
  undef: `
    %define a 1
    %undef a
    a equ 3
    db a`,
  assign: `
    %assign i 5
    %assign i i * 2 + 1
    %assign m -3
    db i, m, m * m, -m`,
  pasting: `
    %define foo3 9
    %define n 3
    db foo%+n, foo %+ 3, foo%[n]
    %assign k 2
    lab%[k]: jmp lab2`,
  'self name': `
    %idefine Pause %?, %??
    %define x 1
    db x`,
  strings: `
    %strlen n 'hello'
    %substr c 'hello' 2
    %substr d 'hello' 2,3
    %substr e 'hello' 2,-1
    %substr f 'hello' -1,2
    %strcat g 'ab', "cd", 'e'
    %defstr h some text
    %deftok t '1 + 2'
    %substr i 'hello' 0
    %substr j 'hello' 9
    %substr k 'hello' 2,-3
    db n, c, d, e, f, g, h, t, i, j, k`,
  'multi-line': `
    %macro store 2
        mov [%1], %2
    %endmacro
    store bx, al
    store si, ax`,
  'numbers of parameters': `
    %macro p 0
        db 0
    %endmacro
    %macro p 1
        db 1, %1
    %endmacro
    %macro p 2-4
        db 2, %0
    %endmacro
    %macro p 5-*
        db 5, %0, %5
    %endmacro
    p
    p 7
    p 7, 8
    p 7, 8, 9
    p 1, 2, 3, 4, 5, 6`,
  'no such number of parameters': `
    %macro p 1
        db %1
    %endmacro
    p 1, 2`,
  defaults: `
    %macro p 1-3 8, 9
        db %1, %2, %3, %0
    %endmacro
    p 1
    p 1, 2
    p 1, 2, 3`,
  'empty arguments': `
    %macro p 2
        db %0
        %ifempty %1
            db 1
        %endif
    %endmacro
    p , 5
    p 5,
    p {}, {}`,
  greedy: `
    %macro text 1+
        db %1
    %endmacro
    %macro both 2+
        db %1
        dw %2
    %endmacro
    text 'a', 'b', 10
    both 1, 2, 3`,
  braces: `
    %macro p 2
        db %1
        db %2
    %endmacro
    p {1, 2}, 3
    p {'a,b'}, {4, 5}`,
  'local labels of macros': `
    %macro wait 1
    %%again: dec %1
        jnz %%again
    %endmacro
    wait ax
    wait bx`,
  'locals and the label family': `
    main: nop
    %macro m 0
    %%x: nop
    .inner: nop
    %endmacro
    m
    jmp main.inner`,
  rotate: `
    %macro pushes 1-*
        %rep %0
            push %1
            %rotate 1
        %endrep
    %endmacro
    %macro pops 1-*
        %rep %0
            %rotate -1
            pop %1
        %endrep
    %endmacro
    pushes ax, bx, cx
    pops ax, bx, cx`,
  'condition codes': `
    %macro skip 1
        j%-1 %%over
        j%+1 $
        nop
    %%over:
    %endmacro
    skip z
    skip nc
    skip ae`,
  'not a condition code': `
    %macro skip 1
        j%-1 $
    %endmacro
    skip ax`,
  'pasting parameters': `
    %macro reg 2
        mov e%1, %2
        label_%1: dw label_%1
        db %{2}0h
        mov %1, %2 %+ 1
    %endmacro
    reg ax, 1
    reg bx, 2`,
  ranges: `
    %macro r 3-*
        db %{2:3}
        db %{-1:1}
        db %{1:-1}
    %endmacro
    r 1, 2, 3
    r 4, 5, 6, 7`,
  'label of the call': `
    %macro fn 0
    %00: db 1
    %endmacro
    first: fn
    second: fn
    dw first, second`,
  'label before a call': `
    %macro m 0
        nop
    %endmacro
    a: m
    b m
    jmp a
    jmp b`,
  imacro: `
    %imacro Stop 0
        hlt
    %endmacro
    STOP
    stop`,
  unmacro: `
    %macro m 1
        db %1
    %endmacro
    m 1
    %unmacro m 1
    m 2`,
  'macros in macros': `
    %macro outer 1
        %macro inner_%1 1
            db %%1
        %endmacro
    %endmacro
    %macro twice 1
        one %1
        one %1
    %endmacro
    %macro one 1
        db %1
    %endmacro
    twice 5`,
  'a macro defines a macro': `
    %macro define_it 1
        %macro made 1
            db %1, %1
        %endmacro
        db %1
    %endmacro
    define_it 3
    made 4`,
  recursion: `
    %rmacro count 1
        db %1
        %if %1 > 0
            count %1 - 1
        %endif
    %endmacro
    count 4`,
  exitmacro: `
    %macro m 1
        db 1
        %if %1
            %exitmacro
        %endif
        db 2
    %endmacro
    m 0
    m 1`,
  'replaces an instruction': `
    %macro push 1-*
        %rep %0
            push word %1
            %rotate 1
        %endrep
    %endmacro
    push 1, 2`,
  'wrong name': `
    %macro m 0
        nop
    %endmacro
    mm`,
  unclosed: `
    %macro m 0
        nop`,
  'endmacro alone': `
    %endmacro`,
  'a parameter outside a macro': `
    db %1`,
};

const CONTROL: Snippets = {
  'if and else': `
    %assign x 5
    %if x > 3
    db 1
    %elif x > 1
    db 2
    %else
    db 3
    %endif
    %if x < 3
    db 1
    %elif x > 1
    db 2
    %else
    db 3
    %endif
    %if 0
    db 1
    %elif 0
    db 2
    %else
    db 3
    %endif`,
  'nested conditions': `
    %if 1
      %if 0
        db 1
        %if 1
          db 2
        %else
          db 3
        %endif
      %else
        db 4
      %endif
    %else
      %if 1
        db 5
      %endif
    %endif`,
  'logical operators': `
    %if 1 == 1 && 2 = 2 || 0
    db 1
    %endif
    %if 1 ^^ 1
    db 2
    %endif
    %if (3 <> 4) && (3 != 4) && 3 <= 3
    db 3
    %endif
    %ifn 0
    db 4
    %endif`,
  defined: `
    %define a
    %macro m 2
    %endmacro
    %ifdef a
    db 1
    %endif
    %ifndef b
    db 2
    %endif
    %ifdef b
    db 3
    %elifdef a
    db 4
    %endif
    %ifmacro m 2
    db 5
    %endif
    %ifmacro m 3
    db 6
    %endif
    %ifnmacro m 3
    db 7
    %endif
    %ifmacro m 1-2
    db 8
    %endif
    %ifmacro m
    db 9
    %endif
    %ifmacro m 0-1
    db 10
    %endif
    %ifmacro m 3-*
    db 11
    %endif`,
  texts: `
    %define r eax
    %ifidn r,eax
    db 1
    %endif
    %ifidn eax, EAX
    db 2
    %endif
    %ifidni eax, EAX
    db 3
    %endif
    %ifidn a b , a b
    db 4
    %endif
    %ifidn a b,a    b
    db 5
    %endif
    %ifidn 'x',"x"
    db 6
    %endif
    %ifnidn a, b
    db 7
    %endif
    %ifidn a+b,a + b
    db 8
    %endif
    %ifidn {a,b},{a,b}
    db 9
    %endif`,
  'kinds of tokens': `
    %define n 5
    %define s 'x'
    %ifnum n
    db 1
    %endif
    %ifnum -5
    db 2
    %endif
    %ifid n
    db 3
    %endif
    %ifid foo
    db 4
    %endif
    %ifstr s
    db 5
    %endif
    %iftoken foo
    db 6
    %endif
    %iftoken foo bar
    db 7
    %endif
    %ifempty
    db 8
    %endif
    %ifnnum foo
    db 9
    %endif
    %ifid eax
    db 10
    %endif
    %ifnum 5 + 3
    db 11
    %endif
    %ifid $foo
    db 12
    %endif`,
  'conditions on the place': `
    nop
    nop
    a: nop
    %if $ - $$ > 2
    db 1
    %endif
    %if a - $$ == 2
    db 2
    %endif
    jmp later
    %if $ - $$ == 7
    times 200 nop
    %endif
    later: nop`,
  'conditions on what is unknown': `
    %if later > 2
    db 1
    %endif
    later: nop`,
  rep: `
    %assign i 0
    %rep 5
    db i
    %assign i i + 1
    %endrep
    %rep 2
      %rep 3
        db 7
      %endrep
      db 8
    %endrep
    %rep 0
    db 9
    %endrep`,
  exitrep: `
    %assign i 0
    %rep 100
    %if i * i > 50
    %exitrep
    %endif
    db i
    %assign i i + 1
    %endrep
    db i`,
  fibonacci: `
    %assign a 0
    %assign b 1
    %rep 12
    dw a
    %assign c a + b
    %assign a b
    %assign b c
    %endrep`,
  contexts: `
    %macro repeat 0
        %push repeat
        %$begin:
    %endmacro
    %macro until 1
        j%-1 %$begin
        %pop
    %endmacro
    repeat
      dec ax
      repeat
        dec bx
      until z
    until nz
    %push one
    %define %$x 5
    %assign %$y 6
    db %$x, %$y
    %push two
    %define %$x 7
    db %$x, %$$x
    %ifctx two
    db 1
    %endif
    %pop two
    db %$x
    %pop`,
  'block structure from contexts': `
    %macro if 1
        %push if
        j%-1 %$ifnot
    %endmacro
    %macro else 0
        %ifctx if
            %repl else
            jmp %$ifend
            %$ifnot:
        %else
            %error no if
        %endif
    %endmacro
    %macro endif 0
        %ifctx if
            %$ifnot:
            %pop
        %elifctx else
            %$ifend:
            %pop
        %endif
    %endmacro
    cmp ax, 1
    if z
        mov bx, 1
    else
        mov bx, 2
    endif
    if c
        nop
    endif`,
  'a boot sector': `
    org 0x7c00
    start: cli
    xor ax, ax
    mov ds, ax
    lgdt [gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 8:protected
    bits 32
    protected: mov ax, 16
    mov ds, ax
    mov dword [0xb8000], 0x07690748
    hlt
    jmp $ - 1
    align 8
    gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
    gdtr: dw $ - gdt - 1
    dd gdt
    %if ($ - $$) > 510
    %error too big
    %endif
    times 510 - ($ - $$) db 0
    dw 0xaa55`,
  'pop of nothing': `
    %pop`,
  'the wrong context': `
    %push a
    %pop b`,
  error: `
    %error this is wrong`,
  'error that is not reached': `
    %ifdef nothing
    %error this is wrong
    %endif
    db 1`,
  warning: `
    %warning careful
    db 1`,
  fatal: `
    db 1
    %fatal stop`,
  'endif alone': `
    %endif`,
  'if without endif': `
    %if 1
    db 1`,
  'else twice': `
    %if 1
    db 1
    %else
    db 2
    %else
    db 3
    %endif`,
  'continued lines': `
    db 1, \\
       2, \\
       3
    %define long 4 + \\
        5
    db long ; a comment \\
    that goes on
    db 6`,
  places: `
    dw __LINE__
    db __FILE__
    %define where __LINE__
    dw where
    %macro m 0
        dw __LINE__
    %endmacro
    m
    %rep 2
    dw __LINE__
    %endrep`,
  'standard macros': `
    db __BITS__
    bits 32
    db __BITS__
    db __NASM_MAJOR__, __NASM_MINOR__
    db __NASM_VER__
    %ifidn __OUTPUT_FORMAT__, bin
    db 1
    %endif
    db __?LINE?__`,
  comments: `
    db 1 ; and ' this
    ; db 2
    db ';' ; db 3`,
  'arity falls back to the instruction': `
    %macro push 2
        push %1
        push %2
    %endmacro
    push ax
    push ax, bx`,
  'a trailing comma in a call': `
    %macro p 1-3
        db %0
    %endmacro
    p 1,
    p 1, 2,
    p 1,,
    p {}`,
  'skipped text may be anything': `
    %if 0
    this is 'not closed
    %nonsense here
    %macro
    %endif
    db 1`,
  'an unknown directive': `
    %nonsense`,
  'line directives are ignored': `
    %line 5+1 other.asm
    db 1`,
};

describe.skipIf(noNasm)(`features, as nasm has them ${noNasm}`, () => {
  const groups: Record<string, Snippets> = {
    labels: LABELS,
    'numbers and strings': NUMBERS,
    expressions: EXPRESSIONS,
    operands: OPERANDS,
    branches: BRANCHES,
    'sections and directives': SECTIONS,
    macros: MACROS,
    'preprocessor control': CONTROL,
  };
  for (const [group, snippets] of Object.entries(groups))
    describe(group, () => {
      for (const [title, source] of Object.entries(snippets)) test(title, () => sameAsNasm(`${source}\n`));
    });

  test('includes', () => {
    const files = {
      'a.inc': '%define one 1\nfrom_a: dw __LINE__\ndb __FILE__\n%include "b.inc"\n',
      'b.inc': 'from_b: db one\n',
    };
    sameAsNasm('%include "a.inc"\n%include "b" %+ ".inc"\n', files);
    sameAsNasm(
      '%include "a.inc"\ndw from_a, from_b, __LINE__\n%define name "b.inc"\nfoo:\n%ifdef one\ndb 2\n%endif\n',
      files,
    );
    sameAsNasm('%include "missing.inc"\n', files);
    sameAsNasm('%include a.inc\n', files);
    sameAsNasm('%macro m 1\n%include %1\n%endmacro\nm "b.inc"\n%define x 5\n', { 'b.inc': 'db 3\n' });
  });
});
