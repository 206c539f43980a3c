import { describe, expect, it } from 'vitest';
import { Chipset } from './chipset.ts';

function machine() {
  const chipset = new Chipset();
  const { bus } = chipset;
  const select = (device: number, fn: number, register: number) =>
    bus.writePort(0xcf8, (0x80000000 | (device << 11) | (fn << 8) | (register & 0xfc)) >>> 0, 4);
  const read = (device: number, fn: number, register: number, size: 1 | 2 | 4 = 4) => {
    select(device, fn, register);
    return bus.readPort(0xcfc + (register & 3), size);
  };
  const write = (device: number, fn: number, register: number, value: number, size: 1 | 2 | 4 = 4) => {
    select(device, fn, register);
    bus.writePort(0xcfc + (register & 3), value, size);
  };
  bus.reset();
  return { chipset, bus, read, write };
}

describe('PCI configuration mechanism #1', () => {
  it('finds the functions of a 440FX board, and all ones elsewhere', () => {
    const { read } = machine();
    const found: string[] = [];
    for (let device = 0; device < 32; device++) {
      for (let fn = 0; fn < 8; fn++) {
        const id = read(device, fn, 0);
        if (id !== 0xffffffff)
          found.push(`${device}.${fn} ${id.toString(16)} ${(read(device, fn, 8) >>> 8).toString(16)}`);
      }
    }
    expect(found).toEqual([
      '0.0 12378086 60000',
      '1.0 70008086 60100',
      '1.1 70108086 10180',
      '2.0 11111234 30000',
    ]);
    expect(read(1, 0, 0x0e, 1)).toBe(0x80); // several functions
  });

  it('answers on bus 0 only, and only while enabled', () => {
    const { bus } = machine();
    bus.writePort(0xcf8, 0x80010000, 4);
    expect(bus.readPort(0xcfc, 4)).toBe(0xffffffff);
    bus.writePort(0xcf8, 0x00000000, 4);
    expect(bus.readPort(0xcfc, 4)).toBe(0xffffffff);
    bus.writePort(0xcf8, 0x80000003, 4);
    expect(bus.readPort(0xcf8, 4)).toBe(0x80000000);
  });

  it('gives bytes and words of a register', () => {
    const { read } = machine();
    expect([read(1, 1, 0, 2), read(1, 1, 2, 2), read(1, 1, 0x0b, 1), read(1, 1, 0x41, 1)]).toEqual([
      0x8086, 0x7010, 0x01, 0x80,
    ]);
  });

  it('tells the size of a base address when ones are written, and moves it', () => {
    const { chipset, read, write } = machine();
    const seen: number[] = [];
    chipset.ide.onBar = (bar, address) => seen.push(bar, address);
    expect(read(1, 1, 0x20)).toBe(0xc001);
    write(1, 1, 0x20, 0xffffffff);
    expect(read(1, 1, 0x20)).toBe(0xfffffff1);
    write(1, 1, 0x20, 0xd000);
    expect(chipset.ide.address(4)).toBe(0xd000);
    write(1, 1, 0x04, 0, 2); // no ports any more
    write(1, 1, 0x04, 5, 2);
    expect(seen).toEqual([4, -1, 4, 0xd000, 4, -1, 4, 0xd000]);
    expect(chipset.ide.busMaster).toBe(true);
    write(2, 0, 0x10, 0xffffffff);
    expect(read(2, 0, 0x10)).toBe(0xff000008);
    write(2, 0, 0x10, 0xe0000000);
    expect(chipset.display.address(0)).toBe(0xe0000000);
  });

  it('keeps what is read-only, and the interrupt routing', () => {
    const { read, write } = machine();
    write(0, 0, 0, 0);
    expect(read(0, 0, 0)).toBe(0x12378086);
    write(1, 0, 0x60, 0x80050b0a);
    expect(read(1, 0, 0x60)).toBe(0x80050b0a);
  });
});
