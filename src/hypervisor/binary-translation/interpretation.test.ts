// What translation does not take and the monitor interprets: 16-bit code of a kernel, rings 1 and 2, call gates, task switches,
// virtual-8086 tasks, real mode and back, stacks where the monitor hides. Each small kernel says what it says on the bare machine.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { readSources } from '../../cli/library.ts';
import type { TechniqueName } from '../technique.ts';
import { boot } from '../testing/alone.ts';
import { runUntil } from '../testing/arena.ts';

const sources = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));
const INTERPRETED = 0x104;

/** A table of its own: ring 1 code and data, a call gate, a TSS, 16-bit code and data, and stacks for rings 0 and 1. */
const TABLES = `
        jmp tables_end
        align 8
gdt2:   times 7 dq 0
        dq 0x00CFBB000000FFFF, 0x00CFB3000000FFFF       ; 38h, 40h: ring 1
        dw 0, CODE, 0xEC00, 0                           ; 48h: the gate
        dw 0x67, 0, 0x8900, 0                           ; 50h: the other task
        dq 0x00009B000000FFFF, 0x000093000000FFFF       ; 58h, 60h: 16 bits
        dq 0                                            ; 68h: the first task, once more
gdt2_end:
gdt2_pointer: dw gdt2_end - gdt2 - 1
        dd gdt2
tables_end:
        mov esi, gdt
        mov edi, gdt2
        mov ecx, 14
        rep movsd
        mov eax, gate
        mov [gdt2 + 0x48], ax
        shr eax, 16
        mov [gdt2 + 0x4E], ax
        mov eax, 0x200000
        mov [gdt2 + 0x52], ax
        shr eax, 16
        mov [gdt2 + 0x54], al
        mov dword [task + 4], 0x10F800
        mov dword [frame], stack_top - 4
        lgdt [gdt2_pointer]`;

/** What a kernel says, with `main` called in the frame of the exercisers. */
function say(main: string, technique: TechniqueName): { text: string; interpreted: number } {
  const text = `%include "exercisers/holes/kernel.inc"\n${main}\n`;
  const { bytes, diagnostics } = assemble(new Map([...sources, ['test.asm', text]]), 'test.asm');
  expect(diagnostics).toEqual([]);
  const session = boot(bytes, technique, 8);
  runUntil(session, () => session.view(0)!.state !== 'running', 100_000_000);
  const { state, ending } = session.view(0)!;
  expect([state, ending]).toEqual(['halted', 'the guest switched the machine off']);
  const count = session.host.recorder.exitCounts(0).find(({ reason }) => reason === INTERPRETED)?.count;
  return { text: session.domains[0].debugText, interpreted: count ?? 0 };
}

const SIXTEEN_BITS = `
main:${TABLES}
        mov esi, .small
        mov edi, 0x8000
        mov ecx, .small_end - .small
        rep movsb
        mov ebx, .back
        jmp 0x58:0x8000
        bits 16
.small: xor eax, eax
        mov cx, 1000
.again: add ax, cx
        loop .again
        push ax
        pop dx
        jmp dword CODE:.landing
.small_end:
        bits 32
.landing:
        jmp ebx
.back:  show "sum:"
        movzx eax, dx
        show "popped:"
        call await_tick
        show "tick:"
        ret
gate:   retf`;

const RING_1 = `
main:${TABLES}
        mov ecx, esp
        push 0x41
        push 0x10F400
        pushfd
        push 0x39
        push .ring1
        iret
.ring1: mov ax, 0x41
        mov ds, eax
        mov es, eax
        mov eax, cs
        call 0x48:0
        inc eax
        call 0x48:0
        ud2
gate:   mov ebx, [esp + 4]
        cmp eax, 0x39
        jne .second
        show "from ring 1:"
        retf
.second:
        mov edx, 0x10
        mov ds, edx
        mov es, edx
        show "again:"
        mov eax, ebx
        show "its CS:"
        mov esp, ecx
        ret`;

const TASK_SWITCH = `
main:${TABLES}
        mov edi, 0x200000
        xor eax, eax
        mov ecx, 26
        rep stosd
        mov dword [0x200000 + 0x20], .other
        mov dword [0x200000 + 0x24], 2
        mov dword [0x200000 + 0x28], 0x77
        mov dword [0x200000 + 0x38], 0x10F400
        mov word [0x200000 + 0x48], DATA
        mov word [0x200000 + 0x4C], CODE
        mov word [0x200000 + 0x50], DATA
        mov word [0x200000 + 0x54], DATA
        mov word [0x200000 + 0x64], 0
        mov word [0x200000 + 0x66], 0x68
        call 0x50:0
        mov eax, [0x200000 + 0x28]
        show "kept:"
        str eax
        show "task:"
        ret
.other: show "in the other:"
        str eax
        show "task:"
        mov eax, [0x200000]
        show "back link:"
        mov eax, 0x99
        iret
gate:   retf`;

