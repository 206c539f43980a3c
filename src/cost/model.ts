// Virtual time: what everything costs, in cycles. The silicon charges instructions, walks and transitions; the hypervisor
// charges its own work where it does it. Each number carries where it comes from; totals are never typed in.

/** How well a number is known. `V` verified in the primary source, `V2` in a secondary transcription, `M` from memory and unverified, `D` derived or fitted by us. */
export type Provenance = 'V' | 'V2' | 'M' | 'D';

export interface Charge {
  readonly cycles: number;
  readonly mark: Provenance;
  readonly source: string;
}

/** Every charge that exists. Silicon first, then the hypervisor's software. */
export const CHARGES = [
  // silicon
  'interruptDelivery',
  'interruptDeliverySameRing',
  'iret',
  'farTransfer',
  'pageWalkReference',
  'tlbFlush',
  'portAccess',
  'vmExit',
  'vmEntry',
  'vmread',
  'vmwrite',
  'vmptrld',
  'invept',
  'invvpid',
  'svmRun',
  'svmExit',
  'svmLoad',
  'svmSave',
  'svmGif',
  'invlpga',
  // hypervisor software
  'exitDispatch',
  'emulateInstruction',
  'emulateDevice',
  'injectEvent',
  'shadowFill',
  'shadowSwitch',
  'shadowFlush',
  'guestWalkReference',
  'shadowDescriptor',
  'translateInstruction',
  'callOut',
  'cacheLookup',
  'hypercallDispatch',
  'validatePageTableEntry',
  'pinPageTable',
  'switchBasePointer',
  'stackSwitch',
  'bounceException',
  'eventUpcall',
  'grantMap',
  'grantCopy',
  'storeRequest',
  'backendRequest',
  'copyByte',
  'scheduler',
] as const;
export type ChargeName = (typeof CHARGES)[number];

export interface CostModel {
  /** `prescott`, `merom`, `nehalem`. */
  readonly name: string;
  /** For people: "2005 · Pentium 4 672 (Prescott)". */
  readonly title: string;
  /** Cycles per second of virtual time on this host. */
  readonly clockHz: number;
  readonly charges: Readonly<Record<ChargeName, Charge>>;
  /** Cycles of an instruction by its table `operation`; 1 when absent. Transition costs (interrupt, iret, vmexit) come on top. */
  readonly instructions: Readonly<Record<string, number>>;
}
