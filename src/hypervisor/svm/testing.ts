// For the tests of this room: a host with guests under SVM, and small multiboot kernels (those of the VT-x room: the guests
// cannot tell the difference).
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { Pc } from '../../machine/pc.ts';
import { Kind, Vendor } from '../../trace/events.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { Hypervisor } from '../hypervisor.ts';
import { type LoopEnd, RunLoop } from '../run-loop.ts';
import type { BootOptions } from '../technique.ts';
import { Svm } from './svm.ts';
import type { SvmOptions } from './vmcb.ts';

export { build, kernel, needsNasm, PAGING, said } from '../hardware-assisted/testing.ts';

import { build, said } from '../hardware-assisted/testing.ts';
import '../../session/provide-all.ts';

export interface HostOptions {
  memoryMiB?: number;
  processor?: 'prescott' | 'merom' | 'nehalem';
  technique?: SvmOptions;
}

/** A host under the hypervisor. */
export class TestHost {
  readonly recorder = new Recorder(1 << 14);
  readonly pc: Pc;
  readonly hypervisor: Hypervisor;
  readonly loop: RunLoop;
  readonly technique: Svm;

  constructor({ memoryMiB = 32, processor = 'prescott', technique = {} }: HostOptions = {}) {
    this.pc = new Pc(costModel(processor), this.recorder, memoryMiB << 20, {
      startDate: '2005-12-05T10:00:00',
    });
    this.hypervisor = new Hypervisor(this.pc);
    this.loop = new RunLoop(this.hypervisor);
    this.technique = new Svm(this.hypervisor, technique);
  }

  /** Boots an image as a new domain. */
  boot(image: Uint8Array, id = 1, memoryMiB = 4, options: Partial<BootOptions> = {}): Domain {
    return this.hypervisor.createDomain({
      id,
      name: `guest ${id}`,
      technique: this.technique,
      memoryBytes: memoryMiB << 20,
      image: parseImage(image, 'test'),
      options: { commandLine: '', modules: [], ...options },
    });
  }

  /** Runs until all domains have ended, nothing will ever happen, or `cycles` are over. */
  run(cycles = 50_000_000): LoopEnd {
    const until = this.pc.cpu.cycles + cycles;
    let end: LoopEnd = 'budget';
    while (end === 'budget' && this.pc.cpu.cycles < until) {
      end = this.loop.run(until);
      if (![...this.hypervisor.domains.values()].some((domain) => domain.alive)) break;
    }
    return end;
  }

  /** Exits of a domain so far, by exit code. */
  exits(domain: number): Map<number, number> {
    return new Map(
      this.recorder
        .exitCounts(domain)
        .filter((x) => x.vendor === Vendor.svm)
        .map((x) => [x.reason, x.count]),
    );
  }

  /** Recorded events of a kind, oldest first. */
  events(kind: keyof typeof Kind, domain = 1) {
    const found = [];
    for (let seq = this.recorder.oldest; seq < this.recorder.next; seq++) {
      const event = this.recorder.get(seq)!;
      if (event.kind === Kind[kind] && event.domain === domain) found.push(event);
    }
    return found;
  }
}

/** Boots a small kernel on a host of its own, lets it run, and tells what came of it. */
export function runKernel(
  body: string,
  options: HostOptions & { cycles?: number; paging?: 'shadow' | 'nested' } = {},
) {
  const host = new TestHost({
    ...options,
    processor: options.paging === 'nested' ? 'nehalem' : options.processor,
  });
  const domain = host.boot(build(body), 1, 4, { paging: options.paging });
  host.run(options.cycles);
  return { host, domain, text: said(domain), exits: host.exits(1) };
}
