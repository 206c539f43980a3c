import { describe, expect, it } from 'vitest';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import { Board } from '../board.ts';
import { HostBus } from '../bus-memory.ts';
import { Medium } from './medium.ts';

/** A board with a disk of 2000 sectors and 1 MiB of memory, the bus master enabled at C000h. */
function machine() {
  const clock = { cycles: 0, frequency: 100_000_000, now: () => clock.cycles };
  const memory = new PhysicalMemory(1 << 20);
  const image = Uint8Array.from({ length: 2000 * 512 }, (_, i) => ((i >> 9) * 37 + i * 11) & 0xff);
  const board = new Board({
    clock,
    memory: new HostBus(memory),
    videoMemory: memory.bytes.subarray(0xa0000, 0xc0000),
    memoryBytes: memory.size,
    startDate: '2005-08-23T09:00:00',
    drives: [{ kind: 'hard-disk', medium: new Medium(image) }],
  });
  board.write(0xcf8, 0x80000904, 4);
  board.write(0xcfc, 5, 2);
  const table = (...regions: [address: number, bytes: number][]) => {
    regions.forEach(([address, bytes], n) => {
      memory.write32(0x800 + n * 8, address);
      memory.write32(0x804 + n * 8, (bytes & 0xffff) | (n === regions.length - 1 ? 0x80000000 : 0));
    });
    board.write(0xc004, 0x800, 4);
  };
  const command = (code: number, lba: number, count: number) => {
    board.write(0x1f2, count, 1);
    board.write(0x1f3, lba & 255, 1);
    board.write(0x1f4, (lba >> 8) & 255, 1);
    board.write(0x1f5, (lba >> 16) & 255, 1);
    board.write(0x1f6, 0xe0, 1);
    board.write(0x1f7, code, 1);
  };
  const run = () => {
    for (let n = 0; n < 100 && board.nextDeadline() < Infinity; n++) {
      clock.cycles = board.nextDeadline();
      board.advance(clock.cycles);
    }
  };
  return { board, clock, memory, image, table, command, run };
}

describe('bus-master IDE', () => {
  it('reads sectors into the regions of its table', () => {
    const m = machine();
    m.table([0x10000, 512], [0x20002, 1024 + 512]);
    m.board.write(0xc000, 0x08, 1);
    m.command(0xc8, 7, 4);
    m.board.write(0xc000, 0x09, 1);
    expect(m.board.read(0xc002, 1)).toBe(0x01);
    m.run();
    // Interrupt, and no longer active: the table was exactly as long as the transfer.
    expect(m.board.read(0xc002, 1)).toBe(0x04);
    expect(m.board.read(0x1f7, 1)).toBe(0x50);
    expect(m.memory.bytes.slice(0x10000, 0x10200)).toEqual(m.image.slice(7 * 512, 8 * 512));
    expect(m.memory.bytes.slice(0x20002, 0x20602)).toEqual(m.image.slice(8 * 512, 11 * 512));
    m.board.write(0xc002, 0x04, 1);
    m.board.write(0xc000, 0, 1);
    expect(m.board.read(0xc002, 1)).toBe(0);
  });

  it('may be started before the command, and moves 256 sectors', () => {
    const m = machine();
    m.table([0x30000, 0], [0x40000, 0]);
    m.board.write(0xc000, 0x09, 1);
    m.command(0xc8, 100, 0);
    m.run();
    expect(m.board.read(0xc002, 1)).toBe(0x04);
    const at = 0x30000;
    const same = m.memory.bytes
      .subarray(at, at + 0x20000)
      .every((byte, n) => byte === m.image[100 * 512 + n]);
    expect(same).toBe(true);
  });

  it('stays active when the table is longer, and without interrupt when it is shorter, than the transfer', () => {
    const m = machine();
    m.table([0x10000, 4096]);
    m.command(0xc8, 0, 1);
    m.board.write(0xc000, 0x09, 1);
    m.run();
    expect(m.board.read(0xc002, 1)).toBe(0x05);
    m.board.write(0xc000, 0, 1);
    expect(m.board.read(0xc002, 1)).toBe(0x04);
    m.board.read(0x1f7, 1);
    m.board.write(0xc002, 4, 1);
    m.table([0x10000, 256]);
    m.command(0xc8, 0, 1);
    m.board.write(0xc000, 0x09, 1);
    m.run();
    expect(m.board.read(0xc002, 1)).toBe(0);
    expect(m.board.read(0x3f6, 1)).toBe(0x80);
    // A new table for the rest, and it goes on.
    m.board.write(0xc000, 0x08, 1);
    m.table([0x10100, 256]);
    m.board.write(0xc000, 0x09, 1);
    expect(m.board.read(0xc002, 1)).toBe(0x04);
    expect(m.memory.bytes.slice(0x10000, 0x10200)).toEqual(m.image.slice(0, 512));
  });

  it('writes memory to the disk, and stops at what is no memory', () => {
    const m = machine();
    m.memory.bytes.fill(0x5a, 0x10000, 0x10400);
    m.table([0x10000, 1024]);
    m.command(0xca, 50, 2);
    m.board.write(0xc000, 0x01, 1);
    m.run();
    expect(m.board.read(0xc002, 1)).toBe(0x04);
    m.board.read(0x1f7, 1);
    m.board.write(0xc000, 0, 1);
    m.board.write(0xc002, 4, 1);
    m.table([0x7ff00000, 512]);
    m.command(0xc8, 50, 1);
    m.board.write(0xc000, 0x09, 1);
    m.run();
    expect(m.board.read(0xc002, 1) & 3).toBe(2); // error, not active
    m.board.write(0xc000, 0, 1);
    m.command(0x20, 51, 1);
    m.run();
    m.board.write(0x3f6, 4, 1);
    m.board.write(0x3f6, 0, 1);
    m.run();
    m.command(0x20, 51, 1);
    m.run();
    expect(m.board.read(0x1f0, 4)).toBe(0x5a5a5a5a);
  });

  it('tells decoded code that memory has changed', () => {
    const m = machine();
    m.memory.markCode(0x10010, 4);
    const before = m.memory.codeVersion[0x10];
    m.table([0x10000, 512]);
    m.command(0xc8, 0, 1);
    m.board.write(0xc000, 0x09, 1);
    m.run();
    expect(m.memory.codeVersion[0x10]).toBeGreaterThan(before);
  });

  it('moves with BAR4, and does nothing while bus mastering is off', () => {
    const m = machine();
    m.board.write(0xcf8, 0x80000920, 4);
    m.board.write(0xcfc, 0xd000, 4);
    expect(m.board.read(0xc002, 1)).toBe(0xff);
    expect(m.board.read(0xd002, 1)).toBe(0);
    m.board.write(0xcfc, 0x1f0, 4); // on top of the disk: the disk keeps its ports
    expect(m.board.read(0x1f7, 1)).toBe(0x50);
    m.board.write(0xcfc, 0xc000, 4);
    m.board.write(0xcf8, 0x80000904, 4);
    m.board.write(0xcfc, 1, 2);
    m.table([0x10000, 512]);
    m.command(0xc8, 3, 1);
    m.board.write(0xc000, 0x09, 1);
    m.run();
    expect(m.board.read(0xc002, 1)).toBe(0x01);
    expect(m.memory.read32(0x10000)).toBe(0);
  });
});
