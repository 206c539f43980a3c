// For tests of both hardware-assisted techniques where translations outlive an exit: guests, and things that happen to them,
// after which a processor that had been told nothing would go on with what it remembers.
import { expect, it } from 'vitest';
import { executionOf } from '../../machine/cpu/execute.ts';
import type { Domain } from '../domain.ts';
import type { GuestPaging } from '../guest-paging.ts';
import type { Paging, Technique } from '../technique.ts';
import type { HardwareHost } from './hardware-host.ts';
import { build, PAGING, said } from './small-kernels.ts';

/** Frames A, B and C of the guest, and the address through which it looks at one of them. */
const A = 0x200000;
const LOOK = 0x300000;
const ENTRY = 'table + 0x300 * 4';
const SECOND_DIRECTORY = 0x210000;
const SECOND_TABLE = 0x211000;

const look = `
        mov al, [${LOOK}]
        out 0xe9, al`;
const READY = `
        mov byte [${A}], 'A'
        mov byte [${A + 0x1000}], 'B'
        mov byte [${LOOK}], 'C'
${PAGING}
        mov dword [${ENTRY}], ${A} + 3
        mov eax, cr3
        mov cr3, eax
${look}`;
/** A second address space, in which the address leads to B. */
const SECOND = `
        mov esi, directory
        mov edi, ${SECOND_DIRECTORY}
        mov ecx, 1024
        rep movsd
        mov esi, table
        mov edi, ${SECOND_TABLE}
        mov ecx, 1024
        rep movsd
        mov dword [${SECOND_DIRECTORY}], ${SECOND_TABLE} + 3
        mov dword [${SECOND_TABLE} + 0x300 * 4], ${A} + 0x1003`;
const MOVE = `mov dword [${ENTRY}], ${A} + 0x1003`;
/** From text to graphics: the window onto video memory, which was memory, moves away. */
const PLANAR = `
        mov dx, 0x3ce
        mov ax, 0x0005
        out dx, ax
        mov ax, 0x0106
        out dx, ax
        mov dx, 0x3c4
        mov ax, 0x0604
        out dx, ax`;

/** What a guest does, and what it then says when all goes well. (Behind an access to a device, here video memory outside its window, some instructions are interpreted.) */
const GUESTS: readonly [what: string, body: string, says: string][] = [
  ['INVLPG', `${MOVE}\ninvlpg [${LOOK}]${look}`, 'AB'],
  ['MOV CR3, the same', `${MOVE}\nmov eax, cr3\nmov cr3, eax${look}`, 'AB'],
  [
    'MOV CR3, another, and back',
    `${SECOND}\nmov eax, ${SECOND_DIRECTORY}\nmov cr3, eax${look}\nmov eax, directory\nmov cr3, eax${look}`,
    'ABA',
  ],
  [
    'less is allowed',
    `mov byte [${LOOK}], 'D'\nmov dword [${ENTRY}], ${A} + 1\ninvlpg [${LOOK}]\nmov byte [${LOOK}], 'E'${look}`,
    'AwE',
  ],
  [
    'CR4.PGE, for a global page',
    `mov eax, cr4\nor eax, 0x80\nmov cr4, eax\nor dword [${ENTRY}], 0x100\nmov eax, cr3\nmov cr3, eax${look}
     or dword [${ENTRY}], 0x1000\nmov eax, cr4\nand eax, ~0x80\nmov cr4, eax${look}`,
    'AAB',
  ],
  [
    'paging off, and on again',
    `mov eax, cr0\nand eax, 0x7fffffff\nmov cr0, eax${look}\n${MOVE}\nmov eax, cr0\nor eax, 0x80000000\nmov cr0, eax${look}`,
    'ACB',
  ],
  [
    'paging off with the caches, and on again',
    `mov eax, cr0\nand eax, 0x7fffffff\nor eax, 0x40000000\nmov cr0, eax${look}\n${MOVE}
     mov eax, cr0\nor eax, 0x80000000\nand eax, ~0x40000000\nmov cr0, eax${look}`,
    'ACB',
  ],
  [
    'a table that comes into use when the guest may already write to it',
    `mov dword [${SECOND_TABLE}], ${A} + 3\nmov dword [directory + 4], ${SECOND_TABLE} + 3
     mov al, [0x400000]\nout 0xe9, al\nmov dword [${SECOND_TABLE}], ${A} + 0x1003
     mov eax, cr3\nmov cr3, eax\nmov al, [0x400000]\nout 0xe9, al`,
    'AAB',
  ],
  [
    'INVLPG in the emulator',
    `mov al, [0xa0000]\n${MOVE}\ninvlpg [${LOOK}]\n${'nop\n'.repeat(12)}${look}`,
    'AB',
  ],
  [
    'MOV CR3 in the emulator',
    `${SECOND}\nmov ebx, ${SECOND_DIRECTORY}\nmov al, [0xa0000]\nmov cr3, ebx\n${'nop\n'.repeat(12)}${look}`,
    'AB',
  ],
];

const HANDLERS = `
write_fault:
        put 'w'
        mov dword [${ENTRY}], ${A} + 3
        add esp, 4
        iret`;

/** The kernel that stops again and again at an exit, and says what it sees. */
const WATCHER = `${READY}
again:  ${look}
        jmp again`;

