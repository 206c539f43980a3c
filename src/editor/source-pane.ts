// Everything around the source of a guest: version, files, the editor, problems, and one line of status.

import { address as hex } from '../shell/words.ts';
import type { DomainFrame } from '../worker/protocol.ts';
import { button, el } from './dom.ts';
import { FileList } from './file-list.ts';
import { MINE } from './guest-work.ts';
import { ProblemList } from './problem-list.ts';
import { countByFile, type Problem } from './problems.ts';
import type { SaveState } from './saved-work.ts';
import type { SourceGuest } from './source-guest.ts';
import { SourceView } from './source-view.ts';

export interface SourcePaneEvents {
  boot(): void;
  breakpoints(guest: SourceGuest, lines: { file: string; line: number }[]): void;
  /** Another version is shown: it wants to be assembled. */
  versionChanged(guest: SourceGuest): void;
}

/** Milliseconds of quiet before the file list follows the typing. */
const LIST_QUIET = 400;
/** Milliseconds in which a reset must be confirmed. */
const RESET_PATIENCE = 4000;
const SAVE_WORDS: Record<SaveState['state'], string> = {
  saved: 'saved',
  saving: 'saving …',
  clean: '',
  failed: 'not saved',
};

export class SourcePane {
  readonly element: HTMLElement;
  private guest: SourceGuest | null = null;
  private readonly view: SourceView;
  private readonly files: FileList;
  private readonly problems: ProblemList;
  private readonly fileButton: HTMLButtonElement;
  private readonly versions = el('div', { class: 'rs-segments', role: 'group', 'aria-label': 'Version' });
  private readonly resetButton: HTMLButtonElement;
  private readonly followButton: HTMLButtonElement;
  private readonly status = el('span', { class: 'rs-status' });
  private readonly hint = el('span', { class: 'rs-hint', role: 'status' });
  private readonly saved = el('span', { class: 'rs-saved', role: 'status' });
  private failure: string | null = null;
  private undo: ReadonlyMap<string, string> | null = null;
  private listTimer: ReturnType<typeof setTimeout> | undefined;
  private follow = true;
  private resetAsked = false;
  private lost = '';
  private tabLeaves = false;
  private focused = false;

  constructor(private readonly events: SourcePaneEvents) {
    const code = el('div', { class: 'rs-code' });
    this.fileButton = button('', () => this.showFiles(!this.filesOpen), {
      class: 'rs-file-button',
      'aria-expanded': 'false',
    });
    this.resetButton = button('Reset', () => this.reset(), {
      class: 'rs-quiet',
      title: 'Back to the original. Can be undone.',
    });
    this.followButton = button('Follow', () => this.setFollow(!this.follow), {
      class: 'rs-quiet',
      'aria-pressed': 'true',
      title: 'Show the line where the virtual processor is, whenever the machine stands still',
    });
    this.files = new FileList(
      (file, line) => this.open(file, line, true),
      () => this.showFiles(false),
      (name) => this.create(name),
    );
    this.problems = new ProblemList({
      open: (problem) => this.open(problem.file, problem.line, true, problem.column),
      fix: (problem) => this.fix(problem),
    });
    this.element = el(
      'div',
      { class: 'rs-source' },
      el(
        'div',
        { class: 'rs-bar' },
        this.fileButton,
        this.versions,
        this.resetButton,
        el('span', { class: 'rs-grow' }),
        this.followButton,
      ),
      el('div', { class: 'rs-body' }, this.files.element, code),
      this.problems.element,
      el('div', { class: 'rs-foot' }, this.status, this.hint, this.saved),
    );
    this.files.element.hidden = true;
    this.view = new SourceView(code, {
      boot: () => this.events.boot(),
      open: (definition) => this.open(definition.file, definition.line, true, definition.column),
      breakpoints: (guest, lines) => this.events.breakpoints(guest, lines),
      refuse: (reason) => this.fail(reason),
      tabLeaves: (leaves) => {
        this.tabLeaves = leaves;
        this.drawHint();
      },
      focus: (inside) => {
        this.focused = inside;
        this.drawHint();
      },
    });
  }

  /** Shows a guest where it was left. */
  setGuest(guest: SourceGuest): void {
    if (this.guest !== guest) this.undo = null;
    this.guest = guest;
    this.failure = null;
    this.versions.replaceChildren(
      ...[MINE, ...guest.work.versions.map(({ label }) => label)].map((label) =>
        button(label, () => this.choose(label), { 'data-version': label }),
      ),
    );
    this.draw();
    this.view.show(guest);
  }

