// The lessons that come with the page, read from the bundle when the room is opened first.
import { type Lesson, loadLesson } from './loader.ts';

const texts = import.meta.glob(['/lessons/*/**/*.{json,md,asm,inc}', '!/lessons/*/wrong/**'], {
  query: '?raw',
  import: 'default',
  eager: true,
}) as Record<string, string>;

/** All of them, in the order of their folders. Throws LessonError: a lesson with a mistake is not to be shipped. */
export function bundledLessons(): Lesson[] {
  const folders = new Map<string, Map<string, string>>();
  for (const [path, text] of Object.entries(texts)) {
    const [, , folder, ...rest] = path.split('/');
    const files = folders.get(folder) ?? new Map<string, string>();
    folders.set(folder, files.set(rest.join('/'), text));
  }
  return [...folders].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, files]) => loadLesson(files));
}
