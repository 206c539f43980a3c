// A hypervisor handles most exits without leaving the processor's run (`Cpu.monitor`); while somebody waits for an event it
// comes back after each. Nothing that can be seen depends on which: both give the same trace, event by event, whatever
// moments the runs are cut at.
import { describe, expect, it } from 'vitest';
import { parseScenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { Session } from './session.ts';
import { COMMANDS, converse, each, library, WAYS } from './testing/differential.ts';

/** Virtual seconds that each scenario runs. */
const SECONDS = 0.03;

/** Cycles between one cut and the next, from hardly any to many. */
function* cuts(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    yield 1 + ((state >>> 8) % (state & 1 ? 300 : 300_000));
  }
}

/** What is to be seen of a session, and how many turns were taken inside. */
function look(session: Session, turns: number) {
  const { recorder, pc, hypervisor } = session.host;
  return {
    hash: recorder.hash,
    events: recorder.next,
    cycles: pc.cpu.cycles,
    instructions: pc.cpu.instructions,
    ofDomains: [...hypervisor!.domains.values()].map(({ vcpus }) => vcpus.map((vcpu) => vcpu.instructions)),
    text: session.domains.map(({ text }) => text),
    inside: turns > 0,
  };
}

/** Counts how often the processor has asked its monitor in the middle of a run. */
function counted(session: Session): () => number {
  let turns = 0;
  const { cpu } = session.host.pc;
  let monitor: typeof cpu.monitor = null;
  Object.defineProperty(cpu, 'monitor', {
    get: () => monitor,
    set: (to: typeof cpu.monitor) => {
      monitor =
        to &&
        (() => {
          turns++;
          return to();
        });
    },
  });
  return () => turns;
}

/** @param outside somebody waits for events, though for none that comes */
function run(session: Session, outside: boolean, seed: number) {
  const { recorder, pc } = session.host;
  recorder.hashing = true;
  const turns = counted(session);
  const end = session.now + SECONDS * pc.cost.clockHz;
  const cut = cuts(seed);
  while (session.now < end)
    session.run(Math.min(end, session.now + cut.next().value), outside ? () => false : undefined);
  return look(session, turns());
}

const ofHypervisors = SCENARIOS.filter(({ domains }) =>
  domains.every(({ technique }) => technique !== 'native' && technique !== 'container'),
).map((scenario): [string, typeof scenario] => [scenario.name, scenario]);

function boot(scenario: Parameters<typeof parseScenario>[0]): Session {
  const session = new Session(parseScenario(scenario), library);
  for (const { id } of session.domains) {
    const booted = session.boot(id);
    if (!booted.ok) throw new Error(booted.message);
  }
  return session;
}

describe('exits handled inside a run and outside it', () => {
  it.each(ofHypervisors)('give the same trace: %s', (_, scenario) => {
    const outside = run(boot(scenario), true, 1);
    expect(outside.inside).toBe(false);
    expect(outside.events).toBeGreaterThan(20);
    for (const seed of [2, 3]) expect(run(boot(scenario), false, seed)).toEqual({ ...outside, inside: true });
  });

  it.each(each(WAYS))(
    'give the same trace while somebody types: %s',
    (_, { technique, paging, processor }) => {
      const seen = [true, false].map((outside) => {
        const session = boot({
          name: 'turns',
          title: 'turns',
          processor,
          memoryMiB: 48,
          domains: [{ name: 'penguin', guest: 'penguin-native', technique, paging, memoryMiB: 16 }],
        });
        session.host.recorder.hashing = true;
        const turns = counted(session);
        const plain = session.run.bind(session);
        if (outside) session.run = (until) => plain(until, () => false);
        converse(session, COMMANDS.slice(0, 3));
        return look(session, turns());
      });
      expect(seen[0].inside).toBe(false);
      expect(seen[1]).toEqual({ ...seen[0], inside: true });
    },
  );
});
