// The translation cache at work: blocks that are chained in machine memory, code that changes under its translations, accesses
// that trap too often, interrupts between two instructions of the original, and guests that look for the cache.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { readSources } from '../../cli/library.ts';
import { decode } from '../../machine/isa/decode.ts';
import { inspectorOf } from '../../session/inspectors.ts';
import type { Session } from '../../session/session.ts';
import { Kind } from '../../trace/events.ts';
import { boot, events, outcome } from '../testing/alone.ts';
import { hypervisorOf, runUntil } from '../testing/arena.ts';
import { CACHE_BYTES, CACHE_START, STATE_START } from './layout.ts';
import { GUILTY } from './suspects.ts';
import { imageOf, results, translatedGuest } from './testing.ts';

const sources = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));

/** A kernel with the frame of the exercisers: \`main\`, and what it needs. */
function kernel(main: string): Uint8Array {
  const text = `%include "exercisers/holes/kernel.inc"\n${main}`;
  const { bytes, diagnostics } = assemble(new Map([...sources, ['test.asm', text]]), 'test.asm');
  expect(diagnostics).toEqual([]);
  return bytes;
}

/** Runs until the kernel has said `count` lines; the machine is still on. */
function say(main: string, lines: number): Session {
  const session = boot(kernel(`${main}\n        jmp $\n`), 'binary-translation', 8);
  const said = () => session.domains[0].debugText.split('\n').length > lines;
  expect(runUntil(session, said, 60_000_000), outcome(session).ending).toBe(true);
  return session;
}

/** What a kernel says on the bare machine and in the cache. */
function both(main: string): { bare: string; translated: string; session: Session } {
  const run = (technique: 'native' | 'binary-translation') => {
    const session = boot(kernel(main), technique, 8);
    runUntil(session, () => session.view(0)!.state !== 'running', 100_000_000);
    expect(session.view(0)!.state, session.view(0)!.ending).toBe('halted');
    return session;
  };
  const session = run('binary-translation');
  const bare = run('native').domains[0].debugText;
  return { bare, translated: session.domains[0].debugText, session };
}

const exits = (session: Session, reason: number): number =>
  session.host.recorder.exitCounts(0).find((e) => e.reason === reason)?.count ?? 0;
const CHAIN = 0x102;
const LOOKUP_MISS = 0x103;
const PAGE_FAULT = 14;

