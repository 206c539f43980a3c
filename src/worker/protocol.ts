// Every message between the page and the worker that hosts the machine: this page is the whole protocol.
// Back-pressure: the worker sends one `frame` for each `wantFrame`, never more; a frame has a fixed upper size.

import type { AddressWalk } from '../hypervisor/inspection.ts';
import type { Enlightenment, Paging, TechniqueName } from '../hypervisor/technique.ts';
import type { Fingerprint } from '../session/fingerprint.ts';
import type { HoleRow } from '../session/holes.ts';
import type { Inside, TranslatedLine } from '../session/inside.ts';
import type { MemoryRequest, Observation } from '../session/observe.ts';
import type { TimelineWindow } from '../session/overview.ts';

export type { AddressWalk, SharedStructure, TranslatedBlock, WalkStep } from '../hypervisor/inspection.ts';
export { isBare } from '../hypervisor/technique.ts';
export type { HoleRow } from '../session/holes.ts';
export type { FieldNow, Inside, TranslatedLine } from '../session/inside.ts';
export type { TimelineWindow } from '../session/overview.ts';

/** Records of events animated in one frame, at most (a fair sample when more happened). */
export const MAX_FRAME_EVENTS = 256;
/** Console characters a frame carries per domain, at most; the rest follows in the next frame. */
export const MAX_FRAME_TEXT = 4096;

export type { Enlightenment, Paging, TechniqueName } from '../hypervisor/technique.ts';
export type Speed =
  | { mode: 'slow'; eventsPerSecond: number }
  | { mode: 'normal'; cyclesPerSecond: number }
  | { mode: 'fast' };
export type StepUnit = 'instruction' | 'event' | 'switch';
export type DomainState = 'empty' | 'running' | 'paused' | 'halted' | 'crashed';

/** One guest as it was configured. `sealed` images have no source: the editor shows their disassembly. */
export interface DomainInfo {
  id: number;
  name: string;
  guest: string;
  technique: TechniqueName;
  /** With hardware assistance: whose tables the processor walks, and what the guest is offered. */
  paging?: Paging;
  enlightenments?: readonly Enlightenment[];
  memoryBytes: number;
  sealed: boolean;
  /** Ring in which the guest's kernel runs, and whether that is VMX non-root. */
  kernelRing: 0 | 1;
  nonRoot: boolean;
  /** Linear address at which its image begins to run, when that is known: where its disassembly begins. */
  entry?: number;
  /** What the learner looks at first. */
  display: 'graphics' | 'text' | 'console';
}
export interface HostInfo {
  /** For people, and the name that a scenario uses. */
  processor: string;
  generation: string;
  /** It has EPT and NPT. */
  nestedPaging: boolean;
  clockHz: number;
  memoryBytes: number;
  domains: DomainInfo[];
}

/** Cycles by place since boot of the domain. */
export interface Places {
  user: number;
  kernel: number;
  hypervisor: number;
  idle: number;
  ready: number;
}
export interface ExitRow {
  vendor: number;
  reason: number;
  name: string;
  count: number;
  cycles: number;
  min: number;
  max: number;
}

export interface DomainFrame {
  id: number;
  state: DomainState;
  /** Why it ended, in words: "triple fault at 00101234 …"; empty while alive. */
  ending: string;
  /** Where its virtual processor is now. */
  now: {
    cpl: number;
    place: 'user' | 'kernel' | 'hypervisor' | 'idle' | 'ready' | 'off';
    eip: number;
    line: { file: string; line: number } | null;
  };
  instructions: number;
  places: Places;
  /** Events since the previous frame, by boundary: the widths of the flows on the stage. */
  flow: { userKernel: number; kernelHypervisor: number; kernelHardware: number; hypervisorHardware: number };
  /** New output since the previous frame. */
  console: string;
  serial: string;
  /** Only when it changed since the last frame that carried it. */
  screen: Screen | null;
  /** Sent about four times a second. */
  exits: ExitRow[] | null;
  /** Instructions that ran silently wrong since boot. */
  holes: number;
  /** Exits per source line (file → counts by line, 1-based): the editor's heat. Sent with `exits`. */
  heat: { file: string; line: number; count: number }[] | null;
  /** The same by address, for a guest without source. */
  heatAt: { address: number; count: number }[] | null;
}
export type Screen =
  | {
      mode: 'text';
      columns: number;
      rows: number;
      cells: Uint8Array;
      cursor: { column: number; row: number; visible: boolean };
      /** 16 × red, green, blue, when the guest has changed the colours. */
      palette?: Uint8Array;
    }
  | { mode: 'graphics'; width: number; height: number; pixels: Uint8Array; palette: Uint8Array }
  /** `pixels`: red, green, blue, 255. */
  | { mode: 'true-colour'; width: number; height: number; pixels: Uint8Array };

export interface Frame {
  type: 'frame';
  /** Virtual time in cycles, and whether the machine is running. */
  time: number;
  running: boolean;
  speed: Speed;
  domains: DomainFrame[];
  /** Packed records (trace/events.ts) with the sequence number of each. */
  events: Int32Array;
  eventSeqs: Float64Array;
  /** All events so far, and the oldest one that can still be asked for. */
  eventCount: number;
  oldestEvent: number;
  /** Guest instructions a second of real time. */
  instructionsPerSecond: number;
}

