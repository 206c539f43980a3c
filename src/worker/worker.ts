// The worker: hosts the session, and speaks the protocol. It never blocks the page and never calls it unasked.

import { hasNestedPaging } from '../cost/processors.ts';
import { guestEntry } from '../guests/catalog.ts';
import type { GuestSource } from '../session/library.ts';
import { Overview } from '../session/overview.ts';
import type { Scenario } from '../session/scenario.ts';
import { findScenario, SCENARIOS } from '../session/scenarios.ts';
import { Session } from '../session/session.ts';
import { Engine } from './engine.ts';
import { FrameBuilder } from './frames.ts';
import { BundledLibrary } from './library.ts';
import { Mailbox } from './mailbox.ts';
import type { DomainInfo, FromWorker, HostInfo, Question, SourceFile, ToWorker } from './protocol.ts';
import { answer } from './questions.ts';

const scope = self as unknown as {
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  onmessage: ((event: { data: ToWorker }) => void) | null;
};
const library = new BundledLibrary();
let session = new Session(SCENARIOS[0], library);
/** The one above, as long as nobody has booted anything in it. */
let unused: Session | null = session;
const engine = new Engine(session, () => performance.now());
let frames = new FrameBuilder(session);
let overview = new Overview(session);

function domainInfo(id: number): DomainInfo {
  const domain = session.domains[id];
  const technique = session.host.techniqueInfo(domain.technique);
  const entry = guestEntry(domain.config.guest);
  const paravirtual = domain.technique === 'paravirtualization';
  return {
    id,
    name: domain.config.name,
    guest: domain.config.guest,
    technique: domain.technique,
    ...(domain.technique === 'vt-x' || domain.technique === 'svm'
      ? { paging: domain.config.paging, enlightenments: domain.config.enlightenments }
      : {}),
    memoryBytes: domain.config.memoryMiB * 2 ** 20,
    sealed: domain.built?.sealed ?? entry?.sealed ?? true,
    kernelRing: technique.kernelRing,
    nonRoot: technique.nonRoot,
    entry: domain.built?.image.entry,
    display: paravirtual ? 'console' : entry?.display === 'console' ? 'text' : (entry?.display ?? 'text'),
  };
}

function hostInfo(): HostInfo {
  const { cost, memory } = session.host.pc;
  return {
    processor: cost.title,
    generation: cost.name,
    nestedPaging: hasNestedPaging(cost.name),
    clockHz: cost.clockHz,
    memoryBytes: memory.size,
    domains: session.domains.map((d) => domainInfo(d.id)),
  };
}

/** Loads a scenario (a name, or an object). The running one stays when it cannot be used. */
async function load({
  scenario: value,
  files = [],
  images,
}: Extract<ToWorker, { type: 'load' }>): Promise<void> {
  let scenario: Scenario;
  let next: Session;
  try {
    if (files.length) await library.loadSources();
    if (images?.length) await library.loadFirmware();
    const known = typeof value === 'string' ? findScenario(value) : undefined;
    scenario = known ?? (await import('../session/scenario.ts')).parseScenario(value);
    await library.loadParts(scenario);
    await library.fetch(scenario.domains.map((domain) => domain.guest));
    library.bring(files, images);
    next = unused?.scenario === scenario ? unused : new Session(scenario, library);
    unused = null;
    next.bootAll();
  } catch (error) {
    scope.postMessage({ type: 'refused', domain: null, message: (error as Error).message, diagnostics: [] });
    return;
  }
  session = next;
  engine.session = session;
  engine.rebase();
  frames = new FrameBuilder(session);
  overview = new Overview(session);
  scope.postMessage({ type: 'ready', host: hostInfo(), scenario: scenario.name });
}

function sourceOf({ files, main, image }: Extract<ToWorker, { type: 'boot' }>): GuestSource | undefined {
  if (image) return { kind: 'image', name: image.guest, bytes: image.bytes };
  if (!files || !main) return undefined;
  return {
    kind: 'source',
    files: new Map(files.map((f: SourceFile) => [f.name, f.text])),
    main,
    sealed: false,
  };
}

