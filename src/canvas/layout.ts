// The stage's geometry: guests are columns, privilege levels are strata, the hardware lies at the bottom. Pure:
// size and guests in, rectangles, lines and paths out, in CSS pixels. Everything that is drawn or clicked reads it here.
import { isBare } from '../worker/protocol.ts';
import { MEANINGS, type Meaning } from './meanings.ts';
import { type Boundary, type ColumnInfo, type Place, type Spot, STATIONS, type Station } from './places.ts';

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}
export type Stratum = 'user' | 'kernel' | 'hypervisor' | 'hardware';

/** A slab of one stratum. `domain` -1: shared by all columns. */
export interface Slab extends Rect {
  stratum: Stratum;
  domain: number;
}
/** What a stratum is called in one column: the ring, and who lives there. */
export interface SlabLabel extends Rect {
  stratum: Stratum;
  domain: number;
  ring: string;
  owner: string;
  /** Room for the words, left of the lanes. */
  textWidth: number;
}
export interface BoundaryLine extends Rect {
  id: Boundary;
  domain: number;
}
export interface StationMark extends Rect {
  station: Station;
}
/** A cubic Bézier: x0 y0, two control points, x3 y3. */
export type Path = readonly [number, number, number, number, number, number, number, number];

export interface StageLayout {
  width: number;
  height: number;
  slabs: Slab[];
  labels: SlabLabel[];
  boundaries: BoundaryLine[];
  stations: StationMark[];
  columns: ColumnLayout[];
}
export interface ColumnLayout {
  info: ColumnInfo;
  x: number;
  width: number;
  /** Left edge and width of the part where particles travel. */
  lanes: number;
  lanesWidth: number;
  /** Left edge of the free part at the right, for words. */
  words: number;
  /** Where the glowing point of the virtual processor goes up and down. */
  processor: number;
  /** Middle of each stratum. */
  y: { user: number; kernel: number; hypervisor: number };
  /** The guest's side of the boundary to the hypervisor. */
  edge: number;
}

const GAP = 16;
const COLUMN_GAP = 16;
const WEIGHT = { user: 1, kernel: 1.15, hypervisor: 1, hardware: 0.82 };
/** Widest room for a stratum's name, and for the lanes. */
const GUTTER = 150;
const LEAST_GUTTER = 92;
/** Of the way between a stratum and a station: the part of the height at which it turns aside, and how far it has gone aside there. */
const NEAR = 0.95;
const ASIDE = 0.35;
const LANES = 200;

