// A kernel that debugs itself while its translations run somewhere else: instruction breakpoints, breakpoints on ports, single
// steps, and the accessed bits of what it loads. Each small kernel says what it says on the bare machine (SDM vol. 3 §17.2, §17.3).
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { readSources } from '../../cli/library.ts';
import type { TechniqueName } from '../technique.ts';
import { boot } from '../testing/alone.ts';
import { runUntil } from '../testing/arena.ts';

const sources = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));

/** What a kernel says, with `main` called in the frame of the exercisers. */
function say(main: string, technique: TechniqueName): string {
  const text = `%include "exercisers/holes/kernel.inc"\n${main}\n`;
  const { bytes, diagnostics } = assemble(new Map([...sources, ['test.asm', text]]), 'test.asm');
  expect(diagnostics).toEqual([]);
  const session = boot(bytes, technique, 8);
  runUntil(session, () => session.view(0)!.state !== 'running', 100_000_000);
  const { state, ending } = session.view(0)!;
  expect([state, ending]).toEqual(['halted', 'the guest switched the machine off']);
  return session.domains[0].debugText;
}

/** #DB tells DR6, where it came, and the flags there, and goes on; its frame gets RF. */
const HANDLER = `
        mov edi, idt + 8
        mov eax, debugged
        call set_gate
        jmp handler_end
debugged:
        pushad
        mov eax, [ticks]
        sub eax, [before]
        mov [met], eax
        mov eax, dr6
        show "#DB"
        mov eax, [esp + 32]
        show "  at"
        mov eax, [esp + 40]
        and eax, 0x10100
        show "  flags"
        or dword [esp + 40], 0x10000
        mov eax, 0xFFFF0FF0
        mov dr6, eax
        popad
        iret
before: dd 0
met:    dd 0
handler_end:`;

const BREAKPOINTS = `
main:${HANDLER}
        mov ecx, 3
.warm:  call .work                      ; what has been translated before, and chained
        loop .warm
        mov eax, .inside
        mov dr0, eax
        mov eax, .returned
        mov dr1, eax
        mov eax, 5
        mov dr7, eax
        call .work                      ; fallen into
.returned:
        mov edx, .inside                ; and by an indirect jump
        push .back
        jmp edx
.back:  mov ecx, 3                      ; each time around
        mov eax, .around
        mov dr0, eax
.around:
        loop .around
        xor eax, eax                    ; not there any more
        mov dr7, eax
        call .work
        mov eax, .behind                ; behind STI, and behind MOV SS, which holds it off
        mov dr0, eax
        mov eax, .after
        mov dr1, eax
        mov eax, 5
        mov dr7, eax
        sti
.behind:
        cli
        mov eax, ss
        mov ss, eax
.after: mov esp, esp
        mov eax, .interrupted           ; the interrupt that waits at STI comes after the breakpoint behind it
        mov dr0, eax
.wait:  in al, 0x20
        test al, 1
        jz .wait
        mov eax, [ticks]
        mov [before], eax
        sti
.interrupted:
        nop
        cli
        mov eax, [met]
        show "interrupts before it:"
        mov eax, [ticks]
        sub eax, [before]
        cmp eax, 1
        setae al
        movzx eax, al
        show "behind it:"
        xor eax, eax
        mov dr7, eax
        mov eax, ebx
        show "worked:"
        ret
.work:  inc ebx
.inside:
        add ebx, 16
        ret`;

const PORTS = `
main:${HANDLER}
        mov ecx, 3
        mov al, 0x55
.warm:  out 0x80, al                    ; done in the cache as long as nobody watches
        loop .warm
        mov eax, 0x80
        mov dr0, eax
        mov eax, 0xE8
        mov dr2, eax
        mov eax, 0x02020011             ; a byte at 80h, a byte at E8h
        mov dr7, eax
        out 0x80, al                    ; without CR4.DE it is none
        mov ecx, cr4
        or ecx, 8
        mov cr4, ecx
        out 0x80, al
        in al, 0x80
        mov edx, 0xE8
        in al, dx
        in al, 0x81                     ; beside it
        mov ecx, 3
        mov esi, esp
        rep outsb                       ; between its elements
        mov eax, ecx
        show "left:"
        mov ecx, 0
        rep outsb                       ; of which there are none here
        xor eax, eax
        mov dr7, eax
        out 0x80, al
        in al, 0x80
        show "latch:"
        ret`;

const STEPS = `
main:${HANDLER}
        mov ebx, DATA
        mov ebp, esp
        pushfd
        or dword [esp], 0x100
        popfd
        nop
        mov ss, bx                      ; no trap behind it
        mov esp, esp
        push ss
        pop ss                          ; nor behind this
        nop
        cli
        mov edx, 0xE8
        in al, dx
        mov ecx, 2
        mov esi, esp
        rep outsb
        pushfd
        and dword [esp], ~0x100
        popfd
        nop
        ret`;