describe('blocks', () => {
  const LOOP = (times: number) => `
main:   mov ecx, ${times}
        xor eax, eax
.again: call .one
        loop .again
        show "sum:"
`;
  const ONE = `
.one:   add eax, ecx
        ret`;

  it('are chained by jumps in machine memory, and returns find their way: no exit for each turn of a loop', () => {
    const few = say(`${LOOP(10)}jmp $${ONE}`, 1);
    const many = say(`${LOOP(1000)}jmp $${ONE}`, 1);
    expect(many.domains[0].debugText).toBe('sum: 0007A314\n');
    expect(exits(many, CHAIN)).toBe(exits(few, CHAIN));
    expect(exits(many, LOOKUP_MISS)).toBe(exits(few, LOOKUP_MISS));
    const { cache } = translatedGuest(many);
    const chained = cache.blocks.flatMap((block) => block.parts).filter((part) => part.exit?.chained);
    expect(chained.length).toBeGreaterThan(4);
    const { memory } = many.host.pc;
    for (const { cache: at, exit } of chained) {
      expect(memory.read8(cache.machine(at))).toBe(0xe9);
      expect(at + 5 + memory.read32(cache.machine(at + 1))).toBe(exit!.chained!.cache);
    }
  });

  it('stand beside the original in the inspector, and there is code of both in machine memory', () => {
    const session = say(`${LOOP(10)}jmp $${ONE}`, 1);
    const domain = hypervisorOf(session).domains.get(0)!;
    const inspector = inspectorOf(domain.technique);
    const blocks = inspector.translatedBlocks!(domain.vcpus[0]);
    expect(blocks.length).toBeGreaterThan(5);
    for (const block of blocks) {
      expect(block.cache).toBeGreaterThanOrEqual(CACHE_START);
      const parts = inspector.translatedParts!(domain.vcpus[0], block.guest);
      expect(parts.reduce((sum, part) => sum + part.cacheLength, 0)).toBe(block.cacheLength);
      expect(parts.filter((part) => part.length > 0).length).toBe(block.instructions);
      expect((block.machine & 0xfff) + block.cacheLength).toBeLessThanOrEqual(4096);
      const code = session.host.pc.memory.bytes;
      expect(typeof decode(code, block.machine, 32)).toBe('object');
      for (const part of parts.filter(({ how, length }) => how === 'identical' && length > 0)) {
        const original = session.host.readGuest(0, part.guest, 1)[0];
        const branch = (original & 0xf0) === 0x70 || original === 0x0f || (original & 0xfc) === 0xe0;
        const jump = original === 0xeb || original === 0xe9;
        if (!branch && !jump) expect(code[block.machine + part.cache - block.cache]).toBe(original);
      }
    }
  });

  it('fill the cache, which is emptied then, and the guest goes on', () => {
    const much = '%rep 100\n pushfd\n popfd\n%endrep\n';
    const session = boot(kernel(`${LOOP(300)}${much} jmp off\n${ONE}`), 'binary-translation', 8);
    const { cache } = translatedGuest(session);
    // The routines, and one page for blocks.
    (cache as unknown as { limit: number }).limit = 2;
    runUntil(session, () => session.view(0)!.state !== 'running', 100_000_000);
    expect(session.domains[0].debugText).toBe('sum: 0000B05E\n');
    expect(cache.flushes).toBeGreaterThan(0);
    expect(events(session, Kind.translate).some((e) => e.e === 2)).toBe(true);
  });
});

describe('code that changes', () => {
  it('is translated anew: a function that was run before', () => {
    const { bare, translated } = both(`
main:   call .one
        show "first:"
        mov byte [.one + 1], 7
        call .one
        show "then:"
        ret
.one:   mov eax, 1
        ret`);
    expect(bare).toBe('first: 00000001\nthen: 00000007\n');
    expect(translated).toBe(bare);
  });

  it('also the instruction behind the one that changes it', () => {
    const { bare, translated } = both(`
main:   mov byte [.next + 1], 7
.next:  mov eax, 1
        show "next:"
        ret`);
    expect(bare).toBe('next: 00000007\n');
    expect(translated).toBe(bare);
  });

  it('and an instruction that lies over a page boundary, from either page', () => {
    const { bare, translated } = both(`
main:   mov edi, 0x200FFE
        mov dword [edi], 0x000005B8         ; mov eax, 5; ret
        mov dword [edi + 4], 0x9090C300
        call edi
        show "made:"
        mov byte [0x200FFF], 6
        mov edi, 0x200FFE
        call edi
        show "first page:"
        mov byte [0x201000], 1
        mov edi, 0x200FFE
        call edi
        show "second page:"
        ret`);
    expect(bare).toBe('made: 00000005\nfirst page: 00000006\nsecond page: 00000106\n');
    expect(translated).toBe(bare);
  });

  it('by a string instruction that overwrites what follows it', () => {
    const { bare, translated } = both(`
main:   mov edi, 0x200000
        mov ecx, 64
        mov eax, 0x90909090
        rep stosd
        mov byte [edi], 0xC3
        mov word [0x200000], 0xABF3         ; rep stosd
        mov edi, 0x200002
        mov ecx, 8
        mov eax, 0x40404040                 ; inc eax
        mov ebx, 0x200000
        call ebx
        show "came back:"
        ret`);
    expect(translated).toBe(bare);
  });

  it('or by another mapping: what an address leads to is looked at when CR3 is loaded, and after INVLPG', () => {
    const { bare, translated } = both(`
main:   mov edi, 0x300000                   ; page directory; table at 301000h maps the first 4 MiB
        mov eax, 0x301003
        stosd
        mov ecx, 1023
        xor eax, eax
        rep stosd
        mov eax, 3
        mov ecx, 1024
.fill:  stosd
        add eax, 4096
        loop .fill
        mov dword [0x200000], 0x000001B8    ; mov eax, 1; ret
        mov word [0x200004], 0xC300
        mov dword [0x201000], 0x000002B8
        mov word [0x201004], 0xC300
        mov eax, 0x300000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov ebx, 0x200000
        call ebx
        show "mapped:"
        mov dword [0x301000 + 0x200 * 4], 0x201003
        mov eax, cr3
        mov cr3, eax
        mov ebx, 0x200000
        call ebx
        show "after CR3:"
        mov dword [0x301000 + 0x200 * 4], 0x200003
        invlpg [0x200000]
        mov ebx, 0x200000
        call ebx
        show "after INVLPG:"
        mov eax, cr0
        and eax, 0x7FFFFFFF
        mov cr0, eax
        ret`);
    expect(bare).toBe('mapped: 00000001\nafter CR3: 00000002\nafter INVLPG: 00000001\n');
    expect(translated).toBe(bare);
  });
});

