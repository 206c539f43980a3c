// Keeps what a learner has done. Progress is small, and is written at every change (localStorage: at once, so that a
// crash loses nothing); programs live where the editor keeps them, under `lesson/<id>`. Imported work never replaces any.

import * as v from 'valibot';
import type { SavedWork, WorkStorage } from '../editor/saved-work.ts';
import { parseWork } from '../editor/saved-work.ts';
import type { Files, Lesson } from './loader.ts';
import { type PortfolioEntry, PortfolioError, readPortfolio, writePortfolio } from './portfolio.ts';
import { begin, type LessonProgress, mergeProgress, type Progress, ProgressSchema } from './progress.ts';

/** What of localStorage is needed. */
export interface TextStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}
/** A program of an imported portfolio, kept beside the learner's own. */
export interface Imported {
  slot: number;
  label: string;
  files: Files;
}
export interface ImportReport {
  /** Lessons whose progress came in. */
  progress: number;
  /** Programs taken over where the learner had none; already the same; kept beside the learner's own. */
  taken: string[];
  same: string[];
  aside: string[];
}

const KEY = 'ringside-lessons';
const SLOTS = 9;
const FORMAT = v.strictObject({ version: v.literal(1), lessons: ProgressSchema });

/** Where the editor keeps the learner's version of a lesson's program. */
export const programKey = (id: string) => `lesson/${id}`;
const asideKey = (id: string, slot: number) => `${programKey(id)}/imported/${slot}`;
const sameFiles = (a: SavedWork['files'], b: SavedWork['files']) => {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
};

export class Keeper {
  progress: Progress;
  /** Why progress is not kept; null while it is. */
  problem: string | null = null;

  /** @param texts null when the browser has none. @param flush puts what the editor holds into `programs` */
  constructor(
    private readonly texts: TextStorage | null,
    private readonly programs: WorkStorage,
    private readonly flush: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.progress = this.stored();
    if (!texts) this.problem = 'Your browser keeps nothing for this page.';
  }

  /** Changes what is kept of a lesson, and writes it. */
  update(lesson: Lesson, change: (before: LessonProgress) => LessonProgress): void {
    const before = this.progress[lesson.id] ?? begin(lesson);
    this.write({ ...this.progress, [lesson.id]: change(before) });
  }

  /** The learner's program: the lesson's start, with the files on top that the learner has changed. */
  async program(lesson: Lesson): Promise<Map<string, string>> {
    await this.flush();
    const work = await this.work(programKey(lesson.id));
    return new Map([...lesson.start, ...Object.entries(work?.files ?? {})]);
  }

  /** Programs that an import has kept beside the learner's own. */
  async imported(lesson: Lesson): Promise<Imported[]> {
    const found: Imported[] = [];
    for (let slot = 1; slot <= SLOTS; slot++) {
      const work = await this.work(asideKey(lesson.id, slot));
      if (!work) continue;
      const files = new Map([...lesson.start, ...Object.entries(work.files)]);
      found.push({ slot, label: `imported ${slot}`, files });
    }
    return found;
  }

  /** The imported program becomes the learner's; the learner's takes its place beside. */
  async exchange(lesson: Lesson, slot: number): Promise<void> {
    await this.flush();
    const own = await this.work(programKey(lesson.id));
    const other = await this.work(asideKey(lesson.id, slot));
    if (!other) return;
    await this.programs.put(programKey(lesson.id), other);
    if (own) await this.programs.put(asideKey(lesson.id, slot), own);
    else await this.programs.delete(asideKey(lesson.id, slot));
  }

  async discard(lesson: Lesson, slot: number): Promise<void> {
    await this.programs.delete(asideKey(lesson.id, slot));
  }

  /** Everything as one file's text. */
  async export(lessons: readonly Lesson[]): Promise<string> {
    await this.flush();
    const entries: Record<string, PortfolioEntry> = {};
    for (const id of new Set([...Object.keys(this.progress), ...lessons.map((lesson) => lesson.id)])) {
      const progress = this.progress[id];
      const work = await this.work(programKey(id));
      const program = work ? { files: { ...work.files }, originals: { ...work.originals } } : undefined;
      if (progress || program) entries[id] = { progress, program };
    }
    return writePortfolio(entries);
  }

  /** Takes a portfolio in. Throws PortfolioError before anything has changed. */
  async import(text: string): Promise<ImportReport> {
    const { lessons } = readPortfolio(text);
    await this.flush();
    const report: ImportReport = { progress: 0, taken: [], same: [], aside: [] };
    const writes: [key: string, work: SavedWork][] = [];
    const incoming: Record<string, LessonProgress> = {};
    for (const [id, { progress, program }] of Object.entries(lessons)) {
      if (progress) incoming[id] = progress;
      if (!program || Object.keys(program.files).length === 0) continue;
      const place = await this.placeFor(id, program.files);
      report[place.as].push(id);
      if (place.as !== 'same') writes.push([place.key, { version: 1, ...program }]);
    }
    for (const [key, work] of writes) await this.programs.put(key, work);
    report.progress = Object.keys(incoming).length;
    this.write(mergeProgress(this.progress, incoming));
    return report;
  }

  private async placeFor(
    id: string,
    files: SavedWork['files'],
  ): Promise<{ key: string; as: 'taken' | 'same' | 'aside' }> {
    const own = await this.work(programKey(id));
    if (!own) return { key: programKey(id), as: 'taken' };
    if (sameFiles(own.files, files)) return { key: programKey(id), as: 'same' };
    let free = '';
    for (let slot = 1; slot <= SLOTS; slot++) {
      const kept = await this.work(asideKey(id, slot));
      if (kept && sameFiles(kept.files, files)) return { key: asideKey(id, slot), as: 'same' };
      if (!kept) free ||= asideKey(id, slot);
    }
    if (free) return { key: free, as: 'aside' };
    throw new PortfolioError(
      `Nothing was imported: the lesson “${id}” has ${SLOTS} imported programs already. Remove one first.`,
    );
  }

  private async work(key: string): Promise<SavedWork | null> {
    const work = parseWork(await this.programs.get(key));
    return work && Object.keys(work.files).length > 0 ? work : null;
  }

  private stored(): Progress {
    let text: string | null = null;
    try {
      text = this.texts?.getItem(KEY) ?? null;
      if (text === null) return {};
      return v.parse(FORMAT, JSON.parse(text)).lessons;
    } catch {
      // Of another version, or damaged: put aside, not thrown away.
      if (text !== null) this.put(`${KEY}-unreadable`, text);
    }
    return {};
  }

  /** Another tab may have written meanwhile: what it has is kept too. */
  private write(progress: Progress): void {
    this.progress = mergeProgress(progress, this.stored());
    this.put(KEY, JSON.stringify({ version: 1, lessons: this.progress }));
  }

  private put(key: string, text: string): void {
    if (!this.texts) return;
    try {
      this.texts.setItem(key, text);
      this.problem = null;
    } catch (error) {
      this.problem = `Your browser does not keep your progress: ${(error as Error).message}`;
    }
  }
}
