// From the files of a lesson's folder to a Lesson, or one clear error.
import * as v from 'valibot';
import { parseScenario, type Scenario } from '../session/scenario.ts';
import { type LessonFile, LessonSchema, type LessonStep } from './schema.ts';

const MAX_FILE = 256 * 1024;
const MAX_TEXT = 32 * 1024;
const MAX_FILES = 60;
/** The guest of a lesson's scenario that stands for the learner's files. */
export const LESSON_GUEST = 'lesson';

export class LessonError extends Error {
  override name = 'LessonError';
}

export type Files = ReadonlyMap<string, string>;

export interface Lesson extends Omit<LessonFile, 'steps' | 'scenario'> {
  scenario: Scenario;
  steps: (LessonStep & { markdown: string })[];
  /** Files that every answer may include: macros that keep the learner's file short. */
  shared: Files;
  /** What the learner begins with, the shared files among it. */
  start: Files;
  solution: Files;
  /** Typical wrong answers that came with the lesson, by folder: its tests run them. A folder is named for the feedback
   * that it must get, `deaf` or `deaf--with-interrupts-off`. */
  wrong: ReadonlyMap<string, Files>;
}

/** Reads a lesson from its files by relative path. Throws LessonError naming file and field. */
export function loadLesson(files: Files): Lesson {
  if (files.size > MAX_FILES)
    throw new LessonError(`a lesson may have ${MAX_FILES} files; this has ${files.size}`);
  for (const [path, content] of files) {
    const limit = path.endsWith('.md') ? MAX_TEXT : MAX_FILE;
    if (content.length > limit) throw new LessonError(`${path}: larger than ${limit / 1024} KiB`);
  }
  const lesson = parse(files.get('lesson.json'));
  const scenario = scenarioOf(lesson);
  const steps = lesson.steps.map((step, n) => {
    const markdown = files.get(step.text);
    if (markdown === undefined)
      throw new LessonError(`lesson.json: steps.${n}.text: there is no ${step.text}`);
    return { ...step, markdown };
  });
  const names = new Set(steps.map(({ text }) => text));
  if (names.size < steps.length) throw new LessonError('lesson.json: steps: two steps have the same text');
  const shared = below(files, 'shared/');
  const answer = (folder: string) => new Map([...shared, ...below(files, folder)]);
  const start = answer('start/');
  const solution = answer('solution/');
  for (const [name, folder] of [
    ['start', start],
    ['solution', solution],
  ] as const) {
    if (!folder.has(lesson.main)) throw new LessonError(`there is no ${name}/${lesson.main}`);
  }
  const wrong = new Map<string, Files>();
  for (const path of files.keys()) {
    const name = /^wrong\/([^/]+)\//.exec(path)?.[1];
    if (name && !wrong.has(name)) wrong.set(name, answer(`wrong/${name}/`));
  }
  return { ...lesson, scenario, steps, shared, start, solution, wrong };
}

function parse(raw: string | undefined): LessonFile {
  if (raw === undefined) throw new LessonError('there is no lesson.json');
  try {
    const parsed = v.safeParse(LessonSchema, JSON.parse(raw));
    if (parsed.success) return parsed.output;
    const [issue] = parsed.issues;
    throw new LessonError(`lesson.json: ${v.getDotPath(issue) ?? 'file'}: ${issue.message}`);
  } catch (error) {
    if (error instanceof LessonError) throw error;
    if (error instanceof RangeError) throw new LessonError('lesson.json: nested too deeply');
    throw new LessonError(`lesson.json: ${(error as Error).message}`);
  }
}

function scenarioOf(lesson: LessonFile): Scenario {
  let scenario: Scenario;
  try {
    scenario = parseScenario(lesson.scenario);
  } catch (error) {
    throw new LessonError(`lesson.json: ${(error as Error).message}`);
  }
  const guest = scenario.domains[lesson.domain]?.guest;
  if (guest !== LESSON_GUEST) {
    throw new LessonError(
      `lesson.json: domain: domain ${lesson.domain} of the scenario must run the guest "${LESSON_GUEST}"`,
    );
  }
  return scenario;
}

function below(files: Files, prefix: string): Map<string, string> {
  return new Map(
    [...files]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, content]) => [path.slice(prefix.length), content]),
  );
}
