// The house's own guests, unmodified, under a hardware-assisted technique: cases that hold for both vendors. Penguin's native
// build must print on a virtual machine what it prints on the bare one; what differs is only time.
import { describe, expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { installed, nasm } from '../../guests/testing/nasm.ts';
import { parseImage } from '../../images/load.ts';
import type { Board } from '../../machine/devices/board.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { NativeHost } from '../native/native-host.ts';
import { PAGING, type Paging, type Technique } from '../technique.ts';
import type { HardwareHost } from './hardware-host.ts';

const NASM = installed('nasm');

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

let bareText = '';
/** What Penguin says on the bare machine. */
function onBareMachine(): string {
  if (bareText) return bareText;
  const image = parseImage(nasm('penguin/penguin-native.asm').bytes, 'penguin');
  const pc = new Pc(costModel('prescott'), new Recorder(1024), 16 << 20, {
    startDate: '2005-12-05T10:00:00',
  });
  const bare = new NativeHost(pc, 1, 'penguin', image, { commandLine: '', modules: [] });
  bareText = converse(pc.board, COMMANDS, () => {
    bare.run(pc.cpu.cycles + 200_000);
    return bare.guest.state === 'running';
  });
  expect(bareText).toContain('page fault at C0100000 (read, no right to it)');
  return bareText;
}

/** What differs between vendors: who makes the host, and which exits a guest must have met. */
export interface Vendor {
  name: string;
  host(processor: 'prescott' | 'nehalem'): HardwareHost<Technique>;
  /** Exits that every boot of Penguin meets; those of a guest whose tables are shadowed, and none with nested paging. */
  common: readonly number[];
  paged: readonly number[];
}

/** The cases. Every host has 40 MiB. */
export function unmodifiedGuests({ name, host: newHost, common, paged }: Vendor): void {
  if (!NASM) console.warn(`The guests are not booted under ${name} here: nasm is not installed`);
  const hostFor = (paging: Paging) => newHost(paging === 'nested' ? 'nehalem' : 'prescott');

  describe.skipIf(!NASM).each(PAGING)(`under ${name}, %s paging`, (paging) => {
    it('Penguin says what it says on the bare machine', () => {
      const expected = onBareMachine();
      const host = hostFor(paging);
      const domain = host.boot(nasm('penguin/penguin-native.asm').bytes, 1, 16, { paging });
      const seen = converse(domain.board!, COMMANDS, () => {
        host.loop.run(host.pc.cpu.cycles + 200_000);
        return domain.alive;
      });
      expect(domain.state, domain.ending).toBe('halted');
      expect(seen).toBe(expected);
      const exits = host.exits(1);
      for (const reason of common) expect(exits.get(reason), `exit ${reason}`).toBeGreaterThan(0);
      for (const reason of paged)
        if (paging === 'shadow') expect(exits.get(reason), `exit ${reason}`).toBeGreaterThan(0);
        else expect(exits.has(reason), `exit ${reason}: its tables are its own business`).toBe(false);
    }, 240_000);

    it('Panes reaches its desktop and draws into its own video memory', () => {
      const host = hostFor(paging);
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
    }, 240_000);

    it('the same boot twice writes the same trace', () => {
      const hash = (): number => {
        const host = hostFor(paging);
        host.recorder.hashing = true;
        host.boot(nasm('penguin/penguin-native.asm').bytes, 1, 16, { paging });
        for (let turns = 0; turns < 30; turns++) host.loop.run(host.pc.cpu.cycles + 700_000);
        return host.recorder.hash;
      };
      expect(hash()).toBe(hash());
    }, 240_000);
  });
}
