// The house's own guests, unmodified, under SVM. Penguin's native build must print on a virtual machine what it prints on the
// bare one; what differs is only time.
import { describe, expect, it, test } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { installed, nasm } from '../../guests/testing/nasm.ts';
import { parseImage } from '../../images/load.ts';
import { SVM_EXIT } from '../../machine/cpu/svm/exit-codes.ts';
import type { Board } from '../../machine/devices/board.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { NativeHost } from '../native/native-host.ts';
import { TestHost } from './testing.ts';

const NASM = installed('nasm');
if (!NASM) console.warn('The guests are not booted under SVM here: nasm is not installed');

/** Types each command when the prompt appears, until the machine is off. @param run runs a little; false when all is over */
function converse(board: Board, commands: string[], run: () => boolean): string {
  const waiting = [...commands];
  let serial = '';
  for (let turns = 0; turns < 20_000; turns++) {
    const goesOn = run();
    serial += String.fromCharCode(...board.takeSerial());
    if (waiting.length > 0 && serial.endsWith('# ')) {
      board.serialInput([...`${waiting.shift()}\r`].map((c) => c.charCodeAt(0)));
      serial += '\u0000';
    }
    if (!goesOn) break;
  }
  return serial.replaceAll('\u0000', '').replaceAll('\r', '');
}

const COMMANDS = [
  'uname',
  'echo one two',
  'cat /etc/rings',
  'crash',
  'crash read',
  'crash kernel',
  'crash divide',
  'crash cli',
  'crash opcode',
  'nosuch',
  'hello',
  'halt',
];

describe.skipIf(!NASM)('Penguin', () => {
  it('says under SVM what it says on the bare machine, with shadow and with nested paging', () => {
    const { bytes } = nasm('penguin/penguin-native.asm');
    const image = parseImage(bytes, 'penguin');
    const pc = new Pc(costModel('prescott'), new Recorder(1024), 16 << 20, {
      startDate: '2005-12-05T10:00:00',
    });
    const bare = new NativeHost(pc, 1, 'penguin', image, { commandLine: '', modules: [] });
    const expected = converse(pc.board, COMMANDS, () => {
      bare.run(pc.cpu.cycles + 200_000);
      return bare.guest.state === 'running';
    });
    expect(expected).toContain('page fault at C0100000 (read, no right to it)');

    for (const paging of ['shadow', 'nested'] as const) {
      const host = new TestHost({ memoryMiB: 40, processor: 'nehalem' });
      const domain = host.boot(bytes, 1, 16, { paging });
      const seen = converse(domain.board!, COMMANDS, () => {
        host.loop.run(host.pc.cpu.cycles + 200_000);
        return domain.alive;
      });
      expect(domain.state, domain.ending).toBe('halted');
      expect(seen).toBe(expected);
      const exits = host.exits(1);
      for (const code of [SVM_EXIT.interrupt, SVM_EXIT.hlt, SVM_EXIT.ioio])
        expect(exits.get(code), `exit ${code}`).toBeGreaterThan(0);
      const paged = [SVM_EXIT.exception + 14, SVM_EXIT.crWrite + 3, SVM_EXIT.invlpg];
      for (const code of paged)
        if (paging === 'shadow') expect(exits.get(code), `exit ${code}`).toBeGreaterThan(0);
        else expect(exits.has(code), 'its tables are its own business').toBe(false);
    }
  }, 120_000);
});

test.skipIf(!NASM).each(['shadow', 'nested'] as const)(
  'Panes reaches its desktop and draws into its own video memory (%s)',
  (paging) => {
    const host = new TestHost({ memoryMiB: 40, processor: 'nehalem' });
    const before = host.pc.memory.bytes.slice(0xa0000, 0xc0000);
    const domain = host.boot(nasm('panes/panes.asm').bytes, 1, 16, { paging });
    let serial = '';
    for (let turns = 0; turns < 500 && !serial.includes('ready'); turns++) {
      host.loop.run(host.pc.cpu.cycles + 200_000);
      serial += String.fromCharCode(...domain.board!.takeSerial());
    }
    host.loop.run(host.pc.cpu.cycles + 50_000_000);
    expect(serial).toContain('Panes: desktop ready');
    const screen = domain.board!.screen();
    expect(screen.mode).toBe('graphics');
    if (screen.mode === 'graphics') expect(new Set(screen.pixels).size).toBeGreaterThan(8);
    expect(host.pc.memory.bytes.slice(0xa0000, 0xc0000), 'the host’s own screen is untouched').toEqual(
      before,
    );
  },
  120_000,
);

test.skipIf(!NASM)(
  'the same boot twice writes the same trace',
  () => {
    const hash = (): number => {
      const host = new TestHost({ memoryMiB: 40 });
      host.recorder.hashing = true;
      host.boot(nasm('penguin/penguin-native.asm').bytes, 1, 16);
      for (let turns = 0; turns < 30; turns++) host.loop.run(host.pc.cpu.cycles + 700_000);
      return host.recorder.hash;
    };
    expect(hash()).toBe(hash());
  },
  120_000,
);