  /** Opens a file, and a line of it. @param byHand the learner chose it: the machine does not lead any more */
  open(file: string, line?: number, byHand = false, column?: number): void {
    const { guest } = this;
    if (!guest) return;
    if (!guest.model(guest.version, file)) return this.fail(`There is no file ${file} in this version.`);
    guest.file = file;
    this.view.show(guest, line);
    if (line !== undefined && byHand) {
      this.view.editor.setPosition({ lineNumber: line, column: column ?? 1 });
      this.view.editor.focus();
    }
    // Where there is room, the list stands beside the text and may stay.
    if (byHand && getComputedStyle(this.files.element).position === 'absolute') this.showFiles(false);
    this.draw();
  }

  /** Shows a line of the source that was booted, wherever it is now. */
  openBooted(file: string, line: number): void {
    const { guest } = this;
    const model = guest?.model(guest.version, file);
    if (!guest || !model) return;
    this.open(file, guest.mapping(model, file)?.to(line) ?? line);
  }

  /** The learner has typed. */
  edited(): void {
    this.undo = null;
    this.failure = null;
    this.drawProblems(true);
    this.view.updateHeat();
    clearTimeout(this.listTimer);
    this.listTimer = setTimeout(() => this.draw(), LIST_QUIET);
  }

  /** Problems, or the size of the image, have changed. */
  drawProblems(underway = false): void {
    const { guest } = this;
    if (!guest) return;
    const size = `${guest.size.toLocaleString('en').replaceAll(',', '\u202f')} bytes`;
    const good = underway || guest.assembled === null ? 'assembling …' : size;
    // While it is being assembled the old problems stay: nothing flickers.
    this.problems.show(guest.problems, guest.problems.length > 0 ? '' : good, this.failure);
    if (!underway) this.drawFiles();
  }

  /** An assembly is done. */
  assembled(): void {
    this.view.update();
    this.drawProblems();
  }

  /** One clear line that is no diagnostic; null takes it away. */
  fail(reason: string | null): void {
    this.failure = reason;
    this.drawProblems();
  }

  /** A boot was refused. */
  refused(message: string): void {
    this.failure = this.guest?.problems.length ? null : message;
    this.drawProblems();
    this.problems.expand(true);
    const first = this.guest?.problems.find(({ severity }) => severity === 'error');
    if (first) this.open(first.file, first.line, true, first.column);
  }

  /** A boot succeeded: marks and status belong to the new program. */
  booted(): void {
    this.failure = null;
    this.view.update();
    this.draw();
  }

  breakpoints(guest: SourceGuest): { file: string; line: number }[] {
    return this.view.bootedBreakpoints(guest);
  }

  keptBreakpoints(guest: SourceGuest): { file: string; line: number }[] {
    return this.view.keptBreakpoints(guest);
  }
  restoreBreakpoints(guest: SourceGuest, lines: readonly { file: string; line: number }[]): void {
    this.view.restoreBreakpoints(guest, lines);
  }

  /** The machine has moved. @param lead it stands still, or goes slowly: the editor may follow */
  moved(now: DomainFrame['now'], lead: boolean): void {
    const { guest } = this;
    if (!guest) return;
    const before = guest.now;
    const lost = lead && !now.line && now.place !== 'off' ? `at ${hex(now.eip)}: no line of this source` : '';
    if (lost !== this.lost) {
      this.lost = lost;
      this.drawStatus();
    }
    guest.now = lead && now.line ? { ...now.line, place: now.place } : null;
    const changed = guest.now?.file !== before?.file || guest.now?.line !== before?.line;
    if (!changed && guest.now?.place === before?.place) return;
    if (
      changed &&
      guest.now &&
      this.follow &&
      guest.now.file !== guest.file &&
      guest.model(guest.version, guest.now.file)
    )
      this.open(guest.now.file);
    const line = this.view.updateNow();
    if (changed && line !== null && this.follow) this.view.reveal(line);
  }

  heated(): void {
    this.view.updateHeat();
  }

  saving(state: SaveState): void {
    this.saved.textContent = SAVE_WORDS[state.state];
    this.saved.title = state.state === 'failed' ? `Your browser refuses to keep it: ${state.reason}` : '';
    this.saved.dataset.state = state.state;
  }

  resize(): void {
    this.view.resize();
  }

  dispose(): void {
    clearTimeout(this.listTimer);
    this.view.dispose();
  }

  /** Shows another version of the guest. */
  choose(version: string): void {
    const { guest } = this;
    if (!guest || guest.version === version || !guest.model(version, guest.work.main)) return;
    guest.version = version;
    if (!guest.model(version, guest.file)) guest.file = guest.work.main;
    this.view.show(guest);
    this.draw();
    this.events.versionChanged(guest);
  }