/** Lays the stage out. @param width,height CSS pixels of the drawing; at least 1. */
export function layoutStage(width: number, height: number, guests: readonly ColumnInfo[]): StageLayout {
  const total = WEIGHT.user + WEIGHT.kernel + WEIGHT.hypervisor + WEIGHT.hardware;
  const unit = Math.max(1, height - 3 * GAP) / total;
  const user = { y: 0, height: Math.round(unit * WEIGHT.user) };
  const kernel = { y: user.height + GAP, height: Math.round(unit * WEIGHT.kernel) };
  const hypervisor = { y: kernel.y + kernel.height + GAP, height: Math.round(unit * WEIGHT.hypervisor) };
  const hardwareY = hypervisor.y + hypervisor.height + GAP;
  const hardware = { y: hardwareY, height: Math.max(1, height - hardwareY) };

  const count = Math.max(1, guests.length);
  const columnWidth = (width - COLUMN_GAP * (count - 1)) / count;
  const layout: StageLayout = {
    width,
    height,
    slabs: [],
    labels: [],
    boundaries: [],
    stations: [],
    columns: [],
  };

  guests.forEach((info, index) => {
    const x = Math.round(index * (columnWidth + COLUMN_GAP));
    const w = Math.round(index * (columnWidth + COLUMN_GAP) + columnWidth) - x;
    const native = isBare(info.technique);
    const kernelHeight = native ? hypervisor.y + hypervisor.height - kernel.y : kernel.height;
    const gutter = Math.min(GUTTER, Math.max(LEAST_GUTTER, w * 0.26));
    const lanesWidth = Math.min(LANES, w * 0.29);
    const lanes = x + gutter;
    const box = { x, width: w, domain: info.id };
    layout.columns.push({
      info,
      x,
      y: {
        user: user.y + user.height / 2,
        kernel: kernel.y + kernelHeight / 2,
        hypervisor: hypervisor.y + hypervisor.height / 2,
      },
      width: w,
      lanes,
      lanesWidth,
      processor: lanes + lanesWidth + 12,
      words: lanes + lanesWidth + 32,
      edge: kernel.y + kernelHeight - 8,
    });
    layout.slabs.push({ ...box, ...user, stratum: 'user' });
    if (info.technique !== 'container')
      layout.slabs.push({ ...box, y: kernel.y, height: kernelHeight, stratum: 'kernel' });
    const label = { ...box, textWidth: gutter };
    layout.labels.push({ ...label, ...user, stratum: 'user', ring: 'ring 3', owner: 'programs' });
    layout.labels.push({
      ...label,
      y: kernel.y,
      height: kernelHeight,
      stratum: 'kernel',
      ...kernelWords(info),
    });
    layout.boundaries.push({ ...box, y: user.height, height: GAP, id: 'userKernel' });
    if (native) {
      layout.boundaries.push({ ...box, y: hardware.y - GAP, height: GAP, id: 'kernelHardware' });
      return;
    }
    layout.labels.push({ ...label, ...hypervisor, stratum: 'hypervisor', ...hypervisorWords(info) });
    layout.boundaries.push({ ...box, y: hypervisor.y - GAP, height: GAP, id: 'kernelHypervisor' });
    layout.boundaries.push({ ...box, y: hardware.y - GAP, height: GAP, id: 'hypervisorHardware' });
  });

  for (const run of runsOf(layout.columns, (info) => !isBare(info.technique)))
    layout.slabs.push({ ...run, ...hypervisor, stratum: 'hypervisor', domain: -1 });
  // Containers stand on one kernel.
  const kernelHeight = hypervisor.y + hypervisor.height - kernel.y;
  for (const run of runsOf(layout.columns, (info) => info.technique === 'container'))
    layout.slabs.push({ ...run, y: kernel.y, height: kernelHeight, stratum: 'kernel', domain: -1 });
  const ground = { x: 0, width, domain: -1, ...hardware };
  layout.slabs.push({ ...ground, stratum: 'hardware' });
  placeStations(layout, ground);
  return layout;
}

/** Where the technique puts the guest's kernel. */
function kernelWords(info: ColumnInfo): { ring: string; owner: string } {
  if (info.technique === 'native') return { ring: 'ring 0', owner: 'kernel on the bare machine' };
  if (info.technique === 'container') return { ring: 'ring 0', owner: 'shared kernel' };
  const mode = info.technique === 'svm' ? 'guest mode' : 'non-root';
  return { ring: `ring ${info.kernelRing}`, owner: info.nonRoot ? `kernel\n(${mode})` : 'kernel' };
}

/** What the vendors call the side of the processor that is the hypervisor's (SDM 3C §23.3, APM 2 §15.2). */
function hypervisorWords(info: ColumnInfo): { ring: string; owner: string } {
  const ring = !info.nonRoot ? 'ring 0' : info.technique === 'svm' ? 'host mode' : 'VMX root';
  return { ring, owner: 'hypervisor' };
}

/** What lies under several guests lies under all neighbouring columns that are meant. */
function runsOf(
  columns: ColumnLayout[],
  meant: (info: ColumnInfo) => boolean,
): { x: number; width: number }[] {
  const runs: { x: number; width: number }[] = [];
  let open: { x: number; width: number } | null = null;
  for (const column of columns) {
    if (!meant(column.info)) open = null;
    else if (open) open.width = column.x + column.width - open.x;
    else runs.push((open = { x: column.x, width: column.width }));
  }
  return runs;
}

function placeStations(layout: StageLayout, ground: Rect): void {
  const padding = 8;
  const step = (ground.width - padding * 2) / STATIONS.length;
  const gap = Math.min(8, step * 0.1);
  const height = Math.min(ground.height - padding * 2, 52);
  STATIONS.forEach((station, n) => {
    layout.stations.push({
      station,
      x: ground.x + padding + n * step + gap / 2,
      width: step - gap,
      y: ground.y + (ground.height - height) / 2,
      height,
    });
  });
}

/** The x of a meaning's lane in a column; the way up runs a little to the right of the way down. */
export function laneX(column: ColumnLayout, meaning: Meaning, direction: -1 | 0 | 1): number {
  const step = column.lanesWidth / MEANINGS.length;
  return column.lanes + step * (MEANINGS.indexOf(meaning) + 0.5) - direction * Math.min(5, step * 0.24);
}

