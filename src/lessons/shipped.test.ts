// Every lesson that comes with Ringside, run headless: start fails, solution passes, each typical wrong answer gets its
// own feedback, a different right answer passes, and the machine gives exactly one answer to each prediction.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { lessonFolders, readFolder, runLesson } from '../cli/lesson.ts';
import { nodeLibrary } from '../cli/library.ts';
import { observe } from '../session/observe.ts';
import { Session } from '../session/session.ts';
import { judgePrediction, predictionMemory } from './checks.ts';
import { LESSON_GUEST, type Lesson, loadLesson } from './loader.ts';
import { readMarkdown } from './markdown.ts';

const LESSONS = fileURLToPath(new URL('../../lessons/', import.meta.url));
const load = (folder: string) => loadLesson(readFolder(`${LESSONS}${folder}`));

/** Feedback that the untouched start gets, and right answers that look nothing like the solution. */
const KNOWN: Record<string, { start: string; others: Record<string, (start: string) => string> }> = {
  'two-owners': {
    start: 'spins',
    others: {
      'HLT in a macro, after STI, in a loop of its own': (start) =>
        start
          .replace('pc_kernel start', 'pc_kernel start\n%macro rest 0\n        sti\n        hlt\n%endmacro')
          .replace(
            /wait_for_ticks:\n[\s\S]*?cli\n/,
            '.again: rest\n        cmp dword [ticks], 99\n        jbe .again\n        cli\n',
          ),
    },
  },
  'first-hypercall': {
    start: 'port',
    others: {
      'INT 82h without the hypercall page, and other words': (start) =>
        start
          .replace(
            /mov {5}al, "!"\n.*\n/,
            'mov eax, 18\n mov ebx, 0\n mov ecx, 4\n mov edx, words\n int 0x82\n',
          )
          .replace('text:', 'words: db "Xen?"\ntext:'),
    },
  },
  'instruction-that-lies': {
    start: 'popf',
    others: {
      'XCHG sets and restores the mask': (start) =>
        start
          .replace(/pushfd[\s\S]*?cli .*\n/, 'mov dl, 1\n        xchg dl, [shared_info + VCPU_UPCALL_MASK]\n')
          .replace(/popfd.*\n/, 'xchg dl, [shared_info + VCPU_UPCALL_MASK]\n'),
      'PUSH and POP carry the mask over the work': (start) =>
        start
          .replace(
            /pushfd[\s\S]*?cli .*\n/,
            'push dword [shared_info]\n        or byte [shared_info + 1], 1\n',
          )
          .replace(/popfd.*\n/, 'pop edx\n        mov [shared_info + 1], dh\n'),
    },
  },
};

describe.each(lessonFolders().map((folder) => [folder, load(folder)] as const))('%s', (folder, lesson) => {
  const answer = (main: string) => runLesson(lesson, new Map([...lesson.start, [lesson.main, main]]));
  const feedback = (files: ReadonlyMap<string, string>) => {
    const { goals, refused } = runLesson(lesson, files);
    expect(refused).toBeNull();
    const [missed] = goals.filter(({ verdict }) => !verdict.passed);
    return missed && !missed.verdict.passed ? missed.verdict.id : 'passed';
  };

  it('is named by its folder, and comes in order', () => {
    expect(folder).toMatch(/^\d\d-/);
    expect(folder.slice(3)).toBe(lesson.id);
    expect(Object.keys(KNOWN)).toContain(lesson.id);
  });

  it('has texts that are words: no HTML, no link that goes nowhere', () => {
    for (const { markdown } of lesson.steps) {
      const tree = JSON.stringify(readMarkdown(markdown));
      expect(tree).not.toMatch(/<[a-z/]/i);
      expect(tree).not.toContain('](');
      const links = markdown.match(/\]\(/g)?.length ?? 0;
      expect(tree.match(/"type":"(pane|link)"/g)?.length ?? 0).toBe(links);
    }
  });

  it('fails with its start, which gets the feedback that fits', () => {
    expect(feedback(lesson.start)).toBe(KNOWN[lesson.id].start);
  });

  it('passes with its solution', () => {
    expect(feedback(lesson.solution)).toBe('passed');
  });

  it('gives the learner a start that the solution differs from in the main file only', () => {
    const changed = [...lesson.solution].filter(([name, text]) => lesson.start.get(name) !== text);
    expect(changed.map(([name]) => name)).toEqual([lesson.main]);
  });

  it.each([...lesson.wrong])('knows the wrong answer %s', (name, files) => {
    expect(feedback(files)).toBe(name.replace(/--.*/, ''));
  });

  it('has a wrong answer to try for every feedback', () => {
    const ids = lesson.steps.flatMap(({ goal }) => goal?.wrong.map(({ id }) => id) ?? []);
    const tried = readdirSync(`${LESSONS}${folder}/wrong`).map((name) => name.replace(/--.*/, ''));
    expect(new Set(tried)).toEqual(new Set(ids));
  });

  it.each(Object.entries(KNOWN[lesson.id].others))(
    'passes with a different right answer: %s',
    (_, change) => {
      const start = lesson.start.get(lesson.main)!;
      const main = change(start);
      expect(main).not.toBe(start);
      const { goals, refused } = answer(main);
      expect(refused).toBeNull();
      expect(goals.map(({ verdict }) => verdict)).toEqual(goals.map(() => ({ passed: true })));
    },
  );

  it('cannot be passed by a source that does not assemble', () => {
    const { passed, refused } = answer('        bits 32\n        mov eax, [nowhere]\n');
    expect(passed).toBe(false);
    expect(refused).toMatch(/guest\.asm:2:\d+: /);
  });

  const predictions = lesson.steps.filter((step) => step.predict);
  it.each(predictions.map((step) => [step.title, step.predict!] as const))(
    '%s: the machine gives one answer, and stays with it',
    (_, predict) => {
      const session = boot(lesson);
      const look = () => judgePrediction(predict, observe(session, predictionMemory(predict)));
      expect(look()).toBeNull();
      while (look() === null && session.now < 1e9) session.run(session.now + 100_000);
      const answers = look();
      expect(answers).toHaveLength(1);
      // The page looks some frames late.
      session.run(session.now + 10_000_000);
      expect(look()).toEqual(answers);
    },
  );
});

function boot(lesson: Lesson): Session {
  const { start: files, main } = lesson;
  const guest = { kind: 'source' as const, files, main, sealed: false };
  const session = new Session(lesson.scenario, nodeLibrary(new Map([[LESSON_GUEST, guest]])));
  session.bootAll();
  return session;
}
