// Judges what happened. Pure: an observation in, an answer out; no source text anywhere.
import type { MemoryRequest, Observation } from '../session/observe.ts';
import type { Check, Goal } from './schema.ts';

/** Memory that a check wants to see, in the order in which `holds` will ask for it. */
export function memoryOf(check: Check): MemoryRequest[] {
  switch (check.kind) {
    case 'memory':
      return [{ domain: check.domain, at: check.at, length: 4 }];
    case 'all':
    case 'any':
      return check.of.flatMap(memoryOf);
    case 'not':
      return memoryOf(check.of);
    default:
      return [];
  }
}

const within = (
  value: number,
  { atLeast = -Infinity, atMost = Infinity }: { atLeast?: number; atMost?: number },
) => value >= atLeast && value <= atMost;

/** Does the check hold? A check on a guest that is not there does not. */
export function holds(check: Check, seen: Observation): boolean {
  const memory = [...seen.memory];
  const judge = (c: Check): boolean => {
    const guest = 'domain' in c ? seen.guests[c.domain] : undefined;
    switch (c.kind) {
      case 'console':
        return !!guest && new RegExp(c.matches, 'm').test(guest.serial || guest.debug || guest.screen);
      case 'outcome':
        return guest?.outcome === c.is;
      case 'exits':
        return (
          !!guest &&
          within(
            guest.exits
              .filter((x) => !c.reason || x.reason === c.reason)
              .reduce((sum, x) => sum + x.count, 0),
            c,
          )
        );
      case 'hypercalls': {
        if (!guest) return false;
        const calls = Object.entries(guest.calls).filter(([name]) => !c.name || name === c.name);
        return within(
          calls.reduce((sum, [, call]) => sum + (c.failed ? call.failed : call.count), 0),
          c,
        );
      }
      case 'holes':
        return (
          !!guest &&
          within(
            Object.entries(guest.holes)
              .filter(([name]) => !c.mnemonic || name === c.mnemonic)
              .reduce((sum, [, n]) => sum + n, 0),
            c,
          )
        );
      case 'time': {
        if (!guest) return false;
        const all = Object.values(guest.time).reduce((sum, t) => sum + t, 0);
        return (
          all > 0 &&
          within((guest.time[c.place] / all) * 100, { atLeast: c.percentAtLeast, atMost: c.percentAtMost })
        );
      }
      case 'memory': {
        const bytes = memory.shift();
        if (!bytes) return false;
        return (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) === (c.equals | 0);
      }
      case 'cycles':
        return within(seen.cycles, c);
      // Every branch is judged, so that each takes its memory.
      case 'all':
        return c.of.map(judge).every(Boolean);
      case 'any':
        return c.of.map(judge).some(Boolean);
      case 'not':
        return !judge(c.of);
    }
  };
  return judge(check);
}

/** All memory that judging a goal needs: the goal's own, then that of each wrong answer. */
export function goalMemory(goal: Goal): MemoryRequest[] {
  return [goal.check, ...goal.wrong.map((w) => w.when)].flatMap(memoryOf);
}

export type Verdict = { passed: true } | { passed: false; id: string | null; feedback: string };

/** Judges a goal: passed, or the feedback of the first wrong answer that fits. `seen.memory` as `goalMemory` asked. */
export function judgeGoal(goal: Goal, seen: Observation): Verdict {
  let at = 0;
  const next = (check: Check) => {
    const needed = memoryOf(check).length;
    const result = holds(check, { ...seen, memory: seen.memory.slice(at, at + needed) });
    at += needed;
    return result;
  };
  if (next(goal.check)) return { passed: true };
  for (const wrong of goal.wrong)
    if (next(wrong.when)) return { passed: false, id: wrong.id, feedback: wrong.feedback };
  return { passed: false, id: null, feedback: 'Not yet: the goal has not been met.' };
}
