// What a lesson is: a folder with lesson.json, texts, start and solution. Untrusted input (somebody may bring a lesson):
// everything is validated and bounded here, and rendered as text.
import * as v from 'valibot';

const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const domain = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(7)), 0);
const bounds = { atLeast: v.optional(count), atMost: v.optional(count) };

/** A predicate on what happened. Never on the source text, so that a different right answer passes. */
export type Check =
  | { kind: 'console'; domain: number; matches: string }
  | { kind: 'outcome'; domain: number; is: string }
  | { kind: 'exits'; domain: number; reason?: string; atLeast?: number; atMost?: number }
  | { kind: 'hypercalls'; domain: number; name?: string; failed?: boolean; atLeast?: number; atMost?: number }
  | { kind: 'holes'; domain: number; mnemonic?: string; atLeast?: number; atMost?: number }
  | {
      kind: 'time';
      domain: number;
      place: 'user' | 'kernel' | 'hypervisor' | 'idle' | 'ready';
      percentAtLeast?: number;
      percentAtMost?: number;
    }
  | { kind: 'memory'; domain: number; at: string | number; equals: number }
  | { kind: 'cycles'; atLeast?: number; atMost?: number }
  | { kind: 'all' | 'any'; of: Check[] }
  | { kind: 'not'; of: Check };

export const CheckSchema: v.GenericSchema<unknown, Check> = v.lazy(() =>
  v.variant('kind', [
    v.object({
      kind: v.literal('console'),
      domain,
      matches: v.pipe(text(300), v.check(isRegex, 'is not a regular expression')),
    }),
    v.object({
      kind: v.literal('outcome'),
      domain,
      is: v.picklist(['running', 'halted', 'crashed', 'rebooting', 'stopped']),
    }),
    v.object({ kind: v.literal('exits'), domain, reason: v.optional(text(40)), ...bounds }),
    v.object({
      kind: v.literal('hypercalls'),
      domain,
      name: v.optional(text(40)),
      failed: v.optional(v.boolean()),
      ...bounds,
    }),
    v.object({ kind: v.literal('holes'), domain, mnemonic: v.optional(text(20)), ...bounds }),
    v.object({
      kind: v.literal('time'),
      domain,
      place: v.picklist(['user', 'kernel', 'hypervisor', 'idle', 'ready']),
      percentAtLeast: v.optional(count),
      percentAtMost: v.optional(count),
    }),
    v.object({
      kind: v.literal('memory'),
      domain,
      at: v.union([text(80), count]),
      equals: v.pipe(v.number(), v.integer()),
    }),
    v.object({ kind: v.literal('cycles'), ...bounds }),
    v.object({
      kind: v.picklist(['all', 'any']),
      of: v.pipe(v.array(CheckSchema), v.minLength(1), v.maxLength(12)),
    }),
    v.object({ kind: v.literal('not'), of: CheckSchema }),
  ]),
) as v.GenericSchema<unknown, Check>;

function isRegex(source: string): boolean {
  try {
    new RegExp(source, 'm');
    return true;
  } catch {
    return false;
  }
}

/** What a step can ring on the page. */
const PointSchema = v.variant('mark', [
  v.object({ mark: v.literal('guest'), domain }),
  v.object({
    mark: v.literal('stratum'),
    domain,
    stratum: v.picklist(['user', 'kernel', 'hypervisor', 'hardware']),
  }),
  v.object({ mark: v.literal('boundary'), domain, boundary: text(40) }),
  v.object({ mark: v.literal('station'), station: text(40) }),
  v.object({
    mark: v.literal('control'),
    control: v.picklist(['run', 'step', 'speed', 'events', 'costs', 'source']),
  }),
]);

const StepSchema = v.object({
  title: text(100),
  /** Markdown file, relative to the lesson's folder. */
  text: v.pipe(text(100), v.regex(/^[\w/.-]+\.md$/)),
  point: v.optional(PointSchema),
  /** Asked before the machine runs on; the machine answers it. */
  predict: v.optional(
    v.object({
      question: text(300),
      choices: v.pipe(
        v.array(v.object({ text: text(160), when: CheckSchema })),
        v.minLength(2),
        v.maxLength(5),
      ),
      /** The machine has run long enough to answer. */
      until: CheckSchema,
      because: text(600),
    }),
  ),
  goal: v.optional(
    v.object({
      text: text(300),
      check: CheckSchema,
      hints: v.optional(v.array(text(400)), []),
      /** What typical wrong answers look like from outside, and what to say to each. First match is shown. */
      wrong: v.optional(v.array(v.object({ id: text(40), when: CheckSchema, feedback: text(500) })), []),
      /** Cycles after which a run that has not met the goal has missed it. */
      withinCycles: v.pipe(v.number(), v.integer(), v.minValue(1000), v.maxValue(5e9)),
    }),
  ),
});

export const LessonSchema = v.object({
  id: v.pipe(text(60), v.regex(/^[a-z0-9-]+$/)),
  title: text(100),
  summary: text(300),
  minutes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(240)),
  /** A scenario object (session/scenario.ts), whose domain `domain` runs the learner's files. */
  scenario: v.record(v.string(), v.unknown()),
  domain,
  /** The learner's main file, in start/ and solution/. */
  main: v.pipe(text(80), v.regex(/^[\w.-]+\.asm$/)),
  steps: v.pipe(v.array(StepSchema), v.minLength(1), v.maxLength(30)),
});
export type LessonFile = v.InferOutput<typeof LessonSchema>;
export type LessonStep = LessonFile['steps'][number];
export type Goal = NonNullable<LessonStep['goal']>;
