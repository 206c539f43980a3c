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

/** What an open editor does for the room that offers: what has been typed is newer than what is stored. */
export interface OpenEditor {
  /** Resolves when everything that was typed is in storage. */
  flush(): Promise<void>;
  /** Shows the version that was asked for. */
  showWanted(domain: number): void;
}

const offers = new Map<number, OfferedSources>();
const wanted = new Map<number, string>();
const booted = new Map<number, ReadonlyMap<string, string>>();
let editor: OpenEditor | null = null;
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

/** The editor says that it is open, or (null) that it is gone. */
export function setOpenEditor(open: OpenEditor | null): void {
  editor = open;
}

/** Resolves when everything that was typed is in storage. */
export function flushEditor(): Promise<void> {
  return editor?.flush() ?? Promise.resolve();
}

/** The editor is to show this version of what is offered: at once, or when it is opened. */
export function wantVersion(domain: number, version: string): void {
  wanted.set(domain, version);
  editor?.showWanted(domain);
}

/** The version that was asked for, once. */
export function takeWantedVersion(domain: number): string | undefined {
  const version = wanted.get(domain);
  wanted.delete(domain);
  return version;
}

/** Says which files another room has sent to be booted: the editor's marks belong to them. Null: the original. */
export function noteBooted(domain: number, files: ReadonlyMap<string, string> | null): void {
  if (files) booted.set(domain, files);
  else booted.delete(domain);
}

/** Files that another room has booted, once. */
export function takeBooted(domain: number): ReadonlyMap<string, string> | null {
  const files = booted.get(domain) ?? null;
  booted.delete(domain);
  return files;
}

function tell(domain: number): void {
  for (const listener of [...listeners]) listener(domain);
}
