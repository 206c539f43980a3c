// A program in Linux's format without a 32-bit entry is entered by our BIOS, in real mode, with the BIOS's services under it
// (Linux Documentation/arch/x86/boot.rst, "Running the Kernel"); it says on the screen what it found.
import { expect, it } from 'vitest';
import { assemble } from '../assembler/assemble.ts';
import { nodeLibrary } from '../cli/library.ts';
import { bzImage } from '../images/fixtures.ts';
import '../session/provide-all.ts';
import { screenText } from '../session/result.ts';
import { parseScenario } from '../session/scenario.ts';
import { Session } from '../session/session.ts';

/** Segments as they are found, the command line by the pointer in the header, then int 19h. */
const SETUP = `
    bits 16
    org 0x6c                    ; the header ends there
    mov ax, cs
    call word_of_hex
    mov ax, ds
    call word_of_hex
    mov ax, ss
    call word_of_hex
    mov ax, sp
    call word_of_hex
    mov eax, [0x228]
    shr eax, 4
    mov ds, ax
    xor si, si
.next:
    lodsb
    test al, al
    jz .end
    call put
    jmp .next
.end:
    mov al, 10
    call put
    int 0x19
word_of_hex:
    mov cx, 4
.digit:
    rol ax, 4
    push ax
    and al, 15
    cmp al, 10
    sbb al, 0x69
    das
    call put
    pop ax
    loop .digit
    mov al, ' '
put:
    mov ah, 0x0e
    mov bx, 7
    int 0x10
    ret
`;

it('runs at 1020:0000 with data and stack at 1000h, once', () => {
  const { bytes, diagnostics } = assemble(new Map([['setup.asm', SETUP]]), 'setup.asm', {});
  expect(diagnostics).toEqual([]);
  const kernel = bzImage({ start: 0 });
  kernel.set(bytes, 0x26c);
  const library = nodeLibrary(new Map([['k', { kind: 'image', name: 'k', bytes: kernel }]]));
  const domain = { name: 'k', guest: 'k', technique: 'native', memoryMiB: 8, commandLine: 'one two' };
  const scenario = { name: 'k', title: 'k', processor: 'prescott', memoryMiB: 8, domains: [domain] };
  const session = new Session(parseScenario(scenario), library);
  session.bootAll();
  session.run(session.now + 2 * session.host.pc.cost.clockHz);
  // int 19h is then another boot, from a drive.
  expect(screenText(session, 0).split(/\s*\n\s*/)).toEqual([
    'Ringside BIOS',
    '1020 1000 1000 E000 one two',
    'No bootable device.',
  ]);
});
