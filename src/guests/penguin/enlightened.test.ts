// The same guest with and without what it can find by CPUID: the same answers, fewer exits. Counted, not timed.
import { describe, expect, test } from 'vitest';
import { nodeLibrary } from '../../cli/library.ts';
import { results } from '../../session/result.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';

const library = nodeLibrary();

/** Boots unmodified Penguin, types, and waits for its end: what it said, and how often each reason made it leave. */
function run(
  technique: string,
  enlightenments: readonly string[],
  input: string,
  { processor = 'prescott', paging }: { processor?: string; paging?: string } = {},
) {
  const session = new Session(
    parseScenario({
      name: 'enlightened',
      title: 'Enlightened',
      processor,
      memoryMiB: 32,
      domains: [
        { name: 'Penguin', guest: 'penguin-native', technique, paging, memoryMiB: 16, enlightenments, input },
      ],
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

  test('and Xen’s clock: an idle guest is woken when there is something to do', () => {
    const enlightened = run(technique, ['xen'], SLEEP);
    expect(enlightened.text).toBe(asleep.text);
    expect(enlightened.count(technique === 'vt-x' ? 'HLT' : 'hlt')).toBeLessThan(40);
    expect(enlightened.exits).toBeLessThan(asleep.exits / 4);
    // Ten seconds are ten seconds: to a tick, and what the boot takes.
    expect(Math.abs(enlightened.cycles - asleep.cycles)).toBeLessThan(asleep.cycles / 100);
  });

  test('both together', () => {
    const enlightened = run(technique, ['hyper-v', 'xen'], FORKS);
    expect(enlightened.text).toBe(plain.text);
    const xen = run(technique, ['xen'], FORKS);
    expect(enlightened.exits).toBeLessThan(xen.exits);
    tell(technique, { plain, xen, both: enlightened });
  });
});

/** Techniques with nested paging, on the processor that has it. */
const nested = (technique: string, enlightenments: readonly string[], input: string) =>
  run(technique, enlightenments, input, { processor: 'nehalem', paging: 'nested' });

/** `ENLIGHTENED_TELL=1`: the counts, beside each other. */
function tell(technique: string, runs: Record<string, { exits: number; cycles: number }>): void {
  if (!process.env.ENLIGHTENED_TELL) return;
  for (const [name, { exits, cycles }] of Object.entries(runs))
    console.log(`${technique} ${name.padEnd(10)} ${exits} exits in ${cycles} cycles`);
}

describe.each(['vt-x', 'svm'])('under %s with nested paging', (technique) => {
  const CALL = technique === 'vt-x' ? 'VMCALL' : 'hypercall';

  test('the guest is advised to leave its tables to the processor', () => {
    expect(nested(technique, ['hyper-v'], 'forkwait 5\rhalt\r').count(CALL)).toBe(0);
  });

  test('both clocks, and Xen’s console, take as much from it as with shadow tables', () => {
    const input = 'forkwait 5\rsleep 4\rhalt\r';
    const plain = nested(technique, [], input);
    const microsoft = nested(technique, ['hyper-v'], input);
    const xen = nested(technique, ['xen'], input);
    const both = nested(technique, ['hyper-v', 'xen'], input);
    for (const each of [microsoft, xen, both]) expect(each.text).toBe(plain.text);
    expect(microsoft.exits).toBeLessThan(plain.exits * 0.8);
    expect(xen.exits).toBeLessThan(plain.exits * 0.5);
    expect(both.exits).toBeLessThan(microsoft.exits);
    tell(technique, { plain, microsoft, xen, both });
  });
});
