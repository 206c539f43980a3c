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
        mov al, [period]
        out 0x40, al
        mov al, [period + 1]
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
period: dw 0x100, 0
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

const word = (n: number): number[] => [n, n >>> 8, n >>> 16, n >>> 24].map((byte) => byte & 0xff);
const port = fc.oneof(
  fc.constantFrom(
    ...[0x20, 0x21, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x92, 0xa0, 0xa1, 0xe9],
    ...[0x170, 0x177, 0x1f0, 0x1f7, 0x3c0, 0x3c4, 0x3c5, 0x3d4, 0x3d5, 0x3da, 0x3f8, 0x3fd, 0xcf8, 0xcfc],
  ),
  fc.nat(0xffff),
);
const index = fc.oneof(
  fc.constantFrom(0, 0x10, 0x1b, 0x8b, 0xc1, 0x174, 0x175, 0x176, 0x179, 0x1d9, 0x277, 0x3a, 0x480, 0x482),
  fc.constantFrom(0xc0000080, 0xc0010114, 0xc0010117, 0x40000000, 0x40000001),
  fc.integer(),
);
const control = fc.oneof(
  fc.constantFrom(0x11, 0x13, 0x19, 0x80000011, 0x80010033, 0x60000011, 0x90, 0xb0, 0x690, 0x2000, 0x111000),
  value,
);
/** Whole instructions that leave a guest, or may: with their registers loaded first. Nothing loops. */
const harmless: fc.Arbitrary<readonly number[]> = fc.oneof(
  value.map((leaf) => [0xb8, ...word(leaf), 0x0f, 0xa2]),
  fc
    .tuple(port, fc.constantFrom(0xec, 0xed, 0xee, 0xef, 0x6c, 0x6e))
    .map(([n, op]) => [0xba, ...word(n), op]),
  fc.tuple(fc.constantFrom(0xe4, 0xe5, 0xe6, 0xe7), fc.nat(0xff)),
  fc.tuple(index, fc.constantFrom(0x32, 0x30)).map(([n, op]) => [0xb9, ...word(n), 0x0f, op]),
  fc.constantFrom(0xc0, 0xd0, 0xd8, 0xe0).map((register) => [0x0f, 0x20, register]),
  fc
    .tuple(value, fc.constantFrom(0xc0, 0xf0, 0xf8), fc.constantFrom(0x21, 0x23))
    .map(([n, register, op]) => [0xb8, ...word(n), 0x0f, op, register]),
  value.map((n) => [0x0f, 0x01, 0x3d, ...word(n)]),
  fc.tuple(value, fc.constantFrom(0xa1, 0xa0)).map(([n, op]) => [op, ...word(n)]),
  fc.constantFrom([0x0f, 0x06], [0x0f, 0x08], [0x0f, 0x09], [0x0f, 0x31], [0x0f, 0x33], [0x0f, 0x0b]),
  fc
    .constantFrom(0xc1, 0xc2, 0xc3, 0xc4, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xdf)
    .map((op) => [0x0f, 0x01, op]),
  fc.nat(0xff).map((vector) => [0xcd, vector]),
  fc
    .tuple(value, fc.constantFrom(0xd8, 0xc0))
    .map(([n, register]) => [0xb8, ...word(n & 0x3f), 0x8e, register]),
);
/** The same for what a guest seldom survives. */
const deadly: fc.Arbitrary<readonly number[]> = fc.oneof(
  fc
    .tuple(control, fc.constantFrom(0xc0, 0xd0, 0xd8, 0xe0))
    .map(([n, register]) => [0xb8, ...word(n), 0x0f, 0x22, register]),
  fc.tuple(value, fc.constantFrom(0x05, 0x0d, 0x15, 0x1d)).map(([n, op]) => [0x0f, 0x01, op, ...word(n)]),
  fc.tuple(value, fc.constantFrom(0xd0, 0xd8)).map(([n, op]) => [0xb8, ...word(n & 0xff), 0x0f, 0x00, op]),
  fc.tuple(value, fc.constantFrom(0xa3, 0xa2)).map(([n, op]) => [op, ...word(n)]),
  value.map((n) => [0xb8, ...word(n), 0x0f, 0x01, 0xf0]),
  value.map((n) => [0xb8, ...word(n & 0x3f), 0x8e, 0xd0]),
  value.map((n) => [0x68, ...word(n & 0x3ffff), 0x9d]),
  fc.constant([0xfb, 0xf4]),
);
const leaving = fc.oneof({ arbitrary: harmless, weight: 40 }, { arbitrary: deadly, weight: 1 });
/** Random code in which every 32 bytes are such instructions, or anything at all. */
const slot = fc.oneof(
  {
    arbitrary: fc.array(leaving, { minLength: 2, maxLength: 5 }).map((each) => each.flat().slice(0, 31)),
    weight: 40,
  },
  { arbitrary: fc.array(fc.nat(0xff), { minLength: 4, maxLength: 31 }), weight: 1 },
);
export const storm = fc
  .array(slot, { minLength: CODE_SIZE / 32, maxLength: CODE_SIZE / 32 })
  .map((slots) => slots.flatMap((bytes) => [...bytes, ...new Array<number>(32 - bytes.length).fill(0xcc)]));
