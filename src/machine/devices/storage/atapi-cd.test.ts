import { describe, expect, it } from 'vitest';
import { AtaChannel } from './ata-channel.ts';
import { AtapiCd } from './atapi-cd.ts';
import { Medium } from './medium.ts';

const BLOCKS = 500;
const image = Uint8Array.from({ length: BLOCKS * 2048 }, (_, i) => ((i >> 11) * 29 + i * 5) & 0xff);

function machine() {
  const clock = { cycles: 0, frequency: 100_000_000, now: () => clock.cycles };
  const irq = { level: false, edges: 0 };
  const line = (level: boolean) => {
    if (level && !irq.level) irq.edges++;
    irq.level = level;
  };
  const channel = new AtaChannel(clock, line, 0x170, 0x376);
  channel.attach(0, new AtapiCd(channel, new Medium(image, 2048, true), 'C'));
  channel.reset();
  const r = (register: number) => channel.readPort(0x170 + register, 1);
  const w = (register: number, value: number) => channel.writePort(0x170 + register, value, 1);
  const ready = () => {
    for (let n = 0; n < 1000; n++) {
      const status = channel.readPort(0x376, 1);
      if (!(status & 0x80)) return status;
      clock.cycles = channel.nextDeadline();
      channel.advance(clock.cycles);
    }
    throw new Error('busy for ever');
  };
  /** Sends a packet and takes what comes, block by block as the drive says. */
  const packet = (bytes: number[], limit = 0xfffe) => {
    w(1, 0);
    w(4, limit & 255);
    w(5, limit >> 8);
    w(7, 0xa0);
    expect([ready(), r(2)]).toEqual([0x58, 1]);
    const all = [...bytes, ...Array(12 - bytes.length).fill(0)];
    for (let n = 0; n < 12; n += 2) channel.writePort(0x170, all[n] | (all[n + 1] << 8), 2);
    const data: number[] = [];
    const pieces: number[] = [];
    while (ready() & 8) {
      expect([irq.level, r(2)]).toEqual([true, 2]);
      r(7);
      const length = r(4) | (r(5) << 8);
      pieces.push(length);
      for (let n = 0; n < length; n += 2) {
        const word = channel.readPort(0x170, 2);
        data.push(word & 255);
        if (n + 1 < length) data.push(word >> 8);
      }
    }
    expect([irq.level, r(2)]).toEqual([true, 3]);
    return { status: r(7), error: r(1), data, pieces };
  };
  return { channel, clock, irq, r, w, ready, packet };
}

