// SeaBIOS, which nobody here wrote, finds the drives of this board and moves sectors through them: PCI enumeration, ATA and
// ATAPI by PIO, the diskette controller with its DMA. A boot sector asks it by INT 13h and writes to port E9h.
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { assemble } from '../../../assembler/assemble.ts';
import { costModel } from '../../../cost/processors.ts';
import { Recorder } from '../../../trace/recorder.ts';
import { Stop } from '../../cpu/cpu.ts';
import { Pc } from '../../pc.ts';
import { Medium } from './medium.ts';

/** Debian's package seabios. */
const BIOS = '/usr/share/seabios/bios.bin';
const CODE_SEGMENT = 1;

/** Each transfer: INT 13h with these registers, then the carry and the checksum of so many bytes at 8000h. */
const BOOT_SECTOR = `
        bits 16
        org 0x7C00
start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7C00
        cld
%macro chs 4
        mov ax, 0x0200 | %2
        mov cx, %3
        mov dx, %4
        mov bx, 0x8000
        int 0x13
        mov cx, %2 * 256
        mov al, %1
        call tell
%endmacro
%macro linear 5
        mov word [packet + 2], %2
        mov word [packet + 8], %3
        mov si, packet
        mov ax, %5 << 8
        mov dl, %4
        int 0x13
        mov cx, %2 * (256 + 768 * (%4 / 0xE0))
        mov al, %1
        call tell
%endmacro
        chs "h", 5, 0x0103, 0x0280              ; cylinder 1, head 2, sector 3
        chs "f", 4, 0x0505, 0x0100              ; cylinder 5, head 1, sector 5
        linear "w", 9, 3000, 0x80, 0x43
        linear "l", 9, 1234, 0x80, 0x42
        linear "c", 3, 50, 0xE0, 0x42
        linear "b", 1, 8000, 0x80, 0x42         ; there is no such sector
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
        hlt
; AL and the carry, the checksum of CX words.
tell:   pushf
        out 0xE9, al
        popf
        mov al, "0"
        adc al, 0
        out 0xE9, al
        mov si, 0x8000
        xor bx, bx
.next:  lodsw
        rol bx, 3
        add bx, ax
        loop .next
        mov al, bl
        out 0xE9, al
        mov al, bh
        out 0xE9, al
        ret
packet: db 16, 0
        dw 0, 0x8000, 0, 0, 0, 0, 0
        times 510 - ($ - $$) db 0
        dw 0xAA55
`;

function numbers(bytes: number, seed: number): Uint8Array {
  const words = new Uint32Array(bytes / 4);
  for (let n = 0, x = seed; n < words.length; n++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    words[n] = x;
  }
  return new Uint8Array(words.buffer);
}

function checksum(data: Uint8Array): number {
  let sum = 0;
  for (let n = 0; n < data.length; n += 2) {
    sum = ((sum << 3) | (sum >> 13)) & 0xffff;
    sum = (sum + (data[n] | (data[n + 1] << 8))) & 0xffff;
  }
  return sum;
}

it.skipIf(!existsSync(BIOS))(
  'SeaBIOS boots from the disk and reads all drives (skipped without seabios)',
  () => {
    const assembly = assemble(new Map([['boot.asm', BOOT_SECTOR]]), 'boot.asm');
    expect(assembly.diagnostics).toEqual([]);
    const disk = numbers(6000 * 512, 1);
    const cd = numbers(100 * 2048, 2);
    const floppy = numbers(2880 * 512, 3);
    disk.set(assembly.bytes);
    const medium = new Medium(disk);
    const cost = costModel('prescott');
    const pc = new Pc(cost, new Recorder(1 << 10), 16 << 20, {
      startDate: '2005-08-23T09:41:00',
      drives: [
        { kind: 'hard-disk', medium },
        { kind: 'cd', medium: new Medium(cd, 2048, true) },
        { kind: 'floppy', medium: new Medium(floppy) },
      ],
    });
    const bios = new Uint8Array(readFileSync(BIOS));
    pc.memory.load(0x100000 - bios.length, bios);
    const cs = pc.cpu.segments[CODE_SEGMENT];
    cs.selector = 0xf000;
    cs.base = 0xf0000;
    pc.cpu.eip = 0xfff0;

    const until = 60 * cost.clockHz;
    while (pc.cpu.cycles < until && pc.board.state === 'on') {
      const stop = pc.run(until);
      if (stop === Stop.shutdown) throw new Error('triple fault');
      if (stop === Stop.halted && !pc.passTime(until)) break;
    }
    const said: [name: string, carry: string, sum: number][] = [];
    const told = pc.board.takeDebug();
    for (let n = 0; n + 3 < told.length; n += 4)
      said.push([
        String.fromCharCode(told[n]),
        String.fromCharCode(told[n + 1]),
        told[n + 2] | (told[n + 3] << 8),
      ]);
    const sectors = (image: Uint8Array, first: number, count: number, size = 512) =>
      checksum(image.subarray(first * size, (first + count) * size));
    const linear = sectors(disk, 1234, 9);
    // What was written is what lay in memory: four sectors of the diskette, then the last one read from the disk.
    const written = new Uint8Array(9 * 512);
    for (let n = 0; n < 9; n++) medium.read(3000 + n, written, n * 512);
    expect(said.slice(0, 5)).toEqual([
      ['h', '0', sectors(disk, (16 + 2) * 63 + 2, 5)],
      ['f', '0', sectors(floppy, (5 * 2 + 1) * 18 + 4, 4)],
      ['w', '0', checksum(written)],
      ['l', '0', linear],
      ['c', '0', sectors(cd, 50, 3, 2048)],
    ]);
    expect(said[5].slice(0, 2)).toEqual(['b', '1']);
    expect(written.subarray(0, 4 * 512)).toEqual(
      floppy.subarray(((5 * 2 + 1) * 18 + 4) * 512, ((5 * 2 + 1) * 18 + 8) * 512),
    );
  },
  60_000,
);
