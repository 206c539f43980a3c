// Runs one guest in a process of its own and talks to it over its serial port, as somebody at a terminal would: waits for a
// text, types an answer, until the last text has come. `node --import tsx tests/foreign/drive.ts REQUEST.json`; prints JSON.
import { readFileSync } from 'node:fs';
import '../../src/session/provide-all.ts';
import { parseScenario } from '../../src/session/scenario.ts';
import { Session } from '../../src/session/session.ts';

export interface Request {
  /** Files. */
  kernel: string;
  initrd?: string;
  technique: 'native' | 'vt-x';
  commandLine: string;
  memoryMiB: number;
  clockHz: number;
  /** What to wait for, and what to type then. */
  talk: [wait: string, type: string][];
  /** Wall clock. */
  maxSeconds: number;
}

export interface Answer {
  text: string;
  /** Everything that was waited for has come. */
  finished: boolean;
  /** How the guest ended, if it did. */
  ending: string;
  instructions: number;
  /** Virtual and real. */
  virtualSeconds: number;
  seconds: number;
}

const CHUNK = 5_000_000;

function drive(request: Request): Answer {
  const { kernel, initrd, technique, commandLine, memoryMiB, clockHz, talk, maxSeconds } = request;
  const bytes = (file: string) => new Uint8Array(readFileSync(file));
  const scenario = parseScenario({
    name: 'foreign',
    title: 'foreign',
    processor: 'prescott',
    clockHz,
    memoryMiB: memoryMiB + (technique === 'native' ? 0 : 32),
    domains: [{ name: 'guest', guest: 'guest', technique, memoryMiB, commandLine }],
  });
  const source = { kind: 'image', name: kernel, bytes: bytes(kernel) } as const;
  const session = new Session(scenario, { find: () => source, includes: new Map(), assembler: null });
  if (initrd) session.modules = [{ name: initrd, data: bytes(initrd) }];
  session.bootAll();

  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const domain = session.domains[0];
  let turn = 0;
  /** Characters that earlier turns have answered to. */
  let seen = 0;
  while (turn < talk.length && seconds() < maxSeconds) {
    const end = session.run(session.now + CHUNK);
    const [wait, type] = talk[turn];
    const at = domain.text.indexOf(wait, seen);
    if (at >= 0) {
      seen = at + wait.length;
      if (type) session.input(0, [...Buffer.from(type, 'latin1')]);
      turn++;
    } else if (end === 'idle' && session.view(0)?.state !== 'running') break;
  }
  return {
    text: domain.text,
    finished: turn === talk.length,
    ending: session.view(0)?.ending ?? '',
    instructions: session.host.instructionsOf(0),
    virtualSeconds: session.now / clockHz,
    seconds: seconds(),
  };
}

console.log(JSON.stringify(drive(JSON.parse(readFileSync(process.argv[2], 'utf8')) as Request)));
