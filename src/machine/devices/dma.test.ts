import { describe, expect, it } from 'vitest';
import { PhysicalMemory } from '../memory/physical-memory.ts';
import { HostBus } from './bus-memory.ts';
import { Dma } from './dma.ts';

function machine() {
  const memory = new PhysicalMemory(1 << 20);
  const dma = new Dma(new HostBus(memory));
  dma.reset();
  const w = (port: number, ...values: number[]) => {
    for (const value of values) dma.writePort(port, value);
  };
  /** Channel 2 as floppy drivers set it up. */
  const setUp = (address: number, bytes: number, mode: number) => {
    w(0x0a, 6);
    w(0x0c, 0);
    w(0x04, address & 255, (address >> 8) & 255);
    w(0x05, (bytes - 1) & 255, (bytes - 1) >> 8);
    w(0x81, address >> 16);
    w(0x0b, mode);
    w(0x0a, 2);
  };
  return { memory, dma, w, setUp, line: dma.line(2) };
}
const data = Uint8Array.from({ length: 1024 }, (_, i) => (i * 3) & 255);

describe('8237A', () => {
  it('moves bytes to memory until terminal count, then masks itself', () => {
    const m = machine();
    m.setUp(0x23456, 1000, 0x46);
    expect([m.line.toMemory(data, 0, 512), m.line.ended]).toEqual([512, false]);
    expect([m.line.toMemory(data, 512, 1024), m.line.ended]).toEqual([488, true]);
    expect(m.memory.bytes.slice(0x23456, 0x23456 + 1000)).toEqual(data.slice(0, 1000));
    expect(m.dma.readPort(0x08)).toBe(0x04);
    expect(m.dma.readPort(0x08)).toBe(0); // reading has cleared it
    expect(m.line.toMemory(data, 0, 16)).toBe(0);
  });

  it('stays within its 64 KiB page', () => {
    const m = machine();
    m.setUp(0x2fff0, 32, 0x46);
    m.line.toMemory(data, 0, 32);
    expect(m.memory.bytes.slice(0x2fff0, 0x30000)).toEqual(data.slice(0, 16));
    expect(m.memory.bytes.slice(0x20000, 0x20010)).toEqual(data.slice(16, 32));
    expect(m.memory.bytes[0x30000]).toBe(0);
  });

  it('reads memory, in the set direction only', () => {
    const m = machine();
    m.memory.bytes.set(data, 0x1000);
    m.setUp(0x1000, 64, 0x4a);
    const into = new Uint8Array(64);
    expect(m.line.toMemory(data, 0, 64)).toBe(0);
    expect(m.line.fromMemory(into, 0, 64)).toBe(64);
    expect(into).toEqual(data.slice(0, 64));
  });

  it('shows address and count, low byte first', () => {
    const m = machine();
    m.setUp(0x1000, 0x200, 0x46);
    m.line.toMemory(data, 0, 0x80);
    m.w(0x0c, 0);
    const { dma } = m;
    expect([dma.readPort(4), dma.readPort(4), dma.readPort(5), dma.readPort(5)]).toEqual([
      0x80, 0x10, 0x7f, 0x01,
    ]);
  });

  it('starts anew by itself in auto-initialize mode, and counts downwards when told', () => {
    const m = machine();
    m.setUp(0x1000, 16, 0x56);
    m.line.toMemory(data, 0, 16);
    expect(m.line.toMemory(data, 16, 32)).toBe(16);
    expect(m.memory.bytes.slice(0x1000, 0x1010)).toEqual(data.slice(16, 32));
    m.setUp(0x2003, 4, 0x66);
    m.line.toMemory(data, 0, 4);
    expect([...m.memory.bytes.slice(0x2000, 0x2004)]).toEqual([9, 6, 3, 0]);
  });

  it('does nothing while masked or disabled', () => {
    const m = machine();
    m.setUp(0x1000, 16, 0x46);
    m.w(0x08, 4);
    expect(m.line.toMemory(data, 0, 16)).toBe(0);
    m.w(0x08, 0);
    m.w(0x0f, 0x0f);
    expect(m.line.toMemory(data, 0, 16)).toBe(0);
    m.w(0x0e, 0);
    expect(m.line.toMemory(data, 0, 16)).toBe(16);
  });
});
