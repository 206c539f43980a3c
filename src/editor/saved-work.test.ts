import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  fingerprint,
  parseWork,
  type SavedWork,
  type SaveState,
  WorkSaver,
  type WorkStorage,
} from './saved-work.ts';

class MapStorage implements WorkStorage {
  readonly records = new Map<string, SavedWork>();
  writes = 0;
  broken = '';
  async get(key: string): Promise<unknown> {
    return structuredClone(this.records.get(key));
  }
  async put(key: string, work: SavedWork): Promise<void> {
    this.writes++;
    if (this.broken) throw new Error(this.broken);
    this.records.set(key, structuredClone(work));
  }
  async delete(key: string): Promise<void> {
    this.records.delete(key);
  }
}
const work = (text: string): SavedWork => ({
  version: 1,
  files: { 'a.asm': text },
  originals: { 'a.asm': '3:0' },
});

describe('saved work', () => {
  let storage: MapStorage;
  let states: SaveState['state'][];
  let saver: WorkSaver;
  beforeEach(() => {
    vi.useFakeTimers();
    storage = new MapStorage();
    states = [];
    saver = new WorkSaver(storage, 'side-by-side/Penguin', ({ state }) => states.push(state));
  });
  afterEach(() => void vi.useRealTimers());

  it('is written after a moment of quiet, the newest only', async () => {
    for (const text of ['n', 'no', 'nop']) saver.change(work(text));
    expect(storage.writes).toBe(0);
    await vi.advanceTimersByTimeAsync(300);
    expect(storage.writes).toBe(1);
    expect(storage.records.get('side-by-side/Penguin')?.files['a.asm']).toBe('nop');
    expect(states).toEqual(['saving', 'saving', 'saving', 'saved']);
  });

  it('is written at once when the page goes away', async () => {
    saver.change(work('nop'));
    await saver.flush();
    expect(await new WorkSaver(storage, 'side-by-side/Penguin', () => {}).load()).toEqual(work('nop'));
    expect(await new WorkSaver(storage, 'side-by-side/Panes', () => {}).load()).toBeNull();
  });

  it('goes when nothing differs from the original any more', async () => {
    saver.change(work('nop'));
    await saver.flush();
    saver.change({ version: 1, files: {}, originals: {} });
    await saver.flush();
    expect(storage.records.size).toBe(0);
    expect(states.at(-1)).toBe('clean');
  });

  it('says when it cannot be written, and tries again', async () => {
    storage.broken = 'QuotaExceededError';
    saver.change(work('nop'));
    await saver.flush();
    expect(states.at(-1)).toBe('failed');
    storage.broken = '';
    await saver.flush();
    expect(states.at(-1)).toBe('saved');
    expect(storage.records.size).toBe(1);
  });

  it('what does not have its shape is no work of ours', async () => {
    for (const value of [
      null,
      7,
      {},
      { version: 2, files: {} },
      { version: 1, files: { a: 1 }, originals: {} },
      { version: 1, files: {} },
    ])
      expect(parseWork(value)).toBeNull();
    expect(parseWork({ ...work('nop'), more: 1 })).toEqual(work('nop'));
    storage.get = () => Promise.reject(new Error('refused'));
    expect(await saver.load()).toBeNull();
    expect(states.at(-1)).toBe('failed');
  });
});

describe('fingerprints', () => {
  it('tell texts apart', () => {
    expect(fingerprint('mov eax, 1')).toBe(fingerprint('mov eax, 1'));
    expect(fingerprint('mov eax, 1')).not.toBe(fingerprint('mov eax, 2'));
  });
});
