// The state of the page, in one place. Frames come up to sixty times a second; what Svelte renders from is published at
// most once a frame, and ten times a second at full speed. Canvases and consoles listen to frames themselves.
import { type Cue, Director } from '../canvas/director.ts';
import type { Scheme } from '../canvas/palette.ts';
import type { TraceEvent } from '../trace/events.ts';
import type { Client } from '../worker/client.ts';
import type {
  Diagnostic,
  Explanation,
  Frame,
  FromWorker,
  GuestFiles,
  GuestImage,
  HostInfo,
  Screen,
  Speed,
  StepUnit,
  TechniqueName,
} from '../worker/protocol.ts';
import { EventLog, type LogRow } from './event-log.ts';
import { learnExitWords } from './exit-words.ts';
import { EVERYTHING, type Filter, passes } from './filter.ts';
import type { MouseMove } from './guest-mouse.ts';
import { type DomainView, GuestOutputs, unseen } from './guest-outputs.ts';
import { type Candidate, type CandidateBoot, inspectFile, machineFor } from './own-kernel.ts';
import type { BootWishes, CodePlace, LessonNote, PageApi, Pane, PointTarget } from './slots.ts';

export interface ScenarioChoice {
  name: string;
  title: string;
  summary: string;
  value: unknown;
}
export interface Notice {
  id: number;
  domain: number | null;
  message: string;
  diagnostics: readonly Diagnostic[];
}
export interface Selection {
  seq: number;
  event: TraceEvent | null;
  /** Null while it is on its way; `gone` when the event is no longer kept. */
  explanation: Explanation | 'gone' | null;
}
/** At full speed the panels say how things stand this often (milliseconds): nobody reads faster, and painting costs. */
const PUBLISH_EVERY = 400;
const SPEED_SETTLES = 300;
/** Events that are fetched when the machine stops, so that the end of the list is complete. */
const TAIL_EVENTS = 400;
/** Events asked for at once to close a gap in the list. */
const WINDOW_EVENTS = 500;
/** Earlier boots that are kept to compare with. */
const EARLIER = 6;
/** Events fetched on either side of one that is shown. */
const AROUND = 60;
type AnyListener = (message: never) => void;

export class Store implements PageApi {
  host = $state.raw<HostInfo | null>(null);
  scenario = $state('');
  /** What it is called in words. */
  scenarioTitle = $state('');
  scenarios = $state.raw<ScenarioChoice[]>([]);
  scheme = $state<Scheme>('dark');
  failure = $state<string | null>(null);

  time = $state(0);
  running = $state(false);
  speed = $state.raw<Speed>({ mode: 'fast' });
  instructionsPerSecond = $state(0);
  eventCount = $state(0);
  domains = $state.raw<DomainView[]>([]);

  pane = $state<Pane>('events');
  filter = $state.raw<Filter>(EVERYTHING);
  rows = $state.raw<LogRow[]>([]);
  /** False while the list stands still so that it can be read. */
  follow = $state(true);
  selection = $state.raw<Selection | null>(null);
  notices = $state.raw<Notice[]>([]);
  /** The guest whose screen fills the stage, if any. */
  enlarged = $state<number | null>(null);
  pointed = $state.raw<PointTarget | null>(null);
  /** Why the machine must not run now; null when it may. */
  held = $state<string | null>(null);
  lessonNote = $state.raw<LessonNote | null>(null);

  candidate = $state.raw<Candidate | null>(null);
  /** How guests did before they were booted another way, the latest first. */
  earlier = $state.raw<DomainView[]>([]);

  frame: Frame | null = null;
  /** How the learner's own kernels may be run, by name. */
  readonly ownTechniques = new Map<string, readonly TechniqueName[]>();
  private readonly director = new Director();
  readonly log = new EventLog(this.director);
  private client: Client | null = null;
  private readonly outputs = new GuestOutputs();
  private readonly listeners = new Map<string, Set<AnyListener>>();
  private readonly schemeListeners = new Set<(scheme: Scheme) => void>();
  private readonly codeListeners = new Set<(place: CodePlace) => void>();
  private readonly replayListeners = new Set<(event: TraceEvent, cue: Cue) => void>();
  private lastPublished = Number.NEGATIVE_INFINITY;
  private nextNotice = 1;
  private speedSetAt = Number.NEGATIVE_INFINITY;
  private lastScenario: unknown = null;
  private lastFiles: GuestFiles[] | undefined;
  private lastImages: GuestImage[] | undefined;

