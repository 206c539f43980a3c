// What a processor with SVM knows outside memory while a guest runs: where its VMCB lies, and where the host's state waits
// (APM vol. 2 §15.5). Whether it is in a guest says `cpu.intercepts`; the global interrupt flag is `cpu.gif`.
import type { Cpu } from '../cpu.ts';
import { hasNestedPaging, MSR } from '../msrs.ts';
import { SegmentsSeen } from '../segment-loads.ts';
import { SysenterMsr, SysenterMsrs } from '../vmx/msr-areas.ts';
import { SvmIntercepts } from './svm-intercepts.ts';

/** Stands for a VMCB where there is no memory: the bus answers all ones. */
const NOWHERE = new Int32Array(1024);

export class SvmState {
  /** The VMCB of the guest that runs (or ran last), as words: field x is vmcb[base + V.x]. */
  vmcb: Int32Array = NOWHERE;
  base = 0;
  private readonly memory: Int32Array;
  /** When the last recorded exit was, in cycles; -1 before the first. */
  leftAt = -1;
  /** Cycles of the transitions, from the cost model. */
  readonly cycles: {
    readonly run: number;
    readonly exit: number;
    readonly load: number;
    readonly save: number;
    readonly gif: number;
  };
  readonly intercepts: SvmIntercepts;
  readonly sysenter = new SysenterMsrs();
  readonly efer = new SysenterMsr(MSR.efer);
  /** This processor saves the address of the next instruction at an exit (CPUID 8000_000Ah EDX bit 3, NRIPS). */
  readonly savesNextRip: boolean;
  readonly nestedPaging: boolean;
  /** `hostArea` as of a version of the MSRs. */
  private area = 0;
  private areaVersion = -1;
  /**
   * A hypervisor of ours has the processor: its code is not the simulated processor's. Then an exit to the monitor leaves the
   * guest's registers where they are and those of the host in their area (`resident`), until the next VMRUN or until somebody
   * needs the host (`settleHost`). The VMCB is saved all the same.
   */
  ours = false;
  resident = false;
  /** First word of the VMCB whose segment and table registers are in the processor, as long as `resident` and nobody has written to them: VMRUN need not load them. */
  kept = -1;
  /** When the VMCB in use got the guest's segment registers. */
  readonly segmentsSaved = new SegmentsSeen();

  constructor(readonly cpu: Cpu) {
    const { bytes, size } = cpu.memory;
    this.memory = new Int32Array(bytes.buffer, bytes.byteOffset, size >> 2);
    const { svmRun, svmExit, svmLoad, svmSave, svmGif } = cpu.cost.charges;
    this.cycles = {
      run: svmRun.cycles,
      exit: svmExit.cycles,
      load: svmLoad.cycles,
      save: svmSave.cycles,
      gif: svmGif.cycles,
    };
    this.nestedPaging = this.savesNextRip = hasNestedPaging(cpu);
    this.intercepts = new SvmIntercepts(this);
  }

  /** Words of a page, which are [at, at + 1024). Behind the end of memory: all ones. */
  words(physical: number): Int32Array {
    if (physical + 4096 <= this.memory.length * 4) return this.memory;
    return NOWHERE.fill(-1);
  }

  /** Index of a page's first word in `words(physical)`. */
  at(physical: number): number {
    return physical + 4096 <= this.memory.length * 4 ? physical >>> 2 : 0;
  }

  /** Makes the VMCB at a physical address the one in use. */
  use(physical: number): void {
    const at = this.at(physical);
    if (at !== this.base) this.segmentsSaved.forget();
    this.vmcb = this.words(physical);
    this.base = at;
  }

  /** Where the host's state lies (VM_HSAVE_PA). */
  get hostArea(): number {
    const { msrs } = this.cpu;
    if (msrs.version !== this.areaVersion) {
      this.areaVersion = msrs.version;
      this.area = Number(msrs.get(MSR.vmHsavePa) ?? 0n);
    }
    return this.area;
  }
}

/** The processor's SVM state; made on first use. */
export function svmOf(cpu: Cpu): SvmState {
  return (cpu.svm ??= new SvmState(cpu));
}
