import { describe, expect, it } from 'vitest';
import { Board } from './board.ts';
import { DebugPorts } from './debug-ports.ts';

const board = () =>
  new Board({
    clock: { frequency: 100_000_000, now: () => 0 },
    videoMemory: new Uint8Array(0x20000),
    memoryBytes: 16 << 20,
    startDate: '2005-08-23T09:00:00',
  });

describe('debug ports', () => {
  it('keep the last POST code, and hand characters on', () => {
    const ports = new DebugPorts();
    ports.writePort(0x80, 0x42);
    for (const c of 'ok') ports.writePort(0xe9, c.charCodeAt(0));
    expect([ports.readPort(0x80), ports.readPort(0xe9), ports.drain()]).toEqual([0x42, 0xe9, [0x6f, 0x6b]]);
  });

  it.each([
    [0, 1],
    [1, 3],
    [0x10, 33],
    [0x1ff, 0xff],
  ])('F4h and 501h switch the machine off: written %i, it ends with %i as QEMU does', (value, code) => {
    for (const [port, size] of [
      [0xf4, 1],
      [0xf4, 2],
      [0xf4, 4],
      [0x501, 1],
      [0x501, 2],
    ] as const) {
      const b = board();
      b.write(port, value, size);
      expect([b.state, b.debug.exitCode]).toEqual(['off', code]);
      b.reset();
      expect([b.state, b.debug.exitCode]).toEqual(['on', undefined]);
    }
  });

  it('reading F4h is harmless', () => {
    const b = board();
    expect([b.read(0xf4, 1), b.read(0xf4, 4), b.state]).toEqual([0, 0, 'on']);
  });
});
