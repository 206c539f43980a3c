// What a lesson is: a folder with lesson.json, texts, start and solution. Untrusted input (somebody may bring a lesson):
// everything is validated and bounded here, and rendered as text.
import * as v from 'valibot';

const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const percent = v.pipe(v.number(), v.minValue(0), v.maxValue(100));
const domain = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(7)), 0);
const bounds = { atLeast: v.optional(count), atMost: v.optional(count) };
const PLACES = ['user', 'kernel', 'hypervisor', 'idle', 'ready'] as const;
type Bounds = { atLeast?: number; atMost?: number };

/** A predicate on what happened. Never on the source text, so that a different right answer passes. */
export type Check =
  /** Text that the guest has printed: serial port, Xen console, port E9h, text screen. */
  | { kind: 'console'; domain: number; matches: string }
  | { kind: 'outcome'; domain: number; is: string }
  /** Exits by reason, as trace/exits.ts names them. */
  | ({ kind: 'exits'; domain: number; reason?: string } & Bounds)
  | ({ kind: 'hypercalls'; domain: number; name?: string; failed?: boolean } & Bounds)
  /** Sensitive instructions that ran silently wrong. */
  | ({ kind: 'holes'; domain: number; mnemonic?: string } & Bounds)
  /** Share of the time since the guest was booted. */
  | {
      kind: 'time';
      domain: number;
      place: (typeof PLACES)[number];
      percentAtLeast?: number;
      percentAtMost?: number;
    }
  /** A little-endian 32-bit word at a linear address, or at a symbol of the learner's source. */
  | { kind: 'memory'; domain: number; at: string | number; equals: number }
  /** Cycles since the learner's guest was booted. */
  | ({ kind: 'cycles' } & Bounds)
  | { kind: 'all' | 'any'; of: Check[] }
  | { kind: 'not'; of: Check };

export const CheckSchema: v.GenericSchema<unknown, Check> = v.lazy(() =>
  v.variant('kind', [
    v.strictObject({
      kind: v.literal('console'),
      domain,
      matches: v.pipe(text(300), v.check(isSafeRegex, SAFE_REGEX)),
    }),
    v.strictObject({
      kind: v.literal('outcome'),
      domain,
      is: v.picklist(['running', 'halted', 'crashed', 'rebooting', 'stopped']),
    }),
    v.strictObject({ kind: v.literal('exits'), domain, reason: v.optional(text(40)), ...bounds }),
    v.strictObject({
      kind: v.literal('hypercalls'),
      domain,
      name: v.optional(text(40)),
      failed: v.optional(v.boolean()),
      ...bounds,
    }),
    v.strictObject({ kind: v.literal('holes'), domain, mnemonic: v.optional(text(20)), ...bounds }),
    v.strictObject({
      kind: v.literal('time'),
      domain,
      place: v.picklist(PLACES),
      percentAtLeast: v.optional(percent),
      percentAtMost: v.optional(percent),
    }),
    v.strictObject({
      kind: v.literal('memory'),
      domain,
      at: v.union([text(80), count]),
      equals: v.pipe(v.number(), v.integer()),
    }),
    v.strictObject({ kind: v.literal('cycles'), ...bounds }),
    v.strictObject({
      kind: v.picklist(['all', 'any']),
      of: v.pipe(v.array(CheckSchema), v.minLength(1), v.maxLength(12)),
    }),
    v.strictObject({ kind: v.literal('not'), of: CheckSchema }),
  ]),
) as v.GenericSchema<unknown, Check>;

const SAFE_REGEX =
  'must be a regular expression with at most two of * + {n,}, none of them after a group, no \\1, no (?…)';

/** A pattern from a stranger must not be able to keep the page busy for ever: no nested repetition, no look-around. */
function isSafeRegex(source: string): boolean {
  try {
    new RegExp(source, 'm');
  } catch {
    return false;
  }
  const bare = source.replace(/\\[^1-9k]/g, '_').replace(/\[\^?\]?[^\]]*\]/g, '_');
  if (/\\|\(\?|\)[*+{?]/.test(bare)) return false;
  return (bare.match(/[*+]|\{\d+,\d*\}/g) ?? []).length <= 2;
}

/** What a step can ring on the page (shell/slots.ts, PointTarget). */
const PointSchema = v.variant('mark', [
  v.strictObject({ mark: v.literal('guest'), domain }),
  v.strictObject({
    mark: v.literal('stratum'),
    domain,
    stratum: v.picklist(['user', 'kernel', 'hypervisor', 'hardware']),
  }),
  v.strictObject({
    mark: v.literal('boundary'),
    domain,
    boundary: v.picklist(['userKernel', 'kernelHypervisor', 'kernelHardware', 'hypervisorHardware']),
  }),
  v.strictObject({
    mark: v.literal('station'),
    station: v.picklist(['processor', 'mmu', 'interrupts', 'timer', 'serial', 'screen', 'keyboard', 'disk']),
  }),
  v.strictObject({
    mark: v.literal('control'),
    control: v.picklist(['run', 'step', 'speed', 'events', 'costs', 'source']),
  }),
]);

const PredictSchema = v.strictObject({
  question: text(300),
  choices: v.pipe(
    v.array(v.strictObject({ text: text(160), when: CheckSchema })),
    v.minLength(2),
    v.maxLength(5),
  ),
  /** The machine has run long enough to answer. Exactly one choice holds then: the tests of a lesson see to it. */
  until: CheckSchema,
  because: text(600),
});

const GoalSchema = v.strictObject({
  text: text(300),
  check: CheckSchema,
  hints: v.optional(v.pipe(v.array(text(400)), v.maxLength(8)), []),
  /** What typical wrong answers look like from outside, and what to say to each. The first match is shown. */
  wrong: v.optional(
    v.pipe(
      v.array(
        v.strictObject({
          id: v.pipe(text(40), v.regex(/^[a-z0-9-]+$/)),
          when: CheckSchema,
          feedback: text(500),
        }),
      ),
      v.maxLength(12),
    ),
    [],
  ),
  /** Cycles after which a run that has not met the goal has missed it. */
  withinCycles: v.pipe(v.number(), v.integer(), v.minValue(1000), v.maxValue(5e9)),
});

const StepSchema = v.strictObject({
  title: text(100),
  /** Markdown file, relative to the lesson's folder. Also the step's name in the learner's progress. */
  text: v.pipe(text(100), v.regex(/^[\w/.-]+\.md$/)),
  point: v.optional(PointSchema),
  /** Asked before the machine runs on; the machine answers it. */
  predict: v.optional(PredictSchema),
  goal: v.optional(GoalSchema),
});

export const LessonSchema = v.strictObject({
  id: v.pipe(text(60), v.regex(/^[a-z0-9-]+$/)),
  title: text(100),
  summary: text(300),
  minutes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(240)),
  /** A scenario object (session/scenario.ts), whose domain `domain` runs the guest "lesson": the learner's files. */
  scenario: v.record(v.string(), v.unknown()),
  domain,
  /** The learner's main file, in start/ and solution/. */
  main: v.pipe(text(80), v.regex(/^[\w.-]+\.asm$/)),
  steps: v.pipe(v.array(StepSchema), v.minLength(1), v.maxLength(30)),
});
export type LessonFile = v.InferOutput<typeof LessonSchema>;
export type LessonStep = LessonFile['steps'][number];
export type Prediction = NonNullable<LessonStep['predict']>;
export type Goal = NonNullable<LessonStep['goal']>;
