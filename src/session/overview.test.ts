// The timeline's data: spans from the trace, an overview that stays bounded, windows that agree with the counters.
import { describe, expect, it } from 'vitest';
import { nodeLibrary } from '../cli/library.ts';
import { SPAN_PLACES } from '../trace/places.ts';
import { Overview } from './overview.ts';
import { findScenario } from './scenarios.ts';
import { Session } from './session.ts';

const PLACES = SPAN_PLACES.length;

function run(name: string, cycles: number) {
  const session = new Session(findScenario(name)!, nodeLibrary());
  const overview = new Overview(session);
  session.bootAll();
  while (session.now < cycles) {
    session.run(session.now + 50_000);
    overview.advance();
  }
  return { session, overview };
}

/** Cycles by place of one domain in a window. */
function sums(window: ReturnType<Overview['window']>, domain: number): Record<string, number> {
  const wide = (window.to - window.from) / window.bins;
  return Object.fromEntries(
    SPAN_PLACES.map((place, p) => {
      let cycles = 0;
      for (let n = 0; n < window.bins; n++)
        cycles += window.shares[(domain * window.bins + n) * PLACES + p] * wide;
      return [place, cycles];
    }),
  );
}

describe('side by side, half a virtual second', () => {
  const { session, overview } = run('side-by-side', 25_000_000);

  it('accounts for every cycle, in agreement with the counters of the trace', () => {
    const window = overview.window(0, session.now, 1000);
    for (const { id } of session.domains) {
      const counted = session.host.recorder.placeOf(id, session.now).read(session.now);
      const seen = sums(window, id);
      const total = SPAN_PLACES.reduce((sum, place) => sum + seen[place], 0);
      expect(total / session.now).toBeCloseTo(1, 3);
      expect(seen.idle / session.now).toBeCloseTo(counted.idle / session.now, 2);
      // The way in and out is told apart: everything else has at most what the counters say.
      expect(seen.hypervisor).toBeLessThan(counted.hypervisor + 1);
      expect(seen.switch).toBeGreaterThan(0);
    }
  });

  it('no bin has more than there is of time', () => {
    for (const bins of [1, 7, 640, 4096]) {
      const { shares } = overview.window(0, session.now, bins);
      for (let at = 0; at < shares.length; at += PLACES)
        expect(shares.subarray(at, at + PLACES).reduce((sum, s) => sum + s, 0)).toBeLessThan(1.001);
    }
  });

  it('tells spans and events of a narrow window, and finds the event under a click', () => {
    const { recorder } = session.host;
    const event = recorder.get(recorder.next - 200)!;
    const window = overview.window(event.time - 5000, event.time + 5000, 400);
    expect(window.spans).not.toBeNull();
    expect(window.events).not.toBeNull();
    for (let at = 0; at < window.spans!.length; at += 4)
      expect(window.spans![at + 3]).toBeGreaterThan(window.spans![at + 2]);
    // One processor: two guests are never in it at once.
    const busy = [...Array(window.spans!.length / 4).keys()]
      .map((n) => [...window.spans!.subarray(n * 4, n * 4 + 4)])
      .filter(([, place]) => ['user', 'kernel'].includes(SPAN_PLACES[place]))
      .sort((a, b) => a[2] - b[2]);
    for (let n = 1; n < busy.length; n++) expect(busy[n][2]).toBeGreaterThanOrEqual(busy[n - 1][3]);
    const found = recorder.get(overview.eventAt(event.domain, event.time)!)!;
    expect([found.domain, found.time]).toEqual([event.domain, event.time]);
  });
});

it('stays as large as it was, however long the session runs, and forgets only the detail', () => {
  const { session, overview } = run('bare-penguin', 60_000_000);
  const seen = sums(overview.window(0, session.now, 500), 0);
  const counted = session.host.recorder.placeOf(0, session.now).read(session.now);
  expect(seen.switch).toBe(0);
  expect(seen.kernel / counted.kernel).toBeCloseTo(1, 2);
  expect(seen.idle / counted.idle).toBeCloseTo(1, 2);
});

it('a stopped guest leaves a blank lane', () => {
  const { session, overview } = run('side-by-side', 10_000_000);
  session.stop(1);
  const stopped = session.now;
  session.run(stopped + 5_000_000);
  const seen = sums(overview.window(stopped + 100, session.now, 300), 1);
  expect(SPAN_PLACES.every((place) => seen[place] === 0)).toBe(true);
});
