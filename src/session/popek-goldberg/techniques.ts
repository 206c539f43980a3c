// What becomes of every instruction under every technique, as observed: the same trials run on the bare machine and under the
// technique, at each ring that the guest believes to have, and what the guest's kernel sees is compared. Popek and Goldberg
// (1974) call the result equivalence; what differs without anybody's knowledge is a hole. Only time may differ (§3 there), and
// what depends on time is found by running the bare machine twice, the second time backwards.
import { TECHNIQUES } from '../../hypervisor/technique.ts';
import type { Form } from '../../machine/isa/form.ts';
import { isHole, type Observed } from './classify.ts';
import { refusesKernels, treatInContainer } from './container.ts';
import { type Outcome, type ProbeKernel, probe, type Ring, type Trial, type Way } from './probe.ts';

/** From harmless to not: what is listed later outweighs what comes before, over the trials of one instruction. */
export const HANDLINGS = [
  /** The processor ran it, and it did what it does on the bare machine. */
  'direct',
  /** The processor ran other code in its place, with the same result. */
  'translated',
  /** The one kernel that there is ended the program by a signal, in a container as outside. */
  'signalled',
  /** The monitor did it in the processor's place, as everything at this ring, with the same result. */
  'interpreted',
  /** The monitor was told, and brought the same about. */
  'trapped',
  /** The monitor was told, and answers as another machine: features, devices. */
  'answered',
  /** The monitor was told, and gave up: it ended the guest and said why. */
  'refused',
  /** It does not do what it did at ring 0, which a paravirtualized kernel knows: the interface has a hypercall for it, or shared memory. */
  'ported',
  /** It did something else, and nobody was told. */
  'hole',
] as const;
export type Handling = (typeof HANDLINGS)[number];

export interface Treatment {
  form: Form;
  handling: Handling;
  /** Exits by name, or why the guest was ended. */
  how: string[];
}

/** One technique at one ring. */
export interface Column {
  way: Way;
  ring: Ring;
  /** False: a guest cannot have this ring here; `because` says how that was seen. */
  exists: boolean;
  because: string;
  treatments: Treatment[];
}

export const RINGS: readonly Ring[] = [0, 1, 2, 3];

/** All techniques, with both pagings where there are two. */
export const WAYS: readonly Way[] = TECHNIQUES.flatMap((technique): Way[] =>
  technique === 'vt-x' || technique === 'svm'
    ? [
        { technique, paging: 'shadow' },
        { technique, paging: 'nested' },
      ]
    : [{ technique }],
);

export const wayName = ({ technique, paging }: Way): string =>
  paging ? `${technique}, ${paging}` : technique;

/** The trials that show each form behave: its witnesses; where the bare processor showed nothing, one state of IF is enough. */
export function trialsOf(observed: readonly Observed[]): Trial[] {
  return observed.flatMap((o) => {
    const sensitive = o.privileged || o.control || isHole(o);
    return o.witnesses.flatMap(({ bytes, selector, stack, place, register }) =>
      (sensitive ? [false, true] : [false]).map((interrupts) => ({
        form: o.form,
        place,
        register,
        code: bytes,
        selector,
        stack,
        interrupts,
      })),
    );
  });
}

/** Words of a result that hold control and debug registers. */
const CONTROL = [20, 21, 22, 23, 24, 25];
/** #DB, #BP, #OF: what INT1, INT3 and INTO are there for, and the end of every trial. */
const OWN_VECTORS = [1, 3, 4];
/** The bare machine as the yardstick of one ring: what the guest sees, and which of that time decides. */
export class Yardstick {
  readonly outcomes: Outcome[];
  private readonly later: Outcome[];

  constructor(
    readonly kernel: ProbeKernel,
    readonly trials: readonly Trial[],
    readonly ring: Ring,
  ) {
    this.outcomes = probe(kernel, trials, ring, { technique: 'native' });
    // Another day, and the other way round: what differs depends on time, and on what the machine did before.
    this.later = probe(kernel, trials, ring, { technique: 'native' }, true);
  }

  /** Whether it is refused here: that an exception goes through a monitor on its way to the guest makes it no other one. */
  faults(n: number): boolean {
    const vector = this.outcomes[n].seen?.[1] ?? -1;
    return vector >= 0 && vector < 32 && !OWN_VECTORS.includes(vector);
  }

