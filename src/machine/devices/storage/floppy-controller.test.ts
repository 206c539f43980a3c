import { describe, expect, it } from 'vitest';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import { Board } from '../board.ts';
import { HostBus } from '../bus-memory.ts';
import { Medium } from './medium.ts';

const SECTORS = 2880;
const image = Uint8Array.from({ length: SECTORS * 512 }, (_, i) => ((i >> 9) * 31 + i * 7) & 0xff);
const sector = (cylinder: number, head: number, n: number) => {
  const at = ((cylinder * 2 + head) * 18 + n - 1) * 512;
  return image.slice(at, at + 512);
};

/** A board with a 1.44 MB diskette in drive A; IRQ 6 is watched at the interrupt controller's input. */
function machine(readOnly = false) {
  const clock = { cycles: 0, frequency: 100_000_000, now: () => clock.cycles };
  const memory = new PhysicalMemory(1 << 20);
  const board = new Board({
    clock,
    memory: new HostBus(memory),
    videoMemory: memory.bytes.subarray(0xa0000, 0xc0000),
    memoryBytes: memory.size,
    startDate: '2005-08-23T09:00:00',
    drives: [{ kind: 'floppy', medium: new Medium(image, 512, readOnly) }],
  });
  const irqs: number[] = [];
  board.onInterruptLine = (irq) => {
    if (irq !== 0) irqs.push(irq); // the timer ticks all the time
  };
  const out = (port: number, ...values: number[]) => {
    for (const value of values) board.write(port, value, 1);
  };
  const msr = () => board.read(0x3f4, 1);
  const run = () => {
    while (board.storage!.floppy.nextDeadline() < Infinity) {
      clock.cycles = board.nextDeadline();
      board.advance(clock.cycles);
    }
  };
  const command = (...bytes: number[]) => {
    for (const byte of bytes) {
      expect(msr() & 0xc0).toBe(0x80);
      out(0x3f5, byte);
    }
  };
  const result = () => {
    const bytes: number[] = [];
    while ((msr() & 0xc0) === 0xc0) bytes.push(board.read(0x3f5, 1));
    return bytes;
  };
  const seek = (cylinder: number) => {
    command(0x0f, 0, cylinder);
    run();
    command(0x08);
    return result();
  };
  const dma = (address: number, bytes: number, mode: number) => {
    out(0x0a, 6);
    out(0x0c, 0);
    out(0x04, address & 255, (address >> 8) & 255);
    out(0x05, (bytes - 1) & 255, (bytes - 1) >> 8);
    out(0x81, address >> 16);
    out(0x0b, mode);
    out(0x0a, 2);
  };
  return { board, memory, irqs, out, msr, run, command, result, seek, dma };
}

