// Random kernels for fuzzing techniques: a multiboot image that runs random bytes in ring 0, with and without paging, with a
// timer that ticks; and what such bytes and registers are made of.
import fc from 'fast-check';
import { assemble } from '../../assembler/assemble.ts';

export const CODE_SIZE = 1024;

/** Any exception or interrupt goes on with the next 32 bytes of random code. */
const KERNEL = `
        bits 32
        org 0x100000
start:  dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), start, start, 0, memory_end, entry
gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
        dw 0x67, tss - start, 0x8910, 0
        dq 0x0000e5000028ffff
gdt_pointer: dw 55
        dd gdt
idt_pointer: dw 0x7ff
        dd idt
tss:    dd 0, stack, 16
        times 23 dd 0
cursor: dd 0
entry:  mov esp, stack
        lgdt [gdt_pointer]
        mov eax, 16
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov fs, eax
        mov gs, eax
        mov eax, 40
        ltr ax
        mov edi, idt
        mov ecx, 256
gate:   mov dword [edi], 8 << 16 | (again - start)
        mov dword [edi + 4], 0x10ee00
        add edi, 8
        loop gate
        lidt [idt_pointer]
        test byte [mode], 1
        jz flat
        mov edi, table
        mov eax, 7
        mov ecx, 1024
fill:   mov [edi], eax
        add edi, 4
        add eax, 4096
        loop fill
        mov dword [directory], table + 7
        mov dword [directory + 4], directory + 7
        mov dword [directory + 8], 0x87
        mov eax, directory
        mov cr3, eax
        mov eax, 0x90
        mov cr4, eax
        mov eax, 0x80000011
        test byte [mode], 2
        jz wp
        or eax, 0x10000
wp:     mov cr0, eax
flat:   mov al, 0x11
        out 0x20, al
        mov al, 0x20
        out 0x21, al
        mov al, 4
        out 0x21, al
        mov al, 1
        out 0x21, al
        mov al, 0xfe
        out 0x21, al
        mov al, 0x34
        out 0x43, al
        mov al, 0
        out 0x40, al
        mov al, 1
        out 0x40, al
again:  mov eax, 16
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov esp, stack
        add dword [cursor], 32
        and dword [cursor], ${CODE_SIZE - 32}
        mov al, 0x20
        out 0x20, al
        mov eax, [cursor]
        add eax, code
        mov ecx, [random]
        mov edx, [random + 4]
        mov ebx, [random + 8]
        mov esi, [random + 12]
        mov edi, [random + 16]
        jmp eax
        align 4, db 0
mode:   dd 0
random: times 5 dd 0
code:   times ${CODE_SIZE} db 0
image_end:
        absolute 0x110000
idt:    resb 4096
directory: resb 4096
table:  resb 4096
        resb 4096
stack:  resb 4096
memory_end:
`;
export const assembly = assemble(new Map([['kernel.asm', KERNEL]]), 'kernel.asm');
export const at = (symbol: string): number => Number(assembly.symbols.get(symbol)) - 0x100000;

/** The instructions that hypervisors of both vendors care about, to be followed by random bytes. */
const SENSITIVE = [
  [0x0f, 0xa2],
  [0x0f, 0x01],
  [0x0f, 0x01],
  [0x0f, 0x00],
  [0x0f, 0x20],
  [0x0f, 0x22],
  [0x0f, 0x22],
  [0x0f, 0x21],
  [0x0f, 0x23],
  [0x0f, 0x30],
  [0x0f, 0x32],
  [0x0f, 0x33],
  [0x0f, 0x31],
  [0x0f, 0x06],
  [0x0f, 0x08],
  [0x0f, 0x09],
  [0x0f, 0x34],
  [0x0f, 0x35],
  [0x0f, 0x78],
  [0x0f, 0x79],
  [0x0f, 0xc7],
  [0x0f, 0x01, 0xc1],
  [0x0f, 0x01, 0xc2],
  [0x0f, 0x01, 0xc3],
  [0x0f, 0x01, 0xc4],
  [0x0f, 0x01, 0xd8],
  [0x0f, 0x01, 0xd9],
  [0x0f, 0x01, 0xda],
  [0x0f, 0x01, 0xdb],
  [0x0f, 0x01, 0xdd],
  [0x0f, 0x01, 0xde],
  [0x0f, 0x01, 0xdf],
  [0xec],
  [0xed],
  [0xee],
  [0xef],
  [0xe4],
  [0xe6],
  [0x6c],
  [0x6e],
  [0xf3, 0x6d],
  [0xf3, 0x6f],
  [0xf4],
  [0xfb, 0xf4],
  [0xfb],
  [0xfa],
  [0x9d],
  [0x9c],
  [0xcf],
  [0xcd],
  [0xcc],
  [0xce],
  [0xf1],
  [0x8e],
  [0x8c],
  [0x17],
  [0x07],
  [0xea],
  [0x9a],
  [0xcb],
  [0x62],
  [0xc8],
  [0xf3, 0xa4],
  [0xf3, 0xab],
  [0xa4],
  [0xfb, 0x17],
  [0x9d, 0x17],
  [0x0f, 0xb2],
  [0xc5],
  [0x66],
  [0x67],
  [0x68],
  [0x58],
  [0x89, 0x05],
] as const;
const piece = fc.tuple(fc.nat(SENSITIVE.length - 1), fc.uint8Array({ minLength: 0, maxLength: 6 }));
export const code = fc
  .array(piece, { minLength: 60, maxLength: 200 })
  .map((pieces) => pieces.flatMap(([n, bytes]) => [...SENSITIVE[n], ...bytes]).slice(0, CODE_SIZE));

/** What a register of the guest may hold. */
export const value = fc.oneof(
  fc.integer(),
  fc.constantFrom(
    0,
    1,
    -1,
    0x10,
    0x100000,
    0x110000,
    0x111000,
    0x112000,
    0xa0000,
    0x1ff000,
    0x200000,
    0x7ffff000,
    0x40,
    0x71,
    0x3f8,
    0x174,
  ),
);
