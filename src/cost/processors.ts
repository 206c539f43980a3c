// The processors of the story, and what things cost on them. Published numbers come from the sources named; those we
// derived or fitted say so (mark D), as ../shared facts and the README explain. Instruction costs are throughput-like.
import type { Charge, ChargeName, CostModel, Provenance } from './model.ts';

const charge = (cycles: number, mark: Provenance, source: string): Charge => ({ cycles, mark, source });

const AA06_TABLE_1 = 'Adams & Agesen 2006, table 1';
const SOSP03 = 'fitted to Barham et al. 2003, §4 (2.4 GHz Xeon)';

/** Ordinary costs above one cycle, by table operation. Derived by us from the usual latency tables, the same on all three processors. */
const instructions: Record<string, number> = {
  mul: 4,
  imul: 4,
  div: 24,
  idiv: 24,
  xchg: 2,
  cmpxchg: 4,
  cmpxchg8b: 8,
  xadd: 3,
  pusha: 6,
  popa: 6,
  enter: 8,
  leave: 2,
  cpuid: 100,
  rdtsc: 60,
  rdmsr: 80,
  wrmsr: 100,
  invlpg: 100,
  lgdt: 30,
  lidt: 30,
  ltr: 40,
  lldt: 30,
  wbinvd: 2000,
  invd: 2000,
  cli: 4,
  sti: 4,
  pushf: 4,
  popf: 20,
  // Half each of 242 cycles for a system call and back (Adams & Agesen 2006, from memory).
  sysenter: 121,
  sysexit: 121,
  'mov-to-cr': 40,
  'mov-from-cr': 10,
  'mov-to-dr': 20,
  clts: 10,
  lmsw: 40,
  smsw: 5,
  hlt: 10,
  movs: 2,
  stos: 2,
  lods: 2,
  scas: 2,
  cmps: 3,
  aam: 12,
  bound: 4,
  xlat: 2,
  pause: 10,
  bswap: 1,
  lar: 20,
  lsl: 20,
  verr: 15,
  verw: 15,
};

/** What the hypervisor's software costs on the Pentium 4; other generations scale it. */
const software = (scale: number): Record<string, Charge> => {
  const fitted = (cycles: number, source: string) =>
    charge(Math.round(cycles * scale), 'D', scale === 1 ? source : `${source}, scaled by ${scale}`);
  return {
    exitDispatch: fitted(300, 'our handler path: save registers, switch on the reason'),
    emulateInstruction: fitted(900, 'our fetch-and-decode of the guest instruction'),
    emulateDevice: fitted(1500, 'our device model, in the hypervisor'),
    injectEvent: fitted(250, 'our event injection'),
    shadowFill: fitted(2200, 'fitted: hidden page fault of 3860 cycles of handler (facts §8.1)'),
    shadowSwitch: fitted(2600, 'fitted: MOV CR3 handler of 4660 cycles (facts §8.1)'),
    shadowFlush: fitted(400, 'our shadow invalidation, per page-table page'),
    guestWalkReference: fitted(60, 'our software walk, per reference'),
    shadowDescriptor: fitted(30, 'our conversion of one descriptor for ring 1'),
    translateInstruction: charge(
      Math.round(2300 * scale),
      scale === 1 ? 'V2' : 'D',
      scale === 1
        ? 'Adams & Agesen 2006 (about 2300 cycles for each instruction translated), as transcribed'
        : `Adams & Agesen 2006, scaled by ${scale}`,
    ),
    callOut: fitted(130, 'fitted: call-out and emulation of 1254 cycles (Adams & Agesen 2006, from memory)'),
    cacheLookup: fitted(100, 'our search for a translation'),
    hypercallDispatch: fitted(340, SOSP03),
    validatePageTableEntry: fitted(430, SOSP03),
    pinPageTable: fitted(10000, SOSP03),
    switchBasePointer: fitted(1400, SOSP03),
    stackSwitch: fitted(120, SOSP03),
    bounceException: fitted(180, SOSP03),
    eventUpcall: fitted(400, 'our upcall path, of the order of the exception bounce'),
    grantMap: fitted(600, 'our check of a grant and its bookkeeping'),
    grantCopy: fitted(300, 'our check of a grant for one copy'),
    storeRequest: fitted(2500, 'our store: one message parsed and answered'),
    backendRequest: fitted(900, 'our back end: one request of a block or network ring'),
    copyByte: fitted(1, 'one cycle for each byte copied'),
    scheduler: fitted(600, 'our scheduler pass and timer reprogramming'),
  };
};

const SVM_LIKE = 'no figure at hand for SVM, so that of VT-x of the same year:';
const SVM_PART = 'our estimate, as a part of the round trip';

const silicon = (s: {
  interrupt: Charge;
  interruptSameRing: Charge;
  iret: Charge;
  far: Charge;
  walk: Charge;
  flush: Charge;
  port: Charge;
  exit: Charge;
  entry: Charge;
  read: Charge;
  write: Charge;
  /** INVEPT and INVVPID; where they do not exist, of no use. */
  invalidation: Charge;
}): Record<string, Charge> => ({
  interruptDelivery: s.interrupt,
  interruptDeliverySameRing: s.interruptSameRing,
  iret: s.iret,
  farTransfer: s.far,
  pageWalkReference: s.walk,
  tlbFlush: s.flush,
  portAccess: s.port,
  vmExit: s.exit,
  vmEntry: s.entry,
  vmread: s.read,
  vmwrite: s.write,
  vmptrld: s.write,
  invept: s.invalidation,
  invvpid: s.invalidation,
  // What SVM saves is not in the round trip but in what is around it: its VMCB is memory, read at the price of memory.
  svmRun: charge(s.entry.cycles, 'D', `${SVM_LIKE} ${s.entry.source}`),
  svmExit: charge(s.exit.cycles, 'D', `${SVM_LIKE} ${s.exit.source}`),
  svmLoad: charge(Math.round(s.entry.cycles / 10), 'D', SVM_PART),
  svmSave: charge(Math.round(s.exit.cycles / 10), 'D', SVM_PART),
  svmGif: charge(Math.round(s.entry.cycles / 50), 'D', SVM_PART),
  invlpga: charge(instructions.invlpg, 'D', 'as INVLPG'),
});

