// The BIOS, asked by programs on a diskette, against QEMU's own (SeaBIOS): the same questions, the same answers on the serial
// port. What QEMU wrote is in expected/, so that the comparison needs no QEMU; where there is one it is asked again, and our
// BIOS is asked on QEMU's hardware too.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../../assembler/assemble.ts';
import { readSources } from '../../../cli/library.ts';
import { costModel } from '../../../cost/processors.ts';
import { assembleFirmware } from '../../../firmware/firmware.ts';
import { coldStart } from '../../../hypervisor/native/cold-start.ts';
import { Stop } from '../../../machine/cpu/cpu.ts';
import { Medium } from '../../../machine/devices/storage/medium.ts';
import { Pc } from '../../../machine/pc.ts';
import { Recorder } from '../../../trace/recorder.ts';
import { installed } from '../../testing/nasm.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const firmware = assembleFirmware(readSources(fileURLToPath(new URL('../../../firmware/', import.meta.url))));
const sources = readSources(FOLDER);
const DATE = '2005-12-05T10:00:00';
const HARD_DISK = 20 << 20;
/** Virtual seconds, at most. */
const LIMIT = 30;

/** A disk full of numbers, without a partition table. */
function hardDisk(): Uint8Array {
  const words = new Uint32Array(HARD_DISK / 4);
  let x = 1;
  for (let i = 0; i < words.length; i++) words[i] = x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
  const bytes = new Uint8Array(words.buffer);
  bytes.fill(0, 0x1be, 0x200);
  return bytes;
}

function program(name: string): Uint8Array {
  const { bytes, diagnostics } = assemble(sources, `${name}.asm`, { includePaths: [''] });
  expect(diagnostics).toEqual([]);
  return bytes;
}

function here(name: string): string {
  const cost = costModel('prescott');
  const pc = new Pc(cost, new Recorder(1 << 10), 32 << 20, {
    startDate: DATE,
    drives: [
      { kind: 'floppy', medium: new Medium(program(name)) },
      { kind: 'hard-disk', medium: new Medium(hardDisk()) },
    ],
  });
  coldStart(pc, firmware, 'floppy');
  let text = '';
  pc.board.serial.onTransmit = (byte) => {
    text += String.fromCharCode(byte);
  };
  const end = LIMIT * cost.clockHz;
  while (pc.cpu.cycles < end && pc.board.state === 'on') {
    const stop = pc.run(end);
    if (stop === Stop.shutdown) break;
    if (stop === Stop.halted) while (!pc.board.pic.pending() && pc.cpu.cycles < end) pc.passTime(end);
  }
  return text;
}

function inQemu(name: string, bios: Uint8Array | null): string {
  const directory = mkdtempSync(join(tmpdir(), 'ringside-bios-'));
  const file = (called: string, bytes: Uint8Array) => {
    writeFileSync(join(directory, called), bytes);
    return join(directory, called);
  };
  try {
    const serial = join(directory, 'serial');
    const drive = (path: string, rest: string) => ['-drive', `file=${path},format=raw,${rest}`];
    spawnSync(
      'qemu-system-i386',
      [
        ...['-display', 'none', '-net', 'none', '-no-reboot', '-m', '32', '-boot', 'a'],
        ...['-rtc', `base=${DATE}`, '-serial', `file:${serial}`],
        ...drive(file('floppy', program(name)), 'if=floppy'),
        ...drive(file('disk', hardDisk()), 'if=ide,index=0'),
        ...(bios ? ['-bios', file('bios', bios)] : []),
      ],
      { timeout: 40_000, stdio: 'ignore' },
    );
    return readFileSync(serial, 'latin1');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe.each(['system', 'video', 'vbe', 'disk'])('BIOS services: %s', (name) => {
  const expected = readFileSync(join(FOLDER, 'expected', `${name}.txt`), 'latin1');

  it('answers as SeaBIOS does', () => {
    expect(here(name)).toBe(expected);
  }, 60_000);

  it.skipIf(!installed('qemu-system-i386'))(
    'SeaBIOS says it still, and our BIOS says it on QEMU’s hardware (skipped without qemu-system-i386)',
    () => {
      expect(inQemu(name, null)).toBe(expected);
      expect(inQemu(name, firmware)).toBe(expected);
    },
    90_000,
  );
});
