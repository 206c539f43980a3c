// What becomes of every instruction in a container: there is one kernel, and a program at ring 3 that executes the trials in
// children of its own (guests/exercisers/classes/program.asm) and tells on its terminal what came back; what did not come
// back the kernel ended, by a signal, and said why. Everything read here stands on that terminal. The yardstick is the same
// program on the same kernel outside of any container.
import { type Image, ImageError } from '../../images/image.ts';
import { parseImage } from '../../images/load.ts';
import type { Form } from '../../machine/isa/form.ts';
import { Kind } from '../../trace/events.ts';
import { Host } from '../host.ts';
import { parseScenario } from '../scenario.ts';
import { encode, IMMEDIATE } from './encode.ts';
import { PATIENCE, PROCESSOR, type ProbeKernel, type Trial } from './probe.ts';
import { LANDING, RETURN_STACK } from './trial.ts';

/** What came of one trial. */
export interface ProgramOutcome {
  /** What the program wrote when it came back (see there); '': it did not. */
  seen: string;
  /** The signal that ended it, by name; '': none. */
  signal: string;
  /** The kernel's words for it. */
  reason: string;
}

/** What became of an instruction: all its trials. */
export interface ProgramTreatment {
  form: Form;
  /** In a container it did what it does outside: in every trial it came back with the same, or got the same signal. */
  equal: boolean;
  /** Trials that came back. */
  returned: number;
  /** How the others ended. */
  signals: string[];
}

/** Where the program lies, and the image's first byte. */
const USER_BASE = 0x08048000;
const IMAGE = 0xc0100000;
const PROGRAM = 'classes_program';
const TRIAL_BYTES = 64;
const CODE_BYTES = 32;
const INT3 = 0xcc;
const JMP = 0xe9;
const MOST_TRIALS = 2048;
const CLOCK = 50_000_000;
const LONG = 0x9_3579_2468;
const CTRL_C = 3;
const PROMPT = 'penguin# ';
const SIGNALS: Record<number, string> = {
  4: 'SIGILL',
  5: 'SIGTRAP',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
};
const NAME = 'classes';
const OPTIONS = { commandLine: '', modules: [] };
/** Overflow is set, so that INTO does something. */
const FLAGS = 0xa02;

/** Trials as a program can have them: whose interrupts are on, whatever it says. */
export const programTrials = (trials: readonly Trial[]): Trial[] =>
  trials.filter(({ interrupts }) => !interrupts);

/**
 * Runs all trials in a program.
 * @param container in a container; else of the machine's own, under the same kernel
 * @param anotherDay see probe.ts
 */
export function probeProgram(
  kernel: ProbeKernel,
  trials: readonly Trial[],
  container: boolean,
  anotherDay = false,
): ProgramOutcome[] {
  const host = boot(parseImage(load(kernel, trials, anotherDay), NAME), container, anotherDay ? LONG : 0);
  const order = trials.map((_, n) => (anotherDay ? trials.length - 1 - n : n));
  const outcomes = trials.map((): ProgramOutcome => ({ seen: '', signal: '', reason: '' }));
  const terminal = new Terminal(host);
  terminal.waitFor(PROMPT);
  for (let next = 0; next < trials.length; ) {
    terminal.type(`classes ${next}\r`);
    next = follow(terminal, outcomes, order, next);
  }
  const exits = host.recorder.exitCounts().length + host.recorder.count(Kind.hypercall);
  if (exits) throw new Error(`${exits} exits on a machine without a hypervisor`);
  return outcomes;
}

/** A machine with Penguin on it. @param age cycles that it has been on */
function boot(image: Image, container: boolean, age: number): Host {
  const technique = container ? 'container' : 'native';
  const host = new Host(
    parseScenario({
      name: NAME,
      title: NAME,
      processor: PROCESSOR,
      memoryMiB: 32,
      clockHz: CLOCK,
      domains: [{ name: NAME, guest: 'penguin-container', technique, memoryMiB: 8 }],
    }),
  );
  host.pc.cpu.cycles += age;
  host.boot({ id: 0, name: NAME, technique, memoryBytes: 8 << 20, image, options: OPTIONS });
  return host;
}

/** What somebody is told who wants a kernel of their own in a container, where one runs already. */
export function refusesKernels(shared: ProbeKernel, own: ProbeKernel): string {
  const host = boot(parseImage(shared.bytes, NAME), true, 0);
  const image = parseImage(own.bytes, 'the probing kernel');
  try {
    host.boot({ id: 1, name: NAME, technique: 'container', memoryBytes: 8 << 20, image, options: OPTIONS });
  } catch (error) {
    if (error instanceof ImageError) return error.message;
    throw error;
  }
  throw new Error('a container took a kernel of its own');
}

/** Reads until all trials are over, or one hangs: that one is broken off. @returns the next */
function follow(
  terminal: Terminal,
  outcomes: ProgramOutcome[],
  order: readonly number[],
  next: number,
): number {
  for (let seen = '', reason = ''; next < order.length; ) {
    const line = terminal.line();
    const said = /^\[\d+ classes\] (.*?)(, eip [0-9A-F]{8})?$/.exec(line ?? '');
    const over = /^@([0-9A-F]{8}) ([0-9A-F]{8})$/.exec(line ?? '');
    if (line === null) {
      outcomes[order[next]].reason = 'it never comes back';
      terminal.type(String.fromCharCode(CTRL_C));
      terminal.waitFor(PROMPT);
      return next + 1;
    }
    if (line.startsWith('=')) seen = line;
    else if (said) reason = said[1];
    else if (over) {
      const signal = Number.parseInt(over[2], 16) & 0x7f;
      Object.assign(outcomes[order[next++]], {
        seen,
        reason,
        signal: signal ? (SIGNALS[signal] ?? `signal ${signal}`) : '',
      });
      seen = reason = '';
    } else if (/^fork failed/.test(line)) throw new Error('a program of Penguin’s cannot have children');
  }
  terminal.waitFor(PROMPT);
  return next;
}

