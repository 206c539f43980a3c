// Runs one of our measuring guests under a technique, and reads what it says about itself. Virtual cycles only: the same
// numbers on every computer.
import { nodeLibrary } from '../cli/library.ts';
import { hasNestedPaging } from '../cost/processors.ts';
import type { Paging, TechniqueName } from '../hypervisor/technique.ts';
import { techniquesHere } from '../session/host.ts';
import { parseScenario } from '../session/scenario.ts';
import { Session } from '../session/session.ts';

/** A way to run a guest, as a column of a table. */
export interface Way {
  readonly technique: TechniqueName;
  readonly paging: Paging;
  readonly title: string;
}

const TITLES: Readonly<Record<TechniqueName, string>> = {
  native: 'native',
  'trap-and-emulate': 'trap & emulate',
  'binary-translation': 'translation',
  paravirtualization: 'Xen',
  'vt-x': 'VT-x',
  svm: 'SVM',
  container: 'container',
};

/** Every way of `techniques` that there is on this processor. */
export function waysOf(techniques: readonly TechniqueName[], processor: string): Way[] {
  const here = techniquesHere();
  return techniques
    .filter((technique) => here.includes(technique))
    .flatMap((technique): Way[] => {
      const shadow: Way = { technique, paging: 'shadow', title: TITLES[technique] };
      const assisted = technique === 'vt-x' || technique === 'svm';
      if (!assisted || !hasNestedPaging(processor)) return [shadow];
      return [shadow, { technique, paging: 'nested', title: `${TITLES[technique]} nested` }];
    });
}

const MEMORY_MIB = 24;
const CHUNK = 2_000_000;

export interface GuestRun {
  /** Serial port or console. */
  readonly text: string;
  readonly cycles: number;
  /** Why it did not come to its end; empty when it did. */
  readonly problem: string;
}

/**
 * Boots a guest alone on a host and lets it run to its end.
 * @param guest for this way: another build of the same guest may be needed for another
 * @param limit cycles
 */
export function runGuest(guest: string, way: Way, processor: string, input = '', limit = 20e9): GuestRun {
  const { technique, paging } = way;
  const scenario = parseScenario({
    name: 'bench',
    title: 'bench',
    processor,
    memoryMiB: technique === 'native' ? MEMORY_MIB : MEMORY_MIB + 16,
    domains: [{ name: guest, guest, technique, paging, memoryMiB: MEMORY_MIB, input }],
  });
  const session = new Session(scenario, nodeLibrary());
  const booted = session.boot(0);
  if (!booted.ok) return { text: '', cycles: 0, problem: booted.message };
  while (session.now < limit && session.view(0)?.state === 'running') {
    if (session.run(session.now + CHUNK) === 'idle') break;
  }
  const view = session.view(0);
  return {
    text: session.domains[0].text,
    cycles: session.now,
    problem: view?.state === 'halted' ? '' : view?.ending || 'it did not come to its end',
  };
}
