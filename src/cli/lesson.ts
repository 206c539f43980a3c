// `ringside lesson check ID`: boots a lesson's guest from a folder of answers and judges its goals. For graders and tests.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { goalMemory, judgeGoal, type Verdict } from '../lessons/checks.ts';
import { type Lesson, LessonError, loadLesson } from '../lessons/loader.ts';
import { observe } from '../session/observe.ts';
import { parseScenario } from '../session/scenario.ts';
import { Session } from '../session/session.ts';
import { nodeLibrary, UsageError } from './library.ts';

const LESSONS = fileURLToPath(new URL('../../lessons/', import.meta.url));
const CHUNK = 200_000;

/** Folders of the lessons that come with Ringside, in order. */
export function lessonFolders(): string[] {
  return readdirSync(LESSONS, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name)
    .sort();
}

/** All text files of a folder by relative path. */
export function readFolder(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  const walk = (at: string) => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) walk(path);
      else files.set(relative(folder, path), readFileSync(path, 'utf8'));
    }
  };
  walk(folder);
  return files;
}

/** A lesson by folder name, by id, or by path. Throws UsageError. */
export function findLesson(id: string): Lesson {
  const folder = lessonFolders().find((name) => name === id || name.replace(/^\d+-/, '') === id);
  const path = folder ? join(LESSONS, folder) : id;
  if (!existsSync(join(path, 'lesson.json')))
    throw new UsageError(`lesson: no lesson "${id}" (there are ${lessonFolders().join(', ')})`);
  try {
    return loadLesson(readFolder(path));
  } catch (error) {
    if (error instanceof LessonError) throw new UsageError(`lesson ${id}: ${error.message}`);
    throw error;
  }
}

export interface LessonResult {
  passed: boolean;
  goals: { step: string; verdict: Verdict }[];
  /** Why it could not run at all; null when it ran. */
  refused: string | null;
}

/** Boots the answer and judges every goal: each as soon as it is met, or when its time is over. */
export function runLesson(lesson: Lesson, files: ReadonlyMap<string, string>): LessonResult {
  const session = new Session(
    parseScenario(lesson.scenario),
    nodeLibrary(new Map([['lesson', { kind: 'source', files, main: lesson.main, sealed: false }]])),
  );
  for (const domain of session.domains) {
    const result = session.boot(domain.id);
    if (!result.ok) return { passed: false, goals: [], refused: result.message };
  }
  const goals: LessonResult['goals'] = [];
  for (const step of lesson.steps) {
    const { goal } = step;
    if (!goal) continue;
    let verdict: Verdict;
    for (;;) {
      verdict = judgeGoal(goal, observe(session, goalMemory(goal)));
      if (verdict.passed || session.now >= goal.withinCycles) break;
      if (session.run(session.now + CHUNK) === 'idle') {
        verdict = judgeGoal(goal, observe(session, goalMemory(goal)));
        break;
      }
    }
    goals.push({ step: step.title, verdict });
  }
  return { passed: goals.every((g) => g.verdict.passed), goals, refused: null };
}

/** 0 passed, 1 failed, 2 could not run. */
export function lessonCommand(words: string[]): number {
  const { values, positionals } = parseArgs({
    args: words,
    options: { solution: { type: 'string' } },
    allowPositionals: true,
    strict: true,
  });
  if (positionals[0] !== 'check' || positionals.length !== 2)
    throw new UsageError('lesson: say "lesson check ID [--solution DIR]"');
  const lesson = findLesson(positionals[1]);
  if (values.solution && !statSync(values.solution, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--solution: there is no folder ${values.solution}`);
  const files = values.solution
    ? new Map([...lesson.shared, ...readFolder(values.solution)])
    : lesson.solution;
  if (!files.has(lesson.main))
    throw new UsageError(`--solution: there is no ${lesson.main} in ${values.solution}`);
  const result = runLesson(lesson, files);
  if (result.refused !== null) {
    console.error(`ringside: ${result.refused}`);
    return 2;
  }
  for (const { step, verdict } of result.goals)
    console.log(
      `${verdict.passed ? 'passed' : 'FAILED'}  ${step}${verdict.passed ? '' : `: ${verdict.feedback}`}`,
    );
  return result.passed ? 0 : 1;
}
