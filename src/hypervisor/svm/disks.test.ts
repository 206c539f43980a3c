// Guests that begin in real mode, under SVM: the first generation runs them as they are, with the shadow of a one-to-one map
// under CR0.PE = 0 ("real mode with paging"), where VT-x of the same year could not. Firmware, diskette, hard disk.
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { nodeLibrary } from '../../cli/library.ts';
import type { GuestSource } from '../../session/library.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';
import { Vendor } from '../../trace/events.ts';
import { exitName } from '../../trace/exits.ts';

const MIB = 2 ** 20;

/** A boot sector (or a longer program that begins with one): prints through the BIOS, and goes on with `rest`. */
function program(text: string, rest = ''): Uint8Array {
  const source = `
    bits 16
    org 0x7c00
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7000
    mov [drive], dl
    mov si, text
    call print
${rest}
stop: cli
    hlt
print:
    lodsb
    test al, al
    jz .done
    mov ah, 0x0e
    int 0x10
    jmp print
.done: ret
digit: add al, '0'
    mov ah, 0x0e
    int 0x10
    ret
drive: db 0
text: db '${text}', 0
    times 510 - ($ - $$) db 0
    dw 0xaa55
`;
  const { bytes, diagnostics } = assemble(new Map([['p.asm', source]]), 'p.asm', {});
  expect(diagnostics).toEqual([]);
  return bytes;
}

const disk = (sector: Uint8Array, size: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  bytes.set(sector);
  return bytes;
};

function booted(guest: Uint8Array, technique: string, seconds = 3, options: Record<string, unknown> = {}) {
  const extra = new Map<string, GuestSource>([['guest', { kind: 'image', name: 'guest', bytes: guest }]]);
  const scenario = parseScenario({
    name: 'disks',
    title: 'disks',
    processor: options.paging === 'nested' ? 'nehalem' : 'prescott',
    memoryMiB: technique === 'native' ? 16 : 40,
    domains: [{ name: 'g', guest: 'guest', technique, memoryMiB: 16, ...options }],
  });
  const session = new Session(scenario, nodeLibrary(extra));
  const result = session.boot(0);
  if (!result.ok) throw new Error(result.message);
  session.run(session.now + seconds * session.host.pc.cost.clockHz);
  const view = session.view(0)!;
  const screen = view.board!.screen();
  if (screen.mode !== 'text') throw new Error('no text');
  const rows = Array.from({ length: 6 }, (_, row) =>
    String.fromCharCode(
      ...Array.from({ length: 80 }, (_, column) => screen.cells[(row * 80 + column) * 2]),
    ).trimEnd(),
  );
  return { session, view, text: rows.join('\n').trimEnd() };
}

/** BIOS services and mode switches of a boot sector, each of which prints a digit. */
const CASES: [string, Uint8Array][] = [
  ['a diskette', program('from the diskette')],
  [
    'a hard disk, with its number in DL',
    disk(program('from the disk ', 'mov al, [drive]\nshr al, 7\ncall digit'), 8 * MIB),
  ],
  [
    'a sector read by INT 13h',
    (() => {
      const d = disk(
        program(
          'read ',
          `mov ax, 0x0201
    mov bx, 0x9000
    mov cx, 0x0002
    mov dh, 0
    mov dl, [drive]
    int 0x13
    mov al, [0x9000]
    call digit`,
        ),
        8 * MIB,
      );
      d[512] = 7;
      return d;
    })(),
  ],
  [
    'protected mode and back, with a segment limit kept ("unreal mode")',
    program(
      'unreal ',
      `cli
    lgdt [pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov fs, bx
    and al, 0xfe
    mov cr0, eax
    xor ax, ax
    sti
    mov byte [fs:dword 0x200000], 6
    mov al, [fs:dword 0x200000]
    call digit
    jmp stop
pointer: dw 15
    dd gdt
gdt: dq 0
    dw 0xffff, 0, 0x9200, 0x00cf
`,
    ),
  ],
  [
    'ticks of the clock by HLT',
    program(
      'ticks ',
      `sti
    mov di, [0x46c]
    mov cx, 5
next: hlt
    mov ax, [0x46c]
    cmp ax, di
    je next
    mov di, ax
    loop next
    mov al, 5
    call digit`,
    ),
  ],
];

describe.each(['shadow', 'nested'])('firmware boots under SVM with %s paging', (paging) => {
  it.each(CASES)(
    '%s, as on the bare machine',
    (_, image) => {
      const bare = booted(image, 'native').text;
      expect(bare).toContain('Ringside BIOS');
      const { text, view, session } = booted(image, 'svm', 3, { paging });
      expect(view.state, view.ending).toBe('running');
      expect(text).toBe(bare);
      const exits = session.host.recorder.exitCounts(0).filter((x) => x.vendor === Vendor.svm);
      expect(exits.map((x) => exitName(x.vendor, x.reason))).toContain('io');
    },
    60_000,
  );
});