/** The shell's end of a serial port, as somebody sits there. */
class Terminal {
  private text = '';
  constructor(private readonly host: Host) {}

  private get board() {
    const { board } = this.host.guest(0)!;
    if (!board) throw new Error('Penguin’s terminal is gone');
    return board;
  }

  /** More text, or false: nothing was said for long. */
  private more(): boolean {
    for (const start = this.host.now; this.host.now - start < CLOCK; ) {
      this.host.run(this.host.now + PATIENCE);
      const bytes = this.board.takeSerial();
      if (!bytes.length) continue;
      this.text += String.fromCharCode(...bytes);
      return true;
    }
    return false;
  }

  waitFor(wanted: string): void {
    for (;;) {
      const at = this.text.indexOf(wanted);
      if (at >= 0) {
        this.text = this.text.slice(at + wanted.length);
        return;
      }
      if (!this.more()) throw new Error(`Penguin never said “${wanted}”: ${this.text.slice(-200)}`);
    }
  }

  /** The next line; null: nothing comes. */
  line(): string | null {
    for (;;) {
      const at = this.text.indexOf('\r\n');
      if (at >= 0) {
        const line = this.text.slice(0, at);
        this.text = this.text.slice(at + 2);
        return line;
      }
      if (!this.more()) return null;
    }
  }

  type(words: string): void {
    this.board.serialInput([...words].map((c) => c.charCodeAt(0)));
  }
}

/** The image with the trials in it, encoded for the program's addresses. */
function load({ bytes, symbols }: ProbeKernel, trials: readonly Trial[], backwards: boolean): Uint8Array {
  if (trials.length > MOST_TRIALS)
    throw new Error(`${trials.length} trials are more than the program has place for`);
  const image = bytes.slice();
  const view = new DataView(image.buffer);
  const symbol = (name: string): number => Number(symbols.get(`${PROGRAM}${name}`));
  const inFile = (name: string): number => symbol(name) - IMAGE;
  const here = (name: string): number => symbol(name) - symbol('') + USER_BASE;
  const [address, landing, stack] = [here('.operand'), here('.landing'), here('.stack')];
  view.setInt32(inFile('.count'), trials.length, true);
  view.setInt32(inFile('.backwards'), backwards ? 1 : 0, true);
  const moved = (word: number, form: Form): number => {
    if (word === RETURN_STACK) return stack + 0x100;
    // Where nothing is asked for it may as well be an address: that of a return.
    return word === LANDING || form.privilege === 'innocuous' ? landing : word;
  };
  trials.forEach(({ form, place, register, selector, stack: frame }, n) => {
    const at = inFile('.trials') + n * TRIAL_BYTES;
    const code = encode(form, place, { address, landing, selector, immediate: IMMEDIATE, register });
    image.fill(INT3, at, at + CODE_BYTES);
    image.set(code, at);
    // Behind it, back to the program.
    const behind = at + code.length + 5;
    image[behind - 5] = JMP;
    view.setInt32(behind - 4, inFile('.over') - behind, true);
    view.setInt32(at + 32, selector, true);
    view.setInt32(at + 36, FLAGS, true);
    frame.forEach((word, k) => {
      view.setInt32(at + 40 + k * 4, moved(word, form), true);
    });
  });
  return image;
}

/** What becomes of each instruction in a container, held against the same outside. Only what time decides may differ. */
export function treatInContainer(kernel: ProbeKernel, trials: readonly Trial[]): ProgramTreatment[] {
  const own = programTrials(trials);
  const outcomes = probeProgram(kernel, own, true);
  const outside = probeProgram(kernel, own, false);
  const later = probeProgram(kernel, own, false, true);
  const rows = new Map<Form, ProgramTreatment>();
  own.forEach(({ form }, n) => {
    let row = rows.get(form);
    if (!row) rows.set(form, (row = { form, equal: true, returned: 0, signals: [] }));
    row.equal &&= alike(outcomes[n], outside[n], later[n]);
    const { seen, signal, reason } = outcomes[n];
    if (seen) row.returned++;
    const how = `${signal}: ${reason.replace(/( at|, error code).*/, '')}`;
    if (!seen && !row.signals.includes(how)) row.signals.push(how);
  });
  return [...rows.values()];
}

const WORD = 8;
function alike(inside: ProgramOutcome, outside: ProgramOutcome, later: ProgramOutcome): boolean {
  if (inside.signal !== outside.signal || inside.reason !== outside.reason) return false;
  if (inside.seen.length !== outside.seen.length) return false;
  for (let at = 1; at < inside.seen.length; at += WORD) {
    const word = ({ seen }: ProgramOutcome): string => seen.slice(at, at + WORD);
    if (word(inside) !== word(outside) && word(outside) === word(later)) return false;
  }
  return true;
}
