import { describe, expect, it } from 'vitest';
import { LessonError, loadLesson } from './loader.ts';

const STEP = { title: 'One', text: 'steps/1.md' };
const LESSON = {
  id: 'small',
  title: 'Small',
  summary: 'The smallest lesson.',
  minutes: 1,
  scenario: {
    name: 'small',
    title: 'Small',
    processor: 'prescott',
    memoryMiB: 32,
    domains: [{ name: 'Yours', guest: 'lesson', technique: 'paravirtualization', memoryMiB: 4 }],
  },
  main: 'guest.asm',
  steps: [STEP],
};
const FILES = { 'steps/1.md': 'words', 'start/guest.asm': 'start', 'solution/guest.asm': 'solution' };

function folder(lesson: unknown, files: Record<string, string> = FILES) {
  return new Map(Object.entries({ 'lesson.json': JSON.stringify(lesson), ...files }));
}
const goal = (check: unknown) => ({
  ...LESSON,
  steps: [{ ...STEP, goal: { text: 'g', check, withinCycles: 5000 } }],
});

describe('a lesson', () => {
  it('is read from its files', () => {
    const lesson = loadLesson(folder(LESSON));
    expect(lesson.steps[0].markdown).toBe('words');
    expect(lesson.domain).toBe(0);
    expect([...lesson.start]).toEqual([['guest.asm', 'start']]);
  });

  it('has shared files under every version, and a version may replace them', () => {
    const lesson = loadLesson(
      folder(LESSON, {
        ...FILES,
        'shared/pc.inc': 'pc',
        'solution/pc.inc': 'better',
        'wrong/deaf/guest.asm': 'w',
      }),
    );
    expect(lesson.start.get('pc.inc')).toBe('pc');
    expect(lesson.solution.get('pc.inc')).toBe('better');
    expect(Object.fromEntries(lesson.wrong.get('deaf')!)).toEqual({ 'pc.inc': 'pc', 'guest.asm': 'w' });
  });
});

describe('a lesson with a mistake is refused in one line that names the place', () => {
  const cases: [what: string, files: Map<string, string>, message: RegExp][] = [
    ['no lesson.json', new Map(), /^there is no lesson\.json$/],
    ['no JSON', new Map([['lesson.json', '{ "id": ']]), /^lesson\.json: .*JSON/],
    ['another value', folder([1, 2]), /^lesson\.json: /],
    ['a missing field', folder({ ...LESSON, title: undefined }), /^lesson\.json: title: /],
    ['a field that nobody knows', folder({ ...LESSON, hints: [] }), /^lesson\.json: hints: /],
    ['a bad id', folder({ ...LESSON, id: '../up' }), /^lesson\.json: id: /],
    ['a main file in another folder', folder({ ...LESSON, main: '../x.asm' }), /^lesson\.json: main: /],
    ['no step', folder({ ...LESSON, steps: [] }), /^lesson\.json: steps: /],
    [
      'no text',
      folder({ ...LESSON, steps: [{ ...STEP, text: 'steps/2.md' }] }),
      /steps\.0\.text: there is no steps\/2\.md/,
    ],
    ['the same text twice', folder({ ...LESSON, steps: [STEP, STEP] }), /two steps have the same text/],
    [
      'no start',
      folder(LESSON, { 'steps/1.md': 'w', 'solution/guest.asm': 's' }),
      /^there is no start\/guest\.asm$/,
    ],
    [
      'no solution',
      folder(LESSON, { 'steps/1.md': 'w', 'start/guest.asm': 's' }),
      /^there is no solution\/guest\.asm$/,
    ],
    [
      'a scenario that is none',
      folder({ ...LESSON, scenario: { name: 'x' } }),
      /^lesson\.json: scenario: title: /,
    ],
    [
      'a domain without the learner',
      folder({ ...LESSON, domain: 1 }),
      /domain 1 of the scenario must run the guest "lesson"/,
    ],
    [
      'one choice',
      folder({
        ...LESSON,
        steps: [
          { ...STEP, predict: { question: 'q', choices: [], until: { kind: 'cycles' }, because: 'b' } },
        ],
      }),
      /steps\.0\.predict\.choices: /,
    ],
    ['a check of no kind', folder(goal({ kind: 'source', matches: 'hlt' })), /steps\.0\.goal\.check\.kind: /],
    [
      'a point at nothing',
      folder({ ...LESSON, steps: [{ ...STEP, point: { mark: 'boundary', boundary: 'sky' } }] }),
      /steps\.0\.point\.boundary: /,
    ],
    [
      'a pattern that is none',
      folder(goal({ kind: 'console', matches: '(' })),
      /check\.matches: must be a regular expression/,
    ],
    [
      'a text of megabytes',
      folder(LESSON, { ...FILES, 'steps/1.md': 'x'.repeat(40_000) }),
      /^steps\/1\.md: larger than 32 KiB$/,
    ],
    [
      'a source of megabytes',
      folder(LESSON, { ...FILES, 'start/a.inc': 'x'.repeat(300_000) }),
      /^start\/a\.inc: larger than 256 KiB$/,
    ],
    [
      'too many files',
      folder(LESSON, Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`start/${n}.inc`, '']))),
      /^a lesson may have 60 files; this has 71$/,
    ],
    ['endless nesting', new Map([['lesson.json', nested()]]), /^lesson\.json: nested too deeply$/],
  ];
  it.each(cases)('%s', (_, files, message) => {
    expect(() => loadLesson(files)).toThrow(LessonError);
    expect(() => loadLesson(files)).toThrow(message);
  });

  /** Nine thousand times `not`. */
  function nested(): string {
    const depth = 9000;
    const check = `${'{"kind":"not","of":'.repeat(depth)}{"kind":"cycles"}${'}'.repeat(depth)}`;
    return JSON.stringify(goal('HERE')).replace('"HERE"', check);
  }
});

describe('a pattern of a lesson', () => {
  const usable = (matches: string) => {
    try {
      loadLesson(folder(goal({ kind: 'console', matches })));
      return true;
    } catch {
      return false;
    }
  };
  it.each(['ten ticks', '[ -~]{3,}', '^a.*b$', 'tick (tick|tock)', '\\d+ bytes', '[(*+] \\(\\*', 'x{2,5}'])(
    'may be %s',
    (pattern) => {
      expect(usable(pattern)).toBe(true);
    },
  );
  // Each of these can take a lifetime on a text that somebody else prints.
  it.each(['(a+)+$', '(a|a)*b', 'a*a*a*b', '(?=a)', '(a)\\1', '(x{2,}){3}'])('may not be %s', (pattern) => {
    expect(usable(pattern)).toBe(false);
  });
});