describe('ATAPI CD-ROM', () => {
  it('shows the signature of a packet device, not ready, and aborts the commands of disks', () => {
    const m = machine();
    expect([m.r(2), m.r(3), m.r(4), m.r(5), m.r(7)]).toEqual([1, 1, 0x14, 0xeb, 0]);
    m.w(4, 0);
    m.w(5, 0);
    m.w(7, 0xec);
    expect([m.ready(), m.r(1), m.r(4), m.r(5)]).toEqual([0x51, 4, 0x14, 0xeb]);
  });

  it('identifies itself as a removable CD-ROM with packets of 12 bytes', () => {
    const m = machine();
    m.w(7, 0xa1);
    expect(m.ready()).toBe(0x58);
    expect(m.channel.readPort(0x170, 2)).toBe(0x85c0);
  });

  it('is ready, says its capacity and who it is', () => {
    const m = machine();
    expect(m.packet([0x00]).status).toBe(0x50);
    expect(m.packet([0x25]).data).toEqual([0, 0, 1, 0xf3, 0, 0, 8, 0]);
    const { data } = m.packet([0x12, 0, 0, 0, 36]);
    expect([data.length, data[0], data[1], String.fromCharCode(...data.slice(8, 22))]).toEqual([
      36,
      5,
      0x80,
      'RINGSIDECD-ROM',
    ]);
    expect(m.packet([0x12, 0, 0, 0, 5]).data.length).toBe(5);
  });

  it('reads blocks, in pieces as large as the host allows', () => {
    const m = machine();
    const expected = [...image.slice(17 * 2048, 19 * 2048)];
    const read10 = m.packet([0x28, 0, 0, 0, 0, 17, 0, 0, 2]);
    expect([read10.pieces, read10.status]).toEqual([[4096], 0x50]);
    expect(read10.data).toEqual(expected);
    const read12 = m.packet([0xa8, 0, 0, 0, 0, 17, 0, 0, 0, 2], 1536);
    expect(read12.pieces).toEqual([1536, 1536, 1024]);
    expect(read12.data).toEqual(expected);
  });

  it('fails beyond the end, and tells why once', () => {
    const m = machine();
    const { status, error } = m.packet([0x28, 0, 0, 0, 1, 0xf4, 0, 0, 1]);
    expect([status, error]).toEqual([0x51, 0x50]);
    const sense = m.packet([0x03, 0, 0, 0, 18]).data;
    expect([sense[0], sense[2], sense[12], sense[13]]).toEqual([0x70, 5, 0x21, 0]);
    expect(m.packet([0x03, 0, 0, 0, 18]).data[2]).toBe(0);
    expect(m.packet([0xff]).error).toBe(0x50);
    expect(m.packet([0x03, 0, 0, 0, 18]).data[12]).toBe(0x20);
  });

  it('has a table of contents with one data track', () => {
    const m = machine();
    expect(m.packet([0x43, 0, 0, 0, 0, 0, 0, 0, 20]).data).toEqual([
      0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x16, 0xaa, 0, 0, 0, 1, 0xf4,
    ]);
    // In minutes, seconds and frames the disc begins two seconds late.
    expect(m.packet([0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12]).data.slice(8)).toEqual([0, 0, 8, 50]);
    expect(m.packet([0x43, 0, 1, 0, 0, 0, 0, 0, 12]).data).toEqual([0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
    expect(m.packet([0x43, 0, 2, 0, 0, 0, 0, 1, 0]).data.length).toBe(4 + 4 * 11);
  });

  it('tells what it can do: mode page 2Ah, profiles', () => {
    const m = machine();
    const mode = m.packet([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128]).data;
    expect([mode[1], mode.length, mode[8], mode[9]]).toEqual([26, 28, 0x2a, 18]);
    const configuration = m.packet([0x46, 0, 0, 0, 0, 0, 0, 0, 200]).data;
    expect([configuration[3], configuration[7]]).toEqual([configuration.length - 4, 8]);
    expect(m.packet([0x51, 0, 0, 0, 0, 0, 0, 0, 34]).data.slice(0, 7)).toEqual([0, 32, 14, 1, 1, 1, 1]);
  });

  it('opens its tray when it may, and is not ready then', () => {
    const m = machine();
    m.packet([0x1e, 0, 0, 0, 1]);
    expect(m.packet([0x1b, 0, 0, 0, 2]).error).toBe(0x50); // locked
    m.packet([0x1e, 0, 0, 0, 0]);
    expect(m.packet([0x1b, 0, 0, 0, 2]).status).toBe(0x50);
    expect(m.packet([0x00]).error).toBe(0x20);
    expect(m.packet([0x03, 0, 0, 0, 18]).data[12]).toBe(0x3a);
    expect(m.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).data.slice(4, 6)).toEqual([3, 1]);
    m.packet([0x1b, 0, 0, 0, 3]);
    expect(m.packet([0x00]).status).toBe(0x50);
  });

  it('aborts data commands by PIO that allow it no bytes', () => {
    const m = machine();
    const { status, error } = m.packet([0x25], 0);
    expect([status, error]).toEqual([0x51, 4]);
  });

  it('resets by DEVICE RESET, even in the middle of a transfer, without an interrupt', () => {
    const m = machine();
    m.w(7, 0xa0);
    m.ready();
    m.w(7, 0x08);
    expect([m.ready(), m.r(4), m.r(5), m.irq.edges]).toEqual([0, 0x14, 0xeb, 0]);
    expect(m.packet([0x00]).status).toBe(0x50);
  });
});
