// For tests: a kernel that runs many short pieces of code, each from a state made for it, and writes down what came of each. The
// same image runs on the bare machine and under a technique, and what it wrote is compared word by word.
import { assemble } from '../../assembler/assemble.ts';
import type { Session } from '../../session/session.ts';
import type { TechniqueName } from '../technique.ts';
import { boot } from '../testing/alone.ts';
import { hypervisorOf, runUntil } from '../testing/arena.ts';
import type { TranslatedGuest } from './guest.ts';

/** Where things lie in the guest. */
export const AT = {
  landing: 0x2000,
  data: 0x1f0000,
  stack: 0x1f8000,
  cases: 0x103000,
  results: 0x400000,
};
const IMAGE = 0x100000;
const SLOT = 192;
const INPUT = 48;
/** Vector (-1: none), error code, EIP, CS and EFLAGS where it ended; the registers; GS FS ES DS SS; memory; the stack. */
export const RESULT_WORDS = 48;

/** One piece of code. */
export interface Case {
  bytes: readonly number[];
  /** EAX ECX EDX EBX EBP ESI EDI. */
  registers?: readonly number[];
  flags?: number;
  /** Four doublewords from ESP up. */
  stack?: readonly number[];
}

const REGISTERS = [0x12345678, 0x10, 0x80, AT.data, AT.stack, AT.data + 16, AT.data + 48];
const STACK = [AT.landing, 8, 0x202, 0x10];

const KERNEL = `
        bits 32
        org ${IMAGE}
image:  dd 0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        dd image, image, 0, 0x00600000, start
start:  cli
        cld
        mov esp, 0x1FC000
        mov eax, cr0
        or eax, 0x20
        mov cr0, eax
        mov al, 0xff
        out 0x21, al
        out 0xa1, al
        mov byte [${AT.landing}], 0xe9
        mov dword [${AT.landing} + 1], done - (${AT.landing} + 5)
        mov edi, 0x1FD000
        mov eax, stubs
        mov ecx, 256
.gate:  mov [edi], ax
        mov word [edi + 2], 8
        mov word [edi + 4], 0xee00
        ror eax, 16
        mov [edi + 6], ax
        ror eax, 16
        add eax, 16
        add edi, 8
        loop .gate
        mov dword [0x1FE004], 0x1FB000
        mov dword [0x1FE008], 0x10
        mov dword [0x1FE066], 0x68
next:   cld
        lgdt [gdt_pointer]
        lidt [idt_pointer]
        jmp 8:.flat
.flat:  mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov fs, eax
        mov gs, eax
        mov ss, eax
        mov esp, 0x1FC000
        fninit
        mov byte [gdt + 0x28 + 5], 0x89
        mov eax, 0x28
        ltr ax
        mov eax, 0x30
        lldt ax
        mov eax, [number]
        cmp eax, [count]
        jae near finished
        mov edi, ${AT.data}
        mov ecx, 64
.fill:  imul eax, ecx, 0x01234567
        stosd
        loop .fill
        mov dword [${AT.data}], ${AT.landing}
        mov dword [${AT.data} + 4], 8
        mov edi, ${AT.stack} - 128
        mov ecx, 64
        xor eax, eax
        rep stosd
        imul esi, dword [number], ${INPUT}
        add esi, [inputs]
        mov edi, ${AT.stack}
        push esi
        add esi, 32
        mov ecx, 4
        rep movsd
        pop esi
        imul eax, dword [number], ${SLOT}
        add eax, ${AT.cases}
        mov [target], eax
        push dword [esi + 28]
        popfd
        mov eax, [esi]
        mov ecx, [esi + 4]
        mov edx, [esi + 8]
        mov ebx, [esi + 12]
        mov ebp, [esi + 16]
        mov edi, [esi + 24]
        mov esi, [esi + 20]
        mov esp, ${AT.stack}
        jmp [target]

        align 16
stubs:
%assign n 0
%rep 256
%if n = 8 || n = 10 || n = 11 || n = 12 || n = 13 || n = 14 || n = 17
%else
        push byte 0
%endif
        push dword n
        jmp near record
        align 16
%assign n n + 1
%endrep

done:   pushfd
        push cs
        push dword 0
        push dword 0
        push dword -1
record: pushad
        push ss
        push ds
        push es
        push fs
        push gs
        cld
        mov eax, 0x10
        mov ds, eax
        mov es, eax
        imul edi, dword [number], ${RESULT_WORDS * 4}
        add edi, ${AT.results}
        mov esi, esp
        mov ecx, 18
        rep movsd
        mov esi, ${AT.data}
        mov ecx, 16
        rep movsd
        mov esi, ${AT.stack} - 40
        mov ecx, 14
        rep movsd
        inc dword [number]
        jmp next

finished:
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
        hlt
        align 8
gdt:    dd 0, 0
        dd 0x0000ffff, 0x00cf9b00
        dd 0x0000ffff, 0x00cf9300
        dd 0x0000ffff, 0x00cffb00
        dd 0x0000ffff, 0x00cff300
        dd 0xE0000067, 0x0000891f
        dd 0xE100000f, 0x0000821f
gdt_end:
gdt_pointer: dw gdt_end - gdt - 1
        dd gdt
idt_pointer: dw 0x7ff
        dd 0x1FD000
        align 4
number: dd 0
target: dd 0
count:  dd 0
inputs: dd 0
end:
`;

