// `ringside popek-goldberg`: the classes of Popek and Goldberg (1974) as observed on the simulated processor, and what becomes
// of every instruction under every technique, ring by ring. All of it is done anew each time; nothing is looked up.
import { parseArgs } from 'node:util';
import { TECHNIQUES } from '../hypervisor/technique.ts';
import type { Form } from '../machine/isa/form.ts';
import { classOf, isHole, type Observed, observeAll } from '../session/popek-goldberg/classify.ts';
import { probeKernel } from '../session/popek-goldberg/kernels.ts';
import type { Ring } from '../session/popek-goldberg/probe.ts';
import {
  type Column,
  HANDLINGS,
  type Handling,
  observeUnder,
  RINGS,
  trialsOf,
  WAYS,
  wayName,
  Yardstick,
} from '../session/popek-goldberg/techniques.ts';
import { nodeLibrary, UsageError } from './library.ts';

const CLASSES = [
  'privileged',
  'control-sensitive, unprivileged',
  'behaviour-sensitive, unprivileged',
  'innocuous',
  'refused everywhere',
];

const WORDS: Record<Handling, string> = {
  direct: 'executed directly',
  signalled: 'ended by a signal of the one kernel, in a container as outside',
  translated: 'translated',
  interpreted: 'interpreted by the monitor',
  trapped: 'trapped, same result',
  answered: 'trapped, answered as another machine',
  refused: 'trapped, guest ended',
  ported: 'other than at ring 0: the port has a hypercall or shared memory instead',
  hole: 'silently wrong',
};

const formText = ({ mnemonic, operands }: Form): string => `${mnemonic} ${operands.join(',')}`.trim();

/** Prints the table, or all observations as JSON. Exit status 0. Throws UsageError. */
export function popekGoldberg(words: string[]): number {
  const { values } = parseArgs({
    args: words,
    options: { json: { type: 'boolean' }, technique: { type: 'string' }, ring: { type: 'string' } },
  });
  const { technique, json } = values;
  if (technique && !WAYS.some((way) => way.technique === technique))
    throw new UsageError(`--technique ${technique}: there is ${TECHNIQUES.join(', ')}`);
  if (values.ring !== undefined && !/^[0-3]$/.test(values.ring))
    throw new UsageError(`--ring ${values.ring}: there are rings 0 to 3`);
  const rings = values.ring === undefined ? RINGS : [Number(values.ring) as Ring];
  const observed = observeAll();
  if (!json) printClasses(observed);
  const columns: Column[] = [];
  for (const column of observeColumns(observed, rings, technique)) {
    columns.push(column);
    if (!json) printColumn(column);
  }
  if (json) printJson(observed, columns);
  else printCheck(observed, columns);
  return 0;
}

function* observeColumns(
  observed: readonly Observed[],
  rings: readonly Ring[],
  technique: string | undefined,
): Generator<Column> {
  const library = nodeLibrary();
  const trials = trialsOf(observed);
  const ways = WAYS.filter((way) => technique === undefined || way.technique === technique);
  for (const ring of rings) {
    const yardstick = new Yardstick(probeKernel(library, 'native'), trials, ring);
    for (const way of ways) yield observeUnder(yardstick, way, probeKernel(library, way.technique));
  }
}

function printClasses(observed: readonly Observed[]): void {
  console.log('ON THE BARE MACHINE');
  for (const name of CLASSES) {
    const rows = observed.filter((o) => classOf(o) === name);
    const mnemonics = [...new Set(rows.map((o) => o.form.mnemonic))];
    console.log(`${name}: ${rows.length} forms, ${mnemonics.length} mnemonics`);
    const few = name.includes('unprivileged') ? rows.map((o) => formText(o.form)) : mnemonics;
    const shown = name === 'innocuous' || name === 'refused everywhere' ? few.slice(0, 24) : few;
    console.log(`  ${shown.join(' · ')}${shown.length < few.length ? ' · …' : ''}`);
  }
  console.log(
    '\nTheorem 1 asks that every sensitive instruction be privileged. The two classes in the middle are why IA-32 fails it.',
  );
}

function printColumn({ way, ring, exists, because, treatments }: Column): void {
  console.log(`\n${wayName(way).toUpperCase()}, RING ${ring}`);
  if (!exists) {
    console.log(`no guest has this ring here: ${because}`);
    return;
  }
  if (way.technique === 'container')
    console.log(
      '(a program of Penguin’s, whose kernel is all containers’; no exit happened; held against the same program outside)',
    );
  for (const handling of HANDLINGS) {
    const rows = treatments.filter((row) => row.handling === handling);
    if (!rows.length) continue;
    console.log(`${WORDS[handling]}: ${rows.length} forms`);
    if (['direct', 'translated', 'interpreted'].includes(handling)) continue;
    console.log(
      `  ${rows.map(({ form, how }) => formText(form) + (how.length ? ` [${how.join('; ')}]` : '')).join(' · ')}`,
    );
  }
}

/** The two ways of finding out, held against each other: by looking at the processor, and by being wrong under a monitor. */
function printCheck(observed: readonly Observed[], columns: readonly Column[]): void {
  const kernels = columns.filter(({ ring, exists }) => ring === 0 && exists);
  const wrong = (column: Column): Set<Form> =>
    new Set(column.treatments.filter((row) => row.handling === 'hole').map((row) => row.form));
  const sensitive = observed.filter(isHole);
  console.log('\nCHECK');
  for (const column of kernels) {
    const holes = wrong(column);
    const missed = sensitive.filter((o) => !holes.has(o.form));
    const more = [...holes].filter((form) => !sensitive.some((o) => o.form === form));
    const name = `${wayName(column.way)}, kernel`;
    if (!holes.size) console.log(`${name}: no hole`);
    else
      console.log(
        `${name}: ${holes.size} of the ${sensitive.length} sensitive, unprivileged forms ran silently wrong` +
          `; caught: ${missed.map((o) => formText(o.form)).join(' · ') || 'none'}; wrong beside them: ${more.map(formText).join(' · ') || 'none'}`,
      );
  }
}

function printJson(observed: readonly Observed[], columns: readonly Column[]): void {
  const classes = observed.map((o) => ({
    mnemonic: o.form.mnemonic,
    operands: o.form.operands,
    class: classOf(o),
    trapsOutsideRing0: o.privileged,
    controlSensitive: o.control,
    behaviourSensitive: o.behaviour,
    lostAtRing1: o.lost,
    manual: o.form.manual,
    manualClass: o.form.privilege,
  }));
  const techniques = columns.map(({ way, ring, exists, because, treatments }) => ({
    technique: way.technique,
    paging: way.paging,
    ring,
    exists,
    because,
    instructions: treatments.map(({ form, handling, how }) => ({
      mnemonic: form.mnemonic,
      operands: form.operands,
      observed: handling,
      how,
    })),
  }));
  console.log(JSON.stringify({ classes, techniques }, null, 2));
}
