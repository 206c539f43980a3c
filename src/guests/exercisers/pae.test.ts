// The program that pages with PAE, on the bare machine against QEMU: the same image, the same text but for what QEMU does
// otherwise, which is listed here. Under hypervisors: session/differential.test.ts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { loadFlat } from '../../images/boot.ts';
import { parseImage } from '../../images/load.ts';
import { Stop } from '../../machine/cpu/cpu.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { installed, nasm } from '../testing/nasm.ts';

const PAE = 'exercisers/pae.asm';
const GUESTS = join(import.meta.dirname, '..');
const assembly = assemble((name) => {
  try {
    return readFileSync(join(GUESTS, name), 'utf8');
  } catch {
    return undefined;
  }
}, PAE);

function onTheBareMachine(): string {
  const pc = new Pc(costModel('prescott'), new Recorder(1 << 10), 16 << 20, {
    startDate: '2005-08-23T09:41:00',
  });
  const image = parseImage(assembly.bytes, 'pae');
  loadFlat(image, { commandLine: '', modules: [] }, pc.memory, pc.memory.size, pc.cpu);
  let text = '';
  pc.board.serial.onTransmit = (byte) => {
    text += String.fromCharCode(byte);
  };
  for (let stop: number = Stop.budget; stop === Stop.budget && pc.board.state === 'on'; )
    stop = pc.run(pc.cpu.cycles + 10_000_000);
  return text;
}

/**
 * What QEMU does otherwise: it keeps no PDPTEs and refuses none, has PSE-36, answers zeros where nobody is, and leaves the P
 * bit out of the error code of a reserved bit (which SDM vol. 3 §4.7 wants set).
 */
const comparable = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => !/^(kept|nowhere|without PSE-36): /.test(line))
    .map((line) =>
      line.replace(/error 000([8ace])/, (_, digit) => `error 000${'9bdf'['8ace'.indexOf(digit)]}`),
    );

describe('a kernel that pages with PAE', () => {
  it.skipIf(!installed('nasm'))('the program is what NASM makes of it (skipped without nasm)', () => {
    expect(assembly.diagnostics).toEqual([]);
    expect(Buffer.compare(Buffer.from(assembly.bytes), nasm(PAE).bytes)).toBe(0);
  });

  it('comes to its end, keeps its PDPTEs until CR3 is loaded, and finds bad ones refused', () => {
    const text = onTheBareMachine();
    expect(text).toMatch(/\nend\n$/);
    expect(text.split('\n').filter((line) => line.startsWith('kept: '))).toEqual([
      'kept: after a write and INVLPG: 5a ',
      'kept: CR3: done',
      'kept: after a load of CR3: exception 0e error 0000 at 40000000 ',
      'kept: R/W and U/S are reserved: CR3: exception 0d error 0000 ',
      'kept: bit 63 is reserved: CR3: exception 0d error 0000 ',
      'kept: as it was: 5a ',
    ]);
  });

  it.skipIf(!installed('qemu-system-i386'))(
    'QEMU says the same (skipped without qemu-system-i386)',
    () => {
      const directory = mkdtempSync(join(tmpdir(), 'ringside-pae-'));
      try {
        const file = join(directory, 'pae.img');
        writeFileSync(file, assembly.bytes);
        const words = [
          '-kernel',
          file,
          '-m',
          '16',
          '-display',
          'none',
          '-monitor',
          'none',
          '-serial',
          'stdio',
        ];
        const text = execFileSync('qemu-system-i386', [...words, '-no-reboot'], { timeout: 50_000 });
        expect(comparable(text.toString('latin1'))).toEqual(comparable(onTheBareMachine()));
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
    60_000,
  );
});