describe('an access that traps too often', () => {
  // The counter lies in a page with code: each write to it traps.
  const COUNT = (times: number) => `
main:   mov ecx, ${times}
.again: add dword [.count], 3
        adc byte [.count + 4], 0
        xchg edx, [.count + 8]
        loop .again
        mov eax, [.count]
        show "count:"
        ret
.count: dd 0xFFFFF000, 0, 0x1234`;

  it('is made by the monitor from then on: the instruction was innocent until proven guilty', () => {
    const few = both(COUNT(GUILTY));
    const many = both(COUNT(2000));
    expect(few.translated).toBe(few.bare);
    expect(many.translated).toBe(many.bare);
    const { cache } = translatedGuest(many.session);
    expect(cache.adaptations).toBeGreaterThanOrEqual(3);
    expect(cache.blocks.some((block) => block.adapted)).toBe(true);
    expect(exits(many.session, PAGE_FAULT) - exits(few.session, PAGE_FAULT)).toBeLessThan(40);
  });
});

describe('interrupts', () => {
  it('come between two instructions of the original, and say so', () => {
    const text = `
main:   mov edi, idt + 32 * 8
        mov eax, .tick
        call set_gate
        mov edi, 0x200000
        sti
.loop:  pushfd
        popfd
        push ecx
        call .sub
        pop ecx
        cli
        push ds
        pop ds
        sti
        mov eax, [.place]
        jmp [.place]
.back:  cmp edi, 0x200000 + 4 * 64
        jb .loop
        cli
        ret
.sub:   mov edx, cs
        ret
.place: dd .back
.tick:  push eax
        mov eax, [esp + 4]
        stosd
        mov al, 0x20
        out 0x20, al
        pop eax
        iret`;
    const { session } = both(text);
    const { bytes } = session.host.pc.memory;
    expect(bytes.length).toBeGreaterThan(0);
    const places = new DataView(session.host.readGuest(0, 0x200000, 256).buffer);
    const code = session.host.readGuest(0, 0x100000, 0x4000);
    // From the label on, instruction by instruction.
    const starts = new Set<number>();
    for (let at = 0; at < code.length; ) {
      const i = decode(code, at, 32);
      starts.add(0x100000 + at);
      at += typeof i === 'string' ? 1 : i.length;
    }
    for (let n = 0; n < 64; n++) {
      const eip = places.getUint32(n * 4, true);
      expect(eip).toBeGreaterThan(0x100000);
      expect(starts, eip.toString(16)).toContain(eip);
    }
  });
});

