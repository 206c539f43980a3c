// Sensitive instructions done in the cache: no exit for any of them, and everything they should have done, done. And system
// calls by SYSENTER, which lead to the monitor without a fault.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { readSources } from '../../cli/library.ts';
import type { Session } from '../../session/session.ts';
import type { TechniqueName } from '../technique.ts';
import { boot } from '../testing/alone.ts';
import { runUntil } from '../testing/arena.ts';

const sources = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));

function run(main: string, technique: TechniqueName): Session {
  const text = `%include "exercisers/holes/kernel.inc"\n${main}`;
  const { bytes, diagnostics } = assemble(new Map([...sources, ['test.asm', text]]), 'test.asm');
  expect(diagnostics).toEqual([]);
  const session = boot(bytes, technique, 8);
  runUntil(session, () => session.view(0)!.state !== 'running', 200_000_000);
  expect(session.view(0)!.state, session.view(0)!.ending).toBe('halted');
  return session;
}
const said = (main: string, technique: TechniqueName) => run(main, technique).domains[0].debugText;
const exits = (session: Session, of?: number): number =>
  session.host.recorder
    .exitCounts(0)
    .reduce((sum, { reason, count }) => sum + (of === undefined || of === reason ? count : 0), 0);

const times = (count: number, code: string) => `
main:   mov ecx, ${count}
.again: ${code}
        loop .again
        ret`;

describe('in the cache', () => {
  const cases = [
    'mov cr2, ecx',
    'mov eax, cr2',
    'mov eax, cr0',
    'mov eax, cr3',
    'mov eax, cr4',
    'clts',
    'smsw ax',
    'smsw edx',
    'str ax',
    'sldt edx',
    'in al, 0x80',
    'out 0x80, al',
    'cli',
  ];
  for (const code of cases)
    it(`${code}: however often, no exit more`, () => {
      const few = exits(run(times(20, code), 'binary-translation'));
      // (The machine's timer comes all the same.)
      expect(exits(run(times(2000, code), 'binary-translation'))).toBeLessThan(few + 20);
    });

  it('leaves the virtual processor as the real one would be', () => {
    const main = `
main:   mov eax, 0x12345678
        mov cr2, eax
        xor eax, eax
        mov eax, cr2
        show "cr2:"
        mov edi, idt + 7 * 8
        mov eax, not_available
        call set_gate
        mov eax, cr0
        or eax, 8
        mov cr0, eax
        fninit                          ; #NM: TS
        clts
        mov eax, cr0
        show "cr0:"
        fninit                          ; none
        fld1
        mov eax, cr0
        or eax, 10                      ; MP, TS
        mov cr0, eax
        wait                            ; #NM
        smsw eax
        show "msw:"
        clts
        or eax, 4
        and al, 0xF5
        mov cr0, eax
        fld1                            ; #NM: EM, which CLTS leaves
        mov eax, [faults]
        show "faults:"
        mov eax, -1
        smsw ax
        show "smsw:"
        mov eax, -1
        str eax
        show "str:"
        mov edx, -1
        sldt dx
        mov eax, edx
        show "sldt:"
        mov al, 0x5A
        out 0x80, al
        mov eax, -1
        in al, 0x80
        show "in:"
        mov eax, 0x1234
        mov dx, 0x80
        in al, dx
        show "dx:"
        stc
        clts
        mov cr2, eax
        sbb eax, eax
        show "carry:"
        ret
not_available:
        inc dword [faults]
        push eax
        mov eax, cr0
        and al, 0xF3
        mov cr0, eax
        pop eax
        iret
faults: dd 0`;
    expect(said(main, 'binary-translation')).toBe(said(main, 'native'));
  });

  it('page faults tell their address after the guest wrote another one there', () => {
    const main = `
main:   mov edi, idt + 14 * 8
        mov eax, page_fault
        call set_gate
        mov edi, 0x200000
        mov eax, 0x83
        mov [edi], eax                  ; the first 4 MiB, and nothing else
        xor eax, eax
        mov ecx, 1023
        add edi, 4
        rep stosd
        mov eax, 0x200000
        mov cr3, eax
        mov eax, cr4
        or eax, 0x10
        mov cr4, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov ecx, 3
.again: mov eax, 0x11111111
        mov cr2, eax
        mov al, [0x800000 + ecx]
        loop .again
        mov eax, [sum]
        show "sum:"
        jmp off
page_fault:
        push eax
        mov eax, cr2
        add [sum], eax
        pop eax
        add esp, 4
        add dword [esp], 6
        iret
sum:    dd 0`;
    expect(said(main, 'binary-translation')).toBe(said(main, 'native'));
  });
});

