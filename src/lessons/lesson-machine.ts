// A lesson's machine on the page: loads its scenario with the learner's guest in it, boots versions of that guest, and
// offers their sources to the editor for as long as this machine is the one that the page shows.
import { noteBooted, offerSources } from '../editor/offers.ts';
import type { PageApi } from '../shell/slots.ts';
import { type Imported, programKey } from './keeper.ts';
import { type Files, LESSON_GUEST, type Lesson } from './loader.ts';

export interface MachineEvents {
  /** The page shows this machine now, or (false) another one. */
  shown(here: boolean): void;
  /** The learner's guest was booted, by whomever. */
  booted(): void;
  /** Something could not be done: one clear line. */
  refused(problem: string, what: 'machine' | 'guest'): void;
}

export class LessonMachine {
  /** `away`: the page shows another scenario. */
  state: 'loading' | 'here' | 'away' = 'loading';
  imported: readonly Imported[] = [];
  private withdraw: (() => void) | null = null;
  private loaded: ((here: boolean) => void) | null = null;
  private bootPending = false;
  /** What was sent last to be booted, and what of it was booted last. */
  private sent: Files | null = null;
  private runs: Files | null = null;
  private readonly stops: (() => void)[];

  constructor(
    private readonly page: PageApi,
    private readonly lesson: Lesson,
    private readonly events: MachineEvents,
  ) {
    this.stops = [
      page.on('ready', ({ scenario }) => this.ready(scenario)),
      page.on('refused', ({ domain, message }) => this.refused(domain, message)),
      page.on('booted', ({ domain }) => this.booted(domain)),
    ];
  }

  dispose(): void {
    for (const stop of this.stops) stop();
    this.takeBack();
  }

  /** Puts the machine onto the page, at power-on and paused. Resolves to false when another one came, or it was refused. */
  async load(): Promise<boolean> {
    if (!this.page.host) await this.firstReady();
    this.page.pause();
    this.state = 'loading';
    this.answer(false);
    const { scenario, start, main, domain } = this.lesson;
    const answered = new Promise<boolean>((resolve) => {
      this.loaded = resolve;
    });
    this.bootPending = false;
    this.runs = null;
    noteBooted(domain, null);
    this.page.load(scenario, [{ guest: LESSON_GUEST, files: listOf(start), main }]);
    return answered;
  }

  /** Boots these files as the learner's guest; the other guests go on. */
  boot(files: Files): void {
    const { domain, main } = this.lesson;
    this.bootPending = true;
    this.sent = files;
    noteBooted(domain, files);
    this.page.boot(domain, { files: listOf(files), main });
  }

  /** Offers the lesson's sources to the editor (anew: it takes up what is kept). */
  offer(): void {
    const { domain, id, main, start, solution } = this.lesson;
    this.withdraw = offerSources({
      domain,
      key: programKey(id),
      main,
      versions: [
        { label: 'start', files: listOf(start) },
        { label: 'solution', files: listOf(solution) },
        ...this.imported.map(({ label, files }) => ({ label, files: listOf(files) })),
      ],
    });
  }

  private takeBack(): void {
    this.withdraw?.();
    this.withdraw = null;
  }

  /** A page that has just been opened loads its own scenario first. */
  private firstReady(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.page.on('ready', () => {
        stop();
        resolve();
      });
    });
  }

  private ready(scenario: string): void {
    const here = scenario === this.lesson.scenario.name;
    this.state = here ? 'here' : 'away';
    if (here) this.offer();
    else this.takeBack();
    this.events.shown(here);
    this.answer(here);
  }

  private booted(domain: number): void {
    if (domain !== this.lesson.domain || this.state !== 'here') return;
    if (this.bootPending) this.runs = this.sent;
    this.bootPending = false;
    this.events.booted();
  }

  private refused(domain: number | null, message: string): void {
    if (domain === null && this.loaded) {
      this.state = 'away';
      this.events.refused(`The lesson's machine could not be started: ${message}`, 'machine');
      this.answer(false);
    } else if (domain === this.lesson.domain && this.bootPending) {
      this.bootPending = false;
      noteBooted(domain, this.runs);
      this.events.refused(`Not booted: ${message}`, 'guest');
    }
  }

  private answer(here: boolean): void {
    const { loaded } = this;
    this.loaded = null;
    loaded?.(here);
  }
}

const listOf = (files: Files) => [...files].map(([name, text]) => ({ name, text }));
