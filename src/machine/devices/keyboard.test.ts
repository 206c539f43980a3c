import { describe, expect, it } from 'vitest';
import { KeyboardController } from './keyboard.ts';

function machine() {
  let cycles = 0;
  const seen = { irq1: 0, irq12: 0, a20: [] as boolean[], resets: 0 };
  let one = false;
  let twelve = false;
  const kbc = new KeyboardController(
    { now: () => cycles, frequency: 1_000_000 },
    {
      irq1: (h) => {
        if (h && !one) seen.irq1++;
        one = h;
      },
      irq12: (h) => {
        if (h && !twelve) seen.irq12++;
        twelve = h;
      },
      a20: (on) => {
        seen.a20.push(on);
      },
      reset: () => {
        seen.resets++;
      },
    },
  );
  /** Lets a millisecond pass. */
  const wait = () => {
    cycles += 1000;
    kbc.advance(cycles);
  };
  const r = (port: number) => kbc.readPort(port);
  const w = (port: number, v: number) => kbc.writePort(port, v);
  /** Reads `n` bytes, as an interrupt handler would. */
  const take = (n: number) =>
    Array.from({ length: n }, () => {
      for (let i = 0; i < 3 && !(r(0x64) & 1); i++) wait();
      return r(0x64) & 1 ? r(0x60) : -1;
    });
  return { kbc, wait, r, w, take, seen };
}

describe('8042 and PS/2 keyboard', () => {
  it('delivers set-1 codes (make, break, extended) one byte an interrupt', () => {
    const m = machine();
    m.kbc.keys([0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8]);
    expect(m.take(6)).toEqual([0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8]);
    expect(m.seen.irq1).toBe(6);
    expect(m.take(1)).toEqual([-1]);
  });

  it('gives set 2 when translation is off', () => {
    const m = machine();
    m.w(0x64, 0x60);
    m.w(0x60, 0x05);
    m.kbc.keys([0x1e, 0x9e]);
    expect(m.take(3)).toEqual([0x1c, 0xf0, 0x1c]);
  });

  it('translates every set-1 code there and back', () => {
    const m = machine();
    for (let code = 1; code < 0x59; code++) {
      if (code === 0x55) continue; // no key of set 1 has it
      m.kbc.keys([code]);
      expect(m.take(1)).toEqual([code]);
    }
  });

  it('passes its own tests', () => {
    const m = machine();
    m.w(0x64, 0xaa);
    expect(m.r(0x60)).toBe(0x55);
    m.w(0x64, 0xab);
    expect(m.r(0x60)).toBe(0);
    m.w(0x60, 0xff);
    expect(m.take(2)).toEqual([0xfa, 0xaa]);
    m.w(0x60, 0xf2);
    expect(m.take(3)).toEqual([0xfa, 0xab, 0x41]); // the identity goes through the translation
    m.w(0x60, 0xed);
    m.w(0x60, 0x02);
    expect(m.take(2)).toEqual([0xfa, 0xfa]);
    expect(m.kbc.keyboard.leds).toBe(2);
  });

  it('is silent while disabled, and keeps what was typed', () => {
    const m = machine();
    m.w(0x64, 0xad);
    m.kbc.keys([0x10]);
    expect(m.take(1)).toEqual([-1]);
    m.w(0x64, 0xae);
    expect(m.take(1)).toEqual([0x10]);
  });

  it('moves A20 and pulses reset, through the output port and port 92h', () => {
    const m = machine();
    m.w(0x64, 0xd1);
    m.w(0x60, 0x01);
    m.w(0x92, 0x02);
    expect(m.seen.a20).toEqual([false, true]);
    m.w(0x64, 0xfe);
    m.w(0x92, 0x03);
    expect(m.seen.resets).toBe(2);
  });

  it('mouse: identification, and packets once it is enabled', () => {
    const m = machine();
    m.w(0x64, 0xa8);
    m.w(0x64, 0x60);
    m.w(0x60, 0x47);
    const mouse = (byte: number) => {
      m.w(0x64, 0xd4);
      m.w(0x60, byte);
    };
    mouse(0xff);
    expect(m.take(3)).toEqual([0xfa, 0xaa, 0x00]);
    m.kbc.move(5, 5, 0);
    expect(m.take(1)).toEqual([-1]);
    mouse(0xf4);
    expect(m.take(1)).toEqual([0xfa]);
    const before = m.seen.irq12;
    m.kbc.move(-3, 2, 1);
    m.wait();
    expect(m.r(0x64) & 0x21).toBe(0x21);
    expect(m.take(3)).toEqual([0x19, 0xfd, 2]); // enabling cleared the counters
    expect(m.seen.irq12 - before).toBe(3);
  });

  it('bounds what it buffers', () => {
    const m = machine();
    for (let i = 0; i < 1000; i++) m.kbc.keys([0x1e]);
    expect(m.kbc.keyboard.output.length).toBeLessThanOrEqual(64);
  });
});
