// Starts the worker that hosts the machine; the first one at once, when this module is evaluated: the composition root
// imports it before everything else, so that the machine begins while the page is still being built.
import type { Port } from './client.ts';

function spawn(): Port {
  return new Worker(new URL('./worker.ts', import.meta.url), {
    type: 'module',
    name: 'ringside',
  }) as unknown as Port;
}

let first: Port | null = spawn();

/** A fresh worker. Whoever takes it listens before the event loop turns, or its first messages are lost. */
export function takeWorker(): Port {
  const port = first ?? spawn();
  first = null;
  return port;
}
