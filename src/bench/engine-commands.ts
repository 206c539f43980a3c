// `bench bisect` and `bench soak`: the compiling engine against the interpreter, and against its own bounds.
import { bisect, differenceText } from './bisect.ts';
import { beginOf } from './bisect-runs.ts';
import { BenchError } from './peers.ts';
import { soak } from './soak.ts';

/** Options of both, for `parseArgs`. */
export const ENGINE_OPTIONS = {
  cycles: { type: 'string', default: '100000000' },
  step: { type: 'string', default: '10000000' },
  seconds: { type: 'string', default: '3600' },
} as const;

export const ENGINE_USAGE = `npm run bench -- bisect SCENARIO|IMAGE [--cycles 100000000] [--step 10000000]
  the same run in both engines: prints the first difference; status 1 when there is one
npm run bench -- soak [--seconds 3600]
  a guest that generates and discards code; status 1 when more of it is kept than the bound`;

/** An option as a number above zero. */
function amount(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new BenchError(`--${option}: "${text}" is not a number above 0`);
  return value;
}

/** @returns the exit status */
export function bisectCommand(names: readonly string[], cycles: string, step: string): number {
  if (names.length !== 1) throw new BenchError('bisect: name one scenario or one multiboot image');
  const log = (line: string) => console.error(line);
  const found = bisect(beginOf(names[0]), amount('cycles', cycles), amount('step', step), log);
  console.log(found ? differenceText(found) : `both engines agree for ${cycles} cycles`);
  return found ? 1 : 0;
}

/** @returns the exit status */
export function soakCommand(seconds: string): number {
  const r = soak(
    amount('seconds', seconds),
    () => performance.now(),
    () => process.memoryUsage().rss,
  );
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  console.log(
    `${r.compiled} functions compiled, at most ${r.mostKept} kept at a time (bound ${r.bound}); ` +
      `resident ${mib(r.early)} in the first fifth, ${mib(r.most)} at most later; ${(r.instructions / 1e6).toFixed(0)} M instructions`,
  );
  return r.mostKept > r.bound ? 1 : 0;
}
