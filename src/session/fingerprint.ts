// The hash of a scenario's trace: equal on every machine, in Node as in a browser's worker, or something is not deterministic.
import type { Engine } from './host.ts';
import type { GuestLibrary } from './library.ts';
import type { Scenario } from './scenario.ts';
import { Session } from './session.ts';

export interface Fingerprint {
  /** FNV-1a over all events, as eight hexadecimal digits. */
  hash: string;
  events: number;
  cycles: number;
  instructions: number;
}

/** Runs a scenario from power-on for `cycles` and hashes its whole trace. `slice`: cycles between two stops; must not matter, and neither must `engine`. */
export function fingerprint(
  scenario: Scenario,
  library: GuestLibrary,
  cycles: number,
  slice = cycles,
  engine: Engine = 'auto',
): Fingerprint {
  const session = new Session(scenario, library, engine);
  const { recorder } = session.host;
  recorder.hashing = true;
  session.bootAll();
  while (session.now < cycles) {
    const before = session.now;
    session.run(Math.min(cycles, session.now + slice));
    if (session.now === before) break;
  }
  return {
    hash: (recorder.hash >>> 0).toString(16).padStart(8, '0'),
    events: recorder.next,
    cycles: session.now,
    instructions: session.host.pc.cpu.instructions,
  };
}
