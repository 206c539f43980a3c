// `npm run bench`, and `ringside bench`: measures, as ratios in one run. Nothing here is asserted: machines are noisy.
import { parseArgs } from 'node:util';
import { writeOut } from '../cli/trace-file.ts';
import { benchAssembler } from './assembler.ts';
import { bisectCommand, ENGINE_OPTIONS, ENGINE_USAGE, soakCommand } from './engine-commands.ts';
import { firstInstruction, firstInstructionText } from './first-instruction.ts';
import { nanobench } from './nanobench.ts';
import { BenchError, peers, type Row } from './peers.ts';
import { kernelbuild, lmbench, type Measured } from './penguin.ts';
import { computeMeans, recording, recordingTable, virtualized, virtualizedTable } from './virtualized.ts';

const USAGE = `npm run bench -- peers [KERNEL …] [--rounds 5] [--only ringside,v86Chromium] [--folder ../shared/bench] [--json FILE|-]
      [--with virtualized,recording,first-instruction|nothing]
  our engine beside v86 (Node, Chromium) and QEMU on the measuring kernels of that folder; then, in the same run, the three below
npm run bench -- virtualized [KERNEL …] [--rounds 5] [--technique vt-x,svm] [--in chromium|node] [--json FILE|-]
  the same kernels under every technique: beside the bare machine, and exits a second
npm run bench -- recording [KERNEL …] [--rounds 5] [--in chromium|node] [--json FILE|-]
  the same kernels with the trace and its counters, and without
npm run bench -- first-instruction [--rounds 5] [--page FOLDER] [--json FILE|-]
  the built page in Chromium: from its load event to the first guest instruction
${ENGINE_USAGE}
npm run bench -- assembler [--rounds 5]
  our assembler beside NASM
npm run bench -- nanobench|lmbench|kernelbuild [--cpu prescott|merom|nehalem] [--json FILE|-]
  in virtual cycles, under every technique, beside what was published: a system call, a page fault … (2006);
  fork, exec, a context switch … (2003); a mix like a kernel build (2003 and 2006)`;

function table(rows: readonly Row[], mean: number | null): string {
  const head = [
    'kernel',
    'M instr/s',
    'Chromium',
    'v86',
    'ratio',
    'Node',
    'v86',
    'ratio',
    'interpreter',
    'v86',
    'ratio',
    'QEMU',
  ];
  const seconds = (value: number | null) => (value === null ? '-' : `${value.toFixed(3)} s`);
  const times = (value: number | null) => (value === null ? '-' : `${value.toFixed(2)} ×`);
  const lines = rows.map((r) => [
    r.name,
    (r.ringside ?? r.ringsideNode)
      ? (r.instructions / (r.ringside ?? r.ringsideNode)! / 1e6).toFixed(0)
      : '-',
    seconds(r.ringside),
    seconds(r.v86Chromium),
    times(r.ratioChromium),
    seconds(r.ringsideNode),
    seconds(r.v86Node),
    times(r.ratioNode),
    seconds(r.interpreter),
    seconds(r.v86Interpreter),
    times(r.ratioInterpreter),
    seconds(r.qemu),
  ]);
  const widths = head.map((word, n) => Math.max(word.length, ...lines.map((line) => line[n].length)));
  const text = [head, ...lines].map((line) =>
    line.map((cell, n) => (n ? cell.padStart(widths[n]) : cell.padEnd(widths[n]))).join('  '),
  );
  return [...text, `geometric mean of the kernels that compute: ${times(mean)} v86`].join('\n');
}

/** What `peers` measures besides, and what can be measured alone. */
const OTHERS: readonly string[] = ['virtualized', 'recording', 'first-instruction'];

/** Measurements in virtual cycles: the same on every computer. */
const IN_CYCLES: Readonly<Record<string, (processor: string) => Measured>> = {
  nanobench,
  lmbench,
  kernelbuild,
};

/** Carries out a command line; the exit status. Throws BenchError with one line for one that cannot be. */
export async function bench(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      folder: { type: 'string', default: '../shared/bench' },
      json: { type: 'string' },
      cpu: { type: 'string', default: 'prescott' },
      only: { type: 'string', default: '' },
      with: { type: 'string', default: OTHERS.join() },
      page: { type: 'string' },
      technique: { type: 'string', default: '' },
      in: { type: 'string', default: 'chromium' },
      ...ENGINE_OPTIONS,
    },
  });
  const [what, ...kernels] = positionals;
  if (what === 'assembler') {
    benchAssembler(Number(values.rounds));
    return 0;
  }
  if (what === 'bisect') return bisectCommand(kernels, values.cycles, values.step);
  if (what === 'soak') return soakCommand(values.seconds);
  const inCycles = what === undefined ? undefined : IN_CYCLES[what];
  if (inCycles) {
    const { text, rows, ok } = inCycles(values.cpu);
    if (values.json) writeOut(values.json, JSON.stringify(rows, null, 2));
    if (values.json !== '-') console.log(text);
    return ok ? 0 : 1;
  }
  if (what === undefined) {
    console.log(USAGE);
    return 2;
  }
  const others = what === 'peers' ? values.with.split(',').filter((word) => word !== 'nothing') : [what];
  const unknown = others.find((word) => !OTHERS.includes(word));
  if (unknown !== undefined) throw new BenchError(`no benchmark "${unknown}": \`npm run bench\` lists them`);
  const rounds = Number(values.rounds);
  if (!(rounds >= 1)) throw new BenchError(`--rounds: "${values.rounds}" is not a number of rounds`);
  const result: Record<string, unknown> = {};
  /** A part is done: the whole takes an hour, and what is there is not lost when it is broken off. */
  const done = (part: object, text: string) => {
    Object.assign(result, part);
    if (values.json && values.json !== '-') writeOut(values.json, JSON.stringify(result, null, 2));
    if (values.json !== '-') console.log(`${text}\n`);
  };
  const log = (line: string) => console.error(line);
  const listed = (words: string) => words.split(',').filter(Boolean);
  const options = {
    folder: values.folder,
    kernels,
    rounds,
    log,
    techniques: listed(values.technique),
    browser: values.in !== 'node',
  };
  if (what === 'peers') {
    const found = await peers({ ...options, only: listed(values.only) });
    done(found, table(found.kernels, found.geometricMean));
  }
  if (others.includes('virtualized')) {
    const rows = await virtualized(options);
    done({ virtualized: { kernels: rows, computeOfNative: computeMeans(rows) } }, virtualizedTable(rows));
  }
  if (others.includes('recording')) {
    const rows = await recording(options);
    done({ recording: { kernels: rows } }, recordingTable(rows));
  }
  if (others.includes('first-instruction')) {
    const found = await firstInstruction(rounds, values.page);
    done({ firstInstruction: found }, firstInstructionText(found));
  }
  if (values.json === '-') console.log(JSON.stringify(result, null, 2));
  return 0;
}
