// One domain of a session: what it was configured to be, what was last booted in it, and what has been heard of it.
import type { TechniqueName } from '../hypervisor/technique.ts';
import type { Drive } from '../machine/devices/storage/medium.ts';
import type { BuiltGuest, GuestSource, SourceMap } from './library.ts';
import type { ScenarioDomain } from './scenario.ts';

const MAX_TEXT = 1 << 20;

export class SessionDomain {
  technique: TechniqueName;
  built: Extract<BuiltGuest, { image: object }> | null = null;
  /** Serial and console text so far, whatever the guest prints with; bounded. */
  text = '';
  /** Characters printed since boot: `text` holds the newest of them. */
  printed = 0;
  debugText = '';
  /** Characters and scan codes that a full device did not take yet. */
  pendingInput: number[] = [];
  stopped = false;
  /** What was booted last when somebody brought it: a restart boots that again, not the original. */
  source: GuestSource | null = null;
  /** Linear addresses at which the session stops when this guest arrives there. */
  breakpoints: ReadonlySet<number> = new Set();
  /** Cycle at which it comes back from the reboot that it asked for; Infinity = it has not asked. */
  rebootAt = Infinity;
  /** Its drives: what a guest wrote to them is there after its reboot, and gone when it is booted anew. */
  drives: readonly Drive[] = [];
  /** Why it could not be booted again; empty while it could. */
  failure = '';

  /** @param config replaced when a guest of the learner's own takes the place of the scenario's */
  constructor(
    readonly id: number,
    public config: ScenarioDomain,
  ) {
    this.technique = config.technique;
  }
  get assembly(): SourceMap | null {
    return this.built?.assembly ?? null;
  }

  /** What the guest has printed: on its paravirtual console, and as bytes of its serial port and of the debug console. */
  hear(console: string, serial: number[], debug: number[]): void {
    const added = console + textOf(serial);
    if (debug.length > 0) this.debugText = appended(this.debugText, textOf(debug));
    if (!added) return;
    this.text = appended(this.text, added);
    this.printed += added.length;
  }
}

/** The end of a text that has grown; cut now and then only, for that copies all of it. */
function appended(text: string, added: string): string {
  const longer = text + added;
  return longer.length > 2 * MAX_TEXT ? longer.slice(-MAX_TEXT) : longer;
}

/** Bytes as characters. In pieces: arguments of a call lie on the stack. */
function textOf(bytes: number[]): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.slice(at, at + 4096));
  return text;
}
