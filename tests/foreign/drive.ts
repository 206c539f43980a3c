// Runs one guest in a process of its own and talks to it, as somebody at a terminal would: waits for a text on its serial
// port, or on its screen, types an answer on the serial port, until the last text has come. `node --import tsx tests/foreign/drive.ts REQUEST.json`; prints JSON.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { nodeLibrary } from '../../src/cli/library.ts';
import type { GuestSource } from '../../src/session/library.ts';
import '../../src/session/provide-all.ts';
import { results, screenText } from '../../src/session/result.ts';
import { parseScenario } from '../../src/session/scenario.ts';
import { Session } from '../../src/session/session.ts';

export interface Request {
  /** Files. */
  image: string;
  initrd?: string;
  disks?: string[];
  technique?: 'native' | 'vt-x' | 'paravirtualization';
  commandLine?: string;
  memoryMiB: number;
  clockHz: number;
  processors?: number;
  apic?: boolean;
  /** What to wait for, and what to type then. */
  talk: [wait: string, type: string, where?: 'serial' | 'screen'][];
  /** Wall clock. */
  maxSeconds: number;
}

export interface Answer {
  /** All that came over the serial port, the text screen at the end, port E9h, and the last POST code. */
  text: string;
  screen: string;
  debug: string;
  post: number;
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
const bytesOf = (file: string) => new Uint8Array(readFileSync(file));

function sessionFor(request: Request): Session {
  const { image, initrd, disks = [], technique = 'native', clockHz, memoryMiB, apic, processors } = request;
  const extra = new Map<string, GuestSource>();
  const add = (name: string, file: string) =>
    extra.set(name, { kind: 'image', name: basename(file), bytes: bytesOf(file) });
  add('guest', image);
  for (const disk of disks) add(basename(disk), disk);
  const { commandLine = '' } = request;
  const guest = { name: 'guest', guest: 'guest', technique, memoryMiB, commandLine };
  const scenario = parseScenario({
    name: 'foreign',
    title: 'foreign',
    processor: 'prescott',
    clockHz,
    memoryMiB: memoryMiB + (technique === 'native' ? 0 : 32),
    ...(processors ? { processors } : {}),
    ...(apic ? { apic } : {}),
    domains: [{ ...guest, disks: disks.map((disk) => basename(disk)) }],
  });
  const session = new Session(scenario, nodeLibrary(extra));
  if (initrd) session.modules = [{ name: initrd, data: bytesOf(initrd) }];
  session.bootAll();
  return session;
}

function drive(request: Request): Answer {
  const { talk, maxSeconds, clockHz } = request;
  const session = sessionFor(request);
  // The session keeps the newest characters only.
  let debug = '';
  const board = session.view(0)?.board;
  if (board)
    board.debug.onOutput = (byte) => {
      debug += String.fromCharCode(byte);
    };
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const domain = session.domains[0];
  let turn = 0;
  /** Characters of the serial port that earlier turns have answered to. */
  let seen = 0;
  while (turn < talk.length && seconds() < maxSeconds) {
    const end = session.run(session.now + CHUNK);
    const [wait, type, where] = talk[turn];
    const onScreen = where === 'screen';
    const at = onScreen ? screenText(session, 0).indexOf(wait) : domain.text.indexOf(wait, seen);
    if (at >= 0) {
      if (!onScreen) seen = at + wait.length;
      if (type) session.input(0, [...Buffer.from(type, 'latin1')]);
      turn++;
    } else if (end === 'idle' && (session.view(0)?.state !== 'running' || session.view(0)?.ending)) break;
  }
  const [{ serial, screen, post, reason, instructions }] = results(session);
  return {
    text: serial,
    screen,
    debug,
    post,
    finished: turn === talk.length,
    ending: reason,
    instructions,
    virtualSeconds: session.now / clockHz,
    seconds: seconds(),
  };
}

console.log(JSON.stringify(drive(JSON.parse(readFileSync(process.argv[2], 'utf8')) as Request)));
