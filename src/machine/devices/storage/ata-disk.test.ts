import { describe, expect, it } from 'vitest';
import { AtaChannel } from './ata-channel.ts';
import { AtaDisk } from './ata-disk.ts';
import { Medium } from './medium.ts';

const HZ = 100_000_000;

/** A disk whose sector n is filled with a pattern of n. */
const pattern = (sectors: number): Uint8Array =>
  Uint8Array.from({ length: sectors * 512 }, (_, i) => ((i >> 9) * 37 + i * 11) & 0xff);

function machine(sectors = 4096, second = 0) {
  const clock = { cycles: 0, frequency: HZ, now: () => clock.cycles };
  const irq = { level: false, edges: 0 };
  const channel = new AtaChannel(
    clock,
    (level) => {
      if (level && !irq.level) irq.edges++;
      irq.level = level;
    },
    0x1f0,
    0x3f6,
  );
  const bytes = pattern(sectors);
  const medium = new Medium(bytes);
  channel.attach(0, new AtaDisk(channel, medium, 'A1'));
  if (second) channel.attach(1, new AtaDisk(channel, new Medium(pattern(second)), 'B2'));
  channel.reset();
  const r = (register: number) => channel.readPort(0x1f0 + register, 1);
  const w = (register: number, value: number) => channel.writePort(0x1f0 + register, value, 1);
  /** Lets time pass until the drive is not busy; its status, by the alternate register. */
  const ready = () => {
    for (let n = 0; n < 1000; n++) {
      const status = channel.readPort(0x3f6, 1);
      if (!(status & 0x80)) return status;
      clock.cycles = channel.nextDeadline();
      channel.advance(clock.cycles);
    }
    throw new Error('busy for ever');
  };
  const lba = (n: number, count: number) => {
    w(2, count);
    w(3, n & 255);
    w(4, (n >> 8) & 255);
    w(5, (n >> 16) & 255);
    w(6, 0xe0 | ((n >> 24) & 15));
  };
  const block = (bytes: number) => {
    const out = new Uint8Array(bytes);
    for (let n = 0; n < bytes; n += 2) {
      const word = channel.readPort(0x1f0, 2);
      out[n] = word & 255;
      out[n + 1] = word >> 8;
    }
    return out;
  };
  const put = (data: Uint8Array) => {
    for (let n = 0; n < data.length; n += 2) channel.writePort(0x1f0, data[n] | (data[n + 1] << 8), 2);
  };
  const words = () => new Uint16Array(block(512).buffer);
  return { channel, clock, irq, bytes, medium, r, w, ready, lba, block, put, words };
}