const VIRTUAL_8086 = `
main:   mov dword [task + 4], 0x10F800
        mov byte [idt + 0x81 * 8 + 5], 0xEE
        mov edi, idt + 0x81 * 8
        mov eax, .left
        call set_gate
        mov byte [idt + 0x81 * 8 + 5], 0xEE
        mov esi, .program
        mov edi, 0x20000
        mov ecx, .program_end - .program
        rep movsb
        mov ebp, esp
        push 0x2200                     ; GS FS DS ES SS ESP EFLAGS CS EIP
        push 0x2200
        push 0x2200
        push 0x2200
        push 0x2200
        push 0xFF0
        push 0x23002                    ; VM, IOPL 3
        push 0x2000
        push 0
        iret
        bits 16
.program:
        mov ax, 0x1234
        push ax
        pop bx
        mov [0x10], bx
        pushf
        pop cx
        int 0x81
.program_end:
        bits 32
.left:  mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov eax, [esp + 4]
        show "its CS:"
        mov eax, [esp + 8]
        and eax, 0x23000
        show "its flags:"
        movzx eax, word [0x22010]
        show "wrote:"
        mov eax, ecx
        and eax, 0x3000
        show "PUSHF:"
        mov esp, ebp
        ret`;

const REAL_MODE = `
main:${TABLES}
        mov esi, .real
        mov edi, 0x8000
        mov ecx, .real_end - .real
        rep movsb
        mov [0x7F00], esp
        mov esp, 0x7000
        mov dword [0x21 * 4], 0x08000000 | (.handler - .real)
        sidt [0x7F10]
        mov word [0x7F18], 0x3FF
        mov dword [0x7F1A], 0
        cli
        jmp 0x58:0x8000
        bits 16
.real:  mov ax, 0x60
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov eax, cr0
        and al, 0xFE
        mov cr0, eax
        jmp 0x800:.in_real - .real
.in_real:
        xor ax, ax
        mov ds, ax
        mov ss, ax
        lidt [0x7F18]
        mov cx, 0x10
        int 0x21
        mov [0x7F20], cx
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword CODE:.back
.handler:
        shl cx, 4
        iret
.real_end:
        bits 32
.back:  mov eax, DATA
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov fs, eax
        mov gs, eax
        mov esp, [0x7F00]
        lidt [0x7F10]
        movzx eax, word [0x7F20]
        show "real mode:"
        ret
gate:   retf`;

const HIGH_STACK = `
main:   mov edi, 0x300000
        mov ecx, 1024
        xor eax, eax
        rep stosd
        mov dword [0x300000], 0x83      ; 4 MiB as they are, and the second of them at FE000000h
        mov dword [0x300000 + 0x3F8 * 4], 0x83
        mov eax, 0x10
        mov cr4, eax
        mov eax, 0x300000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov ebp, esp
        mov esp, 0xFE20F000
        push 0x1234
        call .twice
        pop ebx
        pushfd
        popfd
        sti
        push ebx
        call await_tick
        cli
        pop ebx
        mov ecx, esp
        mov esp, ebp
        show "tick:"
        mov eax, ebx
        show "popped:"
        mov eax, ecx
        show "stack:"
        mov eax, [0x20EFFC]
        show "below:"
        ret
.twice: shl dword [esp + 4], 1
        ret`;

describe('what translation does not take is interpreted, and comes out as on the bare machine', () => {
  it.each([
    ['16-bit code of the kernel', SIXTEEN_BITS, /sum: 0000A314\npopped: 0000A314/],
    ['ring 1, and a call gate out of it', RING_1, /from ring 1: 00000039\nagain: 0000003A\nits CS: 00000039/],
    [
      'a hardware task switch, there and back',
      TASK_SWITCH,
      /back link: 00000028\nkept: 00000099\ntask: 00000028/,
    ],
    ['a virtual-8086 task', VIRTUAL_8086, /its CS: 00002000\nits flags: 00023000\nwrote: 00001234/],
    ['real mode and back', REAL_MODE, /real mode: 00000100/],
    ['a stack where the monitor hides', HIGH_STACK, /tick: 00000001\npopped: 00002468\nstack: FE20F000/],
  ])(
    '%s',
    (_, main, shape) => {
      const bare = say(main, 'native');
      expect(bare.text).toMatch(shape);
      expect(say(main, 'binary-translation').text).toBe(bare.text);
    },
    60_000,
  );
});