  private reset(): void {
    const { guest } = this;
    if (!guest) return;
    if (!this.undo && !this.resetAsked) return this.askReset();
    this.resetAsked = false;
    if (this.undo) {
      guest.work.undoReset(this.undo);
      guest.refresh();
      this.undo = null;
    } else {
      const before = guest.work.reset();
      guest.refresh();
      this.undo = before;
    }
    this.draw();
    this.events.versionChanged(guest);
  }

  /** The next click within a few seconds does it. */
  private askReset(): void {
    this.resetAsked = true;
    this.resetButton.textContent = 'Really reset?';
    setTimeout(() => {
      this.resetAsked = false;
      this.draw();
    }, RESET_PATIENCE);
  }

  /** A new file of the learner's. Returns why not, or null. */
  private create(name: string): string | null {
    const { guest } = this;
    if (!guest) return null;
    const { main } = guest.work;
    const folder = main.includes('/') ? main.slice(0, main.lastIndexOf('/') + 1) : '';
    const file = name.includes('/') ? name : folder + name;
    if (!/^[\w-]+(\/[\w-]+)*\.(asm|inc)$/.test(file))
      return 'A name of letters, digits, - and _ that ends in .asm or .inc';
    if (guest.work.text(MINE, file) !== undefined) return `There is a file ${file} already.`;
    guest.work.edit(file, `; Assembled where another file includes it:\n;   %include "${file}"\n`);
    if (guest.version !== MINE) this.choose(MINE);
    this.open(file, 3, true);
    return null;
  }

  private fix({ file, line, column, endColumn, fix }: Problem): void {
    if (!fix || !this.guest) return;
    this.open(file, line, true, column);
    this.view.replace(line, column, endColumn, fix.text);
  }

  private setFollow(follow: boolean): void {
    this.follow = follow;
    this.followButton.setAttribute('aria-pressed', `${follow}`);
    if (follow && this.guest?.now) this.openBooted(this.guest.now.file, this.guest.now.line);
  }

  private get filesOpen(): boolean {
    return !this.files.element.hidden;
  }

  private showFiles(open: boolean): void {
    const had = this.files.element.contains(document.activeElement);
    this.files.element.hidden = !open;
    this.fileButton.setAttribute('aria-expanded', `${open}`);
    if (open) {
      this.drawFiles();
      this.files.opened();
    } else if (had) this.fileButton.focus();
  }

  /** Bars, list and status. The text is Monaco's affair. */
  private draw(): void {
    const { guest } = this;
    if (!guest) return;
    const { work, version } = guest;
    const changed = work.changed.length > 0;
    const short = guest.file.slice(guest.file.lastIndexOf('/') + 1);
    this.fileButton.replaceChildren(
      el('span', { class: 'rs-file-name' }, short),
      el('span', { 'aria-hidden': 'true' }, '▾'),
    );
    this.fileButton.title = `${guest.file}: files and names of the program`;
    this.versions.hidden = !changed && version === MINE && work.versions.length < 2;
    for (const segment of this.versions.querySelectorAll('button'))
      segment.setAttribute('aria-pressed', `${segment.dataset.version === version}`);
    this.resetButton.hidden = version !== MINE || (!changed && !this.undo);
    if (!this.resetAsked) this.resetButton.textContent = this.undo ? 'Undo reset' : 'Reset';
    this.drawStatus();
    this.drawProblems();
  }

  private drawStatus(): void {
    const { guest } = this;
    if (!guest) return;
    const { work } = guest;
    const { running } = work;
    const words =
      running === MINE || (running === guest.version && running !== null)
        ? ''
        : running === null
          ? 'edited since it was booted'
          : `the ${running} runs`;
    const shown = guest.version === MINE && work.changed.length === 0 ? '' : words;
    const outdated =
      work.outdated.length > 0
        ? `the original of ${work.outdated.join(', ')} has changed since you edited it`
        : '';
    this.status.textContent = [this.lost, shown, outdated].filter(Boolean).join(' · ');
  }

  private drawFiles(): void {
    const { guest } = this;
    if (!guest || !this.filesOpen) return;
    const { files } = guest.work.program(guest.version);
    this.files.show({
      tree: guest.work.tree(guest.version),
      current: guest.file,
      extra: guest.version === MINE ? guest.work.changed.filter((name) => !files.has(name)) : [],
      changed: guest.version === MINE ? guest.work.changed : [],
      counts: countByFile(guest.problems),
      definitions: guest.outline.all(files),
    });
  }

  private drawHint(): void {
    this.hint.textContent = this.tabLeaves
      ? 'Tab leaves the editor · Ctrl+M: Tab writes'
      : this.focused
        ? 'Ctrl+M: Tab leaves the editor'
        : '';
  }
}
