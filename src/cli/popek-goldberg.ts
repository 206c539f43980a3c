// `ringside popek-goldberg`: the classes of Popek and Goldberg (1974), as observed on the simulated processor.
import { parseArgs } from 'node:util';
import { classOf, type Observed, observeAll } from '../session/popek-goldberg/classify.ts';

const CLASSES = [
  'privileged',
  'control-sensitive, unprivileged',
  'behaviour-sensitive, unprivileged',
  'innocuous',
  'refused everywhere',
];

const formText = ({ form }: Observed): string => `${form.mnemonic} ${form.operands.join(',')}`.trim();

/** Prints the table, or all observations as JSON. Exit status 0. */
export function popekGoldberg(words: string[]): number {
  const { values } = parseArgs({ args: words, options: { json: { type: 'boolean' } } });
  const observed = observeAll();
  if (values.json) {
    const rows = observed.map((o) => ({
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
    console.log(JSON.stringify(rows, null, 2));
    return 0;
  }
  for (const name of CLASSES) {
    const rows = observed.filter((o) => classOf(o) === name);
    const mnemonics = [...new Set(rows.map((o) => o.form.mnemonic))];
    console.log(`${name}: ${rows.length} forms, ${mnemonics.length} mnemonics`);
    const few = name.includes('unprivileged') ? rows.map(formText) : mnemonics;
    const shown = name === 'innocuous' || name === 'refused everywhere' ? few.slice(0, 24) : few;
    console.log(`  ${shown.join(' · ')}${shown.length < few.length ? ' · …' : ''}`);
  }
  console.log(
    '\nTheorem 1 asks that every sensitive instruction be privileged. The two classes in the middle are why IA-32 fails it.',
  );
  return 0;
}
