// First load before the editor: at most 400 KiB gzip. Counts what the page loads by itself: the HTML, the scripts and
// styles that it names, everything they import statically, and the worker.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const LIMIT = 400 * 1024;
const dist = 'dist';
if (!existsSync(join(dist, 'index.html'))) {
  console.error('there is no dist/index.html: build first');
  process.exit(1);
}
const assets = readdirSync(join(dist, 'assets'));
const seen = new Map<string, number>();
const queue: string[] = ['index.html'];
while (queue.length) {
  const file = queue.pop()!;
  if (seen.has(file)) continue;
  const bytes = readFileSync(join(dist, file));
  // Fonts and pictures are compressed already.
  seen.set(file, /\.(woff2|png)$/.test(file) ? bytes.length : gzipSync(bytes, { level: 9 }).length);
  const text = bytes.toString('utf8');
  if (file.endsWith('.html'))
    for (const m of text.matchAll(/(?:src|href)="\.?\/?(assets\/[^"]+)"/g)) queue.push(m[1]);
  if (file.endsWith('.js')) {
    for (const m of text.matchAll(
      /(?:^|[;\s}])(?:import|export)\s*(?:[^"'()]*?from\s*)?["']\.\/([^"']+\.js)["']/g,
    ))
      queue.push(`assets/${m[1]}`);
    for (const name of assets)
      if (/^worker-.*\.js$/.test(name) && text.includes(name)) queue.push(`assets/${name}`);
  }
}
const total = [...seen.values()].reduce((sum, size) => sum + size, 0);
for (const [file, size] of [...seen].sort((a, b) => b[1] - a[1]))
  console.log(`${(size / 1024).toFixed(1).padStart(8)} KiB  ${basename(file)}`);
console.log(`${(total / 1024).toFixed(1).padStart(8)} KiB  first load, of ${LIMIT / 1024}`);
if (total > LIMIT) {
  console.error('the first load is over its budget');
  process.exit(1);
}
