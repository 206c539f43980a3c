// One run of the learner's guest in a few numbers, so that it can be compared with the run before. Pure.
import type { Observation } from '../session/observe.ts';
import { ageOf } from './checks.ts';

export interface RunSummary {
  /** `as given`, `run 1` … */
  label: string;
  cycles: number;
  instructions: number;
  /** Shares of the time since boot, 0 … 1. */
  time: { user: number; kernel: number; hypervisor: number; ready: number; idle: number };
  /** Exits by reason, most frequent first; silently wrong instructions among them as `silently wrong`. */
  exits: { reason: string; count: number }[];
}

/** Sums up what a guest has done since it was booted. */
export function summarize(label: string, seen: Observation, domain: number): RunSummary | null {
  const guest = seen.guests[domain];
  if (!guest) return null;
  const cycles = ageOf(guest);
  const share = (part: number) => (cycles > 0 ? part / cycles : 0);
  const { user, kernel, hypervisor, ready, idle } = guest.time;
  const wrong = Object.values(guest.holes).reduce((sum, n) => sum + n, 0);
  const exits = guest.exits.map(({ reason, count }) => ({ reason, count }));
  if (wrong > 0) exits.push({ reason: 'silently wrong', count: wrong });
  return {
    label,
    cycles,
    instructions: guest.instructions,
    time: {
      user: share(user),
      kernel: share(kernel),
      hypervisor: share(hypervisor),
      ready: share(ready),
      idle: share(idle),
    },
    exits,
  };
}

/** The reasons of several runs, those with the largest difference first. @param most how many */
export function reasonsOf(runs: readonly RunSummary[], most: number): { reason: string; counts: number[] }[] {
  const names = [...new Set(runs.flatMap((run) => run.exits.map((exit) => exit.reason)))];
  const rows = names.map((reason) => ({
    reason,
    counts: runs.map((run) => run.exits.find((exit) => exit.reason === reason)?.count ?? 0),
  }));
  const difference = (counts: number[]) => Math.max(...counts) - Math.min(...counts);
  return rows.sort((a, b) => difference(b.counts) - difference(a.counts)).slice(0, most);
}
