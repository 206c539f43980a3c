import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AssembleRequest } from './assembly-messages.ts';
import { type AssemblyPort, AssemblyService, type Program } from './assembly-service.ts';

/** A worker that answers when it is told to. */
class Hand implements AssemblyPort {
  static all: Hand[] = [];
  onmessage: AssemblyPort['onmessage'] = null;
  onerror: AssemblyPort['onerror'] = null;
  asked: AssembleRequest[] = [];
  ended = false;
  constructor() {
    Hand.all.push(this);
  }
  postMessage(request: AssembleRequest) {
    this.asked.push(request);
  }
  terminate() {
    this.ended = true;
  }
  answer() {
    this.onmessage?.({
      data: {
        id: this.asked.at(-1)!.id,
        diagnostics: [],
        symbols: new Map(),
        size: 1,
        origin: 0,
        codeLines: new Map(),
      },
    });
  }
}
const program = (text: string) => (): Program => ({ files: new Map([['a.asm', text]]), main: 'a.asm' });

describe('assembling while typing', () => {
  let done: string[];
  let failed: string[];
  let service: AssemblyService;
  const texts = () => Hand.all.flatMap((hand) => hand.asked.map(({ files }) => files[0][1]));
  beforeEach(() => {
    vi.useFakeTimers();
    Hand.all = [];
    done = [];
    failed = [];
    service = new AssemblyService(
      () => new Hand(),
      (_, { files }) => done.push(files.get('a.asm') ?? ''),
      (reason) => failed.push(reason),
    );
  });
  afterEach(() => {
    service.dispose();
    vi.useRealTimers();
  });

  it('waits until the typing rests', () => {
    for (const text of ['n', 'no', 'nop']) {
      service.request(program(text));
      vi.advanceTimersByTime(100);
    }
    expect(texts()).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(texts()).toEqual(['nop']);
  });

  it('of what is asked while one is under way, does the newest only', () => {
    service.request(program('1'));
    vi.advanceTimersByTime(200);
    for (const text of ['2', '3', '4']) service.request(program(text));
    vi.advanceTimersByTime(1000);
    expect(texts()).toEqual(['1']);
    Hand.all[0].answer();
    vi.advanceTimersByTime(200);
    expect(texts()).toEqual(['1', '4']);
    Hand.all[0].answer();
    expect(done).toEqual(['1', '4']);
  });

  it('replaces a worker that takes too long, and one that dies', () => {
    service.request(program('endless'));
    vi.advanceTimersByTime(20_000);
    expect(failed[0]).toMatch(/more than 15 seconds/);
    expect(Hand.all[0].ended).toBe(true);
    service.request(program('good'));
    vi.advanceTimersByTime(200);
    Hand.all[1].onerror?.({ message: 'out of memory' });
    expect(failed[1]).toBe('out of memory');
    service.request(program('better'));
    vi.advanceTimersByTime(200);
    Hand.all[2].answer();
    expect(done).toEqual(['better']);
  });
});
