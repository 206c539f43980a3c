// In a Node process of its own: runs one kernel on the bare machine, and prints what came out as a line of JSON.
// Arguments: name, image file, engine, patience in milliseconds.
import { readFileSync } from 'node:fs';
import type { Engine } from '../session/host.ts';
import { runKernel } from './kernel.ts';

const [name, file, engine, patience] = process.argv.slice(2);
const image = new Uint8Array(readFileSync(file));
console.log(
  JSON.stringify(runKernel(name, image, engine as Engine, () => performance.now(), Number(patience))),
);
