import { beforeEach, describe, expect, it } from 'vitest';
import type { SavedWork, WorkStorage } from '../editor/saved-work.ts';
import { Keeper, programKey, type TextStorage } from './keeper.ts';
import type { Lesson } from './loader.ts';
import { MAX_PORTFOLIO, PortfolioError, readPortfolio, writePortfolio } from './portfolio.ts';
import { begin, mergeLesson, stateOf, stepOf } from './progress.ts';

const step = (text: string, tasks: object = {}) => ({ title: text, text, markdown: '', ...tasks });
const lesson = {
  id: 'small',
  title: 'Small',
  main: 'guest.asm',
  steps: [step('1.md'), step('2.md', { predict: {} }), step('3.md', { goal: { hints: ['a', 'b'] } })],
  start: new Map([
    ['guest.asm', 'start'],
    ['pc.inc', 'pc'],
  ]),
} as unknown as Lesson;

class Texts implements TextStorage {
  readonly map = new Map<string, string>();
  full = false;
  getItem = (key: string) => this.map.get(key) ?? null;
  setItem = (key: string, value: string) => {
    if (this.full) throw new Error('the quota has been exceeded');
    this.map.set(key, value);
  };
}
class Programs implements WorkStorage {
  readonly map = new Map<string, unknown>();
  get = async (key: string) => this.map.get(key);
  put = async (key: string, work: SavedWork) => void this.map.set(key, work);
  delete = async (key: string) => void this.map.delete(key);
}
const work = (text: string): SavedWork => ({
  version: 1,
  files: { 'guest.asm': text },
  originals: { 'guest.asm': '5:1' },
});

let texts: Texts;
let programs: Programs;
let keeper: Keeper;
beforeEach(() => {
  texts = new Texts();
  programs = new Programs();
  keeper = new Keeper(texts, programs);
});
const predicted = (chosen: number) =>
  keeper.update(lesson, (p) => ({ ...p, at: '2.md', predictions: { '2.md': { chosen, machine: 1 } } }));

describe('progress', () => {
  it('goes from new over started to passed', () => {
    expect(stateOf(lesson, undefined)).toBe('new');
    expect(stateOf(lesson, begin(lesson))).toBe('started');
    const half = { ...begin(lesson), goals: { '3.md': { cycles: 9 } } };
    expect(stateOf(lesson, half)).toBe('started');
    expect(stateOf(lesson, { ...half, predictions: { '2.md': { chosen: 0, machine: 1 } } })).toBe('passed');
  });

  it('finds its step by the name of its text, and begins again when the lesson has lost it', () => {
    expect(stepOf(lesson, { ...begin(lesson), at: '3.md' })).toBe(2);
    expect(stepOf(lesson, { ...begin(lesson), at: 'gone.md' })).toBe(0);
  });

  it('is there again after the page was closed', () => {
    predicted(0);
    expect(new Keeper(texts, programs).progress.small).toEqual({
      at: '2.md',
      predictions: { '2.md': { chosen: 0, machine: 1 } },
      goals: {},
      hints: {},
    });
  });

  it('of two tabs is joined', () => {
    const other = new Keeper(texts, programs);
    predicted(0);
    other.update(lesson, (p) => ({ ...p, goals: { '3.md': { cycles: 7 } } }));
    const { small } = new Keeper(texts, programs).progress;
    expect(small.predictions).toHaveProperty(['2.md']);
    expect(small.goals).toHaveProperty(['3.md']);
  });

  it('that is damaged, or of another version, is put aside', () => {
    for (const text of ['{ "version": 1, "less', '{"version":2,"lessons":{}}', '[]']) {
      texts.map.set('ringside-lessons', text);
      expect(new Keeper(texts, programs).progress).toEqual({});
      expect(texts.map.get('ringside-lessons-unreadable')).toBe(text);
    }
  });

  it('goes on without storage, and says so', () => {
    texts.full = true;
    predicted(1);
    expect(keeper.progress.small.at).toBe('2.md');
    expect(keeper.problem).toMatch(/does not keep.*quota/);
    expect(new Keeper(null, programs).problem).not.toBeNull();
  });

  it('merged keeps the first prediction, every goal, and the most hints', () => {
    const one = { at: '1.md', predictions: { a: { chosen: 0, machine: 1 } }, goals: {}, hints: { a: 2 } };
    const two = {
      at: '2.md',
      predictions: { a: { chosen: 1, machine: 1 } },
      goals: { b: { cycles: 1 } },
      hints: { a: 1, b: 1 },
    };
    expect(mergeLesson(one, two)).toEqual({
      at: '1.md',
      predictions: { a: { chosen: 0, machine: 1 } },
      goals: { b: { cycles: 1 } },
      hints: { a: 2, b: 1 },
    });
  });
});

describe('the learner’s program', () => {
  it('is the start with the changed files on top, and waits for what the editor still holds', async () => {
    const flushing = new Keeper(texts, programs, () => programs.put(programKey('small'), work('mine')));
    expect([...(await keeper.program(lesson))]).toEqual([...lesson.start]);
    expect((await flushing.program(lesson)).get('guest.asm')).toBe('mine');
    expect((await flushing.program(lesson)).get('pc.inc')).toBe('pc');
  });
});

