// How another room of the page puts sources in front of the learner: a lesson offers its start, and its solution to look
// at; the learner's own version is kept under the lesson's key. Knows neither Monaco nor the page.
import type { SourceFile } from '../worker/protocol.ts';

export interface OfferedSources {
  /** The domain whose sources these are. */
  readonly domain: number;
  /** Where the learner's version is kept: `lesson/first-hypercall`. */
  readonly key: string;
  readonly main: string;
  /** The first is what the learner's version begins as; the others are to look at. */
  readonly versions: readonly { readonly label: string; readonly files: readonly SourceFile[] }[];
}

const offers = new Map<number, OfferedSources>();
const listeners = new Set<(domain: number) => void>();

/** Offers sources for a domain in place of the guest's own, until the returned function is called. */
export function offerSources(offer: OfferedSources): () => void {
  offers.set(offer.domain, offer);
  tell(offer.domain);
  return () => {
    if (offers.get(offer.domain) !== offer) return;
    offers.delete(offer.domain);
    tell(offer.domain);
  };
}

/** What is offered for a domain now, if anything. */
export function offeredSources(domain: number): OfferedSources | undefined {
  return offers.get(domain);
}

/** Calls back when what is offered for a domain changes. */
export function onOffer(listener: (domain: number) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(domain: number): void {
  for (const listener of [...listeners]) listener(domain);
}
