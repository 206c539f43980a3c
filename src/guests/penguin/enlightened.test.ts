// The same guest with and without what it can find by CPUID: the same answers, fewer exits. Counted, not timed.
import { describe, expect, test } from 'vitest';
import { nodeLibrary } from '../../cli/library.ts';
import { results } from '../../session/result.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';

const library = nodeLibrary();

/** Boots unmodified Penguin, types, and waits for its end: what it said, and how often each reason made it leave. */
function run(technique: string, enlightenments: readonly string[], input: string, more: object = {}) {
  const session = new Session(
    parseScenario({
      name: 'enlightened',
      title: 'Enlightened',
      processor: 'prescott',
      memoryMiB: 32,
      domains: [
        { name: 'Penguin', guest: 'penguin-native', technique, memoryMiB: 16, enlightenments, input },
      ],
      ...more,
    }),
    library,
  );
  session.bootAll();
  const end = session.now + 60 * session.host.pc.cost.clockHz;
  while (session.now < end && session.view(0)?.state === 'running') session.run(session.now + 1_000_000);
  const [result] = results(session);
  expect(result.outcome, result.serial).toBe('halted');
  const count = (reason: string) => result.exits.find((x) => x.reason === reason)?.count ?? 0;
  const text = result.serial.replaceAll('\r\n', '\n').replace(/\d+ cycles, \d+ each/g, '#');
  return { count, exits: result.exits.reduce((sum, x) => sum + x.count, 0), text, cycles: result.cycles };
}

describe.each(['vt-x', 'svm'])('under %s', (technique) => {
  const FORKS = 'forkwait 30\rhalt\r';
  const SLEEP = 'sleep 10\rhalt\r';
  const plain = run(technique, [], FORKS);
  const asleep = run(technique, [], SLEEP);

  test('Microsoft’s interface: address spaces by call, no reading of CR3, no needless INVLPG', () => {
    const enlightened = run(technique, ['hyper-v'], FORKS);
    expect(enlightened.text).toBe(plain.text);
    expect(enlightened.exits).toBeLessThan(plain.exits);
    expect(enlightened.count(technique === 'vt-x' ? 'VMCALL' : 'hypercall')).toBeGreaterThan(60);
  });

  test('and the reference clock: most ticks of an idle guest are slept through', () => {
    const enlightened = run(technique, ['hyper-v'], SLEEP);
    expect(enlightened.text).toBe(asleep.text);
    const halts = technique === 'vt-x' ? 'HLT' : 'hlt';
    expect(asleep.count(halts)).toBeGreaterThan(900);
    expect(enlightened.count(halts)).toBeLessThan(asleep.count(halts) / 4);
    expect(enlightened.exits).toBeLessThan(asleep.exits * 0.7);
  });

  test('Xen’s interface: a page of characters for one exit', () => {
    const enlightened = run(technique, ['xen'], FORKS);
    expect(enlightened.text).toBe(plain.text);
    expect(enlightened.exits).toBeLessThan(plain.exits * 0.8);
  });

  test('both together', () => {
    const enlightened = run(technique, ['hyper-v', 'xen'], FORKS);
    expect(enlightened.text).toBe(plain.text);
    expect(enlightened.exits).toBeLessThan(run(technique, ['xen'], FORKS).exits);
  });
});

test('with nested paging the guest is advised to leave its tables to the processor', () => {
  const nested = run('vt-x', ['hyper-v'], 'forkwait 5\rhalt\r', {
    processor: 'nehalem',
    domains: [
      {
        name: 'Penguin',
        guest: 'penguin-native',
        technique: 'vt-x',
        paging: 'nested',
        memoryMiB: 16,
        enlightenments: ['hyper-v'],
        input: 'forkwait 5\rhalt\r',
      },
    ],
  });
  expect(nested.count('VMCALL')).toBe(0);
});