describe('ATA disk', () => {
  it('is there: the signature of a disk, ready, no interrupt', () => {
    const m = machine();
    expect([m.r(1), m.r(2), m.r(3), m.r(4), m.r(5), m.r(7)]).toEqual([1, 1, 1, 0, 0, 0x50]);
    m.w(6, 0x10);
    expect(m.r(7)).toBe(0); // nobody at device 1
  });

  it('identifies itself', () => {
    const m = machine(20_000);
    m.w(7, 0xec);
    expect(m.channel.readPort(0x3f6, 1)).toBe(0x80);
    expect(m.ready()).toBe(0x58);
    expect(m.irq.edges).toBe(1);
    const w = m.words();
    expect([w[1], w[3], w[6]]).toEqual([19, 16, 63]);
    expect([w[60] | (w[61] << 16), w[100]]).toEqual([20_000, 20_000]);
    expect(w[49] & 0x0300).toBe(0x0300); // LBA and DMA
    expect(w[83] & 0x0400).toBe(0x0400); // 48-bit addresses
    expect(String.fromCharCode(...[...w.slice(27, 36)].flatMap((c) => [c >> 8, c & 255]))).toBe(
      'Ringside hard disk',
    );
    expect(m.r(7)).toBe(0x50);
    expect(m.irq.level).toBe(false);
  });

  it('reads sectors by LBA: one interrupt a sector, acknowledged by reading status', () => {
    const m = machine();
    m.lba(1000, 3);
    m.w(7, 0x20);
    for (let n = 0; n < 3; n++) {
      expect(m.ready()).toBe(0x58);
      expect([m.irq.level, m.irq.edges]).toEqual([true, n + 1]);
      expect(m.r(7)).toBe(0x58);
      expect(m.irq.level).toBe(false);
      expect(m.block(512)).toEqual(m.bytes.slice((1000 + n) * 512, (1001 + n) * 512));
    }
    expect([m.ready(), m.irq.edges]).toEqual([0x50, 3]);
  });

  it('takes its time: 20 µs before the first sector, then 5.12 µs each', () => {
    const m = machine();
    m.lba(0, 2);
    m.w(7, 0x20);
    m.ready();
    expect(m.clock.cycles).toBe(2000);
    m.block(512);
    m.ready();
    expect(m.clock.cycles).toBe(2512);
  });

  it('reads 32 bits at a time, and 48-bit addresses with the high bytes first', () => {
    const m = machine();
    const put = (register: number, high: number, low: number) => {
      m.w(register, high);
      m.w(register, low);
    };
    put(2, 0, 1);
    put(3, 0, 77);
    put(4, 0, 1);
    put(5, 0, 0);
    m.w(6, 0xe0);
    m.w(7, 0x24);
    m.ready();
    expect(m.channel.readPort(0x1f0, 4)).toBe(new DataView(m.bytes.buffer).getUint32((256 + 77) * 512, true));
  });

  it('shows the earlier content of a register while HOB is set', () => {
    const m = machine();
    m.w(3, 0x12);
    m.w(3, 0x34);
    m.channel.writePort(0x3f6, 0x80, 1);
    expect(m.r(3)).toBe(0x12);
    m.w(6, 0xe0); // any write to the command block takes HOB away
    expect(m.r(3)).toBe(0x34);
  });

  it('writes and reads back, and leaves the image alone', () => {
    const m = machine();
    const data = Uint8Array.from({ length: 1024 }, (_, i) => (i * 7) & 255);
    const before = m.bytes.slice(0, 8 * 512);
    m.lba(5, 2);
    m.w(7, 0x30);
    expect(m.channel.readPort(0x3f6, 1)).toBe(0x58); // at once: some drivers do not even wait
    expect([m.ready(), m.irq.edges]).toEqual([0x58, 0]); // the first block is asked for without an interrupt
    m.put(data.subarray(0, 512));
    expect([m.ready(), m.irq.edges]).toEqual([0x58, 1]);
    m.put(data.subarray(512));
    m.r(7);
    expect([m.ready(), m.irq.level]).toEqual([0x50, true]);
    m.lba(5, 2);
    m.w(7, 0x20);
    m.ready();
    const first = m.block(512);
    m.ready();
    expect([...first, ...m.block(512)]).toEqual([...data]);
    expect(m.bytes.slice(0, 8 * 512)).toEqual(before);
  });

  it('moves several sectors a block after SET MULTIPLE MODE, and refuses before', () => {
    const m = machine();
    m.lba(8, 10);
    m.w(7, 0xc4);
    expect([m.ready(), m.r(1)]).toEqual([0x51, 4]);
    m.w(2, 3);
    m.w(7, 0xc6);
    expect(m.ready()).toBe(0x51); // not a power of two
    m.w(2, 8);
    m.w(7, 0xc6);
    expect(m.ready()).toBe(0x50);
    m.r(7);
    m.lba(8, 10);
    m.w(7, 0xc4);
    m.ready();
    const big = m.block(8 * 512);
    expect(m.ready()).toBe(0x58);
    expect([...big, ...m.block(2 * 512)]).toEqual([...m.bytes.slice(8 * 512, 18 * 512)]);
    expect(m.ready()).toBe(0x50);
  });

  it('reads by cylinder, head and sector in the translation that was set', () => {
    const m = machine();
    const chs = (c: number, h: number, s: number) => {
      m.w(2, 1);
      m.w(3, s);
      m.w(4, c & 255);
      m.w(5, c >> 8);
      m.w(6, 0xa0 | h);
    };
    chs(1, 2, 3);
    m.w(7, 0x20);
    m.ready();
    const lba = (1 * 16 + 2) * 63 + 2;
    expect(m.block(512)).toEqual(m.bytes.slice(lba * 512, (lba + 1) * 512));
    m.w(2, 17); // 17 sectors, 4 heads
    m.w(6, 0xa3);
    m.w(7, 0x91);
    expect(m.ready()).toBe(0x50);
    chs(1, 2, 3);
    m.w(7, 0x20);
    m.ready();
    const other = (1 * 4 + 2) * 17 + 2;
    expect(m.block(512)).toEqual(m.bytes.slice(other * 512, (other + 1) * 512));
    chs(1, 2, 18); // there are 17
    m.w(7, 0x20);
    expect([m.ready(), m.r(1)]).toEqual([0x51, 0x10]);
  });

  it('ends in ID NOT FOUND behind the last sector, and says which one', () => {
    const m = machine(100);
    m.lba(99, 2);
    m.w(7, 0x20);
    m.ready();
    m.block(512);
    expect([m.ready(), m.r(1), m.r(3)]).toEqual([0x51, 0x10, 100]);
  });

  it('aborts what it does not know', () => {
    const m = machine();
    m.w(7, 0xa1); // IDENTIFY PACKET DEVICE
    expect([m.ready(), m.r(1), m.irq.edges]).toEqual([0x51, 4, 1]);
  });

  it('keeps its line down while nIEN is set', () => {
    const m = machine();
    m.channel.writePort(0x3f6, 2, 1);
    m.w(7, 0xec);
    m.ready();
    expect(m.irq.level).toBe(false);
    m.channel.writePort(0x3f6, 0, 1);
    expect(m.irq.level).toBe(true);
  });

  it('resets by software in the middle of a transfer', () => {
    const m = machine(4096, 64);
    m.lba(0, 4);
    m.w(7, 0x20);
    m.ready();
    m.channel.writePort(0x3f6, 4, 1);
    expect(m.channel.readPort(0x3f6, 1)).toBe(0x80);
    m.channel.writePort(0x3f6, 0, 1);
    expect([m.ready(), m.r(1), m.r(2), m.r(3)]).toEqual([0x50, 1, 1, 1]);
    m.w(6, 0x10);
    expect([m.ready(), m.r(3), m.irq.level]).toEqual([0x50, 1, false]);
  });

  it('has two devices, each with its own transfer and interrupt', () => {
    const m = machine(4096, 64);
    m.w(6, 0xf0);
    m.w(7, 0xec);
    m.ready();
    expect(m.words()[60]).toBe(64);
    expect(m.ready()).toBe(0x50);
    m.w(6, 0xe0);
    m.w(7, 0x90);
    expect([m.ready(), m.r(1), m.irq.level]).toEqual([0x50, 1, true]);
  });
});
