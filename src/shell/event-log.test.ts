import { describe, expect, it } from 'vitest';
import { Director } from '../canvas/director.ts';
import { MEANINGS } from '../canvas/meanings.ts';
import { Kind, Vendor } from '../trace/events.ts';
import { Recorder } from '../trace/recorder.ts';
import { EventLog, LOG_CAPACITY } from './event-log.ts';
import { EVERYTHING, passes, toggleMeaning } from './filter.ts';

/** Packed records as a frame carries them, written by the real recorder. */
function packed(count: number) {
  const recorder = new Recorder(1 << 14);
  for (let n = 0; n < count; n++) {
    recorder.recordAt(
      n % 2,
      n % 3 === 0 ? Kind.exit : Kind.entry,
      n * 100,
      0x1000 + n,
      n % 3 === 0 ? 10 : -1,
      0,
      0,
      2,
      Vendor.vmx,
    );
  }
  return (from: number, to: number) => {
    const words = new Int32Array((to - from) * 10);
    recorder.copy(from, to, words);
    return { words, seqs: Float64Array.from({ length: to - from }, (_, n) => from + n) };
  };
}
const all = () => true;

describe('the log', () => {
  it('keeps what frames bring, and knows what is missing between', () => {
    const take = packed(100);
    const log = new EventLog(new Director());
    for (const [from, to] of [
      [0, 3],
      [10, 12],
    ]) {
      const { words, seqs } = take(from, to);
      log.append(words, seqs);
    }
    expect(log.rows(all).map((r) => [r.event.seq, r.missing])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [10, 7],
      [11, 0],
    ]);
  });

  it('closes a gap with a window that was asked for', () => {
    const take = packed(100);
    const log = new EventLog(new Director());
    for (const [from, to] of [
      [0, 3],
      [10, 12],
    ])
      log.append(take(from, to).words, take(from, to).seqs);
    log.insert(take(2, 11).words, 2);
    expect(log.rows(all).map((r) => r.event.seq)).toEqual(Array.from({ length: 12 }, (_, n) => n));
    expect(log.rows(all).every((r) => r.missing === 0)).toBe(true);
    expect(log.find(7)?.eip).toBe(0x1007);
    expect(log.find(50)).toBeUndefined();
  });

  it('is bounded', () => {
    const take = packed(9000);
    const log = new EventLog(new Director());
    for (let n = 0; n < 9000; n += 100) log.append(take(n, n + 100).words, take(n, n + 100).seqs);
    expect(log.size).toBe(LOG_CAPACITY);
    expect(log.find(8999)).toBeDefined();
  });

  it('counts what a filter leaves out only when it is not known', () => {
    const log = new EventLog(new Director());
    log.append(packed(20)(0, 20).words, packed(20)(0, 20).seqs);
    expect(log.rows((e) => e.domain === 1).every((r) => r.missing === 0)).toBe(true);
  });
});

describe('the filter', () => {
  const director = new Director();
  director.setColumns([{ id: 0, name: 'a', technique: 'vt-x', kernelRing: 0, nonRoot: true }]);
  const exit = {
    seq: 0,
    time: 0,
    kind: Kind.exit,
    domain: 0,
    vcpu: 0,
    eip: 0,
    a: 10,
    b: 0,
    c: 0,
    d: 2,
    e: Vendor.vmx,
    cost: 0,
  };

  const cue = director.cue(exit);

  it('chooses by domain, meaning, boundary and place', () => {
    expect(passes(EVERYTHING, exit, cue)).toBe(true);
    expect(passes({ ...EVERYTHING, domain: 1 }, exit, cue)).toBe(false);
    expect(passes({ ...EVERYTHING, meanings: ['exit'] }, exit, cue)).toBe(true);
    expect(passes({ ...EVERYTHING, meanings: ['hypercall'] }, exit, cue)).toBe(false);
    expect(passes({ ...EVERYTHING, boundary: 'kernelHypervisor' }, exit, cue)).toBe(true);
    expect(passes({ ...EVERYTHING, boundary: 'userKernel' }, exit, cue)).toBe(false);
    expect(passes({ ...EVERYTHING, place: 'serial' }, exit, cue)).toBe(false);
  });

  it('treats all meanings, and none, as no filter', () => {
    let filter = toggleMeaning(EVERYTHING, 'exit', MEANINGS);
    expect(filter.meanings).toEqual(['exit']);
    filter = toggleMeaning(filter, 'exit', MEANINGS);
    expect(filter.meanings).toBeNull();
    for (const meaning of MEANINGS) filter = toggleMeaning(filter, meaning, MEANINGS);
    expect(filter.meanings).toBeNull();
  });
});
