// Code beside data that is written all the time: its page is not traced, and every change of the code is seen all the same.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { readSources } from '../../cli/library.ts';
import { decode } from '../../machine/isa/decode.ts';
import type { Session } from '../../session/session.ts';
import { boot } from '../testing/alone.ts';
import { runUntil } from '../testing/arena.ts';
import { mayWrite } from './self-checking.ts';
import { translatedGuest } from './testing.ts';

const sources = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));

function run(main: string, technique: 'native' | 'binary-translation'): Session {
  const text = `%include "exercisers/holes/kernel.inc"\n${main}`;
  const { bytes, diagnostics } = assemble(new Map([...sources, ['test.asm', text]]), 'test.asm');
  expect(diagnostics).toEqual([]);
  const session = boot(bytes, technique, 8);
  runUntil(session, () => session.view(0)!.state !== 'running', 200_000_000);
  expect(session.view(0)!.state, session.view(0)!.ending).toBe('halted');
  return session;
}

/** What it says on the bare machine and in the cache. */
function both(main: string) {
  const session = run(main, 'binary-translation');
  return {
    bare: run(main, 'native').domains[0].debugText,
    translated: session.domains[0].debugText,
    session,
    guest: translatedGuest(session),
  };
}

const pageFaults = (session: Session): number =>
  session.host.recorder.exitCounts(0).find((e) => e.reason === 14)?.count ?? 0;

/** A page of its own with code in it, and a counter behind the code. */
const counting = (turns: number) => `
main:   mov ecx, ${turns}
.again: call count
        loop .again
        mov eax, [counter]
        show "count:"
        jmp off
        align 4096
count:  inc dword [counter]
        ret
counter: dd 0
        align 4096
`;

describe('code beside data that is written all the time', () => {
  it('is not traced any more: writes cost no exit, however many there are', () => {
    const few = both(counting(200));
    const many = both(counting(20_000));
    expect(many.translated).toBe(many.bare);
    expect(many.translated).toContain('00004E20');
    expect(pageFaults(many.session)).toBe(pageFaults(few.session));
    const exits = (s: Session) => s.host.recorder.exitCounts(0).reduce((sum, e) => sum + e.count, 0);
    // (Those of the timer aside.)
    expect(exits(many.session)).toBeLessThan(exits(few.session) + 40);
  });

  it('is seen when it changes: the instruction that comes next already is the new one', () => {
    const { bare, translated, guest } = both(`
main:   mov ecx, 500
        xor ebx, ebx
.again: call work
        loop .again
        mov eax, ebx
        show "sum:"
        jmp off
        align 4096
work:   inc dword [turn]
        mov eax, [turn]
        mov [.change + 1], al
        jmp short .change
.change: mov eax, 0
        mov [.next + 1], al
.next:  mov edx, 0
        add ebx, eax
        add ebx, edx
        ret
turn:   dd 0
        align 4096
`);
    expect(translated).toBe(bare);
    expect(guest.cache.blocks.some((block) => block.live && block.parts.some((p) => p.changed))).toBe(true);
  });

  it('and is seen when a repeated string instruction overwrites it, or it lies over two pages', () => {
    const { bare, translated } = both(`
main:   mov ebp, 300
        xor ebx, ebx
.again: mov eax, ebp
        and eax, 1
        mov al, [codes + eax]
        mov edi, over
        mov ecx, 1
        cld
        rep stosb
        mov [last], al
        call place
        dec ebp
        jnz .again
        mov eax, ebx
        show "sum:"
        jmp off
codes:  db 0x43, 0x4b
        align 4096
        times 4096 - 12 db 0x90
place:  inc dword [data]
over:   inc ebx
        mov eax, 0x01020304
last:   inc ebx
        ret
data:   dd 0
        align 4096
`);
    expect(translated).toBe(bare);
  });
});

describe('which instructions may write', () => {
  const of = (...bytes: number[]) => {
    const i = decode(Uint8Array.from([...bytes, 0, 0, 0, 0, 0, 0, 0, 0]), 0, 32);
    if (typeof i === 'string') throw new Error(i);
    return mayWrite(i);
  };
  it('memory or stack', () => {
    const writing = [[0x89, 0x03], [0xa3], [0x50], [0xe8], [0xff, 0xd0], [0xff, 0x03], [0xab], [0xf3, 0xa5]];
    for (const bytes of [...writing, [0x87, 0x03], [0x9c], [0x60], [0x0f, 0x01, 0x03], [0x8f, 0x03], [0xcd]])
      expect([bytes, of(...bytes)]).toEqual([bytes, true]);
  });
  it('or registers only', () => {
    const reading = [[0x8b, 0x03], [0xa1], [0x58], [0x40], [0x3b, 0x03], [0x39, 0x03], [0x8d, 0x03], [0x74]];
    for (const bytes of [...reading, [0x01, 0xc3], [0xfa], [0xff, 0x23], [0x0f, 0xb6, 0x03]])
      expect([bytes, of(...bytes)]).toEqual([bytes, false]);
  });
});