async function boot(message: Extract<ToWorker, { type: 'boot' }>): Promise<void> {
  if (message.files) await library.loadSources();
  if (message.image) await library.loadFirmware();
  await library.loadWay(message);
  if (message.guest) await library.fetch([message.guest]);
  const domain = session.domains[message.domain];
  if (!domain) return;
  const result = session.boot(domain.id, {
    technique: message.technique,
    paging: message.paging,
    enlightenments: message.enlightenments,
    source: sourceOf(message),
    name: message.image?.guest,
    guest: message.guest,
    memoryMiB: message.memoryMiB,
  });
  if (!result.ok) {
    scope.postMessage({
      type: 'refused',
      domain: domain.id,
      message: result.message,
      diagnostics: result.diagnostics,
    });
    return;
  }
  frames.forget(domain.id);
  scope.postMessage({ type: 'booted', domain: domain.id, info: domainInfo(domain.id) });
}

/** Breakpoints by source line become linear addresses, when the line has code. */
async function breakpoints(message: Extract<ToWorker, { type: 'breakpoints' }>): Promise<void> {
  const domain = session.domains[message.domain];
  if (!domain) return;
  if (message.lines.length > 0) await library.loadLines(domain.config.guest);
  const addresses = message.lines.map(({ file, line }) => domain.assembly?.lines.addressOf(file, line));
  session.setBreakpoints(
    domain.id,
    [...addresses, ...(message.addresses ?? [])]
      .filter((address) => address !== undefined && address !== null)
      .map((address) => address >>> 0),
  );
}

function receive(message: ToWorker): Promise<void> | void {
  switch (message.type) {
    case 'load':
      return load(message).then(beginTurns);
    case 'boot':
      return boot(message);
    case 'stop':
      if (session.domains[message.domain]) session.stop(message.domain);
      return;
    case 'run':
      engine.running = true;
      return engine.rebase();
    case 'pause':
      engine.running = false;
      return;
    case 'step':
      engine.running = false;
      if (message.unit === 'instruction') session.stepInstruction();
      else if (message.unit === 'event') session.stepEvent();
      else session.stepSwitch();
      return;
    case 'speed':
      engine.speed = message.speed;
      return engine.rebase();
    case 'keys':
      return session.keys(message.domain, message.scancodes);
    case 'mouse':
      return session.mouse(message.domain, message.dx, message.dy, message.buttons);
    case 'input':
      return session.input(message.domain, [...new TextEncoder().encode(message.text)]);
    case 'breakpoints':
      return breakpoints(message);
    case 'wantFrame': {
      const frame = frames.build(engine.running, engine.speed, engine.rate, performance.now());
      return scope.postMessage(frame, [frame.events.buffer, frame.eventSeqs.buffer]);
    }
    case 'question':
      return reply(message.id, message.question);
  }
}

async function reply(id: number, question: Question): Promise<void> {
  scope.postMessage({ type: 'answer', id, answer: await answer(session, overview, library, question) });
}

function fail(error: unknown): void {
  engine.running = false;
  scope.postMessage({
    type: 'failed',
    message: error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error),
  });
}

// What arrives while something is being loaded waits for it: a later `load` is never overtaken by an earlier one.
const mailbox = new Mailbox<ToWorker>(receive, fail);
scope.onmessage = (event) => mailbox.post(event.data);

/** Instructions after which the compiler of hot code is fetched: guests that idle never need it. */
const WORTH_COMPILING = 20_000_000;
let compiles = false;
let begun = false;

/** Not before the first load has ended: a machine without guests would only keep them from being unpacked. */
function beginTurns(): void {
  if (turning) return;
  turning = true;
  channel.port2.postMessage(0);
}
let turning = false;

// Turns go through a message channel: timers would be clamped to four milliseconds.
const channel = new MessageChannel();
channel.port1.onmessage = () => {
  try {
    const wait = engine.turn();
    if (!begun && session.host.pc.cpu.instructions > 0) {
      begun = true;
      performance.mark('first-guest-instruction');
    }
    overview.advance();
    if (!compiles && session.host.pc.cpu.instructions > WORTH_COMPILING) {
      compiles = true;
      // Without it everything goes on, only slower.
      import('../machine/engine/provide.ts').catch(() => {});
    }
    if (wait > 0) setTimeout(() => channel.port2.postMessage(0), wait);
    else channel.port2.postMessage(0);
  } catch (error) {
    fail(error);
  }
};
engine.running = true;
mailbox.post({ type: 'load', scenario: SCENARIOS[0].name });
