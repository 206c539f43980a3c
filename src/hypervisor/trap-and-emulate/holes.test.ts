// The instructions of Robin & Irvine (2000), one exerciser each (src/guests/exercisers/holes/): what a kernel is told by the
// bare machine, what it is told at ring 1, and that the watcher names the difference. And a kernel that uses none of them.
import { describe, expect, it } from 'vitest';
import { Kind } from '../../trace/events.ts';
import { events, runAlone } from '../testing/alone.ts';

const hole = (name: string) => `exercisers/holes/${name}.asm`;

describe('at ring 1 it is told something else, and nobody but the watcher knows', () => {
  it.each([
    // exerciser, instruction, bare machine, ring 1, got, expected
    ['sgdt', 'sgdt', 'GDT, distance from ours: 00000000', 'FC6FF000', 0xfc800000, 0x101000],
    ['sidt', 'sidt', 'IDT, distance from ours: 00000000', 'FC2FA000', 0xfc402000, 0x108000],
    ['sldt', 'sldt', 'LDTR: 00000030', '0000E040', 0xe040, 0x30],
    ['smsw', 'smsw', 'machine status word: 00000011', '00000031', 0x31, 0x11],
    ['str', 'str', 'TR: 00000028', '0000E038', 0xe038, 0x28],
    ['pushf', 'pushfd', 'IF after CLI: 00000000', '00000200', 0x202, 0x2],
    ['popf', 'popfd', 'a timer interrupt came: 00000001', '00000000', 0x2, 0x202],
    ['lar', 'lar', 'access rights of CS: 00CF9B00', '00CFBB00', 0xcfbb00, 0xcf9b00],
    ['lsl', 'lsl', 'limit of DS: FFFFFFFF', 'FBFFFFFF', 0xfbffffff, 0xffffffff],
    ['verr', 'verr', 'ring 1 may read DS: 00000000', '00000001', 1, 0],
    ['verw', 'verw', 'ring 1 may write DS: 00000000', '00000001', 1, 0],
    ['push', 'push', 'CS pushed: 00000008', '00000009', 9, 8],
    ['mov', 'mov', 'SS: 00000010', '00000011', 0x11, 0x10],
    ['call', 'call', 'CS on the stack: 00000008', '00000009', 9, 8],
    ['iret', 'iretd', '00000001', '00000000', 0x2, 0x202],
  ])('%s', (name, mnemonic, right, wrong, got, expected) => {
    expect(runAlone(hole(name), 'native').debug).toBe(`${right}\n`);
    const { debug, holes, state } = runAlone(hole(name), 'trap-and-emulate');
    expect(state).toBe('halted');
    expect(debug).toBe(`${right.replace(/\w{8}$/, wrong)}\n`);
    expect(holes.at(-1)).toEqual({ mnemonic, got, expected, faults: false });
  });

  it.each([
    // What should have been refused, and was not.
    ['pop', 'pop', 'DS accepted: 00000011', 0x11],
    ['jmp', 'jmp', 'jumped: 00000000', 0x9],
    ['ret', 'retf', 'returned: 00000000', 0x9],
  ])('%s: bare hardware raises #GP', (name, mnemonic, wrong, got) => {
    expect(runAlone(hole(name), 'native').debug).toBe('#GP\n');
    const { debug, holes } = runAlone(hole(name), 'trap-and-emulate');
    expect(debug).toBe(`${wrong}\n`);
    expect(holes[0]).toEqual({ mnemonic, got, expected: 13, faults: true });
  });

  it('INT n has no hole under this monitor: no gate of its IDT lets ring 1 through', () => {
    const bare = runAlone(hole('int'), 'native');
    const { debug, holes } = runAlone(hole('int'), 'trap-and-emulate');
    expect(debug).toBe(bare.debug);
    expect(holes).toEqual([]);
  });

  it.each(['sgdt', 'popf', 'iret', 'jmp', 'lsl'])('%s: under VT-x there is no hole', (name) => {
    const { debug, holes } = runAlone(hole(name), 'vt-x');
    expect(debug).toBe(runAlone(hole(name), 'native').debug);
    expect(holes).toEqual([]);
  });
});

describe('a kernel that avoids the holes', () => {
  it('says the same on the bare machine, under trap-and-emulate and under VT-x', () => {
    const bare = runAlone(hole('careful'), 'native');
    expect(bare.debug).toMatch(/five interrupts: 00000001\n(.*\n)*system call: 00000000\n$/);
    const classical = runAlone(hole('careful'), 'trap-and-emulate');
    expect(classical.debug).toBe(bare.debug);
    expect(classical.holes).toEqual([]);
    expect(runAlone(hole('careful'), 'vt-x').debug).toBe(bare.debug);
  });

  it('the watcher changes nothing: without it the same guest takes the same course', () => {
    const course = (watched: boolean) => {
      const { session } = runAloneWatched(watched);
      return events(session, Kind.exit).map(({ time, eip, a }) => [time, eip, a]);
    };
    expect(course(true)).toEqual(course(false));
  });
});

function runAloneWatched(watched: boolean) {
  return runAlone(hole('popf'), 'trap-and-emulate', 60_000_000, (session) => {
    if (!watched) session.host.pc.cpu.watcher = null;
  });
}
