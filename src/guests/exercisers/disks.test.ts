// The drives of the board, asked by a program, against QEMU's: the same images, the same text on the serial port. What QEMU
// wrote is in disks/expected.txt, so that the comparison needs no QEMU; where there is one it is asked again.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { loadFlat } from '../../images/boot.ts';
import { parseImage } from '../../images/load.ts';
import { Stop } from '../../machine/cpu/cpu.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { assembledDisks, DISKS, diskDrives, diskImages, expectedText } from '../testing/disks.ts';
import { installed, nasm } from '../testing/nasm.ts';

const expected = expectedText();
const assembly = assembledDisks();
const images = diskImages();

describe('disks, CDs and diskettes', () => {
  it.skipIf(!installed('nasm'))('the program is what NASM makes of it (skipped without nasm)', () => {
    expect(assembly.diagnostics).toEqual([]);
    expect(Buffer.compare(Buffer.from(assembly.bytes), nasm(DISKS).bytes)).toBe(0);
  });

  it('say what QEMU’s said', () => {
    const cost = costModel('prescott');
    const pc = new Pc(cost, new Recorder(1 << 10), 16 << 20, {
      startDate: '2005-08-23T09:41:00',
      drives: diskDrives(images),
    });
    const image = parseImage(assembly.bytes, 'disks');
    loadFlat(image, { commandLine: '', modules: [] }, pc.memory, pc.memory.size, pc.cpu);
    let text = '';
    pc.board.serial.onTransmit = (byte) => {
      text += String.fromCharCode(byte);
    };
    while (pc.cpu.cycles < 10 * cost.clockHz && pc.board.state === 'on') {
      const stop = pc.run(10 * cost.clockHz);
      if (stop === Stop.shutdown || stop === Stop.halted) break;
    }
    expect(text).toBe(expected);
    expect(pc.board.state).toBe('off');
  });

  it.skipIf(!installed('qemu-system-i386'))(
    'QEMU says it still (skipped without qemu-system-i386)',
    () => {
      const directory = mkdtempSync(join(tmpdir(), 'ringside-disks-'));
      try {
        expect(inQemu(directory)).toBe(expected);
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
    60_000,
  );
});

function inQemu(directory: string): string {
  const file = (name: string, bytes: Uint8Array) => {
    const path = join(directory, name);
    writeFileSync(path, bytes);
    return path;
  };
  const drive = (image: string, place: string) => ['-drive', `file=${image},format=raw,${place}`];
  const text = execFileSync(
    'qemu-system-i386',
    [
      ...['-kernel', file('disks.img', assembly.bytes), '-m', '16', '-display', 'none', '-monitor', 'none'],
      ...['-serial', 'stdio', '-no-reboot', '-nic', 'none', '-vga', 'std'],
      ...drive(file('disk', images.disk), 'if=ide,index=0'),
      ...drive(file('cd', images.cd), 'if=ide,index=2,media=cdrom'),
      ...drive(file('floppy', images.floppy), 'if=floppy'),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: 50_000, maxBuffer: 1 << 20 },
  ).toString('latin1');
  // QEMU always calls the information field of sense data valid, which here it is not.
  return text.replaceAll(': f0 00 ', ': 70 00 ');
}
