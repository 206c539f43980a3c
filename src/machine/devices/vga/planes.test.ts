// The window at A0000h: when it is the machine's own memory, when the planes answer, and that nothing is lost in between.
import { describe, expect, it } from 'vitest';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import { font } from './font.ts';
import { MODE_01, MODE_03, MODE_12, MODE_13, type ModeRegisters } from './modes.ts';
import { FRAME_BUFFER_BASE } from './vbe.ts';
import { Vga } from './vga.ts';

function machine() {
  const memory = new PhysicalMemory(1 << 20);
  const vga = new Vga(
    { now: () => 0, frequency: 25_175_000 },
    memory.bytes.subarray(0xa0000, 0xc0000),
    memory.map,
  );
  const set = (port: number, index: number, value: number) => {
    vga.writePort(port, index);
    vga.writePort(port + 1, value);
  };
  const mode = (m: ModeRegisters) => {
    vga.writePort(0x3c2, m.misc);
    set(0x3d4, 0x11, 0);
    m.sequencer.forEach((v, i) => {
      set(0x3c4, i, v);
    });
    m.crtc.forEach((v, i) => {
      set(0x3d4, i, v);
    });
    m.graphics.forEach((v, i) => {
      set(0x3ce, i, v);
    });
    vga.readPort(0x3da);
    m.attribute.forEach((v, i) => {
      vga.writePort(0x3c0, i);
      vga.writePort(0x3c0, v);
    });
    vga.writePort(0x3c0, 0x20);
  };
  const vbe = (index: number, value: number) => {
    vga.vbe!.writePort(0x1ce, index);
    vga.vbe!.writePort(0x1cf, value);
  };
  const pixel = (x: number, y: number) => {
    const screen = vga.screen();
    if (screen.mode !== 'graphics') throw new Error(screen.mode);
    return screen.pixels[y * screen.width + x];
  };
  return { memory, vga, set, mode, vbe, pixel };
}

describe('the window', () => {
  it('is memory in text mode where the text is, and nobody elsewhere', () => {
    const { memory } = machine();
    expect([memory.isPlain(0xb8000), memory.isPlain(0xbffff)]).toEqual([true, true]);
    expect([memory.isPlain(0xa0000), memory.isPlain(0xb7fff), memory.isPlain(0xc0000)]).toEqual([
      false,
      false,
      true,
    ]);
    memory.busWrite8(0xa0000, 5);
    expect(memory.busRead32(0xa0000)).toBe(-1);
  });

  it('is memory in mode 13h after the first access, and not in a planar mode', () => {
    const m = machine();
    m.mode(MODE_13);
    expect(m.memory.isPlain(0xa0000)).toBe(false);
    m.memory.busWrite8(0xa0000, 7);
    expect(m.memory.isPlain(0xa0000)).toBe(true);
    m.memory.write8(0xa0001, 9);
    expect([m.pixel(0, 0), m.pixel(1, 0)]).toEqual([7, 9]);
    m.mode(MODE_12);
    m.memory.busRead8(0xa0000);
    expect(m.memory.isPlain(0xa0000)).toBe(false);
  });

  it('keeps what is in the planes when the way to them changes', () => {
    const m = machine();
    m.mode(MODE_13);
    m.memory.busWrite32(0xa0010, 0x44332211);
    m.set(0x3c4, 4, 6); // unchained: the four pixels are four planes of one address
    for (let plane = 0; plane < 4; plane++) {
      m.set(0x3ce, 4, plane);
      expect(m.memory.busRead8(0xa0010)).toBe(0x11 * (plane + 1));
    }
    m.set(0x3c4, 2, 4);
    m.memory.busWrite8(0xa0010, 0xee);
    m.set(0x3c4, 2, 15);
    m.set(0x3c4, 4, 0x0e); // chained again
    expect(m.memory.busRead32(0xa0010)).toBe(0x44ee2211);
    expect(m.memory.read32(0xa0010)).toBe(0x44ee2211);
  });

  it('leads to the font through plane 2, and text survives that', () => {
    const m = machine();
    m.memory.write16(0xb8000, 0x1f41);
    m.set(0x3c4, 2, 4);
    m.set(0x3c4, 4, 7);
    m.set(0x3ce, 4, 2);
    m.set(0x3ce, 5, 0);
    m.set(0x3ce, 6, 4);
    const letter = Array.from({ length: 16 }, (_, row) => m.memory.busRead8(0xa0000 + 0x41 * 32 + row));
    expect(letter).toEqual([...font(16).subarray(0x41 * 16, 0x42 * 16)]);
    m.memory.busWrite8(0xa0000 + 0x41 * 32, 0xff);
    expect(m.vga.planes.fontRow(0, 0x41, 0)).toBe(0xff);
    m.mode(MODE_03);
    m.memory.busRead8(0xa0000); // any access settles it
    expect(m.memory.read16(0xb8000)).toBe(0x1f41);
    const screen = m.vga.screen();
    expect(screen.mode === 'text' && [...screen.cells.subarray(0, 2)]).toEqual([0x41, 0x1f]);
  });

  it('tells of changes only when there were some', () => {
    const m = machine();
    m.mode(MODE_12);
    expect(m.vga.changedScreen()).not.toBeNull();
    expect(m.vga.changedScreen()).toBeNull();
    m.memory.busWrite8(0xa0000, 0x80);
    expect(m.vga.changedScreen()).not.toBeNull();
    m.memory.busWrite8(0xa0000, 0x80); // the same again
    expect(m.vga.changedScreen()).toBeNull();
  });
});