describe('somebody who looks on', () => {
  const LOOP = `
main:   mov ecx, 5
.again: push ecx
        pushfd
        popfd
        call .one
        pop ecx
        mov edx, .next
        jmp edx
.next:  mov ebx, cs
        jmp short .over
        nop
.over:  cli
        loop .again
        show "done:"
        jmp $
.one:   lea eax, [ecx + ecx]
        ret`;
  /** Runs to the instruction of \`main\` that makes ECX 5: its address. */
  const start = (technique: 'native' | 'binary-translation'): { session: Session; main: number } => {
    const image = kernel(LOOP);
    const main = 0x100000 + Buffer.from(image).indexOf(Buffer.from([0xb9, 5, 0, 0, 0, 0x51, 0x9c]));
    const session = boot(image, technique, 8);
    session.setBreakpoints(0, [main]);
    expect(session.run(session.now + 50_000_000)).toBe('breakpoint');
    return { session, main };
  };

  it('sets breakpoints on the guest’s own instructions, and they stop there, each time', () => {
    const { session, main } = start('binary-translation');
    expect(session.host.eip(0)).toBe(main);
    // POP ECX behind the call, and the jump over one byte.
    const pop = main + 13;
    const jump = pop + 10;
    expect([...session.host.readGuest(0, pop, 1), ...session.host.readGuest(0, jump, 1)]).toEqual([
      0x59, 0xeb,
    ]);
    session.setBreakpoints(0, [pop, jump]);
    for (let turn = 5; turn > 0; turn--) {
      for (const place of [pop, jump]) {
        expect(session.run(session.now + 50_000_000)).toBe('breakpoint');
        expect(session.host.eip(0).toString(16)).toBe(place.toString(16));
        expect(session.host.registers(0).EIP).toBe(place);
        expect(session.host.registers(0).EAX).toBe(2 * turn);
      }
    }
    session.setBreakpoints(0, []);
    expect(session.run(session.now + 5_000_000)).not.toBe('breakpoint');
    expect(session.domains[0].debugText).toMatch(/^done:/);
  });

  it('steps from instruction to instruction of the guest, as on the bare machine', () => {
    const steps = (technique: 'native' | 'binary-translation'): string[] => {
      const { session } = start(technique);
      session.setBreakpoints(0, []);
      const seen: string[] = [];
      for (let n = 0; n < 400 && seen.length < 60; n++) {
        session.stepInstruction();
        const { EIP, ECX, ESP } = session.host.registers(0);
        const now = [EIP, ECX, ESP].map((word) => (word >>> 0).toString(16)).join(' ');
        // What goes to the monitor stands where it stood.
        if (now !== seen.at(-1)) seen.push(now);
      }
      return seen;
    };
    expect(steps('binary-translation')).toEqual(steps('native'));
  });
});

describe('a guest that looks for the cache', () => {
  const word = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
  it('finds what the bare machine has there: nothing', () => {
    const places = [CACHE_START, CACHE_START + 0x9000, STATE_START, 0xfc400000, 0xfc000000, 0xfffffffc];
    const cases = places.flatMap((at) => [
      { bytes: [0xa1, ...word(at)] },
      { bytes: [0x8b, 0x0d, ...word(at)] },
      { bytes: [0xc7, 0x05, ...word(at), 1, 2, 3, 4] },
      { bytes: [0x83, 0x05, ...word(at), 1] },
      { bytes: [0xbf, ...word(at), 0xab] },
      { bytes: [0xbe, ...word(at), 0xad] },
      { bytes: [0xb8, ...word(at), 0xff, 0xe0] },
      { bytes: [0x68, ...word(at), 0xc3] },
      { bytes: [0xb8, ...word(at), 0xff, 0xd0] },
    ]);
    // Selectors of the monitor's own descriptors, in its own registers.
    for (const selector of [0xe008, 0xe010, 0xe018, 0xe020, 0xe021, 0xe058, 0xe059, 0xe060, 0xe061])
      for (const load of [0xd8, 0xc0, 0xe0, 0xe8, 0xd0])
        cases.push({ bytes: [0xb8, ...word(selector), 0x8e, load] });
    const image = imageOf(cases);
    const bare = results(image, cases.length, 'native').rows;
    const { rows, session } = results(image, cases.length, 'binary-translation');
    expect(rows).toEqual(bare);
    expect(CACHE_BYTES).toBeGreaterThan(0);
    expect(session.view(0)!.ending).toMatch(/switched the machine off/);
  }, 60_000);
});
