import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { civilFromSeconds, parseDate, secondsFromCivil } from './calendar.ts';
import { Cmos } from './cmos.ts';
import type { DriveSetUp } from './storage/storage.ts';

const HZ = 32_768_000;
function machine(date = '2005-12-31T23:59:50', memory = 64 << 20, drives?: DriveSetUp) {
  let cycles = 0;
  let level = false;
  const edges: number[] = [];
  const rtc = new Cmos(
    { now: () => cycles, frequency: HZ },
    (high) => {
      if (high && !level) edges.push(cycles / HZ);
      level = high;
    },
    date,
    memory,
    drives,
  );
  const to = (seconds: number) => {
    const target = Math.floor(seconds * HZ);
    while (rtc.nextDeadline() <= target) {
      cycles = rtc.nextDeadline();
      rtc.advance(cycles);
    }
    cycles = target;
  };
  const read = (i: number) => {
    rtc.writePort(0x70, i);
    return rtc.readPort(0x71);
  };
  const write = (i: number, v: number) => {
    rtc.writePort(0x70, i);
    rtc.writePort(0x71, v);
  };
  const time = () => [0x32, 9, 8, 7, 4, 2, 0].map((i) => read(i).toString(16).padStart(2, '0')).join(' ');
  return { to, read, write, time, edges, level: () => level };
}

describe('calendar', () => {
  it('agrees with the platform calendar', () => {
    fc.assert(
      fc.property(fc.integer({ min: -3e9, max: 8e9 }), (s) => {
        const d = new Date(s * 1000);
        const t = civilFromSeconds(s);
        expect([t.year, t.month, t.day, t.hour, t.minute, t.second, t.weekday]).toEqual([
          d.getUTCFullYear(),
          d.getUTCMonth() + 1,
          d.getUTCDate(),
          d.getUTCHours(),
          d.getUTCMinutes(),
          d.getUTCSeconds(),
          d.getUTCDay(),
        ]);
        expect(secondsFromCivil(t)).toBe(s);
      }),
    );
  });
  it('refuses what is no date', () => {
    for (const bad of ['', '2005-02-30', '2005-13-01', '2005-01-01T25:00:00', 'tomorrow'])
      expect(() => parseDate(bad)).toThrow(RangeError);
  });
});

describe('MC146818', () => {
  it('runs with virtual time, in BCD and 24 hours, over the end of a year', () => {
    const m = machine();
    expect(m.time()).toBe('20 05 12 31 23 59 50');
    m.to(10);
    expect(m.time()).toBe('20 06 01 01 00 00 00');
    expect(m.read(6)).toBe(1); // a Sunday
  });

  it('knows binary and 12-hour forms', () => {
    const m = machine('2005-08-23T15:04:05');
    m.write(0x0b, 0x06);
    expect([m.read(4), m.read(7)]).toEqual([15, 23]);
    m.write(0x0b, 0x00);
    expect(m.read(4)).toBe(0x83);
  });

  it('shows the update in progress before the second turns', () => {
    const m = machine();
    m.to(0.5);
    expect(m.read(0x0a)).toBe(0x26);
    m.to(0.999);
    expect(m.read(0x0a)).toBe(0xa6);
    m.to(1);
    expect(m.read(0x0a)).toBe(0x26);
  });

  it('can be set: SET freezes, then it goes on from there', () => {
    const m = machine();
    m.write(0x0b, 0x82);
    m.write(4, 0x12);
    m.write(2, 0x34);
    m.to(30);
    expect(m.time()).toBe('20 05 12 31 12 34 50');
    m.write(0x0b, 0x02);
    m.to(32);
    expect(m.time()).toBe('20 05 12 31 12 34 52');
  });

  it('periodic interrupt: one edge, and no more until register C is read', () => {
    const m = machine();
    m.write(0x0b, 0x42);
    m.to(0.01);
    expect(m.edges).toEqual([1 / 1024]);
    expect(m.read(0x0c)).toBe(0xc0);
    expect(m.level()).toBe(false);
    m.to(0.011);
    expect(m.edges.length).toBe(2);
  });

  it('update-ended and alarm interrupts', () => {
    const m = machine();
    m.write(0x0b, 0x12);
    m.to(1.5);
    expect(m.edges).toEqual([1]);
    expect(m.read(0x0c) & 0x90).toBe(0x90);
    m.write(0x0b, 0x22);
    m.write(1, 0x05);
    m.write(3, 0xff);
    m.write(5, 0xff);
    m.to(100);
    expect(m.edges).toEqual([1, 15]);
    expect(m.read(0x0c) & 0xa0).toBe(0xa0);
  });

  it('tells the memory size as a PC does', () => {
    const m = machine(undefined, 64 << 20);
    const word = (i: number) => m.read(i) | (m.read(i + 1) << 8);
    expect([word(0x15), word(0x17), word(0x34)]).toEqual([640, 0xfc00, 48 * 16]);
  });

  it('knows the drives: two diskette drives, a disk of 20 cylinders, type 47', () => {
    const m = machine(undefined, undefined, { floppyTypes: [4, 2], disks: [20 * 16 * 63, 0] });
    expect([0x10, 0x12, 0x14, 0x19, 0x1a].map((i) => m.read(i))).toEqual([0x42, 0xf0, 0x47, 47, 0]);
    const geometry = [0x1b, 0x1c, 0x1d, 0x23].map((i) => m.read(i));
    expect(geometry).toEqual([20, 0, 16, 63]);
    const sum = Array.from({ length: 0x1e }, (_, i) => m.read(0x10 + i)).reduce((a, b) => a + b);
    expect((m.read(0x2e) << 8) | m.read(0x2f)).toBe(sum);
  });

  it('another rate of the periodic interrupt counts from its setting on', () => {
    const m = machine();
    m.to(10.3);
    m.read(0x0c);
    m.write(0x0a, 0x2f); // 2 Hz
    expect(m.read(0x0c) & 0x40).toBe(0);
    m.to(10.6);
    expect(m.read(0x0c) & 0x40).toBe(0x40);
    m.write(0x0a, 0x26);
    expect(m.read(0x0c) & 0x40).toBe(0);
    m.write(0x0a, 0x20); // off
    m.to(20);
    m.write(0x0a, 0x26);
    expect(m.read(0x0c) & 0x40).toBe(0);
  });

  it('the time stands still while the divider chain is held in reset', () => {
    const m = machine('2005-08-23T09:41:00');
    m.write(0x0a, 0x76);
    m.to(30);
    expect(m.time()).toBe('20 05 08 23 09 41 00');
    expect(m.read(0x0c)).toBe(0);
    m.write(0x0a, 0x26);
    m.to(32);
    expect(m.time()).toBe('20 05 08 23 09 41 02');
  });

  it('flags come whether or not they may interrupt; only enabled ones set IRQF', () => {
    const m = machine();
    m.to(1.5);
    expect(m.read(0x0c)).toBe(0x50);
    expect(m.read(0x0c)).toBe(0);
    expect(m.edges).toEqual([]);
  });

  it('an alarm in 12-hour form tells morning from afternoon, and each field may be anything', () => {
    const m = machine('2005-08-23T11:59:58');
    m.write(0x0b, 0x20); // BCD, 12 hours
    m.write(1, 0x00);
    m.write(3, 0x00);
    m.write(5, 0x92); // 12 pm
    m.to(86400 + 1);
    expect(m.edges).toEqual([2]);
    m.read(0x0c);
    m.write(5, 0xc0); // every hour
    m.to(86400 + 3600);
    expect(m.edges).toEqual([2, 86400 + 2]);
  });
});
