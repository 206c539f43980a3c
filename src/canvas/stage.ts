// The stage: puts director, traffic, pacer and particles together with the views on one WebGL canvas. Frames come in by
// `show`, time by `tick`. At most 4 ms of script a frame; when nothing moves, nothing is drawn.

import { RECORD_WORDS } from '../trace/events.ts';
import { unpack } from '../trace/recorder.ts';
import { type Atlas, drawAtlas } from './atlas.ts';
import { ColumnView, type NowPlace } from './column-view.ts';
import { type Cue, Director } from './director.ts';
import { LanesView } from './lanes-view.ts';
import { layoutStage, pathBetween, type StageLayout } from './layout.ts';
import { MEANINGS } from './meanings.ts';
import { type Mark, Pacer, type Tempo } from './pacer.ts';
import { PALETTES, type Palette, type Scheme } from './palette.ts';
import { HIT_RADIUS, ParticleView } from './particle-view.ts';
import { Particles } from './particles.ts';
import { Container, WebGLRenderer } from './pixi.ts';
import type { ColumnInfo } from './places.ts';
import { Story, type StoryLine } from './story.ts';
import { Traffic, type TrafficSample } from './traffic.ts';

/** What the stage reads of a frame; the protocol's `Frame` fits. */
export interface StageFrame extends TrafficSample {
  running: boolean;
  speed: { mode: 'slow'; eventsPerSecond: number } | { mode: 'normal' } | { mode: 'fast' };
  domains: readonly (TrafficSample['domains'][number] & { now: { place: NowPlace } })[];
  events: Int32Array;
  eventSeqs: Float64Array;
}

/** The words beside a column, and the mark that they belong to. */
export interface ColumnStory {
  domain: number;
  lines: readonly StoryLine[];
  /** It has the newest event of all columns. */
  newest: boolean;
  x: number;
  y: number;
}

/** A lane's rate is laid anew this often (seconds): widths need no more. */
const LANES_EVERY = 0.15;
/** A page that was hidden does not catch up (seconds). */
const LONGEST_TICK = 0.25;
/** Words stay this long (seconds) after their mark when the machine runs on and nothing follows. */
const WORDS_STAY = 6;

export class Stage {
  layout: StageLayout = layoutStage(1, 1, []);
  /** Called when the words beside the columns change. */
  onStories: (stories: readonly ColumnStory[]) => void = () => {};
  /** Script time of a tick in milliseconds, smoothed, and what was drawn: for the playground and the budget test. */
  readonly stats = { scriptMs: 0, particles: 0, lanes: 0, ticks: 0 };

  private readonly director = new Director();
  private readonly traffic = new Traffic(1);
  private readonly pacer = new Pacer();
  private readonly particles = new Particles();
  private readonly root = new Container();
  private readonly lanesView = new LanesView();
  private readonly columnView = new ColumnView();
  private readonly particleView: ParticleView;
  private readonly stories = new Map<number, { story: Story; domain: number; y: number; age: number }>();
  private newestColumn = -1;
  private palette: Palette = PALETTES.dark;
  private atlas: Atlas;
  private scale = 1;
  private guests: readonly ColumnInfo[] = [];
  private running = false;
  private still = false;
  private selected = -1;
  private sinceLanes = 0;
  private seen = 0;
  private dirty = true;

  private constructor(private readonly renderer: WebGLRenderer) {
    this.atlas = drawAtlas(1);
    this.particleView = new ParticleView(this.atlas);
    this.particleView.setPalette(this.palette);
    this.root.addChild(
      this.columnView.boundaries,
      this.lanesView.mesh,
      this.columnView.points,
      this.particleView.container,
    );
  }

  /** Makes a stage on a canvas. Throws when the browser has no WebGL. */
  static async create(canvas: HTMLCanvasElement): Promise<Stage> {
    const renderer = new WebGLRenderer();
    await renderer.init({
      canvas,
      width: 1,
      height: 1,
      backgroundAlpha: 0,
      antialias: false,
      preference: 'webgl',
      skipExtensionImports: true,
    } as Parameters<WebGLRenderer['init']>[0]);
    return new Stage(renderer);
  }

  /** Another host or other guests: everything that was seen is forgotten. */
  setGuests(guests: readonly ColumnInfo[], clockHz: number): void {
    this.guests = guests;
    this.director.setColumns(guests);
    this.traffic.reset(clockHz);
    this.particles.clear();
    this.pacer.clear();
    this.stories.clear();
    this.rebuild();
    this.tellStories();
  }

  /** @param width,height CSS pixels. @param scale device pixels per CSS pixel */
  resize(width: number, height: number, scale: number): void {
    this.renderer.resize(Math.max(1, width), Math.max(1, height), scale);
    if (scale !== this.scale || this.atlas.marks.length === 0) {
      this.atlas.destroy();
      this.atlas = drawAtlas(scale);
      this.scale = scale;
    }
    this.particleView.setAtlas(this.atlas, scale);
    this.particleView.setPalette(this.palette);
    // Paths belong to a layout: what is on its way in the old one would fly through the new one.
    this.particles.clear();
    this.layout = layoutStage(width, height, this.guests);
    this.rebuild();
    this.tellStories();
  }

  setScheme(scheme: Scheme): void {
    this.palette = PALETTES[scheme];
    this.particleView.setPalette(this.palette);
    this.rebuild();
  }

  /** Nothing moves any more: marks appear where they arrive, and lanes stand still. */
  setStill(still: boolean): void {
    this.still = still;
    this.dirty = true;
  }

  /** Rings a mark while it is on the stage; -1 for none. */
  select(seq: number): void {
    this.selected = seq;
    this.dirty = true;
  }

