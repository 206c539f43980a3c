// A small kernel by binary translation, event by event. UPDATE_GOLDEN=1 writes the file anew: look at the difference.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { formatEvent } from '../../trace/format.ts';
import { boot } from '../testing/alone.ts';
import { runUntil } from '../testing/arena.ts';

/** Enough for blocks, chains, call-outs, lookups, faults and an interrupt. */
const EVENTS = 400;

it('golden trace: how a kernel begins that pushes CS', () => {
  const session = boot('exercisers/holes/push.asm', 'binary-translation');
  runUntil(session, () => session.view(0)!.state !== 'running', 2_000_000);
  const { recorder } = session.host;
  const text = `${Array.from({ length: EVENTS }, (_, n) => formatEvent(recorder.get(n)!)).join('\n')}\n`;
  const path = fileURLToPath(new URL('golden/push.trace', import.meta.url));
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
});
