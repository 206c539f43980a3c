// Popek and Goldberg's classes of instructions (CACM 17(7), 1974), derived by doing: every form of the instruction table is
// executed at ring 0, at ring 3, and at ring 1 on the tables of a deprivileged kernel, with many operands; what is seen
// decides. Nothing here knows an instruction by name.
import type { Form } from '../../machine/isa/form.ts';
import { FORMS } from '../../machine/isa/table.ts';
import { encode, IMMEDIATE, type Place, places, registers } from './encode.ts';
import { DATA, type Input, LANDING, RETURN_STACK, type Result, SELECTORS, Trials } from './trial.ts';

/** An input that showed something, and how its bytes came about: elsewhere they are encoded anew. */
export interface Witness extends Input {
  place: Place;
  /** ModRM.reg, when it is not an opcode extension. */
  register: number;
}

export interface Observed {
  form: Form;
  /** With some operands it works at ring 0 and raises #GP at ring 3: a monitor can catch it. */
  privileged: boolean;
  /** At ring 0 it changed what a monitor must keep for itself: mode, interrupt flag, tables, control registers, ports. */
  control: boolean;
  /** It did not trap, and what it gave (or whether it was refused) depended on the ring, or on where the machine's tables lie. */
  behaviour: boolean;
  /** It did not trap at ring 1, where it did less than at ring 0: the change of a resource was lost without a word. */
  lost: boolean;
  /** No trial at ring 0 came to its end: it does not exist on this processor, or needs what no trial has (a VMCS, counters). */
  refused: boolean;
  /** Inputs that showed something different from each other: what it takes to see this form behave. */
  witnesses: Witness[];
}

/** Sensitive, and a monitor is not told: what breaks theorem 1. */
export const isHole = (o: Observed): boolean => o.behaviour || o.lost;

export const classOf = (o: Observed): string =>
  o.refused
    ? 'refused everywhere'
    : isHole(o)
      ? o.lost
        ? 'control-sensitive, unprivileged'
        : 'behaviour-sensitive, unprivileged'
      : o.privileged
        ? 'privileged'
        : 'innocuous';

/** What lies on the stack: flags for POPF, a selector for POP, frames for returns. */
const FRAMES = (selector: number): number[][] => [
  [0x3202, 0, 0, 0],
  [selector, 0, 0, 0],
  [LANDING, selector, 0x202, RETURN_STACK, 0x23],
  // The same of 16 bits.
  [LANDING | (selector << 16), 0x0202 | (RETURN_STACK << 16), 0x23, 0],
];
/** Operations whose result depends on a selector somewhere. */
const takesSelector = (form: Form): boolean =>
  form.privilege !== 'innocuous' ||
  form.operands.some((kind) => ['sreg', 'far', 'mfar', 'mpair'].includes(kind));

/** Tries every form of the table. */
export function observeAll(): Observed[] {
  const trials = new Trials();
  return FORMS.filter((form) => !form.assemblerOnly && !form.wait).map((form) => observe(trials, form));
}

function observe(trials: Trials, form: Form): Observed {
  const o: Observed = {
    form,
    privileged: false,
    control: false,
    behaviour: false,
    lost: false,
    refused: true,
    witnesses: [],
  };
  const seen = new Map<string, number>();
  const selectors = takesSelector(form) ? SELECTORS : [0x10];
  for (const place of places(form)) {
    for (const register of registers(form)) {
      for (const selector of selectors) {
        const operands = { address: DATA, landing: LANDING, selector, immediate: IMMEDIATE, register };
        const bytes = encode(form, place, operands);
        const frames = takesSelector(form) ? FRAMES(selector) : FRAMES(selector).slice(0, 1);
        for (const stack of frames) {
          const input = { bytes, selector, stack, place, register };
          const signature = `${place} ${register} ${compare(trials, o, input)}`;
          const known = seen.get(signature) ?? 0;
          seen.set(signature, known + 1);
          if (known < ALIKE) o.witnesses.push(input);
        }
      }
    }
  }
  return o;
}

/** Witnesses of one kind. */
const ALIKE = 1;
const GP = 13;
const refused = (r: Result): boolean => r.vector >= 0;

/** Adds what one input shows. @returns a text that is the same for inputs that show the same */
function compare(trials: Trials, o: Observed, input: Input): string {
  let signature = '';
  for (const interrupts of [false, true]) {
    const bare = trials.run({ ring: 0, compressed: false, host: 0, interrupts }, input);
    if (!refused(bare)) o.refused = false;
    const user = trials.run({ ring: 3, compressed: false, host: 0, interrupts }, input);
    if (!refused(bare) && user.vector === GP) o.privileged = true;
    if (bare.control) o.control = true;

    // A deprivileged kernel: the real interrupt flag is on whatever it believes.
    const kernel = trials.run({ ring: 1, compressed: true, host: 0, interrupts: true }, input);
    const alike = kernel.visible === bare.visible;
    const lost = bare.control && kernel.control !== bare.control;
    signature += `${[bare.vector, user.vector, kernel.vector, !!bare.control, alike, !!lost]} `;
    if (refused(kernel)) continue;
    if (refused(bare) || !alike) o.behaviour = true;
    else if (lost) o.lost = true;
    // Or on a host whose tables lie elsewhere.
    const elsewhere = trials.run({ ring: 0, compressed: false, host: 1, interrupts }, input);
    if (!refused(elsewhere) && !refused(bare) && elsewhere.visible !== bare.visible) o.behaviour = true;
  }
  return signature;
}
