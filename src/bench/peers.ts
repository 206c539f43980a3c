// `bench peers`: our engine beside v86 (in Node and in Chromium) and QEMU on the same kernels, in turn, in one run. The
// kernels and the runners of the peers live in a folder outside the project; v86 is installed there when it is missing.
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { UsageError } from '../cli/library.ts';
import type { Engine } from '../session/host.ts';
import { bundle } from './bundle.ts';
import { type Browser, openBrowser } from './chromium.ts';
import type { KernelRun } from './kernel.ts';

/** What computes; the others are about traps and devices. */
export const COMPUTE: readonly string[] = [
  'loop',
  'sieve',
  'memstride',
  'sha256',
  'crc32',
  'fib',
  'indirect',
  'qsort',
];
const PATIENCE = 120_000;

export class BenchError extends UsageError {}

export interface PeersOptions {
  /** Folder with `guest/out/*.elf`, `guest/workloads.txt` and the runners of the peers. */
  readonly folder: string;
  readonly kernels: readonly string[];
  readonly rounds: number;
  /** Only these engines; empty = all. */
  readonly only: readonly string[];
  readonly log: (line: string) => void;
}

/** One kernel's row: seconds are medians over all rounds, without each run's first repetition. */
export interface Row {
  name: string;
  unit: 's';
  /** Guest instructions of one repetition. */
  instructions: number;
  ringsideNode: number | null;
  ringside: number | null;
  interpreter: number | null;
  v86Node: number | null;
  v86Interpreter: number | null;
  v86Chromium: number | null;
  qemu: number | null;
  /** How many times as fast as v86 in the same Chromium, in Node, and interpreter against interpreter. */
  ratioChromium: number | null;
  ratioNode: number | null;
  ratioInterpreter: number | null;
}

type Column =
  | 'ringsideNode'
  | 'ringside'
  | 'interpreter'
  | 'v86Node'
  | 'v86Interpreter'
  | 'v86Chromium'
  | 'qemu';
/** They run what is bundled for them. */
const OURS_IN_NODE: readonly Column[] = ['ringsideNode', 'interpreter'];
type Runner = (
  kernel: string,
) => Promise<Pick<KernelRun, 'value' | 'times' | 'problem'> & Partial<KernelRun>>;

export async function peers(
  options: PeersOptions,
): Promise<{ kernels: Row[]; geometricMean: number | null }> {
  const { log } = options;
  const folder = prepare(options.folder, log);
  const names = kernelNames(folder, options.kernels);
  const file = (name: string) => join(folder, 'guest/out', `${name}.elf`);
  const browser = await openBrowser().catch((error: Error) => {
    log(`no Chromium: ${error.message.split('\n')[0]}`);
    return null;
  });
  const { only } = options;
  const bundles = mkdtempSync(join(tmpdir(), 'ringside-kernels-'));
  const runners = runnersOf(folder, bundles, file, browser).filter(
    ([column]) => only.length === 0 || only.includes(column),
  );
  const times = new Map<string, number[]>();
  const rows: Row[] = [];
  try {
    if (runners.some(([column]) => OURS_IN_NODE.includes(column)))
      await bundle('./node-kernel.ts', bundles, 'kernel');
    for (let round = 0; round < options.rounds; round++) {
      for (const name of names) {
        const values = new Set<string>();
        for (const [column, run] of runners) {
          const result = await run(name).catch((error: Error) => ({
            value: '',
            times: [],
            problem: error.message.split('\n')[0],
          }));
          if (result.problem || result.times.length === 0) {
            log(`${name}: ${column}: ${result.problem ?? 'nothing came out'}`);
            continue;
          }
          values.add(result.value);
          const key = `${name} ${column}`;
          // The first repetition warms up.
          times.set(key, [...(times.get(key) ?? []), ...result.times.slice(result.times.length > 1 ? 1 : 0)]);
          if ('instructions' in result && result.instructions)
            times.set(`${name} instructions`, [result.instructions[result.instructions.length - 1]]);
        }
        if (values.size > 1) throw new BenchError(`${name}: engines disagree: ${[...values].join(', ')}`);
        log(`round ${round + 1}: ${name}`);
      }
    }
  } finally {
    await browser?.close();
    rmSync(bundles, { recursive: true });
  }
  for (const name of names) rows.push(rowOf(name, (column) => times.get(`${name} ${column}`) ?? []));
  return { kernels: rows, geometricMean: geometricMean(rows) };
}

