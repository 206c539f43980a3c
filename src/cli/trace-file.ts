// `--trace FILE`: every event, one line each; or, for a name ending in .json, Chrome's trace-event format (Perfetto reads it).
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Session } from '../session/session.ts';
import { chromeTrace } from '../trace/chrome.ts';
import { formatEvent } from '../trace/format.ts';
import { UsageError } from './library.ts';

export interface TraceFile {
  /** Writes what has happened since the last call. */
  drain(): void;
  close(): void;
}

/** Writes text to a file, or to standard output for `-`. Throws UsageError when the file cannot be written. */
export function writeOut(path: string, text: string): void {
  if (path === '-') {
    process.stdout.write(text);
    return;
  }
  const file = open(path);
  writeSync(file, text);
  closeSync(file);
}

function open(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
}

/** Starts a trace of the session from its next event on. */
export function openTrace(path: string, session: Session): TraceFile {
  const { recorder } = session.host;
  const file = path === '-' ? 1 : open(path);
  const chrome = path.endsWith('.json')
    ? chromeTrace(
        session.host.pc.cost.clockHz,
        session.domains.map((d) => d.config.name),
      )
    : null;
  let next = recorder.next;
  if (chrome) writeSync(file, chrome.head);
  return {
    drain() {
      let text = '';
      for (; next < recorder.next; next++) {
        const event = recorder.get(next);
        if (event) text += chrome ? chrome.event(event) : `${formatEvent(event)}\n`;
      }
      if (text) writeSync(file, text);
    },
    close() {
      this.drain();
      if (chrome) writeSync(file, chrome.tail);
      if (file !== 1) closeSync(file);
    },
  };
}
