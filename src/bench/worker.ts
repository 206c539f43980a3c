// In a browser's worker: runs one kernel, bare or as a guest, and posts what came out.
import type { Engine } from '../session/host.ts';
import { runKernel } from './kernel.ts';
import { runVirtual, type VirtualOptions } from './virtual-kernel.ts';

/** What the page asks for. */
export interface Request {
  readonly name: string;
  readonly image: Uint8Array;
  /** Milliseconds. */
  readonly patience: number;
  /** On the bare machine by itself, or as a session has it. */
  readonly how: { engine: Engine } | { guest: Omit<VirtualOptions, 'now' | 'patience'> };
}

const now = () => performance.now();

self.onmessage = ({ data: { name, image, patience, how } }: MessageEvent<Request>) => {
  self.postMessage(
    'engine' in how
      ? runKernel(name, image, how.engine, now, patience)
      : runVirtual(name, image, { ...how.guest, patience, now }),
  );
};
