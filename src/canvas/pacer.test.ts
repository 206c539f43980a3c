import { describe, expect, it } from 'vitest';
import type { TraceEvent } from '../trace/events.ts';
import type { Cue } from './director.ts';
import { type Mark, Pacer } from './pacer.ts';

const marks = (from: number, count: number): Mark[] =>
  Array.from({ length: count }, (_, n) => ({ event: { seq: from + n } as TraceEvent, cue: {} as Cue }));

/** Lets `seconds` pass in frames of a sixtieth; tells which marks came when. */
function play(pacer: Pacer, seconds: number): number[] {
  const times: number[] = [];
  for (let n = 0; n < seconds * 60; n++) for (const _ of pacer.step(1 / 60)) times.push(n / 60);
  return times;
}

describe('slow motion', () => {
  it('shows every event, one at a time, at the pace asked for', () => {
    const pacer = new Pacer();
    pacer.setTempo({ mode: 'slow', eventsPerSecond: 2 });
    const shown: number[] = [];
    for (let n = 0; n < 5; n++) {
      pacer.add(marks(n, 1), 1);
      shown.push(play(pacer, 0.5).length);
    }
    expect(shown).toEqual([1, 1, 1, 1, 1]);
    expect(pacer.motion().travel).toBeLessThan(0.5);
  });
});

it('forgets what waits when the guests it belongs to are gone', () => {
  const pacer = new Pacer();
  pacer.setTempo({ mode: 'paused' });
  pacer.add(marks(0, 200), 200);
  pacer.clear();
  expect(play(pacer, 1)).toEqual([]);
});

describe('a step', () => {
  it('of one event shows it at once', () => {
    const pacer = new Pacer();
    pacer.setTempo({ mode: 'paused' });
    pacer.add(marks(0, 1), 1);
    expect(play(pacer, 0.1)).toEqual([0]);
  });

  it('of many plays them all within a few seconds, in order', () => {
    const pacer = new Pacer();
    pacer.add(marks(0, 200), 200);
    const times = play(pacer, 8);
    expect(times).toHaveLength(200);
    expect(times[199]).toBeLessThan(7);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});

describe('at speed', () => {
  it('lets on no more particles than an eye can follow, fairly chosen', () => {
    const pacer = new Pacer();
    pacer.setTempo({ mode: 'fast' });
    let count = 0;
    for (let frame = 0; frame < 120; frame++) {
      count += pacer.add(marks(frame * 256, 256), 5000).length;
      pacer.step(1 / 60);
    }
    expect(count).toBeLessThan(100);
    expect(pacer.crowding).toBeGreaterThan(0.95);
  });

  it('needs no lanes while every event is a particle', () => {
    const pacer = new Pacer();
    pacer.setTempo({ mode: 'normal' });
    for (let frame = 0; frame < 120; frame++) {
      expect(pacer.add(marks(frame, 1), 1)).toHaveLength(1);
      pacer.step(1 / 60);
    }
    expect(pacer.crowding).toBe(0);
  });
});
