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

const STDOUT = 1;
/** Milliseconds between two attempts to write to a pipe that is full. */
const PIPE_WAIT = 2;

/** Whoever read our output has closed it: there is nobody left to run for. */
export class ReaderGone extends Error {}

/** Writes to a file, or to standard output for `-`. Throws UsageError when it cannot be written. */
export function writeOut(path: string, content: string | Uint8Array): void {
  const file = path === '-' ? STDOUT : open(path);
  writeAll(file, content);
  if (file !== STDOUT) close(path, file);
}

/** All of it: a pipe takes what it has room for, and its reader may be slower than we are. */
function writeAll(file: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(file, bytes, at);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new ReaderGone();
      if (code !== 'EAGAIN') throw new UsageError(`cannot write: ${message}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_WAIT);
    }
  }
}

function close(path: string, file: number): void {
  try {
    closeSync(file);
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
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
  const file = path === '-' ? STDOUT : open(path);
  const chrome = path.endsWith('.json')
    ? chromeTrace(
        session.host.pc.cost.clockHz,
        session.domains.map((d) => d.config.name),
      )
    : null;
  let next = recorder.next;
  if (chrome) writeAll(file, chrome.head);
  return {
    drain() {
      let text = '';
      for (; next < recorder.next; next++) {
        const event = recorder.get(next);
        if (event) text += chrome ? chrome.event(event) : `${formatEvent(event)}\n`;
      }
      if (text) writeAll(file, text);
    },
    close() {
      this.drain();
      if (chrome) writeAll(file, chrome.tail);
      if (file !== STDOUT) close(path, file);
    },
  };
}
