// What a learner has typed, kept by the browser: one record a guest, only the files that differ from the originals.
// Every version of a record is validated when it is read; storage that fails never takes the typed text with it.
import { type IDBPDatabase, openDB } from 'idb';

/** Everything kept of one guest. */
export interface SavedWork {
  readonly version: 1;
  /** Changed files by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Fingerprint of each file's original at the time it was changed first. */
  readonly originals: Readonly<Record<string, string>>;
}

/** Where records live. In the page: IndexedDB; in tests: a map. */
export interface WorkStorage {
  get(key: string): Promise<unknown>;
  put(key: string, work: SavedWork): Promise<void>;
  delete(key: string): Promise<void>;
}

export type SaveState = { state: 'saved' | 'saving' | 'clean' } | { state: 'failed'; reason: string };

/** Milliseconds of quiet before a change is written. */
const QUIET = 250;
const MAX_KEPT_CHARACTERS = 16 << 20;

/** A short fingerprint of a text: its length and a 32-bit FNV-1a hash. Tells an updated original, not an attacker. */
export function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `${text.length}:${(hash >>> 0).toString(16)}`;
}

/** A record as it came out of storage; null when it is none of ours. */
export function parseWork(value: unknown): SavedWork | null {
  const record = value as SavedWork | null | undefined;
  if (typeof record !== 'object' || record === null || record.version !== 1) return null;
  const texts = (map: unknown): map is Record<string, string> =>
    typeof map === 'object' && map !== null && Object.values(map).every((text) => typeof text === 'string');
  if (!texts(record.files) || !texts(record.originals)) return null;
  const size = Object.values(record.files).reduce((sum, text) => sum + text.length, 0);
  return size <= MAX_KEPT_CHARACTERS
    ? { version: 1, files: record.files, originals: record.originals }
    : null;
}

/** Writes changes of one guest's work, the newest only, after a moment of quiet; `flush` writes at once. */
export class WorkSaver {
  private pending: SavedWork | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly storage: WorkStorage,
    private readonly key: string,
    private readonly report: (state: SaveState) => void,
  ) {}

  async load(): Promise<SavedWork | null> {
    try {
      const work = parseWork(await this.storage.get(this.key));
      this.report({ state: work ? 'saved' : 'clean' });
      return work;
    } catch (error) {
      this.report({ state: 'failed', reason: (error as Error).message });
      return null;
    }
  }

  /** Takes the state of the work as it is now. No changed file: the record goes. */
  change(work: SavedWork): void {
    this.pending = work;
    this.report({ state: 'saving' });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), QUIET);
  }

  /** Writes what is waiting. Resolves when everything so far is in storage, or has been reported as failed. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    const work = this.pending;
    this.pending = null;
    if (work) this.writing = this.writing.then(() => this.write(work));
    return this.writing;
  }

  private async write(work: SavedWork): Promise<void> {
    try {
      const empty = Object.keys(work.files).length === 0;
      if (empty) await this.storage.delete(this.key);
      else await this.storage.put(this.key, work);
      if (!this.pending) this.report({ state: empty ? 'clean' : 'saved' });
    } catch (error) {
      // It stays to be tried again with the next change, or at the next flush.
      this.pending ??= work;
      this.report({ state: 'failed', reason: (error as Error).message });
    }
  }
}

const DATABASE = 'ringside-work';
const STORE = 'guests';

/** Storage in IndexedDB. Opening is put off to the first use; a browser that refuses makes each call reject. */
export function browserStorage(): WorkStorage {
  let opened: Promise<IDBPDatabase> | null = null;
  const database = () => {
    opened ??= openDB(DATABASE, 1, {
      upgrade: (db) => void db.createObjectStore(STORE),
      terminated: () => {
        opened = null;
      },
    });
    opened.catch(() => {
      opened = null;
    });
    return opened;
  };
  return {
    get: async (key) => (await database()).get(STORE, key),
    put: async (key, work) => void (await (await database()).put(STORE, work, key)),
    delete: async (key) => (await database()).delete(STORE, key),
  };
}
