// A mouse moved by the learner reaches the driver of a guest: an assembly driver that knows only the PS/2 controller, on
// the bare machine and on the virtual boards that unmodified guests have under a hypervisor.
import { expect, it } from 'vitest';
import { nodeLibrary } from '../cli/library.ts';
import { techniquesHere } from './host.ts';
import { parseScenario } from './scenario.ts';
import { Session } from './session.ts';

const UNMODIFIED = techniquesHere().filter((name) => name !== 'paravirtualization' && name !== 'container');

/** Enables the auxiliary device and IRQ 12, and prints `r`; then every byte of a packet goes to port E9h as it is. */
const DRIVER = `bits 32
org 0x100000
image: dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), image, image, 0, 0x110000, start
start:  mov esp, 0x110000
        lgdt [gdt_pointer]
        jmp 8:flat
flat:   mov eax, 16
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov edi, idt                            ; the same handler for all 256: only IRQ 12 comes
        mov ecx, 256
gate:   mov word [edi], handler - image
        mov word [edi + 2], 8
        mov dword [edi + 4], 0x00108e00
        add edi, 8
        loop gate
        lidt [idt_pointer]
%macro write 2
        mov al, %2
        out %1, al
%endmacro
        write 0x20, 0x11
        write 0xa0, 0x11
        write 0x21, 0x20
        write 0xa1, 0x28
        write 0x21, 4
        write 0xa1, 2
        write 0x21, 1
        write 0xa1, 1
        write 0x21, 0xfb                        ; the cascade
        write 0xa1, 0xef                        ; IRQ 12
        write 0x64, 0xa8                        ; the auxiliary device on
        write 0x64, 0x60                        ; command byte: its interrupt, no keyboard's
        write 0x60, 0x46
        write 0x64, 0xd4                        ; to the mouse: report
        write 0x60, 0xf4
acknowledged:
        in al, 0x64
        test al, 1
        jz acknowledged
        in al, 0x60
        cmp al, 0xfa
        jne acknowledged
        mov al, 'r'
        out 0xe9, al
        sti
rest:   hlt
        jmp rest
handler:
        push eax
        in al, 0x60
        out 0xe9, al
        write 0xa0, 0x20
        write 0x20, 0x20
        pop eax
        iret
        align 8
gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer: dw 23
        dd gdt
idt_pointer: dw 0x7ff
        dd idt
image_end:
        section .bss
idt:    resb 2048
`;

it.each(UNMODIFIED)('%s', (technique) => {
  const session = new Session(
    parseScenario({
      name: 'mouse',
      title: 'mouse',
      processor: 'prescott',
      memoryMiB: technique === 'native' ? 4 : 16,
      domains: [{ name: 'driver', guest: 'driver', technique, memoryMiB: 4 }],
    }),
    {
      ...nodeLibrary(),
      find: () => ({
        kind: 'source',
        files: new Map([['driver.asm', DRIVER]]),
        main: 'driver.asm',
        sealed: false,
      }),
    },
  );
  expect(session.boot(0)).toEqual({ ok: true });
  const said = () => [...session.domains[0].debugText].map((c) => c.charCodeAt(0));
  const until = (count: number) => {
    for (let n = 0; n < 200 && said().filter((byte) => byte !== 0xfa).length < count; n++)
      session.run(session.now + 100_000);
    return said().filter((byte) => byte !== 0xfa);
  };
  expect(until(1)).toEqual(['r'.charCodeAt(0)]);
  session.mouse(0, 5, -3, 1);
  // Bit 3 is always 1, bit 0 the left button, bit 5 the sign of Y; then X and Y in two's complement.
  expect(until(4).slice(1)).toEqual([0x29, 5, 0xfd]);
  session.mouse(0, -7, 2, 0);
  expect(until(7).slice(4)).toEqual([0x18, 0xf9, 2]);
});
