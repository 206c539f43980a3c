// From what a domain is to its sources: a lesson's offer or the guest's own, with the learner's version on top. Null for a
// guest whose source nobody has.
import { GUESTS } from '../guests/catalog.ts';
import type { PageApi } from '../shell/slots.ts';
import type { DomainInfo, SourceFile } from '../worker/protocol.ts';
import { GuestWork } from './guest-work.ts';
import { programRefusal } from './limits.ts';
import { offeredSources } from './offers.ts';
import { type SaveState, WorkSaver, type WorkStorage } from './saved-work.ts';

const mapOf = (files: readonly SourceFile[]) => new Map(files.map(({ name, text }) => [name, text]));

export interface LoadedWork {
  readonly work: GuestWork;
  readonly saver: WorkSaver;
}

/** Throws with one clear line when the sources are larger than the editor takes, or the worker has failed. */
export async function loadWork(
  page: PageApi,
  info: DomainInfo,
  scenario: string,
  storage: WorkStorage,
  saving: (state: SaveState) => void,
): Promise<LoadedWork | null> {
  const offer = offeredSources(info.id);
  const { files, main } = await page.ask({ ask: 'sources', guest: info.guest });
  if (!offer && (info.sealed || !main)) return null;
  const versions = offer
    ? offer.versions.map(({ label, files }) => ({ label, files: mapOf(files) }))
    : [{ label: 'original', files: mapOf(files) }];
  const library = offer ? await libraryFiles(page) : mapOf(files);
  const saver = new WorkSaver(storage, offer?.key ?? `${scenario}/${info.name}/${info.guest}`, saving);
  const work = new GuestWork(offer?.main ?? main, versions, library, saver);
  const reason = programRefusal(work.program(work.originalLabel).files);
  if (reason) throw new Error(reason);
  work.restore(await saver.load());
  return { work, saver };
}

/** The files that every program may include, when another room offers the guest's own: any guest with source brings them. */
async function libraryFiles(page: PageApi): Promise<Map<string, string>> {
  const open = GUESTS.find(({ sealed }) => !sealed);
  if (!open) return new Map();
  return mapOf((await page.ask({ ask: 'sources', guest: open.id })).files);
}
