// For tests of techniques that run unmodified guests: the frame around a small multiboot kernel, and what it says on the bare
// machine.
import { describe } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { hasNasm, nasm } from '../../machine/cpu/test-machine.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { NativeHost } from '../native/native-host.ts';

/** A multiboot kernel at 1 MiB around `body`, with a stack, and macros to print, to end, and to build tables. NASM's dialect. */
export const kernel = (body: string): string => `
        bits 32
        org 0x100000
start:  dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), start, start, 0, bss_end, entry
%macro put 1                    ; one character to the debug port
        mov al, %1
        out 0xe9, al
%endmacro
%macro off 0                    ; ACPI power-off
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
%endmacro
%macro gate 2                   ; interrupt gate: vector, handler
        mov eax, %2
        mov word [idt + %1 * 8], ax
        mov word [idt + %1 * 8 + 2], 8
        mov word [idt + %1 * 8 + 4], 0x8e00
        shr eax, 16
        mov word [idt + %1 * 8 + 6], ax
%endmacro
entry:  mov esp, stack_end
        lgdt [gdt_pointer]
        lidt [idt_pointer]
        jmp 8:reloaded
reloaded:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
${body}
        align 8
gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_end:
gdt_pointer: dw gdt_end - gdt - 1
        dd gdt
idt_pointer: dw 0x7ff
        dd idt
        align 4096
image_end:
        absolute image_end
idt:    resb 4096
directory: resb 4096
table:  resb 4096
stack:  resb 8192
stack_end:
bss_end:
`;

/** Maps the first 4 MiB one to one through `directory` and `table`, writable, and switches paging and write protection on. */
export const PAGING = `
        mov edi, table
        mov eax, 3
%%fill: mov [edi], eax
        add edi, 4
        add eax, 4096
        cmp edi, table + 4096
        jb %%fill
        mov dword [directory], table + 3
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80010000
        mov cr0, eax
`.replaceAll('%%fill', 'fill_table');

/** Characters that a guest wrote to port E9h. */
export const said = (domain: Domain): string => String.fromCharCode(...domain.board!.takeDebug());

/** `describe`, or a skip that says why. */
export const needsNasm = hasNasm() ? describe : describe.skip;
if (!hasNasm()) console.warn('nasm is not installed: the tests of VT-x guests are skipped');

/** Where the small kernels go when something is wrong: they end up saying nothing. */
const HANG = `
hang:   hlt
        jmp hang
`;

/** Assembles one of the small kernels. */
export const build = (body: string): Uint8Array => nasm(kernel(`${body}\n${HANG}`));

/** What a small kernel says on the bare machine. */
export function runNative(body: string, cycles = 50_000_000): string {
  const pc = new Pc(costModel('prescott'), new Recorder(1024), 4 << 20, { startDate: '2005-12-05T10:00:00' });
  const native = new NativeHost(pc, 1, 'test', parseImage(build(body), 'test'), {
    commandLine: '',
    modules: [],
  });
  while (pc.cpu.cycles < cycles && native.run(cycles) === 'budget' && native.guest.state === 'running');
  return String.fromCharCode(...pc.board.takeDebug());
}
