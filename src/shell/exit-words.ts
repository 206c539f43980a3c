// The names of exits that come with their silicon: the page must know AMD's as soon as a guest may have any, and not before.
import { Vendor } from '../trace/events.ts';
import { vocabularies } from '../trace/exits.ts';
import type { DomainInfo } from '../worker/protocol.ts';

/** Fetches what these guests' exits may be called. True when there are new words: a guest on the bare machine may be a hypervisor itself. */
export async function learnExitWords(guests: readonly Pick<DomainInfo, 'technique'>[]): Promise<boolean> {
  if (vocabularies[Vendor.svm]) return false;
  if (!guests.some(({ technique }) => technique === 'svm' || technique === 'native')) return false;
  const { SVM_WORDS } = await import('../trace/svm-exits.ts');
  vocabularies[Vendor.svm] = SVM_WORDS;
  return true;
}
