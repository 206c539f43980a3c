import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PhysicalMemory } from '../memory/physical-memory.ts';
import { Board } from './board.ts';
import { optional } from './optional.ts';
import { TestDevice } from './test-device.ts';

function machine() {
  const memory = new PhysicalMemory(1 << 20);
  const board = new Board({
    clock: { frequency: 100_000_000, now: () => 0 },
    videoMemory: new Uint8Array(0x20000),
    memoryBytes: 1 << 20,
    startDate: '2005-08-23T09:00:00',
    map: memory.map,
  });
  return { memory, board };
}

describe('the test device', () => {
  beforeEach(() => {
    optional.TestDevice = TestDevice;
  });
  afterEach(() => {
    delete optional.TestDevice;
  });

  it('is on no board unless it was provided', () => {
    expect(machine().board.decodes(0xe0)).toBe(true);
    delete optional.TestDevice;
    expect(machine().board.decodes(0xe0)).toBe(false);
  });

  it('remembers at E0h what was written, of each width', () => {
    const { board } = machine();
    board.write(0xe0, 0x12345678, 4);
    board.write(0xe0, 0xffff, 2);
    board.write(0xe0, 0, 1);
    expect([board.read(0xe0, 4), board.read(0xe0, 2), board.read(0xe0, 1)]).toEqual([0x1234ff00, 0xff00, 0]);
  });

  it('remembers single bytes at E8h', () => {
    const { board } = machine();
    for (let n = 0; n < 4; n++) board.write(0xe8 + n, n + 1, 1);
    expect([0, 1, 2, 3].map((n) => board.read(0xe8 + n, 1))).toEqual([1, 2, 3, 4]);
  });

  it('has wires to the interrupt controllers', () => {
    const { board } = machine();
    board.write(0x21, 0x00, 1);
    board.write(0x2005, 1, 1);
    expect([board.pic.pending(), board.read(0x20, 1)]).toEqual([true, 0x20]);
    board.write(0x2005, 0, 1);
    expect(board.pic.pending()).toBe(false);
  });

  it('has memory', () => {
    const { map } = machine().memory;
    map.write(0xff000000, 0x12345678, 4);
    expect([map.read(0xff000001, 2), map.read(0xff000003, 1), map.read(0xff00fffc, 4)]).toEqual([
      0x3456, 0x12, 0,
    ]);
  });
});
