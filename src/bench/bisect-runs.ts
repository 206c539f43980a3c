// What `bench bisect` runs: a scenario of ours, or one of the measuring kernels (any multiboot image) on the bare machine.
import { readFileSync } from 'node:fs';
import { nodeLibrary } from '../cli/library.ts';
import { costModel } from '../cost/processors.ts';
import { loadFlat } from '../images/boot.ts';
import { parseImage } from '../images/load.ts';
import { Stop } from '../machine/cpu/cpu.ts';
import { Pc } from '../machine/pc.ts';
import '../session/provide-all.ts';
import { findScenario, SCENARIOS } from '../session/scenarios.ts';
import { Session } from '../session/session.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Begin } from './bisect.ts';
import { BenchError } from './peers.ts';

const MEMORY = 64 << 20;

/** @param what name of a scenario, or a file with a multiboot image */
export function beginOf(what: string): Begin {
  const scenario = findScenario(what);
  if (scenario) {
    return (engine) => {
      const session = new Session(scenario, nodeLibrary(), engine);
      const { host } = session;
      host.recorder.hashing = true;
      session.bootAll();
      return {
        run(until) {
          for (let before = -1; session.now < until && session.now !== before; ) {
            before = session.now;
            session.run(until);
          }
        },
        get cpu() {
          return host.pc.cpu;
        },
        get memory() {
          return host.pc.memory.bytes;
        },
        recorder: host.recorder,
      };
    };
  }
  const names = SCENARIOS.map((s) => s.name).join(', ');
  let image: Uint8Array;
  try {
    image = new Uint8Array(readFileSync(what));
  } catch {
    throw new BenchError(`"${what}" is neither a file nor a scenario (there are ${names})`);
  }
  return (engine) => {
    const recorder = new Recorder();
    recorder.hashing = true;
    const pc = new Pc(costModel('merom'), recorder, MEMORY, { startDate: '2005-08-23T09:41:00' });
    pc.cpu.compiledAllowed = engine !== 'interpreter';
    loadFlat(parseImage(image, what), { commandLine: '', modules: [] }, pc.memory, pc.memory.size, pc.cpu);
    return {
      run(until) {
        while (pc.cpu.cycles < until) {
          const stop = pc.run(until);
          if (stop === Stop.shutdown || (stop === Stop.halted && !pc.passTime(until))) return;
        }
      },
      cpu: pc.cpu,
      memory: pc.memory.bytes,
      recorder,
    };
  };
}
