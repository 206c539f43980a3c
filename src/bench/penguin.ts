// `bench lmbench` and `bench kernelbuild`: programs of our own Penguin under every technique, in virtual cycles and relative
// to the bare machine, beside what was published in 2003 and 2006.
import type { TechniqueName } from '../hypervisor/technique.ts';
import { type GuestRun, runGuest, type Way, waysOf } from './guests.ts';
import { BUILD_2003, BUILD_2006, LMBENCH_2003, type Published } from './published.ts';
import { textTable } from './table.ts';

const TECHNIQUES: readonly TechniqueName[] = [
  'native',
  'paravirtualization',
  'binary-translation',
  'vt-x',
  'svm',
];
/** What a benchmark says: its table, its numbers by row and column, and whether all guests came to their end. */
export interface Measured {
  readonly text: string;
  readonly rows: Record<string, Record<string, number>>;
  readonly ok: boolean;
}

const guestFor = (way: Way) => (way.technique === 'paravirtualization' ? 'penguin-xen' : 'penguin-native');
const times = (value: number | undefined, base: number | undefined) =>
  value && base ? `${(value / base).toFixed(2)} ×` : '-';

function runAll(processor: string, command: string): { ways: Way[]; runs: GuestRun[]; problems: string[] } {
  const ways = waysOf(TECHNIQUES, processor);
  const runs = ways.map((way) => runGuest(guestFor(way), way, processor, `${command}\rhalt\r`));
  return {
    ways,
    runs,
    problems: runs.flatMap(({ problem }, n) => (problem ? [`${ways[n].title}: ${problem}`] : [])),
  };
}

/** The questions of lmbench that Penguin can answer. */
export function lmbench(processor: string): Measured {
  const { ways, runs, problems } = runAll(processor, 'lmbench');
  const results = runs.map(
    ({ text }) =>
      new Map([...text.matchAll(/^([a-z-]+) (\d+)\r?$/gm)].map(([, name, cycles]) => [name, Number(cycles)])),
  );
  const published = (name: string) => LMBENCH_2003[name.replace('-', ' ')];
  const relative = (name: string, column: 'paravirtualization' | 'binary-translation') => {
    const row = published(name);
    return row ? `${(row[column].value / row.native.value).toFixed(2)} × ${row[column].mark}` : '';
  };
  const names = [...(results[0]?.keys() ?? [])];
  const head = ['cycles', 'native', ...ways.slice(1).map((way) => way.title), '', 'Xen 2003', 'VMware 2003'];
  const lines = names.map((name) => {
    const base = results[0].get(name);
    return [
      name,
      String(base),
      ...results.slice(1).map((result) => times(result.get(name), base)),
      '',
      relative(name, 'paravirtualization'),
      relative(name, 'binary-translation'),
    ];
  });
  const note =
    'Right: Barham et al., SOSP 2003, tables 3 to 5, relative to Linux on one processor (M: from memory). mmap: 64 pages touched and given back.';
  return {
    text: [textTable([head, ...lines]), '', note, ...problems].join('\n'),
    rows: Object.fromEntries(
      names.map((name) => [
        name,
        Object.fromEntries(ways.map((way, n) => [way.title, results[n].get(name) ?? 0])),
      ]),
    ),
    ok: problems.length === 0,
  };
}

const UNITS = 20;

/** A mix like a kernel build: mostly ring 3, and about a fourteenth of the native time in the kernel. */
export function kernelbuild(processor: string): Measured {
  const { ways, runs, problems } = runAll(processor, `build ${UNITS}`);
  const results = runs.map(({ text }) => Number(/units built: (\d+) cycles/.exec(text)?.[1] ?? 0));
  const percent = (value: number, base: number) =>
    value && base ? `${(100 * (value / base - 1)).toFixed(1)} %` : '-';
  const paper = (figures: Readonly<Partial<Record<TechniqueName, Published>>>, technique: TechniqueName) => {
    const [value, base] = [figures[technique], figures.native];
    return value && base ? `${percent(value.value, base.value)} ${value.mark}` : '';
  };
  const head = ['', 'cycles', 'more than native', 'Linux build 2003', 'compileLinux 2006'];
  const lines = ways.map((way, n) => [
    way.title,
    String(results[n]),
    percent(results[n], results[0]),
    paper(BUILD_2003, way.technique),
    paper(BUILD_2006, way.technique),
  ]);
  const note =
    'Right: Barham et al., SOSP 2003, figure 3, and Adams & Agesen, ASPLOS 2006 (V2: transcribed). The number of passes over a unit was chosen so that the bare machine spends about 7 % in the kernel, as the paper of 2003 says of its build; nothing else was.';
  return {
    text: [textTable([head, ...lines]), '', note, ...problems].join('\n'),
    rows: Object.fromEntries(ways.map((way, n) => [way.title, { cycles: results[n] }])),
    ok: problems.length === 0,
  };
}
