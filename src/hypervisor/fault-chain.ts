// A triple fault told: the exceptions that led to each other, up to the shutdown (SDM vol. 3 §6.15 "#DF", table 6-5).
import { VECTOR } from '../machine/cpu/fault.ts';
import { vectorName } from '../trace/exits.ts';

/** One exception of a chain. */
export interface FaultLink {
  vector: number;
  /** -1 = none. */
  errorCode: number;
  eip: number;
  cr2: number;
}

const hex8 = (value: number): string => `${(value >>> 0).toString(16).toUpperCase().padStart(8, '0')}h`;

/** The faults that led to a shutdown, in words. */
export function tellChain(chain: readonly FaultLink[]): string {
  const told = chain.map((fault) => {
    const error = fault.errorCode > 0 ? `(${fault.errorCode.toString(16).toUpperCase()}h)` : '';
    const address = fault.vector === VECTOR.PF ? ` for ${hex8(fault.cr2)}` : '';
    return `${vectorName(fault.vector)}${error}${address}`;
  });
  const at = chain.length ? ` at ${hex8(chain[0].eip)}` : '';
  return `triple fault${at}: ${[...told, 'shutdown'].join(' → ')}`;
}
