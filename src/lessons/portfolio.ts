// A learner's portfolio: progress and programs of all lessons in one JSON file, to hand in, to carry to another computer,
// to keep. What is read back is somebody's file: size-limited, validated, one clear error.
import * as v from 'valibot';
import { LessonProgressSchema } from './progress.ts';

export const MAX_PORTFOLIO = 4 << 20;
const MAX_FILE = 256 * 1024;

export class PortfolioError extends Error {
  override name = 'PortfolioError';
}

const fileName = v.pipe(v.string(), v.maxLength(80), v.regex(/^\w[\w.-]*(\/\w[\w.-]*)*\.(asm|inc)$/));
const fewFiles = v.check<Record<string, string>, string>(
  (files) => Object.keys(files).length <= 40,
  'has more than 40 files',
);

/** The files of a program that differ from the lesson's start, and a fingerprint of what each was (editor/saved-work.ts). */
const ProgramSchema = v.strictObject({
  files: v.pipe(v.record(fileName, v.pipe(v.string(), v.maxLength(MAX_FILE))), fewFiles),
  originals: v.pipe(v.record(fileName, v.pipe(v.string(), v.maxLength(40))), fewFiles),
});

const EntrySchema = v.strictObject({
  progress: v.optional(LessonProgressSchema),
  program: v.optional(ProgramSchema),
});
const PortfolioSchema = v.strictObject({
  format: v.literal('ringside-lessons'),
  version: v.literal(1),
  lessons: v.pipe(
    v.record(v.pipe(v.string(), v.maxLength(60), v.regex(/^[a-z0-9-]+$/)), EntrySchema),
    v.check((record) => Object.keys(record).length <= 200, 'has more than 200 lessons'),
  ),
});
export type Portfolio = v.InferOutput<typeof PortfolioSchema>;
export type PortfolioEntry = v.InferOutput<typeof EntrySchema>;

/** The file's text. Names in order, so that equal work gives equal files. */
export function writePortfolio(lessons: Readonly<Record<string, PortfolioEntry>>): string {
  const ordered = Object.fromEntries(Object.entries(lessons).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ format: 'ringside-lessons', version: 1, lessons: ordered } satisfies Portfolio, null, 2)}\n`;
}

/** Reads a portfolio. Throws PortfolioError with one line. */
export function readPortfolio(text: string): Portfolio {
  if (text.length > MAX_PORTFOLIO)
    throw new PortfolioError(
      `The file is larger than ${MAX_PORTFOLIO >> 20} MiB: it is no portfolio of Ringside.`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new PortfolioError('The file is not JSON: it is no portfolio of Ringside, or it was cut short.');
  }
  const parsed = v.safeParse(PortfolioSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new PortfolioError(
    `The file is no portfolio of Ringside: ${v.getDotPath(issue) ?? 'file'}: ${issue.message}`,
  );
}