const model = (name: string, title: string, parts: Record<string, Charge>, clockHz: number): CostModel => ({
  name,
  title,
  clockHz,
  charges: parts as Readonly<Record<ChargeName, Charge>>,
  instructions,
});

const P4_TRAP = 'split of 889 cycles for a #DE round trip with its handler (Adams & Agesen 2006, §6.3)';
const NO_EPT = 'as INVLPG; never charged, for this processor has neither EPT nor VPID';
const SCALED_TRAP = 'scaled from the Pentium 4 by the ratio of VM-exit costs';

/** Clock of the simulated server unless a scenario says otherwise: slow enough that a second on it is about a second in the room. */
export const DEFAULT_CLOCK_HZ = 50_000_000;

/** Builds the cost model of a named processor. @param clockHz cycles per virtual second. Throws RangeError for an unknown name. */
export function costModel(name: string, clockHz = DEFAULT_CLOCK_HZ): CostModel {
  switch (name) {
    case 'prescott':
      return model(
        name,
        '2005 · Pentium 4 672 (Prescott, first VT-x)',
        {
          ...silicon({
            interrupt: charge(500, 'D', P4_TRAP),
            interruptSameRing: charge(420, 'D', P4_TRAP),
            iret: charge(320, 'D', P4_TRAP),
            far: charge(120, 'D', P4_TRAP),
            walk: charge(28, 'M', 'level-2 cache latency of the Pentium 4, from memory'),
            flush: charge(150, 'D', 'our estimate of a flush and its refills'),
            port: charge(3209, 'V2', 'Adams & Agesen 2006, §6.3 (IN from port 80h)'),
            exit: charge(1931, 'V2', AA06_TABLE_1),
            entry: charge(2409, 'V2', AA06_TABLE_1),
            read: charge(178, 'V2', AA06_TABLE_1),
            write: charge(171, 'V2', AA06_TABLE_1),
            invalidation: charge(instructions.invlpg, 'D', NO_EPT),
          }),
          ...software(1),
        },
        clockHz,
      );
    case 'merom':
      return model(
        name,
        '2006 · Core 2 Duo (Merom)',
        {
          ...silicon({
            interrupt: charge(290, 'D', SCALED_TRAP),
            interruptSameRing: charge(240, 'D', SCALED_TRAP),
            iret: charge(180, 'D', SCALED_TRAP),
            far: charge(70, 'D', SCALED_TRAP),
            walk: charge(14, 'M', 'level-2 cache latency of the Core 2, from memory'),
            flush: charge(100, 'D', 'our estimate of a flush and its refills'),
            port: charge(2250, 'D', '845 ns of ISA bus at 2.66 GHz, from the Pentium 4 figure'),
            exit: charge(1186, 'V2', AA06_TABLE_1),
            entry: charge(937, 'V2', AA06_TABLE_1),
            read: charge(52, 'V2', AA06_TABLE_1),
            write: charge(44, 'V2', AA06_TABLE_1),
            invalidation: charge(instructions.invlpg, 'D', NO_EPT),
          }),
          ...software(0.45),
        },
        clockHz,
      );
    case 'nehalem':
      return model(
        name,
        '2008 · Xeon 5500 (Nehalem)',
        {
          ...silicon({
            interrupt: charge(240, 'D', SCALED_TRAP),
            interruptSameRing: charge(200, 'D', SCALED_TRAP),
            iret: charge(150, 'D', SCALED_TRAP),
            far: charge(60, 'D', SCALED_TRAP),
            walk: charge(10, 'M', 'level-2 cache latency of Nehalem, from memory'),
            flush: charge(80, 'D', 'our estimate of a flush and its refills'),
            port: charge(2250, 'D', 'as on the Core 2'),
            exit: charge(
              560,
              'D',
              'share of the 1009-cycle round trip (Agesen et al. 2012, table 1, from memory)',
            ),
            entry: charge(
              449,
              'D',
              'share of the 1009-cycle round trip (Agesen et al. 2012, table 1, from memory)',
            ),
            read: charge(26, 'D', 'half of the Core 2'),
            write: charge(22, 'D', 'half of the Core 2'),
            invalidation: charge(
              120,
              'M',
              'of the order of a hundred cycles on the first processors that have it, from memory',
            ),
          }),
          ...software(0.25),
        },
        clockHz,
      );
    default:
      throw new RangeError(`no processor "${name}": prescott, merom and nehalem are known`);
  }
}

/** Names that `costModel` knows, oldest first. */
export const PROCESSORS = ['prescott', 'merom', 'nehalem'] as const;

/** Those that have EPT and NPT (2008 and later). */
export const hasNestedPaging = (name: string): boolean => name === 'nehalem';
