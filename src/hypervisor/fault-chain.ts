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

/** Exceptions that lead to each other. Emptied and begun anew all the time, so its links are used again. */
export class FaultChain implements Iterable<FaultLink> {
  private readonly links: FaultLink[] = [];
  length = 0;

  clear(): void {
    this.length = 0;
  }

  add(vector: number, errorCode: number, eip: number, cr2: number): void {
    const { links } = this;
    if (this.length === links.length) links.push({ vector, errorCode, eip, cr2 });
    const link = links[this.length++];
    link.vector = vector;
    link.errorCode = errorCode;
    link.eip = eip;
    link.cr2 = cr2;
  }

  [Symbol.iterator](): Iterator<FaultLink> {
    return this.links.slice(0, this.length).values();
  }
}

const hex8 = (value: number): string => `${(value >>> 0).toString(16).toUpperCase().padStart(8, '0')}h`;

/** SDM vol. 3 table 6-4: #DE, #TS, #NP, #SS, #GP. */
const isContributory = (vector: number): boolean =>
  vector === VECTOR.DE || (vector >= VECTOR.TS && vector <= VECTOR.GP);

/** What an exception becomes that is met while another one is delivered (table 6-5). @param first -1 for an interrupt. @returns the vector to deliver, or -1 for shutdown */
export function combineFaults(first: number, second: number): number {
  const serious = isContributory(second) || second === VECTOR.PF;
  if (first === VECTOR.DF && serious) return -1;
  const both = (isContributory(first) && isContributory(second)) || (first === VECTOR.PF && serious);
  return both ? VECTOR.DF : second;
}

/** The faults that led to a shutdown, in words. */
export function tellChain(chain: Iterable<FaultLink>): string {
  const links = [...chain];
  const told = links.map((fault) => {
    const error = fault.errorCode > 0 ? `(${fault.errorCode.toString(16).toUpperCase()}h)` : '';
    const address = fault.vector === VECTOR.PF ? ` for ${hex8(fault.cr2)}` : '';
    return `${vectorName(fault.vector)}${error}${address}`;
  });
  const at = links.length ? ` at ${hex8(links[0].eip)}` : '';
  return `triple fault${at}: ${[...told, 'shutdown'].join(' → ')}`;
}