const DEPTH: Partial<Record<Place, number>> = { user: 0, kernel: 1, guest: 1.4, hypervisor: 2 };
const depth = (place: Place): number => DEPTH[place] ?? 3;

/** The way from a spot to a spot in the lane of a meaning; null when a domain is not on the stage. */
export function pathBetween(layout: StageLayout, meaning: Meaning, from: Spot, to: Spot): Path | null {
  const fall = Math.sign(depth(to.place) - depth(from.place)) as -1 | 0 | 1;
  const column = layout.columns.find((c) => c.info.id === (from.domain >= 0 ? from.domain : to.domain));
  // The host's own events have no column: they go straight up from their station.
  const lane = column ? laneX(column, meaning, fall) : stationX(layout, from.place, to.place);
  const start = spotPoint(layout, meaning, from, fall, lane);
  const end = spotPoint(layout, meaning, to, fall, lane);
  if (!start || !end) return null;
  const [x0, y0] = start;
  const [x3, y3] = end;
  if (fall === 0 && x0 !== x3) {
    // Under the words of the strata between.
    const low = layout.slabs.find((slab) => slab.stratum === 'hypervisor')?.height ?? 0;
    const sag = Math.min(Math.max(28, low * 0.62), Math.abs(x3 - x0) * 0.12);
    return [x0, y0, x0 + (x3 - x0) * 0.3, y0 + sag, x0 + (x3 - x0) * 0.7, y3 + sag, x3, y3];
  }
  // To a station or from one: straight through the strata, and sideways only just above the hardware.
  if (depth(to.place) === 3) {
    const low = y0 + (y3 - y0) * NEAR;
    return [x0, y0, x0, low, x0 + (x3 - x0) * ASIDE, low, x3, y3];
  }
  if (depth(from.place) === 3) {
    const low = y3 + (y0 - y3) * NEAR;
    return [x0, y0, x3 + (x0 - x3) * ASIDE, low, x3, low, x3, y3];
  }
  const middle = (y0 + y3) / 2;
  return [x0, y0, x0, middle, x3, middle, x3, y3];
}

function stationX(layout: StageLayout, ...places: Place[]): number {
  const mark = layout.stations.find((s) => places.includes(s.station));
  return mark ? mark.x + mark.width / 2 : layout.width / 2;
}

function spotPoint(
  layout: StageLayout,
  meaning: Meaning,
  spot: Spot,
  fall: -1 | 0 | 1,
  lane: number,
): [number, number] | null {
  const { place } = spot;
  if (depth(place) === 3) {
    const mark = layout.stations.find((s) => s.station === place);
    if (mark) return [mark.x + mark.width / 2, mark.y + 2];
    const ground = layout.slabs[layout.slabs.length - 1];
    return [lane, ground.y + 10];
  }
  const column = layout.columns.find((c) => c.info.id === spot.domain);
  if (!column) {
    if (spot.domain >= 0 || place !== 'hypervisor' || layout.columns.length === 0) return null;
    // The lower part of the slab: what its columns say stays readable.
    return [lane, layout.columns[0].y.hypervisor + layout.height * 0.05];
  }
  const x = laneX(column, meaning, fall);
  return [x, place === 'guest' ? column.edge : column.y[place as keyof ColumnLayout['y']]];
}

/** The point a share `t` (0–1) of the way along a path, written into `out`. */
export function pointOn(
  path: ArrayLike<number>,
  offset: number,
  t: number,
  out: { x: number; y: number },
): void {
  const u = 1 - t;
  const a = u * u * u;
  const b = 3 * u * u * t;
  const c = 3 * u * t * t;
  const d = t * t * t;
  out.x = a * path[offset] + b * path[offset + 2] + c * path[offset + 4] + d * path[offset + 6];
  out.y = a * path[offset + 1] + b * path[offset + 3] + c * path[offset + 5] + d * path[offset + 7];
}

/** Length of a path in pixels, to within a few per cent. */
export function pathLength(path: Path): number {
  const point = { x: path[0], y: path[1] };
  let length = 0;
  let { x, y } = point;
  for (let n = 1; n <= 8; n++) {
    pointOn(path, 0, n / 8, point);
    length += Math.hypot(point.x - x, point.y - y);
    ({ x, y } = point);
  }
  return length;
}
