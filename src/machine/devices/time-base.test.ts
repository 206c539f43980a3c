import { describe, expect, it } from 'vitest';
import { cycleOfTick, PIT_HZ, RTC_HZ, ticksAt } from './time-base.ts';

describe('time base', () => {
  it.each([2_660_000_000, 3_800_000_000, 100_000_000])(
    'is exact at %i Hz, days after power-on',
    (frequency) => {
      for (const rate of [PIT_HZ, RTC_HZ]) {
        for (const tick of [0, 1, 2, 11932, 999_999_999, 86400 * 20 * rate + 7]) {
          const cycle = cycleOfTick(tick, rate, frequency);
          expect(ticksAt(cycle, rate, frequency)).toBe(tick);
          if (tick > 0) expect(ticksAt(cycle - 1, rate, frequency)).toBe(tick - 1);
          // against exact integer arithmetic
          const exact = (BigInt(tick) * BigInt(frequency) + BigInt(rate) - 1n) / BigInt(rate);
          expect(BigInt(cycle)).toBe(exact);
        }
      }
    },
  );
});
