// What ran silently wrong, as the page lists it: counted and named from a real run of an unmodified kernel at ring 1.
import { expect, it } from 'vitest';
import { nodeLibrary } from '../cli/library.ts';
import { Kind } from '../trace/events.ts';
import { holesOf } from './holes.ts';
import { findScenario } from './scenarios.ts';
import { Session } from './session.ts';

it('names each instruction, what the guest got and what bare hardware gives', { timeout: 60_000 }, () => {
  const session = new Session(findScenario('classical')!, nodeLibrary());
  session.bootAll();
  session.run(20_000_000);
  const rows = holesOf(session, 0);
  const popf = rows.find(({ mnemonic }) => mnemonic === 'POPFD')!;
  // The kernel wants its interrupts back, and does not get them.
  expect(popf).toMatchObject({ got: '00000002', expected: '00000202', flags: 'IF' });
  expect(popf.line?.file).toMatch(/penguin\/native/);
  expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(session.host.recorder.count(Kind.hole, 0));
  expect(holesOf(session, 7)).toEqual([]);
});
