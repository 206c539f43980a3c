// Model-specific registers that every unmodified guest has alike: an absent local APIC and no debug-control features. What is
// not here and not the technique's own is #GP(0), as on a processor that has not got it.
import { MSR } from '../../machine/cpu/msrs.ts';

/** Bootstrap processor, APIC off. */
const APIC_BASE = 0xfee00100n;
const APIC_ENABLE = 1n << 11n;

/** The value, or undefined when there is no such register. */
export function commonMsr(index: number): bigint | undefined {
  if (index === MSR.apicBase) return APIC_BASE;
  return index === MSR.debugControl ? 0n : undefined;
}

/** Whether the register may be written with this value. */
export function acceptsCommonMsr(index: number, value: bigint): boolean {
  if (index === MSR.apicBase) return !(value & APIC_ENABLE);
  return index === MSR.debugControl && value === 0n;
}
