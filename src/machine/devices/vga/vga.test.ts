import { describe, expect, it } from 'vitest';
import type { Screen as ProtocolScreen } from '../../../worker/protocol.ts';
import { MODE_13 } from './modes.ts';
import { Vga } from './vga.ts';

function machine() {
  let cycles = 0;
  const memory = new Uint8Array(0x20000);
  const vga = new Vga({ now: () => cycles, frequency: 25_175_000 }, memory);
  const w = (port: number, v: number) => vga.writePort(port, v);
  const r = (port: number) => vga.readPort(port);
  const set = (port: number, values: readonly number[]) =>
    values.forEach((v, i) => {
      w(port, i);
      w(port + 1, v);
    });
  const attribute = (i: number, v: number) => {
    r(0x3da);
    w(0x3c0, i);
    w(0x3c0, v);
  };
  const mode13 = () => {
    w(0x3c2, MODE_13.misc);
    set(0x3c4, MODE_13.sequencer);
    w(0x3d4, 0x11);
    w(0x3d5, 0x0e); // unprotect 0..7
    set(0x3d4, MODE_13.crtc);
    set(0x3ce, MODE_13.graphics);
    MODE_13.attribute.forEach((v, i) => {
      attribute(i, v);
    });
    w(0x3c0, 0x20);
  };
  return { vga, memory, w, r, set, attribute, mode13, at: (c: number) => (cycles = c) };
}

describe('VGA', () => {
  it('powers up in 80×25 text', () => {
    const m = machine();
    m.memory.set([0x48, 0x1f, 0x69, 0x1f], 0x18000);
    m.w(0x3d4, 0x0e);
    m.w(0x3d5, 0);
    m.w(0x3d4, 0x0f);
    m.w(0x3d5, 82);
    const screen: ProtocolScreen = m.vga.screen(); // the worker's shape and this one are the same
    if (screen.mode !== 'text') throw new Error('not text');
    expect([screen.columns, screen.rows]).toEqual([80, 25]);
    expect([...screen.cells.subarray(0, 6)]).toEqual([0x48, 0x1f, 0x69, 0x1f, 0x20, 0x07]);
    expect(screen.cursor).toEqual({ column: 2, row: 1, visible: true });
  });

  it('hides the cursor, scrolls by the start address', () => {
    const m = machine();
    m.w(0x3d4, 0x0a);
    m.w(0x3d5, 0x20);
    m.memory[0x18000 + 160] = 0x41;
    m.w(0x3d4, 0x0d);
    m.w(0x3d5, 80);
    const screen = m.vga.screen();
    if (screen.mode !== 'text') throw new Error('not text');
    expect(screen.cells[0]).toBe(0x41);
    expect(screen.cursor.visible).toBe(false);
  });

  it('mode 13h comes out of the registers', () => {
    const m = machine();
    m.mode13();
    m.w(0x3c8, 5);
    for (const v of [63, 32, 0]) m.w(0x3c9, v);
    m.memory[320 * 199 + 319] = 5;
    const screen = m.vga.screen();
    if (screen.mode !== 'graphics') throw new Error('not graphics');
    expect([screen.width, screen.height, screen.pixels[64000 - 1]]).toEqual([320, 200, 5]);
    expect([...screen.palette.subarray(15, 18)]).toEqual([255, 130, 0]);
  });

  it('says plainly when a mode is planar', () => {
    const m = machine();
    m.mode13();
    m.w(0x3c4, 4);
    m.w(0x3c5, 6); // unchained
    const screen = m.vga.screen();
    if (screen.mode !== 'text') throw new Error('not text');
    expect(String.fromCharCode(...screen.cells.filter((_, i) => i % 2 === 0))).toContain('not shown');
  });

  it('protects the timing registers, and resets the attribute flip-flop by reading 3DAh', () => {
    const m = machine();
    m.w(0x3d4, 0x00);
    m.w(0x3d5, 0x12);
    expect(m.r(0x3d5)).toBe(0x5f);
    m.r(0x3da);
    m.w(0x3c0, 0x11);
    m.r(0x3da);
    m.w(0x3c0, 0x11);
    m.w(0x3c0, 0x2a);
    m.r(0x3da);
    m.w(0x3c0, 0x31);
    expect(m.r(0x3c1)).toBe(0x2a);
  });

  it('reads and writes the palette', () => {
    const m = machine();
    m.w(0x3c7, 7);
    expect([m.r(0x3c9), m.r(0x3c9), m.r(0x3c9)]).toEqual([42, 42, 42]);
    m.w(0x3c8, 255);
    for (const v of [1, 2, 3]) m.w(0x3c9, v);
    m.w(0x3c7, 255);
    expect([m.r(0x3c9), m.r(0x3c9), m.r(0x3c9)]).toEqual([1, 2, 3]);
  });

  it('retraces seventy times a second', () => {
    const m = machine();
    m.mode13();
    let rises = 0;
    let before = 0;
    for (let c = 0; c < 25_175_000; c += 400) {
      // twice a line
      m.at(c);
      const now = m.r(0x3da) & 8;
      if (now && !before) rises++;
      before = now;
    }
    expect(rises).toBe(70);
  });

  it('says whether anything changed', () => {
    const m = machine();
    expect(m.vga.changedScreen()).not.toBeNull();
    expect(m.vga.changedScreen()).toBeNull();
    m.memory[0x18000] = 1;
    expect(m.vga.changedScreen()).not.toBeNull();
    m.w(0x3d4, 0x0f);
    m.w(0x3d5, 1);
    expect(m.vga.changedScreen()).not.toBeNull();
  });

  it('cannot be made to read beyond its memory by any registers', () => {
    const m = machine();
    let seed = 1;
    const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
    for (let n = 0; n < 300; n++) {
      for (let k = 0; k < 20; k++) m.w(0x3c0 + (random() & 0x1f), random() & 0xff);
      expect(() => m.vga.screen()).not.toThrow();
    }
  });
});
