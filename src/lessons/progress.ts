// How far a learner has come, as plain data: which step, what was predicted and what the machine said, which goals were
// met and after how many cycles. Steps are named by their text's file, so that a lesson may grow between them.
import * as v from 'valibot';
import type { Lesson } from './loader.ts';

const whole = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(max));
const stepName = v.pipe(v.string(), v.maxLength(100), v.regex(/^[\w/.-]+\.md$/));
const lessonId = v.pipe(v.string(), v.maxLength(60), v.regex(/^[a-z0-9-]+$/));
const perStep = <T extends v.GenericSchema>(value: T) =>
  v.pipe(
    v.record(stepName, value),
    v.check((record) => Object.keys(record).length <= 30, 'has more than 30 steps'),
  );

export const LessonProgressSchema = v.strictObject({
  /** The step that is shown. */
  at: stepName,
  /** Choice by number; what the machine chose, -1 when it was none of them. The first prediction counts. */
  predictions: perStep(
    v.strictObject({
      chosen: whole(4),
      machine: v.pipe(v.number(), v.integer(), v.minValue(-1), v.maxValue(4)),
    }),
  ),
  /** Goals met, with the cycles from boot until then. */
  goals: perStep(v.strictObject({ cycles: whole(Number.MAX_SAFE_INTEGER) })),
  /** Hints that were asked for. */
  hints: perStep(whole(8)),
});
export type LessonProgress = v.InferOutput<typeof LessonProgressSchema>;

export const ProgressSchema = v.pipe(
  v.record(lessonId, LessonProgressSchema),
  v.check((record) => Object.keys(record).length <= 200, 'has more than 200 lessons'),
);
/** By lesson. */
export type Progress = Readonly<Record<string, LessonProgress>>;

/** A lesson that has just been opened for the first time. */
export function begin(lesson: Lesson): LessonProgress {
  return { at: lesson.steps[0].text, predictions: {}, goals: {}, hints: {} };
}

/** Number of the step that is shown; the first when the lesson has lost it. */
export function stepOf(lesson: Lesson, progress: LessonProgress | undefined): number {
  return Math.max(
    0,
    lesson.steps.findIndex((step) => step.text === progress?.at),
  );
}

export type LessonState = 'new' | 'started' | 'passed';

/** Passed: every goal was met and every prediction made; in a lesson with neither, its last step was reached. */
export function stateOf(lesson: Lesson, progress: LessonProgress | undefined): LessonState {
  if (!progress) return 'new';
  const tasks = lesson.steps.filter((step) => step.goal || step.predict);
  const done = tasks.every(
    ({ text, goal, predict }) => (!goal || progress.goals[text]) && (!predict || progress.predictions[text]),
  );
  if (tasks.length > 0) return done ? 'passed' : 'started';
  return stepOf(lesson, progress) === lesson.steps.length - 1 ? 'passed' : 'started';
}

/** Both together: nothing that either has is lost; where they differ, `first` counts. */
export function mergeLesson(first: LessonProgress, second: LessonProgress): LessonProgress {
  const hints = { ...second.hints };
  for (const [step, shown] of Object.entries(first.hints)) hints[step] = Math.max(shown, hints[step] ?? 0);
  return {
    at: first.at,
    predictions: { ...second.predictions, ...first.predictions },
    goals: { ...second.goals, ...first.goals },
    hints,
  };
}

/** As `mergeLesson`, for all lessons. */
export function mergeProgress(first: Progress, second: Progress): Progress {
  const merged: Record<string, LessonProgress> = { ...second };
  for (const [id, progress] of Object.entries(first))
    merged[id] = Object.hasOwn(second, id) ? mergeLesson(progress, second[id]) : progress;
  return merged;
}
