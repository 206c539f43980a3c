import { describe, expect, it } from 'vitest';
import { Device } from '../../trace/events.ts';
import { Board } from './board.ts';

function machine() {
  const clock = { cycles: 0, frequency: 100_000_000, now: () => clock.cycles };
  const board = new Board({
    clock,
    videoMemory: new Uint8Array(0x20000),
    memoryBytes: 16 << 20,
    startDate: '2005-08-23T09:00:00',
  });
  const to = (cycle: number) => {
    while (board.nextDeadline() <= cycle) {
      clock.cycles = board.nextDeadline();
      board.advance(clock.cycles);
    }
    clock.cycles = cycle;
  };
  const initialize = () => {
    for (const [port, v] of [
      [0x20, 0x11],
      [0x21, 0x20],
      [0x21, 4],
      [0x21, 1],
      [0xa0, 0x11],
      [0xa1, 0x28],
      [0xa1, 2],
      [0xa1, 1],
    ])
      board.write(port, v, 1);
  };
  return { board, clock, to, initialize };
}

describe('board', () => {
  it('reads all ones where nobody is', () => {
    const { board } = machine();
    expect([board.read(0x1234, 1), board.read(0x1234, 2), board.read(0x1234, 4)]).toEqual([
      0xff, 0xffff, 0xffffffff,
    ]);
  });

  it('brings the 100 Hz timer to the processor', () => {
    const { board, clock, to, initialize } = machine();
    initialize();
    board.write(0x43, 0x34, 1);
    board.write(0x40, 11932 & 0xff, 1);
    board.write(0x40, 11932 >> 8, 1);
    let ticks = 0;
    while (clock.cycles < 100_000_000) {
      to(Math.min(board.nextDeadline(), 100_000_000));
      if (!board.pic.pending()) continue;
      expect(board.pic.acknowledge()).toBe(0x20);
      board.write(0x20, 0x20, 1);
      ticks++;
    }
    expect(ticks).toBe(99); // 1 193 182 / 11 932 = 99.998 periods
  });

  it('splits a 16-bit write into index and data', () => {
    const { board } = machine();
    board.write(0x3d4, 0x550f, 2);
    board.write(0x3d4, 0x0f, 1);
    expect(board.read(0x3d4, 2)).toBe(0x550f);
  });

  it('switches off and resets', () => {
    const { board } = machine();
    const seen: string[] = [];
    board.onPower = (event) => seen.push(event);
    board.write(0x604, 0x2000, 2);
    board.write(0xb004, 0x2000, 2);
    board.write(0xcf9, 0x06, 1);
    board.write(0x64, 0xfe, 1);
    expect(seen).toEqual(['off', 'off', 'reset', 'reset']);
    board.reset();
    expect(board.state).toBe('on');
  });

  it('tells its owner of accesses, lines, and a deadline that moved forward', () => {
    const { board, clock, to } = machine();
    const log: unknown[] = [];
    board.onAccess = (...access) => log.push(access);
    board.onEarlierDeadline = (at) => log.push(['deadline', at]);
    board.onInterruptLine = (irq) => log.push(['irq', irq]);
    board.write(0x3f8, 0x41, 1);
    expect(log).toEqual([
      ['deadline', clock.cycles + Math.ceil((1e8 * 160) / 1_843_200)],
      [Device.serial, true, 0x3f8, 0x41, 1],
    ]);
    log.length = 0;
    to(100_000);
    board.keys([0x1e]);
    to(200_000);
    expect(log).toEqual([['irq', 1]]);
    expect(board.read(0x60, 1)).toBe(0x1e);
  });

  it('collects serial and debug output', () => {
    const { board, to } = machine();
    board.write(0xe9, 0x42, 1);
    board.write(0x3f8, 0x43, 1);
    to(1_000_000);
    expect([board.takeDebug(), board.takeSerial(), board.takeSerial()]).toEqual([[0x42], [0x43], []]);
  });

  it('resets to the same state as a new board', () => {
    const a = machine();
    a.initialize();
    a.board.write(0x43, 0x34, 1);
    a.board.reset();
    const b = machine();
    const state = (m: Board) =>
      [...Array(0x400).keys()].filter((p) => p !== 0x60 && p !== 0x61).map((p) => m.read(p, 1));
    expect(state(a.board)).toEqual(state(b.board));
  });

  it('survives any access a guest may try, in bounded memory', () => {
    const { board, clock, to } = machine();
    let seed = 7;
    const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
    const sizes = [1, 2, 4] as const;
    for (let n = 0; n < 60_000; n++) {
      const port = random() % 3 ? (random() >>> 8) & 0x3ff : random() >>> 16;
      const size = sizes[random() % 3];
      if (random() & 0x8000) board.write(port, random(), size);
      else {
        const v = board.read(port, size);
        if (v < 0 || v >= 2 ** (8 * size) || !Number.isInteger(v))
          throw new Error(`port ${port.toString(16)} gave ${v}`);
      }
      if (board.pic.pending()) board.pic.acknowledge();
      if (n % 16 === 0) to(clock.cycles + 100_000);
    }
    expect(board.screen()).toBeDefined();
  });
});
