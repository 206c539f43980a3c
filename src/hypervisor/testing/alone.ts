// For tests that ask whether a guest does the same under different techniques: one guest on a host of its own, from its
// source in src/guests/ to what it printed and what was recorded about it.
import { fileURLToPath } from 'node:url';
import { nodeLibrary, readSources } from '../../cli/library.ts';
import { FORMS } from '../../machine/isa/table.ts';
import type { GuestSource } from '../../session/library.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';
import { Kind, type TraceEvent } from '../../trace/events.ts';
import type { TechniqueName } from '../technique.ts';
import { runUntil } from './arena.ts';

const library = nodeLibrary();
const sources = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));

export interface Outcome {
  session: Session;
  /** Port E9h and serial port. */
  debug: string;
  serial: string;
  state: string;
  ending: string;
  /** `hole` events, oldest first, as far as the trace still has them. */
  holes: { mnemonic: string; got: number; expected: number; faults: boolean }[];
}

/** A session with one domain, booted. @param guest file below src/guests/, or an image */
export function boot(guest: string | Uint8Array, technique: TechniqueName, memoryMiB = 8): Session {
  const session = new Session(
    parseScenario({
      name: 'alone',
      title: 'alone',
      processor: 'prescott',
      memoryMiB: technique === 'native' ? memoryMiB : memoryMiB + 24,
      domains: [{ name: 'guest', guest: 'penguin-native', technique, memoryMiB }],
    }),
    library,
  );
  const source: GuestSource =
    typeof guest === 'string'
      ? { kind: 'source', files: sources, main: guest, sealed: false }
      : { kind: 'image', bytes: guest, name: 'guest' };
  const result = session.boot(0, { source });
  if (!result.ok) throw new Error(result.message);
  return session;
}

/** Runs a guest until its domain has ended, or for so many cycles. */
export function runAlone(
  guest: string | Uint8Array,
  technique: TechniqueName,
  cycles = 400_000_000,
  prepare?: (session: Session) => void,
): Outcome {
  const session = boot(guest, technique);
  prepare?.(session);
  runUntil(session, () => session.view(0)!.state !== 'running', cycles);
  return outcome(session);
}

export function outcome(session: Session): Outcome {
  const view = session.view(0)!;
  return {
    session,
    debug: session.domains[0].debugText,
    serial: session.domains[0].text,
    state: view.state,
    ending: view.ending,
    holes: events(session, Kind.hole).map(({ a, b, c, d }) => ({
      mnemonic: FORMS[a].mnemonic,
      got: b >>> 0,
      expected: c >>> 0,
      faults: d === 1,
    })),
  };
}

/** Recorded events of a kind, oldest first. */
export function events(session: Session, kind: number): TraceEvent[] {
  const { recorder } = session.host;
  const found: TraceEvent[] = [];
  for (let seq = recorder.oldest; seq < recorder.next; seq++) {
    const event = recorder.get(seq)!;
    if (event.kind === kind) found.push(event);
  }
  return found;
}
