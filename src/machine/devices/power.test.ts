import { describe, expect, it } from 'vitest';
import { PM, Power } from './power.ts';

const HZ = 3_579_545 * 2;

function machine() {
  let cycles = 0;
  let level = false;
  const seen: string[] = [];
  const power = new Power(
    (event) => seen.push(event),
    { now: () => cycles, frequency: HZ },
    (high) => {
      level = high;
    },
  );
  const to = (target: number) => {
    while (power.nextDeadline() <= target) {
      cycles = power.nextDeadline();
      power.advance();
    }
    cycles = target;
  };
  return { power, seen, to, sci: () => level, now: () => cycles };
}

describe('ACPI fixed hardware', () => {
  it('counts 24 bits at 3.58 MHz', () => {
    const m = machine();
    m.to(2000);
    expect(m.power.readPort(PM.timer, 4)).toBe(1000);
    m.to(2 * (2 ** 24 + 5));
    expect(m.power.readPort(PM.timer, 4)).toBe(5);
  });

  it('the power button interrupts when enabled, until its status is cleared by writing a one', () => {
    const { power, sci } = machine();
    power.pressButton();
    expect([sci(), power.readPort(PM.event, 2)]).toEqual([false, 0x100]);
    power.writePort(PM.event + 2, 0x100, 2);
    expect(sci()).toBe(true);
    power.writePort(PM.event, 0x001, 2);
    expect(sci()).toBe(true);
    power.writePort(PM.event, 0x100, 2);
    expect([sci(), power.readPort(PM.event, 4)]).toEqual([false, 0x1000000]);
  });

  it('the timer interrupts when its highest bit changes, each 2.3 s', () => {
    const m = machine();
    m.power.writePort(PM.event + 2, 0x001, 2);
    m.to(2 * 2 ** 23 - 1);
    expect(m.sci()).toBe(false);
    m.to(2 * 2 ** 23);
    expect([m.sci(), m.power.readPort(PM.event, 2)]).toEqual([true, 1]);
    m.power.writePort(PM.event, 1, 2);
    expect(m.sci()).toBe(false);
    m.to(2 * 2 ** 24);
    expect(m.sci()).toBe(true);
  });

  it('its status counts whether or not it may interrupt', () => {
    const m = machine();
    expect(m.power.nextDeadline()).toBe(Infinity);
    m.to(2 * 2 ** 23);
    expect([m.sci(), m.power.readPort(PM.event, 1)]).toEqual([false, 1]);
  });

  it('switches off by SLP_EN, at both addresses', () => {
    for (const port of [PM.control, 0xb004]) {
      const { power, seen } = machine();
      power.writePort(port, 0x2000, 2);
      expect(seen).toEqual(['off']);
    }
  });
});
