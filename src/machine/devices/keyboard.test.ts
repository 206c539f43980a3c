import { describe, expect, it } from 'vitest';
import { KeyboardController } from './keyboard.ts';
import './provide-scan-set-3.ts';

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

  it('mouse: the rates 200, 100, 80 make it one with a wheel, and a reset undoes that', () => {
    const m = machine();
    m.w(0x64, 0xa8);
    const mouse = (...bytes: number[]) => {
      for (const byte of bytes) {
        m.w(0x64, 0xd4);
        m.w(0x60, byte);
        expect(m.take(1)).toEqual([0xfa]);
      }
    };
    mouse(0xf3, 200, 0xf3, 200, 0xf3, 80, 0xf2);
    expect(m.take(1)).toEqual([0]);
    mouse(0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2);
    expect(m.take(1)).toEqual([3]);
    mouse(0xf4);
    m.kbc.move(1, 2, 4, -1);
    expect(m.take(4)).toEqual([0x0c, 1, 2, 0xff]);
    m.kbc.move(0, 0, 4, 9); // seven notches at most in a packet
    expect(m.take(8)).toEqual([0x0c, 0, 0, 7, 0x0c, 0, 0, 2]);
    mouse(0xff);
    expect(m.take(2)).toEqual([0xaa, 0]);
    mouse(0xf4);
    m.kbc.move(0, 0, 4, 1);
    m.kbc.move(3, 0, 4, 1);
    expect(m.take(4)).toEqual([0x0c, 3, 0, -1]);
  });

  it('has memory of its own: 32 bytes, of which the first is the command byte', () => {
    const m = machine();
    for (let n = 1; n < 32; n++) {
      m.w(0x64, 0x60 + n);
      m.w(0x60, 0x80 + n);
    }
    for (let n = 31; n > 0; n--) {
      m.w(0x64, 0x20 + n);
      expect(m.r(0x60)).toBe(0x80 + n);
    }
    m.w(0x64, 0x20);
    expect(m.r(0x60)).toBe(0x65);
    m.kbc.reset();
    m.w(0x64, 0x25);
    expect(m.r(0x60)).toBe(0);
  });

  describe('scan-code set 3', () => {
    const chosen = (...commands: number[]) => {
      const m = machine();
      m.w(0x64, 0x60);
      m.w(0x60, 0x05); // no translation
      for (const byte of [0xf0, 3, ...commands]) {
        m.w(0x60, byte);
        expect(m.take(1)).toEqual([0xfa]);
      }
      return m;
    };

    it('is told when asked for, and gone after a reset', () => {
      const m = chosen(0xf0, 0);
      expect(m.take(1)).toEqual([3]);
      m.w(0x60, 0xff);
      expect(m.take(2)).toEqual([0xfa, 0xaa]);
      m.kbc.keys([1]);
      expect(m.take(1)).toEqual([0x76]);
    });

    // The manual's table: set-1 sequence and set-3 code, a key a line of the keyboard and each of the others.
    it.each([
      ['the letters', [0x10, 0x1e, 0x2c, 0x32], [0x15, 0x1c, 0x1a, 0x3a]],
      ['the digits', [0x02, 0x0b], [0x16, 0x45]],
      ['F1, F2, F10, F11, F12', [0x3b, 0x3c, 0x44, 0x57, 0x58], [0x07, 0x0f, 0x4f, 0x56, 0x5e]],
      ['Esc, Tab, `, Backspace, Enter', [0x01, 0x0f, 0x29, 0x0e, 0x1c], [0x08, 0x0d, 0x0e, 0x66, 0x5a]],
      ['Ctrl, Shift, Caps Lock, Alt', [0x1d, 0x2a, 0x3a, 0x38], [0x11, 0x12, 0x14, 0x19]],
      ['right Shift, Alt, Ctrl', [0x36, 0xe0, 0x38, 0xe0, 0x1d], [0x59, 0x39, 0x58]],
      ['\\ and the key beside Shift', [0x2b, 0x56], [0x5c, 0x13]],
      ['Num Lock, /, *, -, +', [0x45, 0xe0, 0x35, 0x37, 0x4a, 0x4e], [0x76, 0x77, 0x7e, 0x84, 0x7c]],
      ['keypad 7, 5, 0, Enter', [0x47, 0x4c, 0x52, 0xe0, 0x1c], [0x6c, 0x73, 0x70, 0x79]],
      ['the arrows', [0xe0, 0x4b, 0xe0, 0x48, 0xe0, 0x50, 0xe0, 0x4d], [0x61, 0x63, 0x60, 0x6a]],
      ['Insert, Home, Page Up', [0xe0, 0x52, 0xe0, 0x47, 0xe0, 0x49], [0x67, 0x6e, 0x6f]],
      ['Delete, End, Page Down', [0xe0, 0x53, 0xe0, 0x4f, 0xe0, 0x51], [0x64, 0x65, 0x6d]],
      ['Print Screen and its shift', [0xe0, 0x2a, 0xe0, 0x37], [0x57]],
      ['Scroll Lock, Pause', [0x46, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5], [0x5f, 0x62]],
    ])('%s', (_, sequence, codes) => {
      const m = chosen();
      m.kbc.keys(sequence);
      expect(m.take(codes.length + 1)).toEqual([...codes, -1]);
    });

    it('keys repeat, or tell when they are released, or neither', () => {
      const m = chosen();
      m.kbc.keys([0x1e, 0x1e, 0x9e, 0x2a, 0x2a, 0xaa, 0x01, 0x01, 0x81]);
      expect(m.take(7)).toEqual([0x1c, 0x1c, 0x12, 0xf0, 0x12, 0x08, -1]);
    });

    it.each([
      ['F7h: all repeat', [0xf7], [0x1c, 0x1c, -1]],
      ['F8h: all tell', [0xf8], [0x1c, 0xf0, 0x1c, -1]],
      ['F9h: neither', [0xf9], [0x1c, -1]],
      ['FAh: both', [0xfa], [0x1c, 0x1c, 0xf0, 0x1c, -1]],
      ['FCh and the key: it tells', [0xf9, 0xfc, 0x1b, 0x1c], [0x1c, 0xf0, 0x1c, -1]],
      ['FDh and another key', [0xfd, 0x1b], [0x1c, 0x1c, -1]],
      ['F6h: as before', [0xf9, 0xf6, 0xf0, 3], [0x1c, 0x1c, -1]],
    ])('%s', (_, commands, codes) => {
      const m = chosen(...commands);
      m.kbc.keys([0x1e, 0x1e, 0x9e]);
      expect(m.take(codes.length)).toEqual(codes);
    });
  });

  it('bounds what it buffers', () => {
    const m = machine();
    for (let i = 0; i < 1000; i++) m.kbc.keys([0x1e]);
    expect(m.kbc.keyboard.output.length).toBeLessThanOrEqual(64);
  });
});
