import { describe, expect, it } from 'vitest';
import { Pit } from './pit.ts';
import { PIT_HZ } from './time-base.ts';

/** A clock of ten cycles a tick, so that the tests speak in ticks. */
function machine() {
  let cycles = 0;
  const rises: number[] = [];
  let level = false;
  const clock = { now: () => cycles, frequency: PIT_HZ * 10 };
  const pit = new Pit(clock, (high) => {
    if (high && !level) rises.push(Math.floor(cycles / 10));
    level = high;
  });
  rises.length = 0;
  const at = (tick: number) => {
    const target = tick * 10;
    while (pit.nextDeadline() <= target) {
      cycles = pit.nextDeadline();
      pit.advance(cycles);
    }
    cycles = target;
  };
  const w = (port: number, ...values: number[]) => {
    for (const v of values) pit.writePort(port, v);
  };
  const count = (channel: number) => pit.readPort(0x40 + channel) | (pit.readPort(0x40 + channel) << 8);
  const status = (channel: number) => {
    w(0x43, 0xe0 | (2 << channel));
    return pit.readPort(0x40 + channel);
  };
  return {
    pit,
    at,
    w,
    rises,
    count,
    status,
    late: (tick: number) => {
      cycles = tick * 10;
      pit.advance(cycles);
    },
  };
}

describe('8254', () => {
  it('mode 2 raises IRQ 0 once a period, with exact deadlines', () => {
    const m = machine();
    m.w(0x43, 0x34);
    m.w(0x40, 100, 0);
    m.at(1000);
    expect(m.rises).toEqual([101, 201, 301, 401, 501, 601, 701, 801, 901]);
  });

  it('gives one interrupt, not a burst, when it was looked at late', () => {
    const m = machine();
    m.w(0x43, 0x34);
    m.w(0x40, 100, 0);
    m.late(100_000_050);
    expect(m.rises.length).toBe(1);
    expect(m.pit.nextDeadline()).toBe(100_000_101 * 10);
  });

  it('mode 3 is a square wave whose count goes down by two', () => {
    const m = machine();
    m.w(0x43, 0x36);
    m.w(0x40, 100, 0);
    m.at(1);
    m.rises.length = 0;
    m.at(11);
    expect(m.count(0)).toBe(80);
    expect(m.status(0) & 0x80).toBe(0x80);
    m.at(61);
    expect(m.status(0) & 0x80).toBe(0);
    m.at(350);
    expect(m.rises).toEqual([101, 201, 301]);
  });

  it('mode 0 rises once at the end of the count', () => {
    const m = machine();
    m.w(0x43, 0x30);
    m.w(0x40, 50, 0);
    m.at(10);
    expect(m.status(0) & 0x80).toBe(0);
    m.at(500);
    expect(m.rises).toEqual([51]);
    m.w(0x40, 20, 0); // a new count is a new shot
    m.at(700);
    expect(m.rises).toEqual([51, 521]);
  });

  it('mode 4 strobes low for one tick', () => {
    const m = machine();
    m.w(0x43, 0x38);
    m.w(0x40, 50, 0);
    m.at(51);
    expect(m.status(0) & 0x80).toBe(0);
    m.at(52);
    expect(m.status(0) & 0x80).toBe(0x80);
  });

  it('latches a count until both bytes are read', () => {
    const m = machine();
    m.w(0x43, 0x34);
    m.w(0x40, 0x00, 0x10);
    m.at(0x101);
    m.w(0x43, 0x00);
    m.at(0x500);
    expect(m.count(0)).toBe(0x0f00);
    expect(m.count(0)).toBe(0x1000 - 0x4ff);
  });

  it('a new count in mode 2 takes over at the end of the period', () => {
    const m = machine();
    m.w(0x43, 0x34);
    m.w(0x40, 100, 0);
    m.at(30);
    m.w(0x40, 10, 0);
    m.at(130);
    expect(m.rises).toEqual([101, 111, 121]);
  });

  it('counts in BCD', () => {
    const m = machine();
    m.w(0x43, 0x35);
    m.w(0x40, 0x00, 0x20);
    m.at(2);
    expect(m.count(0)).toBe(0x1999);
  });

  it('channel 2: gate and output through port 61h (the classic delay loop)', () => {
    const m = machine();
    m.w(0x61, 0);
    m.w(0x43, 0xb0);
    m.w(0x42, 200, 0);
    m.at(100);
    expect(m.pit.readPort(0x61) & 0x20).toBe(0);
    m.w(0x61, 1);
    m.at(299);
    expect(m.pit.readPort(0x61) & 0x20).toBe(0);
    m.at(301);
    expect(m.pit.readPort(0x61) & 0x20).toBe(0x20);
  });

  it('mode 1 fires on a rising gate; mode 5 strobes', () => {
    const m = machine();
    m.w(0x61, 0);
    m.w(0x43, 0xb2);
    m.w(0x42, 20, 0);
    m.at(10);
    expect(m.pit.readPort(0x61) & 0x20).toBe(0x20);
    m.w(0x61, 1);
    m.at(20);
    expect(m.pit.readPort(0x61) & 0x20).toBe(0);
    m.at(31);
    expect(m.pit.readPort(0x61) & 0x20).toBe(0x20);
  });

  it('sounds the speaker', () => {
    const m = machine();
    m.w(0x43, 0xb6);
    m.w(0x42, 0xa9, 0x04);
    m.w(0x61, 3);
    expect(Math.round(m.pit.speakerFrequency())).toBe(1000);
  });
});