/** What one event was: the answer to a click. Every field comes from the trace, the machine or the instruction table. */
export interface Explanation {
  seq: number;
  /** The one-line text of the event, as in the trace. */
  text: string;
  /** The guest instruction, disassembled, with its address and source line when known. */
  instruction: {
    address: number;
    text: string;
    bytes: string;
    line: { file: string; line: number } | null;
  } | null;
  /** Why this crossed the boundary: the rule, with the manual's section. */
  why: string;
  manual: string;
  /** What the handler did, one line an event, up to the return to the guest. */
  handler: { seq: number; text: string }[];
  /** What changed: name, before, after. */
  changes: { name: string; before: string; after: string }[];
  cost: { cycles: number; parts: { name: string; cycles: number; mark: string; source: string }[] };
}
export interface Line {
  address: number;
  bytes: string;
  text: string;
}
export interface SourceFile {
  name: string;
  text: string;
}
/** A guest given as source files. */
export interface GuestFiles {
  guest: string;
  files: SourceFile[];
  main: string;
}
/** A guest given as an image that somebody else built. */
export interface GuestImage {
  guest: string;
  bytes: Uint8Array;
}
/** What a file turned out to be: how it may be run and what memory it needs, or the one line that says why it cannot be. */
export type Inspection =
  | {
      ok: true;
      kind: string;
      description: string;
      techniques: readonly TechniqueName[];
      leastMemoryMiB: number;
    }
  | { ok: false; message: string };
export interface Diagnostic {
  file: string;
  line: number;
  column: number;
  endColumn: number;
  severity: 'error' | 'warning';
  message: string;
  suggestion?: string;
}

export type Question =
  | { ask: 'explain'; seq: number }
  | { ask: 'events'; from: number; to: number }
  | { ask: 'disassemble'; domain: number; address: number; lines: number }
  | { ask: 'registers'; domain: number }
  | { ask: 'memory'; domain: number; address: number; length: number; space: 'virtual' | 'physical' }
  | { ask: 'sources'; guest: string }
  /** What happened so far: lesson checks judge by it. */
  | { ask: 'observe'; memory: MemoryRequest[] }
  /** Where time went between two moments (cycles; `to` may be Infinity: until now), in so many bins. */
  | { ask: 'timeline'; from: number; to: number; bins: number }
  /** The event of a domain that is nearest to a moment. */
  | { ask: 'eventAt'; domain: number; time: number }
  /** What lies under a guest: one of the views of session/inside.ts. */
  | { ask: 'inside'; domain: number; view: 'control' | 'blocks' | 'shared' | 'walk' }
  /** A block of the translation cache, by the linear address of its original. */
  | { ask: 'translated'; domain: number; guest: number }
  | { ask: 'walk'; domain: number; linear: number }
  /** What ran silently wrong in a guest, by instruction. */
  | { ask: 'holes'; domain: number }
  /** What an image is; nothing is booted. */
  | { ask: 'inspect'; name: string; bytes: Uint8Array }
  /** Hash of a scenario's trace, run afresh beside the session: the proof that it is the same everywhere. */
  | { ask: 'fingerprint'; scenario: string; cycles: number };
export type Answer =
  | { ask: 'explain'; explanation: Explanation | null }
  | { ask: 'events'; events: Int32Array; from: number }
  | { ask: 'disassemble'; lines: Line[] }
  | { ask: 'registers'; registers: Record<string, string> }
  | { ask: 'memory'; bytes: Uint8Array | null }
  | { ask: 'sources'; files: SourceFile[]; main: string }
  | { ask: 'observe'; observation: Observation }
  | { ask: 'timeline'; window: TimelineWindow }
  | { ask: 'eventAt'; seq: number | null }
  | { ask: 'inside'; inside: Inside }
  | { ask: 'translated'; lines: TranslatedLine[] }
  | { ask: 'walk'; walk: AddressWalk | null }
  | { ask: 'holes'; rows: HoleRow[] }
  | { ask: 'inspect'; inspection: Inspection }
  | { ask: 'fingerprint'; fingerprint: Fingerprint | null };

export type ToWorker =
  /** `files`, `images`: guests that the scenario names and brings along (a lesson's, a learner's). */
  | { type: 'load'; scenario: unknown; files?: GuestFiles[]; images?: GuestImage[] }
  /** Boots (or re-boots) one domain while the others go on; `files` replace the guest's own sources. */
  | {
      type: 'boot';
      domain: number;
      technique?: TechniqueName;
      paging?: Paging;
      enlightenments?: Enlightenment[];
      files?: SourceFile[];
      main?: string;
      /** Another guest of ours in its place: another build of the same source. */
      guest?: string;
      /** Takes the place of the guest that was there, under its own name. */
      image?: GuestImage;
      memoryMiB?: number;
    }
  | { type: 'stop'; domain: number }
  | { type: 'run' }
  | { type: 'pause' }
  | { type: 'step'; unit: StepUnit; domain?: number }
  | { type: 'speed'; speed: Speed }
  /** Set-1 scan codes for the PS/2 keyboard. */
  | { type: 'keys'; domain: number; scancodes: number[] }
  /** Movement of the PS/2 mouse (counts right and up) and the buttons held (bit 0 left, 1 right, 2 middle). */
  | { type: 'mouse'; domain: number; dx: number; dy: number; buttons: number }
  /** Characters for the serial port or Xen console. */
  | { type: 'input'; domain: number; text: string }
  /** By line of the source that runs, or by linear address. All of a domain's at once. */
  | { type: 'breakpoints'; domain: number; lines: { file: string; line: number }[]; addresses?: number[] }
  | { type: 'wantFrame' }
  | { type: 'question'; id: number; question: Question };
export type FromWorker =
  | { type: 'ready'; host: HostInfo; scenario: string }
  | { type: 'booted'; domain: number; info: DomainInfo }
  /** Nothing was booted; what ran goes on as it was. */
  | { type: 'refused'; domain: number | null; message: string; diagnostics: readonly Diagnostic[] }
  | Frame
  | { type: 'answer'; id: number; answer: Answer }
  | { type: 'failed'; message: string };
