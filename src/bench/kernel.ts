// Runs one of the measuring kernels on our bare machine: a multiboot image that times one kind of work and says so on its
// serial port: `START name`, `DONE name checksum cycles` for each repetition, `ALLDONE`. The same code in Node and in a worker.
import { costModel } from '../cost/processors.ts';
import { loadFlat } from '../images/boot.ts';
import { parseImage } from '../images/load.ts';
import '../machine/engine/provide.ts';
import { Stop } from '../machine/cpu/cpu.ts';
import { Pc } from '../machine/pc.ts';
import type { Engine } from '../session/host.ts';
import { Recorder } from '../trace/recorder.ts';

export interface KernelRun {
  readonly name: string;
  /** Checksum that the kernel printed last; all engines must agree. */
  readonly value: string;
  /** Seconds of each repetition. */
  readonly times: readonly number[];
  /** Guest instructions of each repetition. */
  readonly instructions: readonly number[];
  /** Set when it did not come to its end. */
  readonly problem?: string;
}

/** Cycles between two looks at the serial port. */
const SLICE = 4_000_000;

/**
 * @param now the clock of whoever measures, in milliseconds
 * @param patience milliseconds
 */
export function runKernel(
  name: string,
  image: Uint8Array,
  engine: Engine,
  now: () => number,
  patience: number,
): KernelRun {
  const pc = new Pc(costModel('merom'), new Recorder(), 64 << 20, { startDate: '2005-08-23T09:41:00' });
  pc.cpu.compiledAllowed = engine !== 'interpreter';
  const times: number[] = [];
  const instructions: number[] = [];
  let value = '';
  let line = '';
  let started = 0;
  let before = 0;
  let done = false;
  pc.board.serial.onTransmit = (byte) => {
    if (byte !== 10) {
      line += String.fromCharCode(byte);
      return;
    }
    const words = line.trim().split(' ');
    line = '';
    if (words[0] === 'START') {
      before = pc.cpu.instructions;
      started = now();
    } else if (words[0] === 'DONE') {
      times.push((now() - started) / 1000);
      instructions.push(pc.cpu.instructions - before);
      value = words[2];
    } else if (words[0] === 'ALLDONE') done = true;
  };
  loadFlat(parseImage(image, name), { commandLine: '', modules: [] }, pc.memory, pc.memory.size, pc.cpu);
  const end = now() + patience;
  let problem: string | undefined;
  while (!done && !problem) {
    const stop = pc.run(pc.cpu.cycles + SLICE);
    if (stop === Stop.shutdown) problem = 'the processor shut down';
    else if (stop === Stop.halted && !pc.passTime(pc.cpu.cycles + SLICE)) problem = 'halted for ever';
    else if (now() > end) problem = 'took too long';
  }
  return { name, value, times, instructions, ...(problem && !done ? { problem } : {}) };
}
