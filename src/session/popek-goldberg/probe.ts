// Instructions, one after another, in a guest: the kernel of src/guests/exercisers/classes executes them under whatever
// technique it is booted, and writes down what can be seen. Read here are what it wrote, and what the trace recorded at the
// instruction's own address: exits, and translations. A trial that ends the guest is where the next boot goes on behind.

import type { Paging, TechniqueName } from '../../hypervisor/technique.ts';
import { parseImage } from '../../images/load.ts';
import type { Form } from '../../machine/isa/form.ts';
import { Emulated, Kind, Vendor } from '../../trace/events.ts';
import { exitName } from '../../trace/exits.ts';
import { Host } from '../host.ts';
import { parseScenario } from '../scenario.ts';
import type { Place } from './encode.ts';

export type Ring = 0 | 1 | 2 | 3;

/** One execution: the instruction with what it finds. */
export interface Trial {
  form: Form;
  /** How its operands are given: for who encodes it anew. */
  place: Place;
  register: number;
  code: Uint8Array;
  /** ECX, and the word behind the memory operand. */
  selector: number;
  /** Doublewords from ESP upwards, at most five. */
  stack: readonly number[];
  interrupts: boolean;
}

/** A technique as it can be chosen. */
export interface Way {
  technique: TechniqueName;
  paging?: Paging;
}

/** What came of one trial. */
export interface Outcome {
  /** What the guest's kernel saw when the trial was over (see the kernel); null: it did not come back. */
  seen: Int32Array | null;
  /** Why it did not. */
  ending: string;
  /** Exits at the instruction itself, by name; the timer's do not count. */
  exits: string[];
  /** Exits in the trial, with those of its end. */
  count: number;
  translated: boolean;
  /** About then the monitor's interpreter ran the guest. */
  interpreted: boolean;
}

/** The kernel, assembled, with the places at which it is given its work. */
export interface ProbeKernel {
  bytes: Uint8Array;
  symbols: ReadonlyMap<string, number | bigint>;
}

const IMAGE = 0x100000;
const IMAGE_END = 0x200000;
const TRIALS = 0x120000;
const TRIAL_BYTES = 64;
const CODE_BYTES = 32;
const RESULTS = 0x180000;
const RESULT_BYTES = 128;
const INT3 = 0xcc;
const CALL_OUT = 0x100;
const FLAGS = 0x802;
const IF = 0x200;
const MEMORY_MIB = 4;
/** Without a trial coming to its end for so many cycles, it never will. */
export const PATIENCE = 2_500_000;
/** Cycles after which both words of a time-stamp counter differ. */
const LONG = 0x9_3579_2468;
/** Boots in a row in which no trial came back: there is no such ring. */
const IN_VAIN = 12;
const SLICE = 300_000;
export const PROCESSOR = 'nehalem';

/**
 * Runs all trials at a ring of the guest.
 * @param anotherDay the machine has been on for long, and the last trial comes first: what differs by that depends on time
 */
export function probe(
  kernel: ProbeKernel,
  trials: readonly Trial[],
  ring: Ring,
  way: Way,
  anotherDay = false,
): Outcome[] {
  const outcomes = trials.map(
    (): Outcome => ({ seen: null, ending: '', exits: [], count: 0, translated: false, interpreted: false }),
  );
  const image = load(kernel, trials);
  const set = (name: string, value: number): void =>
    new DataView(image.buffer).setInt32(Number(kernel.symbols.get(name)) - IMAGE, value, true);
  set('ring', ring);
  set('count', trials.length);
  set('backwards', anotherDay ? 1 : 0);
  const host = new Host(
    parseScenario({
      name: 'probe',
      title: 'probe',
      processor: PROCESSOR,
      memoryMiB: MEMORY_MIB + (way.technique === 'native' ? 0 : 12),
      domains: [{ name: 'probe', guest: 'panes', technique: way.technique, memoryMiB: MEMORY_MIB }],
    }),
    // Nothing here runs often enough to be worth compiling.
    'interpreter',
  );
  if (anotherDay) host.pc.cpu.cycles += LONG;
  // In the order of execution.
  if (anotherDay) outcomes.reverse();
  let vain = 0;
  for (let next = 0; next < trials.length && vain < IN_VAIN; ) {
    set('cursor', next);
    const end = run(host, image, kernel, way, outcomes, next);
    vain = end > next + 1 ? 0 : vain + 1;
    next = end;
  }
  return anotherDay ? outcomes.reverse() : outcomes;
}