/** Where the kernel counts. */
let numberAt = 0;

/** The image that runs these cases. */
export function imageOf(cases: readonly Case[]): Uint8Array {
  const { bytes, diagnostics } = assemble(new Map([['kernel.asm', KERNEL]]), 'kernel.asm');
  if (diagnostics.length) throw new Error(JSON.stringify(diagnostics[0]));
  const first = AT.cases - IMAGE;
  if (bytes.length > first) throw new Error('the kernel has grown into its cases');
  const inputs = first + cases.length * SLOT;
  const image = new Uint8Array(inputs + cases.length * INPUT);
  if (image.length > AT.data - IMAGE) throw new Error('too many cases');
  const words = new DataView(image.buffer);
  image.set(bytes);
  numberAt = bytes.length - 16;
  words.setUint32(bytes.length - 8, cases.length, true);
  words.setUint32(bytes.length - 4, IMAGE + inputs, true);
  cases.forEach(({ bytes, registers = REGISTERS, flags = 2, stack = STACK }, n) => {
    const at = first + n * SLOT;
    image.set(bytes, at);
    // JMP landing.
    image[at + bytes.length] = 0xe9;
    words.setInt32(at + bytes.length + 1, AT.landing - (IMAGE + at + bytes.length + 5), true);
    [...registers, flags, ...stack].forEach((word, k) => {
      words.setInt32(inputs + n * INPUT + k * 4, word, true);
    });
  });
  return image;
}

/** Runs an image to its end. @returns the session, and a row of words for each case */
export function results(
  image: Uint8Array,
  count: number,
  technique: TechniqueName,
): { session: Session; rows: number[][] } {
  const session = boot(image, technique, 8);
  let memory: Uint8Array = new Uint8Array();
  // The last look at memory before the machine goes off.
  const look = () => {
    memory = session.host.readGuest(0, AT.results, count * RESULT_WORDS * 4);
    return session.view(0)!.state !== 'running';
  };
  if (!runUntil(session, look, 20_000_000 + count * 300_000)) {
    const done = session.host.readGuest(0, IMAGE + numberAt, 4);
    throw new Error(`${technique}: case ${done[0] | (done[1] << 8)} did not come to its end`);
  }
  const { state, ending } = session.view(0)!;
  if (state !== 'halted') throw new Error(`${technique}: ${state} ${ending}`);
  const words = new Int32Array(memory.buffer, 0, memory.length >> 2);
  const rows = Array.from({ length: count }, (_, n) => [
    ...words.subarray(n * RESULT_WORDS, (n + 1) * RESULT_WORDS),
  ]);
  return { session, rows };
}

/** What the translator keeps about the guest of a session. */
export function translatedGuest(session: Session): TranslatedGuest {
  const domain = hypervisorOf(session).domains.get(0)!;
  const technique = domain.technique as unknown as { guestOf(d: typeof domain): TranslatedGuest };
  return technique.guestOf(domain);
}
