// Guests that firmware boots: from diskette, hard disk and CD with and without emulation; drives that a scenario adds; what
// was written stays over a reboot. Each program prints through the BIOS, so the screen tells.
import { describe, expect, it } from 'vitest';
import { assemble } from '../assembler/assemble.ts';
import { nodeLibrary } from '../cli/library.ts';
import { bootableCd } from '../images/fixtures.ts';
import type { GuestSource } from './library.ts';
import { parseScenario } from './scenario.ts';
import { Session } from './session.ts';

const MIB = 2 ** 20;
/** A boot sector (or a longer program that begins with one): prints, and goes on with `rest`. */
function program(text: string, rest = ''): Uint8Array {
  const source = `
    bits 16
    org 0x7c00
    xor ax, ax
    mov ds, ax
    mov es, ax
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
const disk = (sector: Uint8Array, size: number) => {
  const bytes = new Uint8Array(size);
  bytes.set(sector);
  return bytes;
};

function session(guest: Uint8Array, disks: Record<string, Uint8Array> = {}, technique = 'native') {
  const image = (name: string, bytes: Uint8Array): [string, GuestSource] => [
    name,
    { kind: 'image', name, bytes },
  ];
  const extra = new Map([image('guest', guest), ...Object.entries(disks).map((d) => image(...d))]);
  const scenario = parseScenario({
    name: 'disks',
    title: 'disks',
    processor: 'prescott',
    memoryMiB: 24,
    domains: [{ name: 'g', guest: 'guest', technique, memoryMiB: 16, disks: Object.keys(disks) }],
  });
  return new Session(scenario, nodeLibrary(extra));
}

/** Runs for some virtual seconds; the first lines of the screen behind the firmware's own. */
function screenAfter(s: Session, seconds = 3): string {
  s.run(s.now + seconds * s.host.pc.cost.clockHz);
  const screen = s.view(0)!.board!.screen();
  if (screen.mode !== 'text') throw new Error('no text');
  const rows = Array.from({ length: 3 }, (_, row) =>
    String.fromCharCode(
      ...Array.from({ length: 80 }, (_, column) => screen.cells[(row * 80 + column) * 2]),
    ).trimEnd(),
  );
  return rows.join('\n').trimEnd();
}
const booted = (...args: Parameters<typeof session>) => {
  const s = session(...args);
  s.bootAll();
  return screenAfter(s);
};

describe('firmware boots', () => {
  it('a diskette', () => {
    expect(booted(program('from the diskette'))).toBe('Ringside BIOS\nfrom the diskette');
  });
  it('a hard disk, with its number in DL', () => {
    const boot = program('from the disk ', 'mov al, [drive]\nshr al, 7\ncall digit');
    expect(booted(disk(boot, 8 * MIB))).toBe('Ringside BIOS\nfrom the disk 1');
  });
  it('a CD without emulation: 2 KiB at a time, more than one of them', () => {
    const long = disk(program('from the CD ', 'mov al, [0x7c00 + 4000]\ncall digit'), 4096);
    long[4000] = 7;
    expect(booted(bootableCd({ code: long }))).toBe('Ringside BIOS\nfrom the CD 7');
  });
  it('a CD that emulates a diskette: sectors of 512 bytes lie on it four by four', () => {
    const rest = `
    mov ax, 0x0203              ; three sectors behind the first track
    mov bx, 0x9000
    mov cx, 0x0002
    mov dx, 0x0100
    int 0x13
    mov al, [0x9000 + 1024]
    call digit
    mov ah, 8                   ; there is one drive, of 18 sectors
    mov dl, 0
    int 0x13
    mov al, dl
    call digit`;
    const floppy = disk(program('emulated ', rest), 1440 * 1024);
    floppy[(18 + 3) * 512] = 5;
    expect(booted(bootableCd({ code: floppy, media: 2, sectors: 1 }))).toBe('Ringside BIOS\nemulated 51');
  });
  it('and says when there is nothing to boot', () => {
    const unreadable = bootableCd({ code: new Uint8Array(2048) });
    unreadable[19 * 2048 + 0x20] = 0;
    expect(booted(unreadable)).toBe('Ringside BIOS\nNo bootable device.');
  });
});

describe('drives', () => {
  it('of a scenario stand behind the one that is booted', () => {
    const rest = `
    mov al, [0x475]             ; hard disks
    call digit
    mov ax, 0x0201
    mov bx, 0x9000
    mov cx, 1
    mov dx, 0x0081
    int 0x13
    mov al, [0x9000]
    call digit`;
    const data = new Uint8Array(4 * MIB);
    data[0] = 6;
    expect(booted(disk(program('disks ', rest), 4 * MIB), { data })).toBe('Ringside BIOS\ndisks 26');
  });
  it('keep what was written when the guest reboots, and lose it when it is booted anew', () => {
    const rest = `
    mov ax, 0x0201
    mov bx, 0x9000
    mov cx, 3
    mov dx, 0x0080
    int 0x13
    mov al, [0x9000]
    call digit
    cmp byte [0x9000], 2
    je stop
    inc byte [0x9000]
    mov ax, 0x0301
    mov bx, 0x9000
    mov cx, 3
    mov dx, 0x0080
    int 0x13
    mov al, 0xfe                ; reset
    out 0x64, al
    hlt`;
    const s = session(disk(program('boot ', rest), 4 * MIB));
    s.bootAll();
    expect(screenAfter(s, 8)).toBe('Ringside BIOS\nboot 2');
    const first = () => {
      const sector = new Uint8Array(512);
      s.domains[0].drives[0].medium.read(2, sector);
      return sector[0];
    };
    expect(first()).toBe(2);
    expect(s.boot(0)).toEqual({ ok: true });
    expect(first()).toBe(0);
  });
  it('that are not there are named', () => {
    const s = session(program('x'));
    s.domains[0].config.disks.push('nowhere.img');
    expect(s.boot(0)).toMatchObject({ ok: false, message: 'nowhere.img: there is no such disk image' });
  });
});

describe('the keyboard', () => {
  it('gives words of scan code and character: plain, with shift, control, alt, grey keys, locks', () => {
    const rest = `
    sti
.next:
    mov ah, 0x10
    int 0x16
    mov bx, ax
    mov cx, 4
.digit:
    rol bx, 4
    mov al, bl
    and al, 15
    cmp al, 10
    jb .decimal
    add al, 7
.decimal:
    call digit
    loop .digit
    mov al, ' ' - '0'
    call digit
    jmp .next`;
    const s = session(program('keys ', rest));
    s.bootAll();
    screenAfter(s, 2);
    const type = (...codes: number[]) => {
      s.keys(0, codes);
      s.run(s.now + 0.2 * s.host.pc.cost.clockHz);
    };
    type(0x1e, 0x9e); // a
    type(0x2a, 0x1e, 0x9e, 0xaa); // shift a
    type(0x1d, 0x2e, 0xae, 0x9d); // control c
    type(0x38, 0x3b, 0xbb, 0xb8); // alt F1
    type(0xe0, 0x48, 0xe0, 0xc8); // up
    type(0x3a, 0xba, 0x10, 0x90, 0x2a, 0x10, 0x90, 0xaa, 0x3a, 0xba); // caps lock: Q, with shift q
    type(0x57, 0xd7); // F11
    expect(screenAfter(s, 1)).toBe('Ringside BIOS\nkeys 1E61 1E41 2E03 6800 48E0 1051 1071 8500');
  });
});

describe('under VT-x', () => {
  it('a diskette boots in virtual-8086 mode, where silicon has no real mode for guests', () => {
    const text = 'from the diskette';
    expect(booted(program(text), {}, 'vt-x')).toBe(`Ringside BIOS\n${text}`);
  });
});
