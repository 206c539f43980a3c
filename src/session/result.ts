// What became of a run, guest by guest, as plain data: for `--json`, for graders, for lesson checks.
import { Kind } from '../trace/events.ts';
import { exitName } from '../trace/exits.ts';
import type { PlaceTimes } from '../trace/places.ts';
import type { Session } from './session.ts';

export interface GuestResult {
  name: string;
  guest: string;
  technique: string;
  outcome: 'running' | 'paused' | 'halted' | 'rebooting' | 'crashed' | 'stopped';
  reason: string;
  /** Serial port and paravirtual console. */
  serial: string;
  /** Port E9h. */
  debug: string;
  /** Last POST code: what was last written to port 80h. */
  post: number;
  /** What the guest ended with when it wrote to port F4h or 501h (QEMU's isa-debug-exit): (value << 1) | 1. */
  exitCode?: number;
  /** Text screen, a line a row; empty for graphics. */
  screen: string;
  cycles: number;
  instructions: number;
  exits: { reason: string; code: number; count: number; cycles: number; min: number; max: number }[];
  hypercalls: number;
  /** Memory that it has now, under a hypervisor: what a balloon driver gave back is not counted. */
  memoryKiB?: number;
  time: PlaceTimes;
}

/** Characters of a text screen, rows without trailing blanks. */
export function screenText(session: Session, id: number): string {
  const screen = session.view(id)?.board?.screen();
  if (screen?.mode !== 'text') return '';
  const rows: string[] = [];
  for (let row = 0; row < screen.rows; row++) {
    let line = '';
    for (let column = 0; column < screen.columns; column++) {
      const code = screen.cells[(row * screen.columns + column) * 2];
      line += code >= 32 && code < 127 ? String.fromCharCode(code) : ' ';
    }
    rows.push(line.trimEnd());
  }
  return rows.join('\n').trimEnd();
}

/** The state of every guest of the session. */
export function results(session: Session): GuestResult[] {
  const { recorder } = session.host;
  return session.domains.map((domain) => {
    const view = session.view(domain.id);
    const memory = session.host.memoryOf(domain.id);
    return {
      name: domain.config.name,
      guest: domain.config.guest,
      technique: domain.technique,
      outcome: view?.state ?? 'stopped',
      reason: view?.ending ?? domain.failure,
      serial: domain.text,
      debug: domain.debugText,
      post: view?.board?.debug.post ?? 0,
      exitCode: view?.board?.debug.exitCode,
      screen: screenText(session, domain.id),
      cycles: session.now,
      instructions: session.host.instructionsOf(domain.id),
      exits: recorder.exitCounts(domain.id).map(({ vendor, reason, count, cycles, min, max }) => ({
        reason: exitName(vendor, reason),
        code: reason,
        count,
        cycles,
        min: count && min !== Infinity ? min : 0,
        max,
      })),
      hypercalls: recorder.count(Kind.hypercall, domain.id),
      memoryKiB: memory && memory / 1024,
      time: recorder.placeOf(domain.id, session.now).read(session.now),
    };
  });
}
