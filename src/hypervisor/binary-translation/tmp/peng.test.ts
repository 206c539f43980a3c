import { expect, it } from 'vitest';
import { boot, outcome } from '/work/main/src/hypervisor/testing/alone.ts';
import { runUntil, type } from '/work/main/src/hypervisor/testing/arena.ts';

it('penguin', () => {
  const session = boot('penguin/penguin-native.asm', 'binary-translation', 16);
  const t = Date.now();
  runUntil(
    session,
    () => /penguin# $/.test(session.domains[0].text) || session.view(0)!.state !== 'running',
    1_000_000_000,
  );
  console.log(
    session.domains[0].text,
    session.view(0)!.state,
    session.view(0)!.ending,
    session.now,
    Date.now() - t,
  );
  console.log(JSON.stringify(session.host.recorder.exitCounts(0)));
  const g = [...(session.host as any).hypervisor.domains.values()][0].technique.guests.values().next().value;
  console.log(
    g?.cache.blocks.length,
    g?.cache.flushes,
    [...g.trapped.entries()].filter((e: any) => e[1] > 3),
  );
}, 300000);
