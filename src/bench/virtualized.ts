// `bench virtualized`, `bench recording`: the measuring kernels as guests under every technique, beside the bare machine in
// the same run; and with the trace on and off. In a Chromium, where each run has a worker of its own as on the page; or here,
// in processor time.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Browser, openBrowser } from './chromium.ts';
import { type Way, waysOf } from './guests.ts';
import { BenchError, COMPUTE, kernelNames } from './peers.ts';
import { textTable } from './table.ts';
import { runVirtual, type VirtualOptions, type VirtualRun } from './virtual-kernel.ts';

/** Its processor has VT-x, SVM, EPT and NPT. */
const PROCESSOR = 'nehalem';
const PATIENCE = 120_000;
/** The kernels do five; the first one warms up. */
const REPETITIONS = 4;
const TECHNIQUES = ['binary-translation', 'vt-x', 'svm'] as const;

export interface VirtualizedOptions {
  /** Folder with `guest/out/*.elf` and `guest/workloads.txt`. */
  readonly folder: string;
  /** Empty: all. */
  readonly kernels: readonly string[];
  readonly rounds: number;
  /** Techniques beside the bare machine; empty = all that there are. */
  readonly techniques: readonly string[];
  /** In a Chromium; else in this process. */
  readonly browser: boolean;
  readonly log: (line: string) => void;
}

/** One kernel under one technique. */
export interface VirtualizedRow {
  readonly name: string;
  readonly way: string;
  readonly unit: 's';
  /** Median of the rounds; null when it came to no end. */
  readonly seconds: number | null;
  /** Bare machine to this: 1 is as fast. */
  readonly ofNative: number | null;
  readonly exits: number;
  /** Millions. */
  readonly exitsPerSecond: number | null;
  readonly problem?: string;
}

/** One kernel with the trace and without it. */
export interface RecordingRow {
  readonly name: string;
  readonly way: string;
  readonly unit: 's';
  readonly recorded: number | null;
  readonly unrecorded: number | null;
  /** What recording costs: 0.1 is ten per cent. */
  readonly cost: number | null;
}

const processorTime = () => process.cpuUsage().user / 1000;
const median = (values: readonly number[]): number | null =>
  values.length ? [...values].sort((a, b) => a - b)[values.length >> 1] : null;

class Kernels {
  readonly names: readonly string[];

  constructor(
    private readonly options: VirtualizedOptions,
    private readonly browser: Browser | null,
  ) {
    this.names = kernelNames(resolve(options.folder), options.kernels);
  }

  /** Seconds are the median without the first repetition; NaN when it came to no end. */
  async run(name: string, way: Way, recording: boolean): Promise<VirtualRun & { readonly seconds: number }> {
    const file = resolve(join(this.options.folder, 'guest/out', `${name}.elf`));
    const guest: Omit<VirtualOptions, 'now' | 'patience'> = {
      way,
      processor: PROCESSOR,
      recording,
      repetitions: REPETITIONS,
    };
    const result = this.browser
      ? await this.browser.run<VirtualRun>(name, file, PATIENCE, { guest })
      : runVirtual(name, new Uint8Array(readFileSync(file)), {
          ...guest,
          patience: PATIENCE,
          now: processorTime,
        });
    if (result.problem) this.options.log(`${name}: ${way.title}: ${result.problem}`);
    return { ...result, seconds: (!result.problem && median(result.times.slice(1))) || Number.NaN };
  }
}

/** Measures with the kernels, in a browser if one is wanted. */
async function withKernels<R>(
  options: VirtualizedOptions,
  measure: (kernels: Kernels) => Promise<R>,
): Promise<R> {
  const browser = options.browser ? await openBrowser() : null;
  try {
    return await measure(new Kernels(options, browser));
  } finally {
    await browser?.close();
  }
}

/** The bare machine, and the techniques that were asked for. Throws BenchError for one that there is not. */
function waysIn({ techniques }: VirtualizedOptions): Way[] {
  const wanted = techniques.length > 0 ? techniques : TECHNIQUES;
  const unknown = wanted.find((name) => !TECHNIQUES.some((known) => known === name));
  if (unknown !== undefined)
    throw new BenchError(`--technique: "${unknown}" is none of ${TECHNIQUES.join(', ')}`);
  return waysOf(['native', ...TECHNIQUES.filter((name) => wanted.includes(name))], PROCESSOR);
}

/** Every kernel under every technique that there is here. Throws BenchError when two of them come to different results. */
export function virtualized(options: VirtualizedOptions): Promise<VirtualizedRow[]> {
  return withKernels(options, (kernels) => virtualizedRows(kernels, options));
}