/** Boots, and runs until a trial does not come back. @returns the trial behind it */
function run(
  host: Host,
  image: Uint8Array,
  kernel: ProbeKernel,
  { technique, paging }: Way,
  outcomes: Outcome[],
  first: number,
): number {
  host.boot({
    id: 0,
    name: 'probe',
    technique,
    memoryBytes: MEMORY_MIB << 20,
    image: parseImage(image, 'probe'),
    options: { commandLine: '', modules: [], paging },
  });
  const { recorder } = host;
  const word = (address: number): number => {
    const at = host.translate(0, address);
    return at < 0 ? 0 : host.pc.memory.read32(at);
  };
  const cursor = Number(kernel.symbols.get('cursor'));
  let seq = recorder.next;
  let at = first;
  let progress = host.now;
  while (at < outcomes.length && host.now - progress < PATIENCE) {
    host.run(host.now + SLICE);
    for (; seq < recorder.next; seq++) {
      const event = recorder.get(seq)!;
      note(outcomes, event);
      if (event.kind === Kind.emulate && event.a === Emulated.interpreted) outcomes[at].interpreted = true;
    }
    // The domain may be gone, with its memory.
    const now = host.guest(0)?.state === 'running' ? standing(word, cursor, at, outcomes.length) : -1;
    if (now > at) {
      for (let n = at; n < now; n++) outcomes[n].seen = read(host, RESULTS + n * RESULT_BYTES);
      at = now;
      progress = host.now;
    } else if (host.guest(0)?.state !== 'running') break;
  }
  // What ended the guest may have done so behind trials that came back.
  const end = standing(word, cursor, at, outcomes.length);
  for (; at < end; at++) outcomes[at].seen = read(host, RESULTS + at * RESULT_BYTES);
  if (at >= outcomes.length) return at;
  outcomes[at].ending = host.guest(0)?.ending || 'it never comes back';
  return at + 1;
}

/** How many trials are over: those up to the guest's cursor that have left their mark. */
function standing(word: (address: number) => number, cursor: number, at: number, count: number): number {
  const says = word(cursor);
  let n = at;
  while (n < Math.min(says, count) && word(RESULTS + n * RESULT_BYTES) === 1) n++;
  return n;
}

function read(host: Host, address: number): Int32Array {
  const machine = host.translate(0, address);
  const words = new Int32Array(RESULT_BYTES / 4);
  for (let n = 0; n < words.length; n++) words[n] = host.pc.memory.read32(machine + n * 4);
  return words;
}

/** What the trace says about an instruction. */
function note(
  outcomes: Outcome[],
  event: { kind: number; eip: number; a: number; b: number; e: number } | undefined,
): void {
  if (!event) return;
  const { kind, a, b, e } = event;
  if (kind !== Kind.exit && kind !== Kind.translate) return;
  const offset = ((kind === Kind.exit ? event.eip : a) >>> 0) - TRIALS;
  if (offset < 0 || offset >= outcomes.length * TRIAL_BYTES) return;
  const outcome = outcomes[Math.floor(offset / TRIAL_BYTES)];
  if (kind === Kind.translate) outcome.translated ||= b > 0 && offset % TRIAL_BYTES === 0;
  else {
    const name = exitName(e, a);
    if (isInterrupt(name) || isBookkeeping(e, a)) return;
    outcome.count++;
    if (offset % TRIAL_BYTES === 0 && !outcome.exits.includes(name)) outcome.exits.push(name);
  }
}

/** The host's own timer. */
const isInterrupt = (name: string): boolean => /^(EXTERNAL_INTERRUPT|INTERRUPT|interrupt)$/.test(name);
/** A translator's own business: code to be translated, a jump to be patched. A call-out is the instruction's. */
const isBookkeeping = (vendor: number, reason: number): boolean =>
  vendor === Vendor.trap && reason > CALL_OUT;

/** The image: the kernel, and behind it the trials at their address. */
function load({ bytes }: ProbeKernel, trials: readonly Trial[]): Uint8Array {
  const image = new Uint8Array(IMAGE_END - IMAGE);
  image.set(bytes);
  const view = new DataView(image.buffer);
  trials.forEach(({ code, selector, stack, interrupts }, n) => {
    const at = TRIALS - IMAGE + n * TRIAL_BYTES;
    image.fill(INT3, at, at + CODE_BYTES);
    image.set(code, at);
    view.setInt32(at + 32, selector, true);
    view.setInt32(at + 36, FLAGS | (interrupts ? IF : 0), true);
    stack.forEach((value, k) => {
      view.setInt32(at + 40 + k * 4, value, true);
    });
  });
  return image;
}