it('text modes come out of the registers: forty columns, own colours', () => {
  const m = machine();
  m.mode(MODE_01);
  m.memory.busWrite16(0xb8000 + 2 * 40, 0x2e42);
  const screen = m.vga.screen();
  if (screen.mode !== 'text') throw new Error(screen.mode);
  expect([screen.columns, screen.rows, screen.palette]).toEqual([40, 25, undefined]);
  expect([...screen.cells.subarray(80, 82)]).toEqual([0x42, 0x2e]);
  m.vga.writePort(0x3c8, 0x3f); // what attribute 15 shows
  for (const v of [63, 0, 21]) m.vga.writePort(0x3c9, v);
  const changed = m.vga.screen();
  expect(changed.mode === 'text' && [...changed.palette!.subarray(45)]).toEqual([255, 0, 85]);
});

it('nothing that registers and accesses can say makes the picture impossible', () => {
  const m = machine();
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
  for (let n = 0; n < 200; n++) {
    for (let k = 0; k < 20; k++) m.vga.writePort(0x3c0 + (random() & 0x1f), random() & 0xff);
    for (let k = 0; k < 5; k++) m.memory.busWrite32(0xa0000 + (random() & 0xfffc) * 2, random());
    for (let k = 0; k < 5; k++) m.memory.busRead8(0xa0000 + random());
    const screen = m.vga.screen();
    if (screen.mode === 'text') expect(screen.cells.length).toBe(screen.columns * screen.rows * 2);
    else expect(screen.pixels.length).toBe(screen.width * screen.height);
  }
});

describe('the Bochs extensions', () => {
  it('say who they are and what fits', () => {
    const { vga } = machine();
    const read = (index: number) => {
      vga.vbe!.writePort(0x1ce, index);
      return vga.vbe!.readPort(0x1cf, 2);
    };
    expect([read(0), read(10)]).toEqual([0xb0c5, 256]);
  });

  it('show the linear frame buffer, at Bochs’s old place and where PCI puts it', () => {
    const m = machine();
    for (const [index, value] of [
      [1, 800],
      [2, 600],
      [3, 32],
      [4, 0x41],
    ])
      m.vbe(index, value);
    m.memory.busWrite32(FRAME_BUFFER_BASE + (800 + 3) * 4, 0x00112233);
    const screen = m.vga.screen();
    if (screen.mode !== 'true-colour') throw new Error(screen.mode);
    expect([screen.width, screen.height]).toEqual([800, 600]);
    expect([...screen.pixels.subarray((800 + 3) * 4, (800 + 4) * 4)]).toEqual([0x11, 0x22, 0x33, 255]);
    expect(m.memory.busRead32(0xfd000000)).toBe(-1);
    m.vga.vbe!.place(0xfd000000);
    expect(m.memory.busRead32(0xfd000000 + (800 + 3) * 4)).toBe(0x00112233);
    m.vga.vbe!.place(-1);
    expect(m.memory.busRead32(0xfd000000)).toBe(-1);
  });

  it('have banks at A0000h, and a window into a larger picture', () => {
    const m = machine();
    for (const [index, value] of [
      [1, 640],
      [2, 480],
      [3, 8],
      [4, 0x01],
      [6, 1024],
      [5, 1],
    ])
      m.vbe(index, value);
    m.memory.busWrite8(0xa0000, 42); // byte 65536: line 64 of 1024
    expect(m.pixel(0, 64)).toBe(42);
    m.vbe(9, 60);
    expect(m.pixel(0, 4)).toBe(42);
    m.vbe(4, 0);
    expect(m.vga.screen().mode).toBe('text');
  });

  it('show nothing beyond their memory', () => {
    const m = machine();
    for (const [index, value] of [
      [1, 1600],
      [2, 1200],
      [3, 32],
      [4, 0x41],
      [6, 0xfff8],
      [8, 0xffff],
      [9, 0xffff],
    ])
      m.vbe(index, value);
    expect(() => m.vga.screen()).not.toThrow();
  });
});
