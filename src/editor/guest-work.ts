// The sources of one guest: the original, the learner's own version, others to look at, and what was booted. Knows what
// differs from what, and keeps the learner's version through a WorkSaver.
import type { Program } from './assembly-service.ts';
import { type FileNode, fileNames, fileTree } from './includes.ts';
import { fingerprint, type SavedWork } from './saved-work.ts';

/** A set of files that the learner may look at but not change: the original, a lesson's solution. */
export interface Version {
  readonly label: string;
  readonly files: ReadonlyMap<string, string>;
}

export const MINE = 'mine';

/** What of a saver the work needs. */
interface Saver {
  change(work: SavedWork): void;
}

export class GuestWork {
  private changes = new Map<string, string>();
  private fingerprints = new Map<string, string>();
  private booted: ReadonlyMap<string, string>;

  /**
   * @param versions the first is what the learner's own version begins as
   * @param library files that every program may include
   */
  constructor(
    readonly main: string,
    readonly versions: readonly Version[],
    private readonly library: ReadonlyMap<string, string>,
    private readonly saver: Saver,
  ) {
    this.booted = this.program(this.originalLabel).files;
  }

  get originalLabel(): string {
    return this.versions[0].label;
  }

  /** Takes up what was saved. Files that the original no longer has stay: nothing is lost. */
  restore(work: SavedWork | null): void {
    if (!work) return;
    for (const [name, text] of Object.entries(work.files)) this.changes.set(name, text);
    for (const [name, mark] of Object.entries(work.originals)) this.fingerprints.set(name, mark);
    for (const [name, text] of this.changes) if (text === this.original(name)) this.changes.delete(name);
  }

  /** The text of a file in a version; undefined when there is none. */
  text(version: string, name: string): string | undefined {
    if (version === MINE) return this.changes.get(name) ?? this.original(name);
    return this.versions.find(({ label }) => label === version)?.files.get(name) ?? this.library.get(name);
  }

  original(name: string): string | undefined {
    return this.versions[0].files.get(name) ?? this.library.get(name);
  }

  /** The learner has typed. */
  edit(name: string, text: string): void {
    const original = this.original(name);
    if (text === original) this.changes.delete(name);
    else {
      if (!this.changes.has(name)) this.fingerprints.set(name, fingerprint(original ?? ''));
      this.changes.set(name, text);
    }
    this.save();
  }

  /** Files of the learner that differ from the original. */
  get changed(): readonly string[] {
    return [...this.changes.keys()];
  }

  /** Files whose original is another one than when the learner began to change them. */
  get outdated(): readonly string[] {
    return this.changed.filter(
      (name) => this.fingerprints.get(name) !== fingerprint(this.original(name) ?? ''),
    );
  }

  /** Back to the original. Returns what `undoReset` needs. */
  reset(): ReadonlyMap<string, string> {
    const before = this.changes;
    this.changes = new Map();
    this.save();
    return before;
  }

  undoReset(before: ReadonlyMap<string, string>): void {
    for (const [name, text] of before) this.edit(name, text);
  }

  tree(version: string): FileNode | undefined {
    return fileTree((name) => this.text(version, name), this.main);
  }

  /** A version as it is assembled and booted: the main file and what it includes. */
  program(version: string): Program {
    return { main: this.main, files: this.programOf((name) => this.text(version, name)) };
  }

  private programOf(textOf: (name: string) => string | undefined): ReadonlyMap<string, string> {
    return new Map(fileNames(fileTree(textOf, this.main)).map((name) => [name, textOf(name) ?? '']));
  }

  /** These files run now, with what they include of the library. Null: the original. */
  setBooted(files: ReadonlyMap<string, string> | null): void {
    this.booted = files
      ? this.programOf((name) => files.get(name) ?? this.library.get(name))
      : this.program(this.originalLabel).files;
  }

  /** The text of a file in the program that runs; undefined when it has no part in it. */
  bootedText(name: string): string | undefined {
    return this.booted.get(name);
  }

  /** The label of the version that runs; null when it is none of them any more. */
  get running(): string | null {
    const same = (version: string) => {
      const { files } = this.program(version);
      return (
        files.size === this.booted.size && [...files].every(([name, text]) => this.booted.get(name) === text)
      );
    };
    return [...this.versions.map(({ label }) => label), MINE].find(same) ?? null;
  }

  private save(): void {
    const originals = Object.fromEntries(
      this.changed.map((name) => [name, this.fingerprints.get(name) ?? '']),
    );
    this.saver.change({ version: 1, files: Object.fromEntries(this.changes), originals });
  }
}