describe('a portfolio', () => {
  const file = (text: string) =>
    writePortfolio({ small: { program: { files: { 'guest.asm': text }, originals: {} } } });

  it('goes out and comes in on another computer', async () => {
    predicted(1);
    programs.map.set(programKey('small'), work('mine'));
    const text = await keeper.export([lesson]);
    const elsewhere = new Keeper(new Texts(), new Programs());
    expect(await elsewhere.import(text)).toEqual({ progress: 1, taken: ['small'], same: [], aside: [] });
    expect(elsewhere.progress).toEqual(keeper.progress);
    expect((await elsewhere.program(lesson)).get('guest.asm')).toBe('mine');
    expect(await elsewhere.export([lesson])).toBe(text);
    expect(await elsewhere.import(text)).toMatchObject({ taken: [], same: ['small'] });
  });

  it('keeps a program that differs beside the learner’s own, and each only once', async () => {
    programs.map.set(programKey('small'), work('mine'));
    expect((await keeper.import(file('theirs'))).aside).toEqual(['small']);
    expect((await keeper.import(file('theirs'))).same).toEqual(['small']);
    expect((await keeper.import(file('another'))).aside).toEqual(['small']);
    expect((await keeper.program(lesson)).get('guest.asm')).toBe('mine');
    const kept = await keeper.imported(lesson);
    expect(kept.map(({ label, files }) => [label, files.get('guest.asm')])).toEqual([
      ['imported 1', 'theirs'],
      ['imported 2', 'another'],
    ]);
  });

  it('exchanges an imported program with the learner’s own: both stay', async () => {
    programs.map.set(programKey('small'), work('mine'));
    await keeper.import(file('theirs'));
    await keeper.exchange(lesson, 1);
    expect((await keeper.program(lesson)).get('guest.asm')).toBe('theirs');
    expect((await keeper.imported(lesson))[0].files.get('guest.asm')).toBe('mine');
    await keeper.discard(lesson, 1);
    expect(await keeper.imported(lesson)).toEqual([]);
  });

  it('is refused before anything changes when there is no room beside', async () => {
    programs.map.set(programKey('small'), work('mine'));
    for (let n = 1; n <= 9; n++) await keeper.import(file(`program ${n}`));
    const before = JSON.stringify([...programs.map]);
    await expect(keeper.import(file('one more'))).rejects.toThrow(
      /^Nothing was imported: .*Remove one first/,
    );
    expect(JSON.stringify([...programs.map])).toBe(before);
  });

  it('takes progress of a lesson that this page does not have', async () => {
    const progress = begin(lesson);
    await keeper.import(writePortfolio({ 'of-next-year': { progress } }));
    expect(keeper.progress['of-next-year']).toEqual(progress);
    expect(await keeper.export([lesson])).toContain('of-next-year');
  });

  const portfolio = (lessons: unknown) => JSON.stringify({ format: 'ringside-lessons', version: 1, lessons });
  const bad: [what: string, text: string, message: RegExp][] = [
    ['nothing', '', /not JSON/],
    ['half a file', writePortfolio({}).slice(0, 20), /not JSON/],
    ['another file', '{"name":"x"}', /no portfolio of Ringside: (format|file|version)/],
    ['a later version', '{"format":"ringside-lessons","version":2,"lessons":{}}', /no portfolio.*version/],
    ['a huge file', ' '.repeat(MAX_PORTFOLIO + 1), /larger than 4 MiB/],
    [
      'a path out of its folder',
      portfolio({ small: { program: { files: { '../x.asm': '' }, originals: {} } } }),
      /lessons\.small\.program\.files/,
    ],
    [
      'a name of a hidden file',
      portfolio({ small: { program: { files: { '.x.asm': '' }, originals: {} } } }),
      /lessons\.small\.program\.files/,
    ],
    [
      'text that is none',
      portfolio({ small: { program: { files: { 'a.asm': 1 }, originals: {} } } }),
      /lessons\.small\.program\.files\.a\.asm/,
    ],
    [
      'a step before the first',
      portfolio({ small: { progress: { ...begin(lesson), hints: { '1.md': -1 } } } }),
      /lessons\.small\.progress\.hints/,
    ],
    ['a field that nobody knows', portfolio({ small: { html: '<b>' } }), /lessons\.small\.html/],
    [
      'a thousand lessons',
      portfolio(Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`l${n}`, {}]))),
      /more than 200 lessons/,
    ],
  ];
  it.each(bad)('that is %s is refused in one line', async (_, text, message) => {
    expect(() => readPortfolio(text)).toThrow(PortfolioError);
    await expect(keeper.import(text)).rejects.toThrow(message);
    expect(texts.map.size + programs.map.size).toBe(0);
  });

  it('cannot reach what objects inherit', () => {
    const text =
      '{"format":"ringside-lessons","version":1,"lessons":{"__proto__":{"progress":{"at":"1.md"}},"constructor":{}}}';
    try {
      readPortfolio(text);
    } catch {
      // Refusing is as good.
    }
    expect(({} as { progress?: unknown }).progress).toBeUndefined();
  });
});