export interface StaleSubject {
  host(): HardwareHost<Technique>;
  paging: Paging;
  tablesOf(host: HardwareHost<Technique>, domain: Domain): GuestPaging;
  /** Devices may take pages of memory over. */
  devices: boolean;
}

/** The tests, for one technique with one way of paging. */
export function seesNothingStale({ host: makeHost, paging, tablesOf, devices }: StaleSubject): void {
  it.each(GUESTS)('%s', (_, body, says) => {
    const host = makeHost();
    const domain = host.boot(build(`gate 14, write_fault\n${READY}\n${body}\noff\n${HANDLERS}`), 1, 4, {
      paging,
    });
    host.run(20_000_000);
    expect([said(domain), domain.state], domain.ending).toEqual([says, 'halted']);
  });

  /** A guest that has looked, stopped between two exits. */
  const watched = (host: HardwareHost<Technique>, id = 1): Domain => {
    const domain = host.boot(build(WATCHER), id, 4, { paging });
    host.run(3_000_000);
    host.loop.leaveGuest();
    expect(said(domain).slice(-3)).toBe('AAA');
    return domain;
  };
  const runs = (host: HardwareHost<Technique>, domain: Domain): string => {
    host.run(400_000);
    host.loop.leaveGuest();
    return said(domain).slice(-3);
  };

  it('another frame behind the guest’s', () => {
    const host = makeHost();
    const domain = watched(host);
    const { p2m } = domain.memory;
    [p2m[0x200], p2m[0x201]] = [p2m[0x201], p2m[0x200]];
    const tables = tablesOf(host, domain);
    tables.remapped(0x200);
    tables.remapped(0x201);
    expect(runs(host, domain)).toBe('BBB');
  });

  it('identifiers that others had before, and as many address spaces as there are', () => {
    const host = makeHost();
    const neighbour = watched(host, 90);
    // Without tables of its own, nothing that a guest does makes anybody forget.
    const plain = build(`again: mov al, [${A}]\nout 0xe9, al\njmp again`);
    for (let id = 1; id <= 3; id++) {
      const domain = host.boot(plain, id, 4, { paging });
      // It gets the frames that the one before had; but not all in the same places.
      const { p2m } = domain.memory;
      if (id % 2) [p2m[0x200], p2m[0x201]] = [p2m[0x201], p2m[0x200]];
      for (const frame of [0x200, 0x201]) tablesOf(host, domain).remapped(frame);
      domain.memory.load(A, Uint8Array.of(0x30 + id));
      expect(runs(host, domain)).toBe(String(id).repeat(3));
      host.hypervisor.destroyDomain(id);
    }
    expect(runs(host, neighbour)).toBe('AAA');
    const spaces = 200;
    const switcher = host.boot(
      build(`${READY}\n${SECOND}\nmov ebx, ${spaces}
switch: mov eax, ${SECOND_DIRECTORY}\nmov cr3, eax${look}\nmov eax, directory\nmov cr3, eax${look}\ndec ebx\njnz switch\noff`),
      91,
      4,
      { paging },
    );
    host.run(40_000_000);
    expect(switcher.state, switcher.ending).toBe('halted');
    expect(said(switcher)).toBe(`A${'BA'.repeat(spaces)}`);
    expect(runs(host, neighbour)).toBe('AAA');
  });

  // Guests whose devices answer at memory addresses.
  it.skipIf(!devices)('devices take a page of memory over', () => {
    const host = makeHost();
    const domain = host.boot(
      build(`${READY}\nmov byte [0xb8000], 'v'\nmov al, [0xb8000]\nout 0xe9, al\n${PLANAR}
        mov al, [0xb8000]\ncmp al, 'v'\nje stale\nput 'd'\noff\nstale: put 's'\noff`),
      1,
      4,
      { paging },
    );
    host.run(20_000_000);
    expect(said(domain)).toBe('Avd');
  });

  it('the engine and the interpreter give the same cycles, misses and events, with guests in turn', () => {
    const body = (step: number) => `
${PAGING}
        mov ebx, 120
round:  mov esi, 0x200000
        mov ecx, 150
touch:  mov eax, [esi]
        add eax, ecx
        mov [esi + 4], eax
        xor edx, eax
        add esi, ${step}
        dec ecx
        jnz touch
        test bl, 7
        jnz same
        invlpg [0x201000]
        mov eax, cr3
        mov cr3, eax
same:   out 0xe9, al
        dec ebx
        jnz round
        off`;
    const outcome = (compiled: boolean) => {
      const host = makeHost();
      const { cpu } = host.pc;
      cpu.compiledAllowed = compiled;
      host.recorder.hashing = true;
      const domains = [1, 2, 3].map((id) => host.boot(build(body(0x1000 - id * 4)), id, 4, { paging }));
      // Short turns: each comes back to what it left many times.
      for (let n = 0; n < 4000 && domains.some((domain) => domain.alive); n++) {
        host.run(20_000 + n);
        host.hypervisor.sliceEnd = 0;
      }
      expect(domains.map((domain) => domain.state)).toEqual(['halted', 'halted', 'halted']);
      return {
        hash: host.recorder.hash,
        events: host.recorder.next,
        instructions: cpu.instructions,
        compiles: executionOf(cpu).engine !== null,
      };
    };
    const interpreted = outcome(false);
    expect(outcome(true)).toEqual({ ...interpreted, compiles: true });
  });
}
