// What the page offers to the rooms that are mounted into it lazily (editor, lessons), and what it expects of them.
// They get an element and this interface; they know neither the store nor Svelte.
import type { Scheme } from '../canvas/palette.ts';
import type { Client } from '../worker/client.ts';
import type {
  Enlightenment,
  Frame,
  GuestFiles,
  HostInfo,
  Paging,
  SourceFile,
  TechniqueName,
} from '../worker/protocol.ts';

/** How a guest is to be booted, as far as it differs from before. */
export interface BootWishes {
  technique?: TechniqueName;
  paging?: Paging;
  enlightenments?: Enlightenment[];
  files?: SourceFile[];
  main?: string;
  /** Another build of it (guests/catalog.ts). */
  guest?: string;
}
/** A place in a guest's code. */
export interface CodePlace {
  domain: number;
  address: number;
  line: { file: string; line: number } | null;
}

/** Something on the page that a lesson can point at. */
export type PointTarget =
  | { mark: 'guest'; domain: number }
  | { mark: 'stratum'; domain: number; stratum: 'user' | 'kernel' | 'hypervisor' | 'hardware' }
  | { mark: 'boundary'; domain: number; boundary: string }
  | { mark: 'station'; station: string }
  | { mark: 'control'; control: 'run' | 'step' | 'speed' | 'events' | 'costs' | 'inside' | 'source' };

export interface PageApi {
  readonly host: HostInfo | null;
  readonly frame: Frame | null;
  readonly scheme: Scheme;
  /** Name of the scenario that runs: the learner's work is kept under it. */
  readonly scenario: string;
  /** The last code that was asked for: an editor that is opened by the asking finds it here. */
  readonly lastCode: CodePlace | null;
  /** Messages of the worker, as the client gives them: `frame`, `booted`, `refused` … Returns what ends it. */
  on: Client['on'];
  ask: Client['ask'];
  run(): void;
  pause(): void;
  step(unit: 'instruction' | 'event' | 'switch'): void;
  boot(domain: number, options?: BootWishes): void;
  breakpoints(domain: number, lines: { file: string; line: number }[], addresses?: number[]): void;
  /** Loads a scenario (an object as in src/session/scenarios), and guests that it names and brings along. */
  load(scenario: unknown, files?: GuestFiles[]): void;
  /** The machine stands still, and running or stepping it says why, until this is called with null. */
  hold(reason: string | null): void;
  /** One line from the lesson, at the foot of the side panel while another pane is in front; null for nothing. */
  note(note: LessonNote | null): void;
  /** Calls back with every change of the light or dark scheme. */
  onScheme(callback: (scheme: Scheme) => void): () => void;
  /** Calls back when the learner wants to see code: an event, or the point of a guest, was clicked. */
  onShowCode(callback: (place: CodePlace) => void): () => void;
  /** Shows code in the editor's pane. */
  showCode(place: CodePlace): void;
  /** Selects an event: list, detail and stage show it. */
  select(seq: number): void;
  /** Rings something on the page until the next call; null for nothing. */
  point(target: PointTarget | null): void;
  /** Brings one of the side panel's panes to the front. */
  openPane(pane: Pane): void;
}

export type Pane = 'events' | 'costs' | 'inside' | 'source' | 'lesson';

export interface LessonNote {
  text: string;
  tone: 'plain' | 'good' | 'bad';
}

/** A room that mounts itself. `mount` fills the element and returns what takes it away again. */
export interface Slot {
  mount(target: HTMLElement, page: PageApi): (() => void) | Promise<() => void>;
}

/** How the composition root brings a room: loaded when its pane is opened first; null when the page has none. */
export type SlotLoader = (() => Promise<Slot>) | null;
