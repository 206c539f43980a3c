// In a browser's worker: runs one kernel and posts what came out.
import type { Engine } from '../session/host.ts';
import { runKernel } from './kernel.ts';

interface Request {
  name: string;
  image: Uint8Array;
  engine: Engine;
  patience: number;
}

self.onmessage = ({ data }: MessageEvent<Request>) => {
  const clock = () => performance.now();
  self.postMessage(runKernel(data.name, data.image, data.engine, clock, data.patience));
};
