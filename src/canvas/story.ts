// The words beside a column in slow motion: the events from an exit to the entry that ends it read as one story,
// anything else stands alone. Pure; the text is that of the trace.
import { Kind, type TraceEvent } from '../trace/events.ts';
import { eventText } from '../trace/format.ts';
import type { Meaning } from './meanings.ts';

export interface StoryLine {
  seq: number;
  text: string;
  meaning: Meaning;
}
/** Lines of one story that are kept on the stage. */
export const STORY_LINES = 4;

export class Story {
  /** Oldest first. */
  lines: StoryLine[] = [];
  private open = false;
  private trap = -2;

  tell(event: TraceEvent, meaning: Meaning): void {
    if (event.kind === Kind.exit) this.lines = this.trap === event.seq - 1 ? this.lines.slice(-1) : [];
    else if (!this.open) this.lines = [];
    // The silicon's way through the monitor's IDT is the first line of the exit that follows it.
    this.trap = event.kind === Kind.interrupt && event.d === 0 ? event.seq : -2;
    if (event.kind === Kind.exit) this.open = true;
    else if (event.kind === Kind.entry) this.open = false;
    this.lines = [...this.lines, { seq: event.seq, text: eventText(event), meaning }].slice(-STORY_LINES);
  }

  clear(): void {
    this.lines = [];
    this.open = false;
  }
}
