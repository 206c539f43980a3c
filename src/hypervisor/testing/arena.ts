// For tests of isolation: a host with two victims, Penguin paravirtualized and Panes under VT-x, booted and ready, and room
// for a third domain that is hostile. Looks behind the session, at the memory of the machine and at who owns which frame.
import { fileURLToPath } from 'node:url';
import { nodeLibrary, readSources } from '../../cli/library.ts';
import type { GuestSource } from '../../session/library.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';
import type { Domain } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { RunLoop } from '../run-loop.ts';
import type { TechniqueName } from '../technique.ts';

const library = nodeLibrary();
const sources = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));

/** A guest of src/guests/ that is not in the catalog. */
export const exerciser = (main: string): GuestSource => ({
  kind: 'source',
  files: sources,
  main,
  sealed: false,
});

/** The hypervisor of a session, which its users never see. */
export const hypervisorOf = (session: Session): Hypervisor =>
  (session.host as unknown as { hypervisor: Hypervisor }).hypervisor;

/** Runs until `done` says so; false when it never did. */
export function runUntil(session: Session, done: () => boolean, cycles = 400_000_000): boolean {
  const end = session.now + cycles;
  while (!done() && session.now < end) session.run(session.now + 500_000);
  return done();
}

/** Types a line on the console of a guest. */
export const type = (session: Session, id: number, line: string): void =>
  session.input(
    id,
    [...`${line}\r`].map((c) => c.charCodeAt(0)),
  );

export const PENGUIN = 0;
export const PANES = 1;
export const HOSTILE = 2;

export class Arena {
  readonly session: Session;
  readonly hypervisor: Hypervisor;

  /** Boots the victims and waits until they are ready. */
  constructor() {
    const domain = (name: string, guest: string, technique: TechniqueName, memoryMiB: number) => ({
      name,
      guest,
      technique,
      memoryMiB,
    });
    this.session = new Session(
      parseScenario({
        name: 'arena',
        title: 'arena',
        processor: 'prescott',
        memoryMiB: 32,
        domains: [
          domain('penguin', 'penguin-xen', 'paravirtualization', 4),
          domain('panes', 'panes', 'vt-x', 8),
          domain('hostile', 'hello-xen', 'paravirtualization', 8),
        ],
      }),
      library,
    );
    const { session } = this;
    for (const id of [PENGUIN, PANES]) {
      const result = session.boot(id);
      if (!result.ok) throw new Error(result.message);
    }
    this.hypervisor = hypervisorOf(session);
    const ready = runUntil(
      session,
      () =>
        /penguin# $/.test(session.domains[PENGUIN].text) && /desktop ready/.test(session.domains[PANES].text),
    );
    if (!ready)
      throw new Error(`the victims did not boot: ${session.domains.map((d) => d.text).join(' | ')}`);
  }

  /** Boots the hostile domain; it has not run yet. */
  invade(source: GuestSource, technique: TechniqueName, commandLine: string): Domain {
    const { session } = this;
    session.domains[HOSTILE].config.commandLine = commandLine;
    const result = session.boot(HOSTILE, { source, technique });
    if (!result.ok) throw new Error(result.message);
    return this.hypervisor.domains.get(HOSTILE)!;
  }

  /** Stops or lets go the victims: nobody is in the middle of a run any more. */
  victims(state: 'running' | 'paused'): void {
    (this.session.host as unknown as { loop: RunLoop }).loop.leaveGuest();
    for (const id of [PENGUIN, PANES]) this.hypervisor.domains.get(id)!.state = state;
  }

  /** Runs until the hostile domain has ended. False when it does not. */
  untilEnded(cycles: number): boolean {
    return runUntil(this.session, () => this.session.view(HOSTILE)!.state !== 'running', cycles);
  }

  /** Penguin answers on its console, and Panes goes on drawing. */
  victimsWork(): boolean {
    const { session } = this;
    const before = session.domains[PENGUIN].printed;
    const frames = this.hypervisor.domains.get(PANES)!.vcpus[0].instructions;
    type(session, PENGUIN, 'primes 100');
    const penguin = runUntil(
      session,
      () =>
        session.domains[PENGUIN].printed > before &&
        /largest 97[^]*penguin# $/.test(
          session.domains[PENGUIN].text.slice(-(session.domains[PENGUIN].printed - before)),
        ),
    );
    const panes = runUntil(
      session,
      () => this.hypervisor.domains.get(PANES)!.vcpus[0].instructions > frames + 10_000,
    );
    return penguin && panes && session.view(PANES)!.state === 'running';
  }
}
