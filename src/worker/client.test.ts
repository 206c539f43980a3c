import { describe, expect, it } from 'vitest';
import { Client, type Port } from './client.ts';
import type { Frame, FromWorker, ToWorker } from './protocol.ts';

/** A port whose other end is the test, and a display that is ready when the test says so. */
function bench() {
  const sent: ToWorker[] = [];
  const port: Port = { postMessage: (m) => sent.push(m), terminate() {}, onmessage: null, onerror: null };
  let ready: ((now: number) => void) | null = null;
  let now = 0;
  const client = new Client(port, (callback) => {
    ready = callback;
  });
  const display = (milliseconds = 16) => {
    const callback = ready;
    ready = null;
    callback?.((now += milliseconds));
  };
  const receive = (data: FromWorker) => port.onmessage!({ data });
  const wanted = () => sent.filter((m) => m.type === 'wantFrame').length;
  return { client, sent, display, receive, wanted, port };
}

const frame = (running: boolean): Frame => ({
  type: 'frame',
  time: 0,
  running,
  speed: { mode: 'fast' },
  domains: [],
  events: new Int32Array(0),
  eventSeqs: new Float64Array(0),
  eventCount: 0,
  oldestEvent: 0,
  instructionsPerSecond: 0,
});

describe('frames', () => {
  it('are asked for one at a time, however often the display is ready', () => {
    const { client, display, receive, wanted } = bench();
    client.start();
    display();
    display();
    display();
    expect(wanted()).toBe(1);
    receive(frame(true));
    display();
    expect(wanted()).toBe(2);
  });

  it('are few while the machine stands still, and at once after a command', () => {
    const { client, display, receive, wanted } = bench();
    client.start();
    display();
    receive(frame(false));
    display();
    receive(frame(false));
    const before = wanted();
    for (let n = 0; n < 10; n++) {
      display();
      receive(frame(false));
    }
    expect(wanted() - before).toBeLessThan(2);
    client.send({ type: 'step', unit: 'event' });
    const after = wanted();
    display();
    expect(wanted()).toBe(after + 1);
  });
});

describe('questions', () => {
  it('are promises, whatever the order of the answers', async () => {
    const { client, receive } = bench();
    const first = client.ask({ ask: 'registers', domain: 0 });
    const second = client.ask({ ask: 'explain', seq: 5 });
    receive({ type: 'answer', id: 2, answer: { ask: 'explain', explanation: null } });
    receive({ type: 'answer', id: 1, answer: { ask: 'registers', registers: { EAX: '0' } } });
    expect((await first).registers).toEqual({ EAX: '0' });
    expect((await second).explanation).toBeNull();
  });

  it('fail with the worker', async () => {
    const { client, port } = bench();
    const question = client.ask({ ask: 'registers', domain: 0 });
    const told: string[] = [];
    client.on('failed', (m) => told.push(m.message));
    port.onerror!({ message: 'out of memory' });
    await expect(question).rejects.toThrow('out of memory');
    await expect(client.ask({ ask: 'registers', domain: 0 })).rejects.toThrow('out of memory');
    expect(told).toEqual(['out of memory']);
  });
});

it('tells refusals as events, and keeps the host up to date', () => {
  const { client, receive } = bench();
  const refusals: string[] = [];
  const end = client.on('refused', (m) => refusals.push(m.message));
  receive({ type: 'refused', domain: 0, message: 'line 3: unknown instruction', diagnostics: [] });
  end();
  receive({ type: 'refused', domain: 0, message: 'not heard', diagnostics: [] });
  expect(refusals).toEqual(['line 3: unknown instruction']);

  const info = {
    id: 0,
    name: 'Penguin',
    guest: 'penguin',
    technique: 'paravirtualization',
    memoryBytes: 1,
    sealed: false,
    kernelRing: 1,
    nonRoot: false,
    display: 'console',
  } as const;
  receive({
    type: 'ready',
    scenario: 's',
    host: {
      processor: 'P',
      generation: 'prescott',
      nestedPaging: false,
      clockHz: 1,
      memoryBytes: 1,
      domains: [info],
    },
  });
  receive({ type: 'booted', domain: 0, info: { ...info, technique: 'native', kernelRing: 0 } });
  expect(client.host?.domains[0].technique).toBe('native');
});
