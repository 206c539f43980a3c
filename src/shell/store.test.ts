import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Kind, Vendor } from '../trace/events.ts';
import { Recorder } from '../trace/recorder.ts';
import { Client, type Port } from '../worker/client.ts';
import type { DomainInfo, Frame, FromWorker, ToWorker } from '../worker/protocol.ts';
import type { Store } from './store.svelte.ts';

const info: DomainInfo = {
  id: 0,
  name: 'Panes',
  guest: 'panes',
  technique: 'vt-x',
  memoryBytes: 1 << 24,
  sealed: true,
  kernelRing: 0,
  nonRoot: true,
  display: 'graphics',
};
let StoreClass: typeof Store;
let store: Store;
let port: Port;
let sent: ToWorker[];
let now = 0;
const recorder = new Recorder(1 << 12);

/** Without Svelte's compiler, state is plain fields: what is tested here is what they hold, not that views follow. */
beforeAll(async () => {
  const state = Object.assign((value: unknown) => value, { raw: (value: unknown) => value });
  Object.assign(globalThis, { $state: state });
  ({ Store: StoreClass } = await import('./store.svelte.ts'));
  for (let n = 0; n < 1000; n++) {
    if (n % 2 === 0) recorder.recordAt(0, Kind.exit, n * 10, 0x1000, 10, 0, 0, 2, Vendor.vmx);
    else recorder.recordAt(0, Kind.entry, n * 10, 0x1002, -1, 0, 0, 0, 0, 900);
  }
});

const receive = (message: FromWorker) => port.onmessage!({ data: message });

function frame(from: number, to: number, step: number, more: Partial<Frame> = {}, text = ''): Frame {
  const seqs: number[] = [];
  for (let seq = from; seq < to; seq += step) seqs.push(seq);
  const events = new Int32Array(seqs.length * 10);
  seqs.forEach((seq, n) => {
    recorder.copy(seq, seq + 1, events, n);
  });
  return {
    type: 'frame',
    time: to * 10,
    running: true,
    speed: { mode: 'fast' },
    events,
    eventSeqs: Float64Array.from(seqs),
    eventCount: to,
    oldestEvent: 0,
    instructionsPerSecond: 5,
    ...more,
    domains: [
      {
        id: 0,
        state: 'running',
        ending: '',
        now: { cpl: 0, place: 'kernel', eip: 0x1000, line: null },
        instructions: to,
        places: { user: 0, kernel: to, hypervisor: to, ready: 0, idle: 0 },
        flow: { userKernel: 0, kernelHypervisor: to - from, kernelHardware: 0, hypervisorHardware: 0 },
        console: '',
        serial: text,
        screen: null,
        exits: null,
        heat: null,
        heatAt: null,
        holes: 0,
      },
    ],
  };
}

beforeEach(() => {
  sent = [];
  now = 0;
  port = { postMessage: (m) => sent.push(m), terminate() {}, onmessage: null, onerror: null };
  store = new StoreClass(
    () => new Client(port, () => {}),
    () => now,
  );
  store.start(null);
  receive({
    type: 'ready',
    scenario: 'one',
    host: {
      processor: 'P',
      generation: 'prescott',
      nestedPaging: false,
      clockHz: 1e6,
      memoryBytes: 1,
      domains: [info],
    },
  });
});

/** Answers the questions that were asked of the worker, from the recorder. */
function answer(): void {
  for (const m of sent.splice(0)) {
    if (m.type !== 'question' || m.question.ask !== 'events') continue;
    const { from, to } = m.question;
    const events = new Int32Array((to - from) * 10);
    recorder.copy(from, to, events);
    receive({ type: 'answer', id: m.id, answer: { ask: 'events', events, from } });
  }
}

describe('at full speed', () => {
  it('publishes a few times a second, whatever comes', () => {
    receive(frame(0, 10, 1));
    now = 50;
    receive(frame(10, 20, 1));
    expect(store.eventCount).toBe(10);
    now = 450;
    receive(frame(20, 30, 1));
    expect(store.eventCount).toBe(30);
    expect(store.rows.map((r) => r.event.seq)).toHaveLength(30);
  });

  it('loses no output in between', () => {
    receive(frame(0, 10, 1, {}, 'one '));
    now = 10;
    receive(frame(10, 20, 1, {}, 'two '));
    expect(store.textOf(0, 'serial')).toBe('one two ');
  });

  it('completes the end of the list when the machine stops', async () => {
    receive(frame(0, 900, 90));
    now = 200;
    receive(frame(900, 1000, 50, { running: false }));
    answer();
    await Promise.resolve();
    await Promise.resolve();
    expect(store.rows.slice(-400).map((r) => r.event.seq)).toEqual(
      Array.from({ length: 400 }, (_, n) => 600 + n),
    );
  });
});

it('publishes every frame in slow motion', () => {
  for (let n = 1; n <= 5; n++) {
    now += 16;
    receive(frame(n - 1, n, 1, { speed: { mode: 'slow', eventsPerSecond: 2 } }));
    expect(store.eventCount).toBe(n);
  }
});

it('keeps what the slider says while older frames are under way', () => {
  receive(frame(0, 1, 1));
  store.setSpeed({ mode: 'slow', eventsPerSecond: 1 });
  now = 150;
  receive(frame(1, 2, 1));
  expect(store.speed).toEqual({ mode: 'slow', eventsPerSecond: 1 });
  now = 1000;
  receive(frame(2, 3, 1));
  expect(store.speed).toEqual({ mode: 'fast' });
});

it('pauses before it steps', () => {
  receive(frame(0, 1, 1));
  sent.length = 0;
  store.step('event');
  expect(sent).toEqual([{ type: 'pause' }, { type: 'step', unit: 'event' }]);
});

it('shows a refusal at its guest until that guest boots', () => {
  receive({ type: 'refused', domain: 0, message: 'boot.asm:3:5: unknown instruction', diagnostics: [] });
  expect(store.notices.map((n) => n.message)).toEqual(['boot.asm:3:5: unknown instruction']);
  receive({ type: 'booted', domain: 0, info });
  expect(store.notices).toEqual([]);
});

it('narrows the list to what was clicked', () => {
  receive(frame(0, 10, 1));
  store.setFilter({ domain: 0, meanings: null, boundary: 'kernelHypervisor', place: null });
  expect(store.rows).toHaveLength(10);
  store.setFilter({ domain: null, meanings: ['hypercall'], boundary: null, place: null });
  expect(store.rows).toHaveLength(0);
});

it('says what failed, and starts again', () => {
  port.onerror!({ message: 'out of memory' });
  expect(store.failure).toBe('out of memory');
  expect(store.running).toBe(false);
  store.start();
  expect(store.failure).toBeNull();
});