describe('82077AA diskette controller', () => {
  it('interrupts after a reset, and tells about four drives', () => {
    const m = machine();
    m.out(0x3f2, 0x08);
    m.out(0x3f2, 0x0c);
    expect(m.msr()).toBe(0);
    m.run();
    expect([m.irqs, m.msr()]).toEqual([[6], 0x80]);
    for (let n = 0; n < 4; n++) {
      m.command(0x08);
      expect(m.result()).toEqual([0xc0 | n, 0]);
    }
    m.command(0x08);
    expect(m.result()).toEqual([0x80]); // nothing to tell: invalid
    m.command(0x10);
    expect(m.result()).toEqual([0x90]);
  });

  it('recalibrates and seeks, each with an interrupt', () => {
    const m = machine();
    m.command(0x07, 0);
    expect(m.msr()).toBe(0x81); // drive 0 is on its way
    m.run();
    m.command(0x08);
    expect([m.result(), m.irqs]).toEqual([[0x20, 0], [6]]);
    expect(m.seek(40)).toEqual([0x20, 40]);
    m.command(0x04, 0);
    expect(m.result()).toEqual([0x28]); // not at track 0
    m.command(0x07, 1); // there is no drive B
    m.run();
    m.command(0x08);
    expect(m.result()).toEqual([0x71, 0]);
  });

  it('reads a sector by DMA until terminal count', () => {
    const m = machine();
    m.seek(3);
    m.irqs.length = 0;
    m.dma(0x8000, 512, 0x46);
    m.command(0xe6, 0x04, 3, 1, 5, 2, 18, 0x1b, 0xff);
    expect(m.msr() & 0xf0).toBe(0x10);
    m.run();
    expect(m.irqs).toEqual([6]);
    expect(m.result()).toEqual([0x04, 0, 0, 3, 1, 6, 2]);
    expect(m.memory.bytes.slice(0x8000, 0x8200)).toEqual(sector(3, 1, 5));
    expect(m.msr()).toBe(0x80);
  });

  it('reads a whole cylinder with both heads (MT)', () => {
    const m = machine();
    m.dma(0x10000, 36 * 512, 0x46);
    m.command(0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    m.run();
    expect(m.result()).toEqual([0x04, 0, 0, 1, 0, 1, 2]);
    const got = m.memory.bytes.slice(0x10000, 0x10000 + 36 * 512);
    expect(got.every((byte, n) => byte === image[n])).toBe(true);
  });

  it('writes by DMA, unless the diskette is protected', () => {
    const m = machine();
    m.memory.bytes.fill(0xa5, 0x9000, 0x9400);
    m.seek(1);
    m.dma(0x9000, 1024, 0x4a);
    m.command(0xc5, 0, 1, 0, 17, 2, 18, 0x1b, 0xff);
    m.run();
    expect(m.result()).toEqual([0, 0, 0, 1, 1, 1, 2]);
    m.dma(0x8000, 1024, 0x46);
    m.command(0xe6, 0, 1, 0, 17, 2, 18, 0x1b, 0xff);
    m.run();
    m.result();
    expect(m.memory.bytes.slice(0x8000, 0x8400).every((byte) => byte === 0xa5)).toBe(true);
    const p = machine(true);
    p.dma(0x9000, 512, 0x4a);
    p.command(0xc5, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    p.run();
    expect(p.result().slice(0, 2)).toEqual([0x40, 0x02]);
  });

  it('says why it cannot read', () => {
    const m = machine();
    const read = (c: number, h: number, r: number, drive = 0) => {
      m.dma(0x8000, 512, 0x46);
      m.command(0x46, drive | (h << 2), c, h, r, 2, 18, 0x1b, 0xff);
      m.run();
      return m.result().slice(0, 3);
    };
    expect(read(0, 0, 19)).toEqual([0x40, 0x04, 0]); // there are 18 sectors
    expect(read(7, 0, 1)).toEqual([0x40, 0x04, 0x10]); // the head is over cylinder 0
    expect(read(0, 0, 1, 1)).toEqual([0x41, 0x01, 0]); // no drive
    m.out(0x3f7, 2); // 250 kbit/s
    expect(read(0, 0, 1)).toEqual([0x40, 0x01, 0]);
    m.out(0x3f7, 0);
    m.out(0x0a, 6); // nobody takes the bytes
    m.command(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    m.run();
    expect(m.result().slice(0, 2)).toEqual([0x40, 0x10]);
  });

  it('reads byte by byte without DMA, and ends at the last sector with "end of cylinder"', () => {
    const m = machine();
    m.command(0x03, 0xaf, 0x03);
    m.command(0x46, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    m.run();
    const bytes: number[] = [];
    while (m.msr() === 0xf0) bytes.push(m.board.read(0x3f5, 1));
    expect(Uint8Array.from(bytes)).toEqual(sector(0, 0, 18));
    m.run();
    expect(m.result()).toEqual([0x40, 0x80, 0, 1, 0, 1, 2]);
  });

  it('names the sectors that pass the head, and formats a track', () => {
    const m = machine();
    m.seek(2);
    const id = () => {
      m.command(0x4a, 4);
      m.run();
      return m.result();
    };
    expect([id(), id()]).toEqual([
      [4, 0, 0, 2, 1, 1, 2],
      [4, 0, 0, 2, 1, 2, 2],
    ]);
    for (let n = 0; n < 18; n++) m.memory.bytes.set([2, 1, n + 1, 2], 0x8000 + 4 * n);
    m.dma(0x8000, 72, 0x4a);
    m.command(0x4d, 4, 2, 18, 0x54, 0xf6);
    m.run();
    expect(m.result().slice(0, 3)).toEqual([4, 0, 0]);
    m.dma(0x9000, 512, 0x46);
    m.command(0x46, 4, 2, 1, 9, 2, 18, 0x1b, 0xff);
    m.run();
    expect(m.memory.bytes.slice(0x9000, 0x9200).every((byte) => byte === 0xf6)).toBe(true);
  });

  it('moves the head by itself when CONFIGURE has said so', () => {
    const m = machine();
    m.command(0x13, 0, 0x57, 0);
    m.dma(0x8000, 512, 0x46);
    m.command(0x46, 0, 33, 0, 1, 2, 18, 0x1b, 0xff);
    m.run();
    expect(m.result().slice(0, 3)).toEqual([0, 0, 0]);
    expect(m.memory.bytes.slice(0x8000, 0x8200)).toEqual(sector(33, 0, 1));
  });

  it('keeps the change line up until the head has moved', () => {
    const m = machine();
    expect(m.board.read(0x3f7, 1)).toBe(0x80);
    m.seek(1);
    expect(m.board.read(0x3f7, 1)).toBe(0);
    m.out(0x3f2, 0x1d); // drive B is not there
    expect(m.board.read(0x3f7, 1)).toBe(0x80);
  });

  it('keeps IRQ 6 to itself while the DMA gate is closed', () => {
    const m = machine();
    m.out(0x3f2, 0x04);
    m.command(0x07, 0);
    m.run();
    expect(m.irqs).toEqual([]);
    m.out(0x3f2, 0x0c);
    expect(m.irqs).toEqual([6]);
  });

  it('is in the set-up bytes: a 1.44 MB drive, one diskette drive', () => {
    const m = machine();
    const cmos = (register: number) => {
      m.out(0x70, register);
      return m.board.read(0x71, 1);
    };
    expect([cmos(0x10), cmos(0x14) & 0xc1, cmos(0x12)]).toEqual([0x40, 0x01, 0]);
  });
});