  /** Sends the mark of one event over the stage again: the answer to a click in the list. */
  replay(mark: Mark): void {
    this.spawn(mark, 0.8, 2);
  }

  /** Takes a frame in. */
  show(frame: StageFrame): void {
    this.running = frame.running;
    const tempo: Tempo = frame.running ? frame.speed : { mode: 'paused' };
    this.pacer.setTempo(tempo);
    const marks: Mark[] = [];
    const cues: Cue[] = [];
    const count = frame.eventSeqs.length;
    for (let n = 0; n < count; n++) {
      const event = unpack(frame.events, n * RECORD_WORDS, frame.eventSeqs[n]);
      const cue = this.director.cue(event);
      if (!cue) continue;
      marks.push({ event, cue });
      cues.push(cue);
    }
    this.traffic.add(frame, cues, count);
    const happened = Math.max(count, frame.eventCount - this.seen);
    this.seen = frame.eventCount;
    const { travel, rest } = this.pacer.motion();
    for (const mark of this.pacer.add(marks, happened)) this.spawn(mark, travel, rest);
    for (const domain of frame.domains) this.columnView.setPlace(domain.id, domain.now.place);
    if (count > 0) this.dirty = true;
  }

  /** Lets time pass and draws. @param seconds since the last tick */
  tick(seconds: number): void {
    const start = performance.now();
    const time = Math.min(seconds, LONGEST_TICK);
    const { travel, rest } = this.pacer.motion();
    for (const mark of this.pacer.step(time)) {
      this.particles.release(mark.event.seq);
      this.spawn(mark, travel, rest);
      this.tell(mark);
    }
    this.particles.step(time, !this.running);
    const moves = this.columnView.step(time, this.traffic, this.palette, this.still);
    this.sinceLanes += time;
    if (this.sinceLanes > LANES_EVERY) this.layLanes();
    if (this.running && !this.still) this.lanesView.step(time);
    this.fadeStories(time);
    const live = this.particles.live.length;
    this.stats.particles = live;
    this.stats.ticks++;
    if (this.dirty || moves || live > 0 || (this.running && this.lanesView.mesh.visible)) {
      this.particleView.sync(this.particles, this.selected, this.still);
      this.renderer.render(this.root);
      this.dirty = live > 0;
    }
    this.stats.scriptMs += (performance.now() - start - this.stats.scriptMs) * 0.05;
  }

  /** Sequence number of the mark at a point, -1 when there is none. */
  pick(x: number, y: number): number {
    const slot = this.particles.nearest(x, y, HIT_RADIUS);
    return slot < 0 ? -1 : this.particles.seq[slot];
  }

  /** Crossings of a boundary per virtual second. */
  rate(...where: Parameters<Traffic['rate']>): number {
    return this.traffic.rate(...where);
  }

  destroy(): void {
    this.renderer.destroy();
    this.atlas.destroy();
  }

  private rebuild(): void {
    this.layout = layoutStage(this.layout.width, this.layout.height, this.guests);
    this.columnView.build(this.layout, this.atlas, this.palette, this.scale);
    this.layLanes();
    this.dirty = true;
  }

  private layLanes(): void {
    this.sinceLanes = 0;
    const strength = this.pacer.worded && this.running ? 0 : this.pacer.crowding;
    const lanes = this.traffic.lanes(64).filter((lane) => lane.rate >= 1);
    this.stats.lanes = lanes.length;
    this.lanesView.set(this.layout, lanes, this.palette, strength);
  }

  private spawn({ event, cue }: Mark, travel: number, rest: number): void {
    const path = pathBetween(this.layout, cue.meaning, cue.from, cue.to);
    if (!path) return;
    const pulse = cue.from.place === cue.to.place && cue.from.domain === cue.to.domain;
    const still = this.still || pulse;
    this.particles.spawn(event.seq, MEANINGS.indexOf(cue.meaning), path, pulse, still ? 0.01 : travel, rest);
    this.dirty = true;
  }

  /** Adds an event to the words of its column: that of its domain, or the one over its station. */
  private tell({ event, cue }: Mark): void {
    const path = pathBetween(this.layout, cue.meaning, cue.from, cue.to);
    if (!path || !this.pacer.worded) return;
    const column =
      this.layout.columns.find((c) => c.info.id === cue.domain) ??
      this.layout.columns.find((c) => path[6] < c.x + c.width);
    if (!column) return;
    const id = column.info.id;
    let entry = this.stories.get(id);
    if (!entry) this.stories.set(id, (entry = { story: new Story(), domain: cue.domain, y: 0, age: 0 }));
    // The host's own events are told in the column over their station, but not as part of its guest's story.
    if (entry.domain !== cue.domain) entry.story.clear();
    entry.domain = cue.domain;
    this.newestColumn = id;
    entry.story.tell(event, cue.meaning);
    entry.y = path[7];
    entry.age = 0;
    this.tellStories();
  }

  private fadeStories(seconds: number): void {
    if (!this.running || this.stories.size === 0) return;
    let changed = false;
    for (const [id, entry] of this.stories) {
      entry.age += seconds;
      if (this.pacer.worded && entry.age < WORDS_STAY) continue;
      this.stories.delete(id);
      changed = true;
    }
    if (changed) this.tellStories();
  }

  private tellStories(): void {
    const told: ColumnStory[] = [];
    for (const column of this.layout.columns) {
      const entry = this.stories.get(column.info.id);
      if (!entry) continue;
      const { id } = column.info;
      told.push({
        domain: id,
        lines: entry.story.lines,
        newest: id === this.newestColumn,
        x: column.words,
        y: entry.y,
      });
    }
    this.onStories(told);
  }
}
