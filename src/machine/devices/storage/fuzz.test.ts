// Whatever a guest does at the ports of its drives: every answer is a number of the right size, no memory but the machine's
// is touched, every access and every deadline comes to an end, and the same accesses have the same outcome.
import { describe, expect, it } from 'vitest';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import { Board } from '../board.ts';
import { HostBus } from '../bus-memory.ts';
import { Medium } from './medium.ts';

const PORTS = [
  ...[0x1f0, 0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7, 0x1f7, 0x3f6],
  ...[0x170, 0x170, 0x171, 0x172, 0x173, 0x174, 0x175, 0x176, 0x177, 0x177, 0x376],
  ...[0xc000, 0xc002, 0xc004, 0xc008, 0xc00a, 0xc00c, 0xcf8, 0xcfc, 0xcfe],
  ...[0x3f0, 0x3f1, 0x3f2, 0x3f3, 0x3f4, 0x3f5, 0x3f5, 0x3f5, 0x3f7],
  ...[0x04, 0x05, 0x08, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x81, 0xd4, 0xda],
];
/** Values that begin something, oftener than chance would have them. */
const LIKELY = [
  0x20, 0x24, 0x25, 0x30, 0x35, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xec, 0xa0, 0xa1, 0x08, 0x90, 0x28, 0xe0,
];
const FLOPPY = [0x03, 0x07, 0x08, 0x0f, 0xe6, 0xc5, 0x4d, 0x4a, 0x46, 0x46, 0x56, 0x0c, 0x1c, 0, 1, 2, 18];

function play(seed: number, steps: number): { digest: number; memory: Uint8Array } {
  const clock = { cycles: 0, frequency: 50_000_000, now: () => clock.cycles };
  const memory = new PhysicalMemory(1 << 20);
  const image = Uint8Array.from({ length: 300 * 2048 }, (_, n) => n * 13);
  const board = new Board({
    clock,
    memory: new HostBus(memory),
    videoMemory: memory.bytes.subarray(0xa0000, 0xc0000),
    memoryBytes: memory.size,
    startDate: '2005-08-23T09:00:00',
    drives: [
      { kind: 'hard-disk', medium: new Medium(image) },
      { kind: 'cd', medium: new Medium(image, 2048, true) },
      { kind: 'floppy', medium: new Medium(image) },
    ],
  });
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % below;
  };
  let digest = 0;
  const note = (value: number) => {
    digest = (Math.imul(digest, 31) + value) | 0;
  };
  for (let n = 0; n < steps; n++) {
    const port = PORTS[random(PORTS.length)];
    const size = ([1, 1, 2, 4] as const)[random(4)];
    if (random(3)) {
      const list = port === 0x3f5 ? FLOPPY : LIKELY;
      const value = random(2) ? list[random(list.length)] : port >= 0xc000 ? random(0x1000) : random(256);
      board.write(port, value, size);
    } else {
      const value = board.read(port, size);
      if (!(value >= 0 && value < 2 ** (8 * size) && Number.isInteger(value)))
        throw new Error(`port ${port.toString(16)} gave ${value}`);
      note(value);
    }
    // A block of data, now and then the whole.
    if (random(8) === 0) for (let k = random(300); k > 0; k--) note(board.read(random(2) ? 0x1f0 : 0x170, 2));
    if (random(2)) continue;
    clock.cycles += random(20_000);
    let rounds = 0;
    while (board.nextDeadline() <= clock.cycles) {
      board.advance(clock.cycles);
      if (++rounds > 1000) throw new Error('deadlines without end');
    }
    if (board.pic.pending()) note(board.pic.acknowledge());
  }
  return { digest, memory: memory.bytes };
}

describe('the ports of the drives, at random', () => {
  it.each([1, 2, 3, 4])('seed %i: in bounds, with an end, and the same again', (seed) => {
    const first = play(seed, 15_000);
    const second = play(seed, 15_000);
    expect(second.digest).toBe(first.digest);
    expect(Buffer.compare(second.memory, first.memory)).toBe(0);
  });
});