describe('SYSENTER', () => {
  const calls = (count: number, flags: number) => `
main:   mov ecx, 0x174
        xor edx, edx
        mov eax, CODE
        wrmsr
        inc ecx
        mov eax, stack_top - 0x800
        wrmsr
        inc ecx
        mov eax, entry
        wrmsr
        mov edi, idt + 8
        mov eax, trapped
        call set_gate
        mov edi, idt + 0x81 * 8
        mov eax, back
        call set_gate
        mov byte [idt + 0x81 * 8 + 5], 0xEE
        mov [esp_kept], esp
        push USER_DATA
        push user_top
        push ${flags}
        push USER_CODE
        push user
        iret
user:   mov ebx, ${count}
.again: mov ecx, esp
        mov edx, .next
        sysenter
.next:  dec ebx
        jnz .again
        int 0x81
entry:  inc esi
        pushfd
        pop edi
        sysexit
trapped: push ds
        push eax
        mov eax, DATA
        mov ds, eax
        mov eax, [esp + 8]
        add [places], eax
        inc dword [traps]
        pop eax
        pop ds
        iret
back:   mov eax, DATA
        mov ds, eax
        mov es, eax
        mov esp, [esp_kept]
        mov eax, esi
        show "calls:"
        mov eax, edi
        show "flags:"
        mov eax, [traps]
        show "traps:"
        mov eax, [places]
        show "places:"
        jmp off
esp_kept: dd 0
traps:  dd 0
places: dd 0`;

  for (const technique of ['binary-translation', 'trap-and-emulate'] as const)
    it(`of a program leads to the monitor, and no #GP, under ${technique}`, () => {
      const session = run(calls(200, 2), technique);
      expect(exits(session, 0x105)).toBe(200);
      if (technique === 'binary-translation') {
        expect(exits(session, 13)).toBeLessThan(3);
        expect(session.domains[0].debugText).toBe(said(calls(200, 2), 'native'));
      }
    });

  it('is single-stepped as on the bare machine', () => {
    expect(said(calls(3, 0x102), 'binary-translation')).toBe(said(calls(3, 0x102), 'native'));
  });

  it('faults while the guest has given no segment for it', () => {
    const main = calls(1, 2).replace('mov eax, CODE\n        wrmsr', 'xor eax, eax\n        wrmsr');
    expect(said(main, 'binary-translation')).toBe(said(main, 'native'));
  });
});

describe('INT n of a program', () => {
  it('is read once, and comes without a fault from then on', () => {
    const main = `
main:   mov edi, idt + 0x90 * 8
        mov eax, called
        call set_gate
        mov byte [idt + 0x90 * 8 + 5], 0xEE
        mov edi, idt + 0x81 * 8
        mov eax, back
        call set_gate
        mov byte [idt + 0x81 * 8 + 5], 0xEE
        mov [esp_kept], esp
        push USER_DATA
        push user_top
        push 2
        push USER_CODE
        push user
        iret
user:   xor esi, esi
        mov ebx, 100
.again: int 0x90
        dec ebx
        jnz .again
        int 0x81
called: inc esi
        cmp esi, 60
        jne .on
        push ds
        mov eax, DATA
        mov ds, eax
        mov byte [idt + 0x90 * 8 + 5], 0x8E     ; not for programs any more: #GP from now on
        pop ds
.on:    iret
back:   mov eax, DATA
        mov ds, eax
        mov es, eax
        mov esp, [esp_kept]
        mov eax, esi
        show "calls:"
        jmp off
esp_kept: dd 0`;
    const session = run(main, 'binary-translation');
    expect(session.domains[0].debugText).toBe(said(main, 'native'));
    expect(exits(session, 0x90)).toBe(60);
  });
});
