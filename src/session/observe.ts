// What happened, as plain data: what lesson checks and graders judge by. Counts, text, memory; never the source text.
import { FORMS } from '../machine/isa/table.ts';
import { Kind } from '../trace/events.ts';
import { hypercallName } from '../trace/xen-names.ts';
import { type GuestResult, results } from './result.ts';
import type { Session } from './session.ts';

/** A range of guest-linear memory somebody wants to see. */
export interface MemoryRequest {
  domain: number;
  /** A number, or a symbol of the assembled source. */
  at: number | string;
  length: number;
}

export interface Observation {
  cycles: number;
  guests: (GuestResult & {
    /** Hypercalls by name, and how many of them failed. */
    calls: Record<string, { count: number; failed: number }>;
    /** Sensitive instructions that ran silently wrong, by mnemonic. */
    holes: Record<string, number>;
    /** Instructions that the hypervisor emulated, exceptions it reflected, upcalls it made. */
    emulated: number;
    reflected: number;
    upcalls: number;
    interrupts: number;
  })[];
  memory: (number[] | null)[];
}

const MAX_BYTES = 4096;

/** Observes the session now. Unmapped or unknown memory is null. */
export function observe(session: Session, memory: readonly MemoryRequest[] = []): Observation {
  const { recorder } = session.host;
  return {
    cycles: session.now,
    guests: results(session).map((result, id) => ({
      ...result,
      calls: Object.fromEntries(
        [...recorder.hypercallCounts(id)].map(([number, count]) => [hypercallName(number), count]),
      ),
      holes: Object.fromEntries(
        [...recorder.holeCounts(id)].map(([form, { count }]) => [FORMS[form]?.mnemonic ?? `${form}`, count]),
      ),
      emulated: recorder.count(Kind.emulate, id),
      reflected: recorder.count(Kind.inject, id),
      upcalls: recorder.count(Kind.upcall, id),
      interrupts: recorder.count(Kind.interrupt, id),
    })),
    memory: memory.slice(0, 64).map((request) => read(session, request)),
  };
}

function read(session: Session, { domain, at, length }: MemoryRequest): number[] | null {
  const address = typeof at === 'number' ? at : session.domains[domain]?.assembly?.symbols.get(at);
  if (address === undefined || !session.domains[domain]) return null;
  const wanted = Math.min(length, MAX_BYTES);
  const bytes = session.host.readGuest(domain, address >>> 0, wanted);
  return bytes.length === wanted ? [...bytes] : null;
}