  /** @param makeClient starts a worker and the client for it. @param clock milliseconds, for the pace of publishing */
  constructor(
    private readonly makeClient: () => Client,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Starts the worker; also after a failure, or to begin again. @param scenario null: the one that the worker opens with */
  start(scenario: unknown = this.lastScenario, files = this.lastFiles): void {
    this.client?.destroy();
    this.failure = null;
    this.lastScenario = scenario;
    this.lastFiles = files;
    const client = this.makeClient();
    this.client = client;
    client.on('ready', (m) => this.ready(m));
    client.on('booted', (m) => this.booted(m));
    client.on('frame', (m) => this.takeFrame(m));
    client.on('refused', (m) => this.notify(m.domain, m.message, m.diagnostics));
    client.on('failed', (m) => {
      this.failure = m.message;
      this.running = false;
      this.forward(m);
    });
    client.on('refused', (m) => this.forward(m));
    if (scenario !== null) client.send({ type: 'load', scenario, files, images: this.lastImages });
    client.start();
  }

  // What the controls do.
  run(): void {
    if (this.held !== null) return this.openPane('lesson');
    this.client?.send({ type: 'run' });
  }
  pause(): void {
    this.client?.send({ type: 'pause' });
  }
  step(unit: StepUnit): void {
    if (this.held !== null) return this.openPane('lesson');
    if (this.running) this.pause();
    this.client?.send({ type: 'step', unit });
  }
  setSpeed(speed: Speed): void {
    this.speed = speed;
    this.speedSetAt = this.clock();
    this.client?.send({ type: 'speed', speed });
  }
  load(scenario: unknown, files?: GuestFiles[], images?: GuestImage[]): void {
    this.lastScenario = scenario;
    this.lastFiles = files;
    this.lastImages = images;
    this.client?.send({ type: 'load', scenario, files, images });
  }

  /** Loads the scenario that runs once more, on a server of another generation. @param processor a name of cost/processors.ts */
  setProcessor(processor: string): void {
    const value = this.lastScenario ?? this.scenarios.find((s) => s.name === this.scenario)?.value;
    if (typeof value === 'object') this.load({ ...value, processor }, this.lastFiles, this.lastImages);
  }

  /** Looks at a file that shall be booted. What it is not good for is said in one line, and nothing else changes. */
  async openKernel(file: File): Promise<void> {
    const found = await inspectFile(file, this.ask);
    if (typeof found === 'string') return this.notify(null, found, []);
    this.notices = this.notices.filter((n) => n.domain !== null);
    this.candidate = found;
  }
  dropCandidate(): void {
    this.candidate = null;
  }
  /** Boots the kernel that waits. */
  bootCandidate(how: CandidateBoot): void {
    const { candidate } = this;
    if (!candidate) return;
    this.candidate = null;
    this.ownTechniques.set(candidate.name, candidate.inspection.techniques);
    const image = { guest: candidate.name, bytes: candidate.bytes };
    const { place, technique, memoryMiB } = how;
    if (place >= 0) this.client?.send({ type: 'boot', domain: place, technique, memoryMiB, image });
    else this.load(machineFor(candidate, how, this.host?.generation ?? 'prescott'), undefined, [image]);
    this.run();
  }
  hold(reason: string | null): void {
    this.held = reason;
    if (reason !== null) this.pause();
  }
  note(note: LessonNote | null): void {
    this.lessonNote = note;
  }
  boot(domain: number, options: BootWishes = {}): void {
    this.client?.send({ type: 'boot', domain, ...options });
  }
  stop(domain: number): void {
    this.notices = this.notices.filter((n) => n.domain !== domain);
    this.client?.send({ type: 'stop', domain });
  }
  keys(domain: number, scancodes: number[]): void {
    if (scancodes.length > 0) this.client?.send({ type: 'keys', domain, scancodes });
  }
  mouse(domain: number, move: MouseMove): void {
    this.client?.send({ type: 'mouse', domain, ...move });
  }
  input(domain: number, text: string): void {
    this.client?.send({ type: 'input', domain, text });
  }
  breakpoints(domain: number, lines: { file: string; line: number }[], addresses?: number[]): void {
    this.client?.send({ type: 'breakpoints', domain, lines, addresses });
  }
  ask: Client['ask'] = (question) => {
    return this.client
      ? this.client.ask(question)
      : Promise.reject(new Error('the worker has not been started'));
  };

  // Listening.
  on: Client['on'] = (type, listener) => {
    let set = this.listeners.get(type);
    if (!set) this.listeners.set(type, (set = new Set()));
    set.add(listener as AnyListener);
    return () => set.delete(listener as AnyListener);
  };
  onScheme(callback: (scheme: Scheme) => void): () => void {
    this.schemeListeners.add(callback);
    return () => this.schemeListeners.delete(callback);
  }
  onShowCode(callback: (place: CodePlace) => void): () => void {
    this.codeListeners.add(callback);
    return () => this.codeListeners.delete(callback);
  }
  /** Calls back when a selected event should be shown on the stage once more. */
  onReplay(callback: (event: TraceEvent, cue: Cue) => void): () => void {
    this.replayListeners.add(callback);
    return () => this.replayListeners.delete(callback);
  }

  setScheme(scheme: Scheme): void {
    this.scheme = scheme;
    for (const listener of this.schemeListeners) listener(scheme);
  }
  openPane(pane: Pane): void {
    this.pane = pane;
  }
  point(target: PointTarget | null): void {
    this.pointed = target;
  }
  showCode(place: CodePlace): void {
    this.pane = 'source';
    this.lastCode = place;
    for (const listener of this.codeListeners) listener(place);
  }
  /** The last place that was asked for: an editor that is opened by the asking finds it here. */
  lastCode: CodePlace | null = null;

  /** Everything a guest has said on its console or serial port, as far as it is kept. */
  textOf(domain: number, channel: 'console' | 'serial'): string {
    return this.outputs.text(domain, channel);
  }

  /** The last screen of a guest that came: a panel that is opened later starts with it. */
  screenOf(domain: number): Screen | null {
    return this.outputs.screen(domain);
  }

  dismiss(notice: number): void {
    this.notices = this.notices.filter((n) => n.id !== notice);
  }

  setFilter(filter: Filter): void {
    this.filter = filter;
    this.makeRows();
  }
  setFollow(follow: boolean): void {
    this.follow = follow;
    if (follow) this.makeRows();
  }

  /** Selects an event: list, detail and stage show it. */
  select(seq: number): void {
    this.pane = 'events';
    this.follow = false;
    const event = this.log.find(seq) ?? null;
    this.selection = { seq, event, explanation: null };
    const cue = this.log.cueOf(seq);
    if (event && cue) for (const listener of this.replayListeners) listener(event, cue);
    this.ask({ ask: 'explain', seq }).then(
      ({ explanation }) => {
        if (this.selection?.seq === seq)
          this.selection = { ...this.selection, explanation: explanation ?? 'gone' };
      },
      () => {
        if (this.selection?.seq === seq) this.selection = { ...this.selection, explanation: 'gone' };
      },
    );
  }
  clearSelection(): void {
    this.selection = null;
    this.setFollow(true);
  }

  /** Selects an event that the list may not have yet, or hides: it and its neighbours are fetched, the filter is lifted. */
  async showEvent(seq: number): Promise<void> {
    this.follow = false;
    if (!this.log.find(seq)) await this.fetchEvents(Math.max(0, seq - AROUND), seq + AROUND);
    if (!this.rows.some((row) => row.event.seq === seq)) this.setFilter(EVERYTHING);
    this.select(seq);
  }

  /** Fetches the events before `seq` that the list does not have. @param missing how many */
  async fill(seq: number, missing: number): Promise<void> {
    await this.fetchEvents(Math.max(seq - missing, seq - WINDOW_EVENTS, this.frame?.oldestEvent ?? 0), seq);
  }

  private async fetchEvents(from: number, to: number): Promise<void> {
    if (to <= from) return;
    try {
      const answer = await this.ask({ ask: 'events', from, to });
      this.log.insert(answer.events, answer.from);
      this.makeRows();
    } catch {
      // The worker has failed, and says so itself.
    }
  }

  private ready({ host, scenario, type }: Extract<FromWorker, { type: 'ready' }>): void {
    this.frame = null;
    this.lastPublished = Number.NEGATIVE_INFINITY;
    this.host = host;
    this.scenario = scenario;
    this.scenarioTitle = titleOf(this.lastScenario, scenario);
    this.outputs.clear();
    this.log.clear();
    this.earlier = [];
    this.selection = null;
    this.enlarged = null;
    this.director.setColumns(host.domains);
    this.domains = host.domains.map(unseen);
    this.makeRows();
    this.learnWords();
    this.forward({ type, host, scenario });
  }

  private booted(message: Extract<FromWorker, { type: 'booted' }>): void {
    const host = this.client?.host;
    if (!host) return;
    this.host = host;
    this.director.setColumns(host.domains);
    this.outputs.forget(message.domain);
    const before = this.domains.find((d) => d.info.id === message.domain);
    if (before && before.instructions > 0) this.earlier = [before, ...this.earlier].slice(0, EARLIER);
    this.domains = this.domains.map((d) => (d === before ? { ...unseen(message.info), state: d.state } : d));
    this.notices = this.notices.filter((n) => n.domain !== message.domain);
    this.learnWords();
    this.forward(message);
  }

  private learnWords(): void {
    learnExitWords(this.host?.domains ?? []).then(
      (more) => more && this.makeRows(),
      () => {},
    );
  }

  private takeFrame(frame: Frame): void {
    const stopped = (this.running || this.lastPublished < 0) && !frame.running;
    this.frame = frame;
    this.log.append(frame.events, frame.eventSeqs);
    this.outputs.take(frame, this.host?.clockHz ?? 1);
    this.forward(frame);
    const now = this.clock();
    const calm = !frame.running || frame.speed.mode === 'slow' || frame.running !== this.running;
    if (calm || now - this.lastPublished >= PUBLISH_EVERY) {
      this.lastPublished = now;
      this.publish(frame);
    }
    if (stopped)
      void this.fetchEvents(Math.max(frame.oldestEvent, frame.eventCount - TAIL_EVENTS), frame.eventCount);
  }

  private publish(frame: Frame): void {
    this.time = frame.time;
    this.running = frame.running;
    // Frames that were on their way when the slider moved still carry the old speed.
    if (
      this.clock() - this.speedSetAt > SPEED_SETTLES &&
      JSON.stringify(frame.speed) !== JSON.stringify(this.speed)
    )
      this.speed = frame.speed;
    this.instructionsPerSecond = frame.instructionsPerSecond;
    const fresh = this.eventCount !== frame.eventCount;
    this.eventCount = frame.eventCount;
    this.domains = this.outputs.views(this.domains, frame);
    if (fresh && this.follow) this.makeRows();
  }

  private makeRows(): void {
    const { filter } = this;
    this.rows = this.log.rows((event, cue) => passes(filter, event, cue), this.frame?.oldestEvent);
  }

  private notify(domain: number | null, message: string, diagnostics: readonly Diagnostic[]): void {
    const others = this.notices.filter((n) => n.domain !== domain).slice(-2);
    this.notices = [...others, { id: this.nextNotice++, domain, message, diagnostics }];
  }

  private forward(message: FromWorker): void {
    for (const listener of this.listeners.get(message.type) ?? []) listener(message as never);
  }
}

/** A scenario that is not in the list has its title with it. */
function titleOf(loaded: unknown, name: string): string {
  const { title } = (loaded ?? {}) as { title?: unknown };
  return typeof title === 'string' ? title : name;
}
