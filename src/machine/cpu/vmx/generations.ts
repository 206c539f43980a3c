// Which VT-x a processor has. The second generation's part (EPT, VPID, unrestricted guest) is loaded only by programs whose
// machines may have it (provide-second-generation.ts); the first pays one test of a null.
import type { Cpu } from '../cpu.ts';
import { FIRST_GENERATION, type VmxCapabilities } from './capabilities.ts';
import type { VmxState } from './state.ts';

/** What entry.ts and exit.ts ask of the second generation. */
export interface SecondGeneration {
  readonly capabilities: VmxCapabilities;
  /** The capability MSRs, those of the first generation included. */
  msrs(): ReadonlyMap<number, bigint>;
  /** Rules about the secondary controls, the VPID and the EPT pointer (SDM vol. 3 §26.2.1.1); a sentence, or ''. */
  checkControls(vmx: VmxState): string;
  /** The secondary controls in force: 0 when the primary ones do not activate them. */
  controls(vmx: VmxState): number;
  /**
   * Behind the guest's registers: its PDPTEs and its second dimension. False when PDPTEs have reserved bits set (§26.3.1.6).
   * @param same the guest that left last comes back, under the same controls
   */
  enter(cpu: Cpu, vmx: VmxState, same: boolean): boolean;
  /** Before the host's registers: saves PDPTEs and switches the second dimension off. */
  leave(cpu: Cpu, vmx: VmxState): void;
}

export const generations: { second: SecondGeneration | null } = { second: null };

/** The second generation's part of a processor, or null. Nehalem (2008) has it; what only came with Westmere (2010), unrestricted guests, is counted in. */
export function secondGenerationOf(cpu: Cpu): SecondGeneration | null {
  if (cpu.cost.name !== 'nehalem') return null;
  if (!generations.second)
    throw new Error(
      'a processor with EPT is wanted, and nobody has provided it (provide-second-generation.ts)',
    );
  return generations.second;
}

/** What the VMX of this processor can do. */
export const capabilitiesOf = (cpu: Cpu): VmxCapabilities =>
  secondGenerationOf(cpu)?.capabilities ?? FIRST_GENERATION;
