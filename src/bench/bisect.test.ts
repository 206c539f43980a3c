// The tool that finds where the two engines part: it must find a difference that was put there, to the cycle.
import { expect, it } from 'vitest';
import { run } from '../machine/cpu/execute.ts';
import '../machine/engine/provide.ts';
import { TestMachine } from '../machine/cpu/test-machine.ts';
import { type Begin, bisect, differenceText } from './bisect.ts';

/** ADD EAX, ECX; DEC ECX; JNZ to the first; then again with another ECX, for ever. One cycle an instruction. */
const CODE = [0xb9, 0x10, 0x27, 0, 0, 0x01, 0xc8, 0x49, 0x75, 0xfb, 0xeb, 0xf4];
const ADDRESS = 0x10000;

/** Runs of the program above; the compiling one is spoilt at a cycle. */
const begin =
  (spoilAt: number, spoil: (m: TestMachine) => void): Begin =>
  (engine) => {
    const m = new TestMachine(0x80000).flat(new Uint8Array(CODE), ADDRESS);
    m.cpu.compiledAllowed = engine !== 'interpreter';
    const runTo = (until: number) => {
      while (m.cpu.cycles < until) run(m.cpu, until);
    };
    return {
      run(until) {
        if (engine === 'auto' && m.cpu.cycles < spoilAt && until >= spoilAt) {
          runTo(spoilAt);
          spoil(m);
        }
        runTo(until);
      },
      cpu: m.cpu,
      memory: m.memory.bytes,
      recorder: m.recorder,
    };
  };

it('finds nothing where nothing differs', () => {
  expect(
    bisect(
      begin(Infinity, () => {}),
      100_000,
      30_000,
    ),
  ).toBeNull();
});

it('finds a register that differs, at its cycle', () => {
  const found = bisect(
    begin(61_803, (m) => {
      m.cpu.regs[6] = 0x77;
    }),
    200_000,
    30_000,
  );
  expect([found?.equal, found?.differs]).toEqual([61_802, 61_803]);
  expect(found?.what).toEqual([['ESI', '00000077', '00000000']]);
});

it('finds a byte of memory that differs, and says so', () => {
  const found = bisect(
    begin(12_345, (m) => m.memory.write8(0x34567, 0xab)),
    20_000,
    5_000,
  );
  expect(differenceText(found!).split('\n')[1]).toBe('  byte at 00034567: ab compiled, 00 interpreted');
});
