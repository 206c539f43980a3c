import { describe, expect, it } from 'vitest';
import { SPAN_PLACES } from '../trace/places.ts';
import type { TimelineWindow } from '../worker/protocol.ts';
import { momentWords, sharesOfLane, shareWords } from './timeline-words.ts';

const KERNEL = SPAN_PLACES.indexOf('kernel');
const IDLE = SPAN_PLACES.indexOf('idle');
const HZ = 50e6;

function window(change: Partial<TimelineWindow> = {}): TimelineWindow {
  const shares = new Float32Array(2 * SPAN_PLACES.length);
  shares[KERNEL] = 1;
  shares[SPAN_PLACES.length + IDLE] = 0.75;
  shares[SPAN_PLACES.length + KERNEL] = 0.25;
  return {
    from: 0,
    to: 2000,
    now: 1900,
    domains: 1,
    bins: 2,
    shares,
    exactFrom: 0,
    spans: null,
    events: null,
    firstEvent: 0,
    ...change,
  };
}
const plain = (text: string) => text.replace(/\u202f/g, ' ');

describe('the timeline in words', () => {
  it('says a stretch by its shares, the largest first', () => {
    expect(plain(shareWords(sharesOfLane(window(), 0)))).toBe('guest kernel 63 %, idle 38 %');
    expect(plain(momentWords(window(), 'Panes', 0, 1500, 0, HZ))).toBe(
      '30.00 µs · Panes, 20.00 µs: idle 75 %, guest kernel 25 %',
    );
  });

  it('says what and how long when spans can be told apart', () => {
    const data = window({ spans: Float64Array.of(0, KERNEL, 0, 1250, 0, IDLE, 1250, 1900) });
    expect(plain(momentWords(data, 'Panes', 0, 100, 0, HZ))).toBe(
      '2.00 µs · Panes: guest kernel, 1 250 cycles (25.00 µs)',
    );
  });

  it('does not foretell', () => {
    expect(plain(momentWords(window(), 'Panes', 0, 1950, 0, HZ))).toBe('39.00 µs · not yet');
  });
});