  /** Whether the guest sees under a technique what it sees here. @param ported control registers are then no business of the guest's */
  equal(n: number, outcome: Outcome, ported = false): boolean {
    const [bare, later] = [this.outcomes[n].seen, this.later[n].seen];
    // It ends: by a shutdown of the processor, or because nothing wakes it.
    if (!bare || !outcome.seen) return !bare && !outcome.seen && !isRefusal(outcome);
    return bare.every(
      (word, k) => word === outcome.seen![k] || word !== later?.[k] || (ported && CONTROL.includes(k)),
    );
  }
}

/** The monitor's own words, and not what a processor does by itself. */
const isRefusal = ({ ending }: Outcome): boolean =>
  ending !== '' && !/triple fault|waits for ever|never comes back/.test(ending);

const NOP: Trial = {
  form: undefined as unknown as Form,
  place: 'none',
  register: 0,
  code: Uint8Array.of(0x90),
  selector: 0,
  stack: [],
  interrupts: false,
};

/** Runs all trials of a yardstick under a technique. @param kernel the one for it */
export function observeUnder(yardstick: Yardstick, way: Way, kernel: ProbeKernel): Column {
  const { trials, ring } = yardstick;
  if (way.technique === 'container') return observeInContainer(yardstick, way, kernel);
  const ported = way.technique === 'paravirtualization';
  const column: Column = { way, ring, exists: true, because: '', treatments: [] };
  const nothing = new Yardstick(yardstick.kernel, [NOP], ring);
  const [idle] = probe(kernel, [NOP], ring, way);
  if (!nothing.outcomes[0].seen) throw new Error(`the bare machine does not execute a NOP at ring ${ring}`);
  if (!nothing.equal(0, idle, ported)) {
    column.exists = false;
    column.because = idle.seen ? 'the kernel finds itself at another ring' : idle.ending;
    return column;
  }
  const outcomes = way.technique === 'native' ? yardstick.outcomes : probe(kernel, trials, ring, way);
  const rows = new Map<Form, Treatment>();
  trials.forEach(({ form }, n) => {
    let row = rows.get(form);
    if (!row) rows.set(form, (row = { form, handling: 'direct', how: [] }));
    const seen = {
      outcome: outcomes[n],
      end: idle.count,
      interpreted: idle.interpreted,
      equal: yardstick.equal(n, outcomes[n], ported),
      faults: yardstick.faults(n),
      ported: ported && ring < 3,
    };
    add(row, seen);
  });
  column.treatments = [...rows.values()];
  return column;
}

/** A container has programs and no kernel: other rings are refused, as the kernel is that would be there. */
function observeInContainer({ trials, ring, kernel: own }: Yardstick, way: Way, shared: ProbeKernel): Column {
  if (ring !== 3) return { way, ring, exists: false, because: refusesKernels(shared, own), treatments: [] };
  const treatments = treatInContainer(shared, trials).map(({ form, equal, returned, signals }): Treatment => {
    const handling = !equal ? 'hole' : returned ? 'direct' : 'signalled';
    return { form, handling, how: handling === 'direct' ? [] : signals };
  });
  return { way, ring, exists: true, because: '', treatments };
}

interface Seen {
  outcome: Outcome;
  /** Exits that the end of every trial takes. */
  end: number;
  /** At this ring the monitor interprets: nothing reaches the processor. */
  interpreted: boolean;
  equal: boolean;
  /** The bare machine refuses it too. */
  faults: boolean;
  /** The kernel knows that it is not at ring 0. */
  ported: boolean;
}

function handlingOf({ outcome, end, interpreted, equal, faults, ported }: Seen): Handling {
  if (!equal && ported) return 'ported';
  if (isRefusal(outcome)) return 'refused';
  const told = interpreted || outcome.exits.length > 0 || outcome.count > end;
  if (!equal) return told ? 'answered' : 'hole';
  if (interpreted) return 'interpreted';
  if (told && !faults) return 'trapped';
  return outcome.translated ? 'translated' : 'direct';
}

function add(row: Treatment, seen: Seen): void {
  const handling = handlingOf(seen);
  if (HANDLINGS.indexOf(handling) > HANDLINGS.indexOf(row.handling)) row.handling = handling;
  if (seen.equal && seen.faults) return;
  for (const how of handling === 'refused' ? [seen.outcome.ending] : seen.outcome.exits)
    if (!row.how.includes(how)) row.how.push(how);
}
