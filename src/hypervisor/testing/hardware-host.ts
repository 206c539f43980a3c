// For tests of both hardware-assisted techniques: a host with one or more guests under one of them.
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { Pc } from '../../machine/pc.ts';
import { Kind } from '../../trace/events.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { Hypervisor } from '../hypervisor.ts';
import { type LoopEnd, RunLoop } from '../run-loop.ts';
import type { BootOptions, Technique } from '../technique.ts';
import '../../session/provide-all.ts';

export interface HostOptions {
  memoryMiB?: number;
  /** `nehalem` has nested paging. */
  processor?: 'prescott' | 'merom' | 'nehalem';
}

/** A host under the hypervisor. */
export class HardwareHost<T extends Technique> {
  readonly recorder = new Recorder(1 << 14);
  readonly pc: Pc;
  readonly hypervisor: Hypervisor;
  readonly loop: RunLoop;
  readonly technique: T;

  /** @param vendor `Vendor.vmx` or `Vendor.svm`: whose exits are counted */
  constructor(
    make: (hypervisor: Hypervisor) => T,
    private readonly vendor: number,
    { memoryMiB = 32, processor = 'prescott' }: HostOptions = {},
  ) {
    this.pc = new Pc(costModel(processor), this.recorder, memoryMiB << 20, {
      startDate: '2005-12-05T10:00:00',
    });
    this.hypervisor = new Hypervisor(this.pc);
    this.loop = new RunLoop(this.hypervisor);
    this.technique = make(this.hypervisor);
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

  /** Exits of a domain so far, by reason. */
  exits(domain: number): Map<number, number> {
    return new Map(
      this.recorder
        .exitCounts(domain)
        .filter((x) => x.vendor === this.vendor)
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