async function virtualizedRows(kernels: Kernels, options: VirtualizedOptions): Promise<VirtualizedRow[]> {
  const ways = waysIn(options);
  const times = new Map<string, number[]>();
  const last = new Map<string, VirtualRun>();
  for (let round = 0; round < options.rounds; round++) {
    for (const name of kernels.names) {
      const values = new Set<string>();
      for (const way of ways) {
        const key = `${name} ${way.title}`;
        const result = await kernels.run(name, way, true);
        last.set(key, result);
        if (result.problem) continue;
        values.add(result.value);
        times.set(key, [...(times.get(key) ?? []), result.seconds]);
      }
      if (values.size > 1) throw new BenchError(`${name}: techniques disagree: ${[...values].join(', ')}`);
      options.log(`virtualized, round ${round + 1}: ${name}`);
    }
  }
  return kernels.names.flatMap((name) => {
    const native = median(times.get(`${name} ${ways[0].title}`) ?? []);
    return ways.map((way): VirtualizedRow => {
      const seconds = median(times.get(`${name} ${way.title}`) ?? []);
      const { exits, problem } = last.get(`${name} ${way.title}`)!;
      const count = exits.at(-1) ?? 0;
      return {
        name,
        way: way.title,
        unit: 's',
        seconds,
        ofNative: native && seconds ? native / seconds : null,
        exits: count,
        exitsPerSecond: seconds ? count / seconds / 1e6 : null,
        ...(problem ? { problem } : {}),
      };
    });
  });
}

/** The same on the bare machine and under VT-x, with recording and without, in turn. */
export function recording(options: VirtualizedOptions): Promise<RecordingRow[]> {
  return withKernels(options, (kernels) => recordingRows(kernels, options));
}

async function recordingRows(kernels: Kernels, options: VirtualizedOptions): Promise<RecordingRow[]> {
  const ways = waysOf(['native', 'vt-x'], PROCESSOR).filter((way) => way.paging === 'shadow');
  const times = new Map<string, number[]>();
  for (let round = 0; round < options.rounds; round++) {
    for (const name of kernels.names) {
      for (const way of ways) {
        for (const on of [true, false]) {
          const key = `${name} ${way.title} ${on}`;
          const result = await kernels.run(name, way, on);
          if (!result.problem) times.set(key, [...(times.get(key) ?? []), result.seconds]);
        }
      }
      options.log(`recording, round ${round + 1}: ${name}`);
    }
  }
  return kernels.names.flatMap((name) =>
    ways.map((way): RecordingRow => {
      const recorded = median(times.get(`${name} ${way.title} true`) ?? []);
      const unrecorded = median(times.get(`${name} ${way.title} false`) ?? []);
      const cost = recorded && unrecorded ? recorded / unrecorded - 1 : null;
      return { name, way: way.title, unit: 's', recorded, unrecorded, cost };
    }),
  );
}

/** Geometric mean over the kernels that compute, by technique: of the bare machine's speed. */
export function computeMeans(rows: readonly VirtualizedRow[]): Record<string, number> {
  const means: Record<string, number> = {};
  for (const way of new Set(rows.map((row) => row.way))) {
    const ratios = rows
      .filter((row) => row.way === way && COMPUTE.includes(row.name))
      .flatMap(({ ofNative }) => ofNative ?? []);
    if (ratios.length > 0)
      means[way] = Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length);
  }
  return means;
}

const times = (value: number | null) => (value === null ? '-' : `${value.toFixed(2)} ×`);
const seconds = (value: number | null) => (value === null ? '-' : `${value.toFixed(3)} s`);
const percent = (value: number | null) => (value === null ? '-' : `${(100 * value).toFixed(0)} %`);

export function virtualizedTable(rows: readonly VirtualizedRow[]): string {
  const head = ['kernel', 'technique', 'time', 'of native', 'exits', 'M exits/s'];
  const lines = rows.map((row) => [
    row.name,
    row.way,
    seconds(row.seconds),
    times(row.ofNative),
    String(row.exits),
    row.exitsPerSecond === null ? '-' : row.exitsPerSecond.toFixed(3),
  ]);
  const means = Object.entries(computeMeans(rows)).map(([way, mean]) => `${way} ${times(mean)}`);
  return `${textTable([head, ...lines])}\nof native, geometric means of the kernels that compute: ${means.join(', ')}`;
}

export function recordingTable(rows: readonly RecordingRow[]): string {
  const head = ['kernel', 'technique', 'recorded', 'not recorded', 'recording costs'];
  const lines = rows.map((row) => [
    row.name,
    row.way,
    seconds(row.recorded),
    seconds(row.unrecorded),
    percent(row.cost),
  ]);
  return textTable([head, ...lines]);
}
