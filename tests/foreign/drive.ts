// Runs one guest in a process of its own and talks to it, as somebody at a terminal would: waits for a text on its serial
// port, or on its screen, types an answer on the serial port, until the last text has come. `node --import tsx tests/foreign/drive.ts REQUEST.json`; prints JSON.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { nodeLibrary } from '../../src/cli/library.ts';
import type { Enlightenment, Paging, TechniqueName } from '../../src/hypervisor/technique.ts';
import type { GuestSource } from '../../src/session/library.ts';
import { observe } from '../../src/session/observe.ts';
import '../../src/session/provide-all.ts';
import { results, screenText } from '../../src/session/result.ts';
import { parseScenario } from '../../src/session/scenario.ts';
import { Session } from '../../src/session/session.ts';

export interface Request {
  /** Files. */
  image: string;
  initrd?: string;
  disks?: string[];
  technique?: TechniqueName;
  paging?: Paging;
  /** `nehalem` has nested paging. */
  processor?: 'prescott' | 'nehalem';
  enlightenments?: Enlightenment[];
  commandLine?: string;
  memoryMiB: number;
  clockHz: number;
  processors?: number;
  apic?: boolean;
  /** QEMU's pc-testdev is on the board. */
  testDevice?: boolean;
  /** Before the guest begins, a BIOS has left handlers that acknowledge, and the timer's interrupt on, as under QEMU. */
  handlers?: boolean;
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
  /** How the guest ended, if it did, and with which code (port F4h). */
  ending: string;
  exitCode?: number;
  instructions: number;
  /** Instructions that ran silently wrong, and how often. */
  holes: Record<string, number>;
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
  const { paging, enlightenments, processor = 'prescott' } = request;
  const way = { technique, ...(paging ? { paging } : {}), ...(enlightenments ? { enlightenments } : {}) };
  const guest = { name: 'guest', guest: 'guest', ...way, memoryMiB, commandLine };
  const scenario = parseScenario({
    name: 'foreign',
    title: 'foreign',
    processor,
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

/** PUSH AX; MOV AL,20h; OUT 20h,AL; OUT A0h,AL; POP AX; IRET. */
const HANDLER = [0x50, 0xb0, 0x20, 0xe6, 0x20, 0xe6, 0xa0, 0x58, 0xcf];
const HANDLER_AT = 0x600;

function leaveHandlers({ host }: Session): void {
  const { memory, board } = host.pc;
  memory.load(HANDLER_AT, new Uint8Array(HANDLER));
  for (let vector = 0; vector < 256; vector++) memory.write32(vector * 4, HANDLER_AT);
  board.write(0x21, 0xfa, 1);
}

function drive(request: Request): Answer {
  const { talk, maxSeconds, clockHz } = request;
  const session = sessionFor(request);
  if (request.handlers) leaveHandlers(session);
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
  const [{ serial, screen, post, reason, exitCode, instructions }] = results(session);
  return {
    text: serial,
    screen,
    debug,
    post,
    finished: turn === talk.length,
    ending: reason,
    exitCode,
    instructions,
    holes: observe(session).guests[0].holes,
    virtualSeconds: session.now / clockHz,
    seconds: seconds(),
  };
}

const request = JSON.parse(readFileSync(process.argv[2], 'utf8')) as Request;
if (request.testDevice) await import('../../src/machine/devices/provide-test-device.ts');
console.log(JSON.stringify(drive(request)));
