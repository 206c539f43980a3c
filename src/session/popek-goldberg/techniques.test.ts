// What becomes of every instruction under every technique, observed; held against what Robin and Irvine (2000) say can go
// wrong, which is typed here and nowhere else. A hole is an instruction that does something else than on the bare machine
// while nobody is told.
import { beforeAll, describe, expect, it } from 'vitest';
import { nodeLibrary } from '../../cli/library.ts';
import type { Form } from '../../machine/isa/form.ts';
import { classOf, isHole, type Observed, observeAll } from './classify.ts';
import { probeKernel } from './kernels.ts';
import type { Ring } from './probe.ts';
import {
  type Column,
  type Handling,
  observeUnder,
  trialsOf,
  WAYS,
  wayName,
  Yardstick,
} from './techniques.ts';

/** Robin and Irvine's list but for INT n, which no gate of our monitor lets through, with IRET and loads of far pointers. */
const KERNEL_HOLES = [
  ...['sgdt', 'sidt', 'sldt', 'smsw', 'pushf', 'popf'],
  ...['lar', 'lsl', 'verr', 'verw', 'pop', 'push', 'call', 'jmp', 'ret', 'str', 'mov'],
  ...['iret', 'lds', 'les', 'lfs', 'lgs', 'lss'],
];
/** What a program can find out wherever its ring 3 is real and the tables are not its kernel's: the "red pills". */
const PROGRAM_HOLES = ['pushf', 'sgdt', 'sidt', 'sldt', 'smsw', 'str'];

const library = nodeLibrary();
const kernelFor = (technique: Parameters<typeof probeKernel>[1]) => probeKernel(library, technique);
let observed: Observed[];
beforeAll(() => {
  observed = observeAll();
}, 600_000);

const family = (mnemonic: string): string =>
  mnemonic.replace(/^(pushf|popf|iret)[dw]$/, '$1').replace(/^retf[dw]?$/, 'ret');
const forms = (column: Column, handling: Handling): Form[] =>
  column.treatments.filter((row) => row.handling === handling).map((row) => row.form);
const families = (column: Column, handling: Handling): string[] =>
  [...new Set(forms(column, handling).map((form) => family(form.mnemonic)))].sort();

describe.each<Ring>([0, 3])('at ring %i', (ring) => {
  const columns = new Map<string, Column>();
  const column = (name: string): Column => columns.get(name)!;
  beforeAll(() => {
    const yardstick = new Yardstick(kernelFor('native'), trialsOf(observed), ring);
    for (const way of WAYS) columns.set(wayName(way), observeUnder(yardstick, way, kernelFor(way.technique)));
  }, 1_200_000);

  it('every instruction of the table was executed under every technique; a container has ring 3 and no other', () => {
    for (const [name, { exists, because, treatments }] of columns) {
      const here = ring === 3 || name !== 'container';
      expect(exists, name).toBe(here);
      expect(treatments.length, name).toBe(here ? observed.length : 0);
      if (!here) expect(because).toMatch(/brings its own kernel, and a container has none/);
    }
  });

  it('the bare machine executes all of them directly', () => {
    expect(forms(column('native'), 'direct').length).toBe(observed.length);
  });

  if (ring === 0) {
    it('a kernel meets holes under trap-and-emulate, and under nothing else', () => {
      for (const [name, each] of columns)
        expect(families(each, 'hole'), name).toEqual(
          name === 'trap-and-emulate' ? [...KERNEL_HOLES].sort() : [],
        );
    });

    it('they are the sensitive, unprivileged instructions, found by another way', () => {
      const sensitive = new Set(observed.filter(isHole).map((o) => o.form));
      for (const form of forms(column('trap-and-emulate'), 'hole')) expect(sensitive).toContain(form);
    });

    it('what cannot be had by trapping alone is refused aloud: real mode. A translator interprets it', () => {
      expect(families(column('trap-and-emulate'), 'refused')).toEqual(['mov']);
      expect(families(column('binary-translation'), 'refused')).toEqual([]);
    });

    it('a translator executes nothing of the kernel directly', () => {
      expect(forms(column('binary-translation'), 'direct')).toEqual([]);
    });

    it('for a ported kernel the privileged and the sensitive are what the port replaces', () => {
      const ported = families(column('paravirtualization'), 'ported');
      expect(ported).toEqual(
        expect.arrayContaining(['lgdt', 'lidt', 'ltr', 'hlt', 'in', 'out', 'popf', 'sgdt']),
      );
      expect(families(column('paravirtualization'), 'trapped')).toEqual(
        expect.arrayContaining(['cli', 'sti', 'clts']),
      );
      const innocuous = observed.filter((o) => !o.privileged && !o.control && !isHole(o)).map((o) => o.form);
      const touched = forms(column('paravirtualization'), 'ported').filter((form) =>
        innocuous.includes(form),
      );
      expect(touched.map((form) => form.mnemonic)).toEqual([]);
    });
  } else {
    it('a program finds the monitor out where its kernel is deprivileged, and not where the processor helps', () => {
      for (const [name, each] of columns) {
        const deprivileged = /trap-and-emulate|binary-translation|paravirtualization/.test(name);
        expect(families(each, 'hole'), name).toEqual(deprivileged ? PROGRAM_HOLES : []);
      }
    });

    it('in a container the one kernel ends a program that uses what is privileged, as it does outside', () => {
      const ended = forms(column('container'), 'signalled');
      const privileged = observed.filter((o) => classOf(o) === 'privileged').map((o) => o.form);
      expect(ended).toEqual(expect.arrayContaining(privileged));
      const row = (name: string) => column('container').treatments.find((r) => r.form.mnemonic === name);
      for (const name of ['cli', 'hlt', 'lgdt', 'in', 'out', 'invlpg'])
        expect(row(name)?.how, name).toEqual(['SIGSEGV: general protection fault']);
      // What does not trap tells the truth here: the kernel is the machine's.
      for (const name of ['sgdt', 'sidt', 'sldt', 'smsw', 'str', 'pushf', 'popf'])
        expect(families(column('container'), 'direct')).toContain(name);
    });
  }

  it('where the monitor answers as another machine, that is a matter of what the machine has', () => {
    for (const [name, each] of columns)
      if (name !== 'paravirtualization')
        expect(families(each, 'answered'), name).toEqual(
          ring === 0 && name !== 'native' && name !== 'container' ? ['rdpmc'] : [],
        );
  });
});

it('rings 1 and 2 are there with hardware assistance, and interpreted for a translated kernel; by trapping alone they are lost', () => {
  for (const ring of [1, 2] as const) {
    const yardstick = new Yardstick(kernelFor('native'), trialsOf(observed.slice(0, 1)), ring);
    for (const way of WAYS) {
      const { exists, treatments } = observeUnder(yardstick, way, kernelFor(way.technique));
      const name = `${wayName(way)}, ring ${ring}`;
      expect(exists, name).toBe(!/trap-and-emulate|paravirtualization|container/.test(way.technique));
      const handling = way.technique === 'binary-translation' ? 'interpreted' : 'direct';
      for (const row of treatments) expect(row.handling, name).toBe(handling);
    }
  }
}, 300_000);
