// `bench nanobench`: the seven nanobenchmarks of Adams & Agesen (2006) on our machine, in cycles, under every technique for
// unmodified kernels, beside what they measured.
import type { TechniqueName } from '../hypervisor/technique.ts';
import { runGuest, waysOf } from './guests.ts';
import type { Measured } from './penguin.ts';
import { NANOBENCH_2006 } from './published.ts';
import { textTable } from './table.ts';

const TECHNIQUES: readonly TechniqueName[] = [
  'native',
  'trap-and-emulate',
  'binary-translation',
  'vt-x',
  'svm',
];
const PAPER = ['native', 'binary-translation', 'vt-x'] as const;

/** Lines `name cycles` of the guest. */
function measured(text: string): Map<string, number> {
  return new Map([...text.matchAll(/^(\S+) (\d+)\r?$/gm)].map(([, name, cycles]) => [name, Number(cycles)]));
}

/** Runs it under every technique. */
export function nanobench(processor: string): Measured {
  const ways = waysOf(TECHNIQUES, processor);
  const runs = ways.map((way) => runGuest('nanobench', way, processor));
  const results = runs.map(({ text }) => measured(text));
  const names = [...(results[0]?.keys() ?? [])].filter((name) => name !== 'nothing');
  const head = ['cycles', ...ways.map((way) => way.title), '', ...PAPER.map((name) => `${short(name)} 2006`)];
  const lines = names.map((name) => [
    name,
    ...results.map((result) => String(result.get(name) ?? '-')),
    '',
    ...PAPER.map((column) => {
      const published = NANOBENCH_2006[name]?.[column];
      return published ? `${published.value} ${published.mark}` : '';
    }),
  ]);
  const problems = runs.flatMap(({ problem }, n) => (problem ? [`${ways[n].title}: ${problem}`] : []));
  const notes = [
    'Right: Adams & Agesen, ASPLOS 2006, §6.3, 3.8 GHz Pentium 4 (V2 transcribed, M from memory, D derived).',
    'cr8wr: IA-32 has no CR8, so the guest writes CR2. ptemod+use: with the INVLPG and the access that follow in a kernel.',
    'in, cr8wr under translation: one MOV between the register and a word of the monitor’s, and our MOVs take a cycle.',
  ];
  return {
    text: [textTable([head, ...lines]), '', ...notes, ...problems].join('\n'),
    ok: problems.length === 0,
    rows: Object.fromEntries(
      names.map((name) => [
        name,
        Object.fromEntries(ways.map((way, n) => [way.title, results[n].get(name) ?? 0])),
      ]),
    ),
  };
}

const short = (name: (typeof PAPER)[number]) => (name === 'binary-translation' ? 'translation' : name);
