// Judges what happened. Pure: an observation in, an answer out; no source text anywhere.
import type { MemoryRequest, Observation } from '../session/observe.ts';
import type { Check, Goal, Prediction } from './schema.ts';

/** Characters at the end of a guest's output that a pattern is tried on: patterns come from strangers. */
const MAX_TEXT = 16 * 1024;
type Guest = Observation['guests'][number];

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
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Everything that a guest has printed, wherever. */
function printed(guest: Guest): string {
  return [guest.serial, guest.debug, guest.screen]
    .filter(Boolean)
    .map((text) => text.slice(-MAX_TEXT))
    .join('\n');
}

/** Cycles since a guest was booted, until now or until its end. */
export function ageOf(guest: Guest | undefined): number {
  return guest ? sum(Object.values(guest.time)) : 0;
}

/** Does the check hold? A check on a guest that is not there does not. `seen.memory` as `memoryOf` asked. */
export function holds(check: Check, seen: Observation): boolean {
  const memory = [...seen.memory];
  const judge = (c: Check): boolean => {
    const guest = 'domain' in c ? seen.guests[c.domain] : undefined;
    switch (c.kind) {
      case 'console':
        return !!guest && new RegExp(c.matches, 'm').test(printed(guest));
      case 'outcome':
        return guest?.outcome === c.is;
      case 'exits':
        return (
          !!guest &&
          within(sum(guest.exits.filter((x) => !c.reason || x.reason === c.reason).map((x) => x.count)), c)
        );
      case 'hypercalls': {
        if (!guest) return false;
        const calls = Object.entries(guest.calls).filter(([name]) => !c.name || name === c.name);
        return within(sum(calls.map(([, call]) => (c.failed ? call.failed : call.count))), c);
      }
      case 'holes': {
        if (!guest) return false;
        const holes = Object.entries(guest.holes).filter(([name]) => !c.mnemonic || name === c.mnemonic);
        return within(sum(holes.map(([, n]) => n)), c);
      }
      case 'time': {
        const all = ageOf(guest);
        if (!guest || all === 0) return false;
        const percent = (guest.time[c.place] / all) * 100;
        return within(percent, { atLeast: c.percentAtLeast, atMost: c.percentAtMost });
      }
      case 'memory': {
        const bytes = memory.shift();
        if (!bytes || bytes.length < 4) return false;
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

/** Judges several checks by one observation, whose memory is that of all of them in order. */
function judgeAll(checks: readonly Check[], seen: Observation): boolean[] {
  let at = 0;
  return checks.map((check) => {
    const needed = memoryOf(check).length;
    const memory = seen.memory.slice(at, at + needed);
    at += needed;
    return holds(check, { ...seen, memory });
  });
}

const goalChecks = (goal: Goal) => [goal.check, ...goal.wrong.map((w) => w.when)];
const predictionChecks = (predict: Prediction) => [predict.until, ...predict.choices.map((c) => c.when)];

/** All memory that judging a goal needs: the goal's own, then that of each wrong answer. */
export function goalMemory(goal: Goal): MemoryRequest[] {
  return goalChecks(goal).flatMap(memoryOf);
}

export type Verdict = { passed: true } | { passed: false; id: string | null; feedback: string };

/** Judges a goal: passed, or the feedback of the first wrong answer that fits. `seen.memory` as `goalMemory` asked. */
export function judgeGoal(goal: Goal, seen: Observation): Verdict {
  const [passed, ...wrong] = judgeAll(goalChecks(goal), seen);
  if (passed) return { passed: true };
  const found = goal.wrong[wrong.indexOf(true)];
  return found
    ? { passed: false, id: found.id, feedback: found.feedback }
    : { passed: false, id: null, feedback: 'Not yet: the goal has not been met.' };
}

/** All memory that judging a prediction needs. */
export function predictionMemory(predict: Prediction): MemoryRequest[] {
  return predictionChecks(predict).flatMap(memoryOf);
}

/** What the machine says to a prediction: not yet, or the choices that hold (one, in a lesson without mistakes). */
export function judgePrediction(predict: Prediction, seen: Observation): number[] | null {
  const [answered, ...choices] = judgeAll(predictionChecks(predict), seen);
  return answered ? choices.flatMap((is, n) => (is ? [n] : [])) : null;
}