/** The kernels that were asked for, or all of a folder. Throws BenchError when there is no such kernel. */
export function kernelNames(folder: string, wanted: readonly string[]): readonly string[] {
  const list = join(folder, 'guest/workloads.txt');
  if (!existsSync(list))
    throw new BenchError(
      `${folder}: there are no kernels (guest/workloads.txt); name their folder with --folder`,
    );
  const lines = readFileSync(list, 'utf8').trim().split('\n');
  const all = lines.map((line) => line.split(' ')[0]);
  for (const name of wanted)
    if (!all.includes(name)) throw new BenchError(`no kernel "${name}" (there are ${all.join(', ')})`);
  return wanted.length > 0 ? wanted : all;
}

/** The folder itself, or a copy of it with its packages installed. */
function prepare(given: string, log: (line: string) => void): string {
  const folder = resolve(given);
  kernelNames(folder, []);
  if (existsSync(join(folder, 'node_modules/v86'))) return folder;
  const copy = mkdtempSync(join(tmpdir(), 'ringside-peers-'));
  cpSync(folder, copy, { recursive: true });
  log('installing the peers');
  const done = spawnSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: copy, encoding: 'utf8' });
  if (done.status !== 0) log(`npm install failed, so v86 is missing: ${done.stderr.split('\n')[0]}`);
  return copy;
}

/** @param bundles folder of `kernel.js`, our side in Node */
function runnersOf(
  folder: string,
  bundles: string,
  file: (name: string) => string,
  browser: Browser | null,
): [Column, Runner][] {
  const printed = async (words: readonly string[]) => {
    const { stdout } = await promisify(execFile)('node', [...words], { cwd: folder, timeout: PATIENCE * 2 });
    return JSON.parse(stdout.trim().split('\n').at(-1)!);
  };
  const ours =
    (engine: Engine): Runner =>
    (name) =>
      printed([join(bundles, 'kernel.js'), name, file(name), engine, String(PATIENCE)]);
  const script =
    (...words: string[]): Runner =>
    async (name) => {
      const { value, times, err } = await printed([
        ...words.map((w) => (w.endsWith('.mjs') ? join(folder, w) : w)),
        name,
      ]);
      return { value, times, problem: err };
    };
  const runners: [Column, Runner][] = [
    ['ringsideNode', ours('auto')],
    ['v86Node', script('v86node.mjs')],
    ['interpreter', ours('interpreter')],
    ['v86Interpreter', script('v86node.mjs', '--nojit')],
    ['qemu', script('qemu.mjs', 'tcg')],
  ];
  if (browser) {
    runners.unshift(['v86Chromium', script('v86chromium.mjs')]);
    runners.unshift(['ringside', (name) => browser.run(name, file(name), PATIENCE, { engine: 'auto' })]);
  }
  return runners;
}

const median = (values: readonly number[]): number | null =>
  values.length ? [...values].sort((a, b) => a - b)[values.length >> 1] : null;
const ratio = (peer: number | null, own: number | null) => (peer && own ? peer / own : null);

function rowOf(name: string, of: (column: string) => readonly number[]): Row {
  const row = {
    name,
    unit: 's' as const,
    instructions: of('instructions')[0] ?? 0,
    ringsideNode: median(of('ringsideNode')),
    ringside: median(of('ringside')),
    interpreter: median(of('interpreter')),
    v86Node: median(of('v86Node')),
    v86Interpreter: median(of('v86Interpreter')),
    v86Chromium: median(of('v86Chromium')),
    qemu: median(of('qemu')),
  };
  return {
    ...row,
    ratioChromium: ratio(row.v86Chromium, row.ringside),
    ratioNode: ratio(row.v86Node, row.ringsideNode),
    ratioInterpreter: ratio(row.v86Interpreter, row.interpreter),
  };
}

/** Of the ratios in Chromium (or in Node, without one) over the kernels that compute. */
function geometricMean(rows: readonly Row[]): number | null {
  const ratios = rows
    .filter((r) => COMPUTE.includes(r.name))
    .map((r) => r.ratioChromium ?? r.ratioNode)
    .filter((r) => r !== null);
  return ratios.length ? Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length) : null;
}
