// From the files of a lesson's folder to a Lesson, or one clear error.
import * as v from 'valibot';
import { type LessonFile, LessonSchema, type LessonStep } from './schema.ts';

const MAX_FILE = 256 * 1024;
const MAX_FILES = 60;

export class LessonError extends Error {
  override name = 'LessonError';
}

export interface Lesson extends Omit<LessonFile, 'steps'> {
  steps: (LessonStep & { markdown: string })[];
  start: ReadonlyMap<string, string>;
  solution: ReadonlyMap<string, string>;
  /** Typical wrong answers that came with the lesson, by name: its tests run them. */
  wrong: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Reads a lesson from its files by relative path. Throws LessonError naming file and field. */
export function loadLesson(files: ReadonlyMap<string, string>): Lesson {
  if (files.size > MAX_FILES)
    throw new LessonError(`a lesson may have ${MAX_FILES} files; this has ${files.size}`);
  for (const [path, content] of files)
    if (content.length > MAX_FILE) throw new LessonError(`${path}: larger than ${MAX_FILE / 1024} KiB`);
  const raw = files.get('lesson.json');
  if (raw === undefined) throw new LessonError('there is no lesson.json');
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch (error) {
    throw new LessonError(`lesson.json: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(LessonSchema, value);
  if (!parsed.success)
    throw new LessonError(
      `lesson.json: ${v.getDotPath(parsed.issues[0]) ?? 'file'}: ${parsed.issues[0].message}`,
    );
  const lesson = parsed.output;
  const steps = lesson.steps.map((step) => {
    const markdown = files.get(step.text);
    if (markdown === undefined) throw new LessonError(`lesson.json: steps: there is no ${step.text}`);
    return { ...step, markdown };
  });
  const start = below(files, 'start/');
  const solution = below(files, 'solution/');
  for (const [name, folder] of [
    ['start', start],
    ['solution', solution],
  ] as const) {
    if (!folder.has(lesson.main)) throw new LessonError(`there is no ${name}/${lesson.main}`);
  }
  const wrong = new Map<string, ReadonlyMap<string, string>>();
  for (const path of files.keys()) {
    const name = /^wrong\/([^/]+)\//.exec(path)?.[1];
    if (name && !wrong.has(name)) wrong.set(name, below(files, `wrong/${name}/`));
  }
  return { ...lesson, steps, start, solution, wrong };
}

function below(files: ReadonlyMap<string, string>, prefix: string): Map<string, string> {
  return new Map(
    [...files]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, content]) => [path.slice(prefix.length), content]),
  );
}