/** A table in which nothing has been accessed; and what of it has been when a program has loaded a segment of it for itself. */
const ACCESSED = `
main:   mov esi, gdt
        mov edi, tables
        mov ecx, 16
        rep movsd
        lgdt [pointer]
        call tell
        mov eax, 0x40
        mov fs, eax
        call tell
        push 0x48
        pop gs
        call tell
        les eax, [far_pointer]
        call tell
        jmp 0x58:.far
.far:   call tell
        mov ecx, 40                     ; learned, and forgotten again, and refused in between
.again: mov eax, 0x40
        mov fs, eax
        mov eax, ecx
        and eax, 15
        jnz .kept
        and byte [tables + 0x45], 0xFE
        call tell
.kept:  loop .again
        mov eax, 0x40
        mov fs, eax
        call tell
        mov ecx, 40                     ; nobody comes to the monitor between the load and the look
        xor ebx, ebx
.seen:  and byte [tables + 0x45], 0xFE
        mov eax, 0x40
        mov fs, eax
        movzx edx, byte [tables + 0x45]
        and edx, 1
        add ebx, edx
        loop .seen
        mov eax, ebx
        show "seen at once:"
        mov eax, 0x60
        mov ss, eax
        mov esp, esp
        call tell
        mov edi, idt + 0x82 * 8
        mov eax, CODE
        mov dword [idt + 0x82 * 8], (0x70 << 16) + (handler - image)
        mov dword [idt + 0x82 * 8 + 4], 0x00108E00
        int 0x82
        call tell
        push 0x23
        push user_top
        push 2
        push 0x1B
        push .user
        iret
.user:  mov eax, 0x7B
        mov ds, eax                     ; by itself, and no more of it
        mov eax, 0x23
        mov ds, eax
        mov eax, 0x123
        int 0x81
.done:  call tell
        jmp off
handler:
        call tell
        iret
; The bits of all entries, the first in bit 0.
tell:   pushad
        mov dword [idt + 0x81 * 8 + 4], 0x0010EE00
        mov dword [idt + 0x81 * 8], (CODE << 16) + (main.done - image)
        xor eax, eax
        mov ecx, 16
.next:  add eax, eax
        test byte [tables + ecx * 8 - 8 + 5], 1
        jz .clear
        test byte [tables + ecx * 8 - 8 + 5], 0x10
        jz .clear
        inc eax
.clear: loop .next
        show "accessed:"
        popad
        ret
        align 4096
tables: times 8 dq 0
        dq 0x00CF92000000FFFF           ; 40h
        dq 0x00CF92000000FFFF           ; 48h
        dq 0x00CF92000000FFFF           ; 50h
        dq 0x00CF9A000000FFFF           ; 58h
        dq 0x00CF92000000FFFF           ; 60h
        dq 0x00CF92000000FFFF           ; 68h: nobody loads it
        dq 0x00CF9A000000FFFF           ; 70h
        dq 0x00CFF2000000FFFF           ; 78h: of ring 3
pointer: dw 127
        dd tables
far_pointer: dd 0
        dw 0x50`;

const count = (text: string, what: string): number => text.split(what).length - 1;

describe('a kernel that debugs itself', () => {
  it('meets its instruction breakpoints, however it comes there, and goes on by RF', () => {
    const bare = say(BREAKPOINTS, 'native');
    // Within `work` by falling and by a jump, behind the call, three times around, behind STI, and once more.
    expect(count(bare, '#DB')).toBe(8);
    expect(bare).toContain('interrupts before it: 00000000\nbehind it: 00000001');
    expect(say(BREAKPOINTS, 'binary-translation')).toBe(bare);
  });

  it('meets its breakpoints on ports: in IN and OUT, and between the elements of REP OUTS', () => {
    const bare = say(PORTS, 'native');
    expect(count(bare, '#DB')).toBe(6);
    expect(bare).toContain('latch: 00000000');
    expect(say(PORTS, 'binary-translation')).toBe(bare);
  });

  it('is not stepped between a load of SS and the instruction behind', () => {
    const bare = say(STEPS, 'native');
    expect(count(bare, '#DB')).toBeGreaterThan(8);
    expect(say(STEPS, 'binary-translation')).toBe(bare);
  });
});

it('a segment that is loaded is marked as accessed in the guest’s own table, by whoever loads it', () => {
  const bare = say(ACCESSED, 'native');
  const told = [...bare.matchAll(/accessed: ([0-9A-F]{8})/g)].map(([, bits]) => parseInt(bits, 16));
  expect(told[0] & 0xff00, 'at first none').toBe(0);
  expect(bare).toContain('seen at once: 00000028');
  expect(told.at(-1)! & 0xff00, 'at last all but one').toBe(0xdf00);
  expect(say(ACCESSED, 'binary-translation')).toBe(bare);
});
