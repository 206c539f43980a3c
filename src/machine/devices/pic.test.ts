import { beforeEach, describe, expect, it } from 'vitest';
import { Pic } from './pic.ts';

let pic: Pic;
const write = (port: number, ...values: number[]) => {
  for (const v of values) pic.writePort(port, v);
};
function initialize(icw1 = 0x11, icw4 = 1) {
  write(0x20, icw1);
  write(0x21, 0x20, 0x04, icw4);
  write(0xa0, icw1);
  write(0xa1, 0x28, 0x02, icw4);
}
const raise = (irq: number) => pic.line(irq)(true);
const lower = (irq: number) => pic.line(irq)(false);

beforeEach(() => {
  pic = new Pic();
  initialize();
});

describe('8259A pair', () => {
  it('gives the vector of the highest priority, then blocks the lower ones until EOI', () => {
    raise(4);
    raise(1);
    expect(pic.acknowledge()).toBe(0x21);
    expect(pic.pending()).toBe(false);
    raise(0); // higher than what is in service: nests
    expect(pic.acknowledge()).toBe(0x20);
    write(0x20, 0x20); // non-specific EOI ends the highest, IRQ 0
    expect(pic.pending()).toBe(false);
    write(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x24);
  });

  it('cascades: the slave sits between IRQ 1 and IRQ 3', () => {
    raise(8);
    raise(3);
    expect(pic.peek()).toBe(0x28);
    expect(pic.acknowledge()).toBe(0x28);
    write(0x20, 0x0b);
    write(0xa0, 0x0b);
    expect([pic.readPort(0x20), pic.readPort(0xa0)]).toEqual([0x04, 0x01]);
    write(0xa0, 0x20);
    write(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x23);
  });

  it('delivers two slave interrupts that were raised together', () => {
    raise(12);
    raise(14);
    expect(pic.acknowledge()).toBe(0x2c);
    write(0xa0, 0x20);
    write(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x2e);
  });

  it('masks, and shows requests in IRR meanwhile', () => {
    write(0x21, 0x02);
    raise(1);
    expect(pic.pending()).toBe(false);
    expect(pic.readPort(0x20)).toBe(0x02);
    write(0x21, 0);
    expect(pic.pending()).toBe(true);
  });

  it('edge: one request an edge; level (LTIM): again and again while the line is high', () => {
    raise(5);
    pic.acknowledge();
    write(0x20, 0x65); // specific EOI
    expect(pic.pending()).toBe(false);
    lower(5);
    initialize(0x19);
    raise(5);
    pic.acknowledge();
    write(0x20, 0x65);
    expect(pic.pending()).toBe(true);
  });

  it('answers a withdrawn request with IRQ 7, not in service', () => {
    raise(3);
    lower(3);
    expect(pic.acknowledge()).toBe(0x27);
    write(0x20, 0x0b);
    expect(pic.readPort(0x20)).toBe(0);
  });

  it('auto EOI leaves nothing in service; rotation moves priorities', () => {
    initialize(0x11, 3);
    raise(1);
    expect(pic.acknowledge()).toBe(0x21);
    write(0x20, 0x0b);
    expect(pic.readPort(0x20)).toBe(0);
    write(0x20, 0xc0 | 3); // set priority: IRQ 3 lowest, 4 highest
    lower(1);
    raise(1);
    raise(6);
    expect(pic.acknowledge()).toBe(0x26);
  });

  it('rotate on non-specific EOI puts the served input last', () => {
    raise(0);
    pic.acknowledge();
    write(0x20, 0xa0);
    lower(0);
    raise(0);
    raise(1);
    expect(pic.acknowledge()).toBe(0x21);
  });

  it('special mask mode lets lower levels through while a masked one is in service', () => {
    raise(1);
    pic.acknowledge();
    write(0x21, 0x02);
    write(0x20, 0x68);
    raise(6);
    expect(pic.acknowledge()).toBe(0x26);
  });

  it('polls', () => {
    raise(6);
    write(0x20, 0x0c);
    expect(pic.readPort(0x20)).toBe(0x86);
    write(0x20, 0x0c);
    expect(pic.readPort(0x20)).toBe(0);
  });

  it('ICW1 clears masks and pending edges', () => {
    write(0x21, 0xff);
    raise(1);
    initialize();
    expect(pic.readPort(0x21)).toBe(0);
    expect(pic.pending()).toBe(false);
  });

  it('takes single inputs by level where the edge/level register says so: they come again until they fall', () => {
    write(0x4d0, 0xff);
    write(0x4d1, 0xff);
    expect([pic.readPort(0x4d0), pic.readPort(0x4d1)]).toEqual([0xf8, 0xde]); // some are edges on every PC
    raise(11);
    expect(pic.acknowledge()).toBe(0x2b);
    write(0xa0, 0x20);
    write(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x2b);
    lower(11);
    write(0xa0, 0x20);
    write(0x20, 0x20);
    expect(pic.pending()).toBe(false);
  });

  it('an input that is high when it becomes a level is a request', () => {
    raise(11);
    write(0xa0, 0x11); // initialization forgets the edge
    write(0xa1, 0x28, 0x02, 0x01);
    expect(pic.pending()).toBe(false);
    write(0x4d1, 0x08);
    expect(pic.acknowledge()).toBe(0x2b);
  });

  it('special fully nested: a slave in service is interrupted by its own better inputs', () => {
    initialize(0x11, 0x11);
    raise(12);
    expect(pic.acknowledge()).toBe(0x2c);
    raise(9);
    expect(pic.acknowledge()).toBe(0x29);
    raise(15); // not by its worse ones
    expect(pic.pending()).toBe(false);
  });

  it('without it the slave waits for the end of interrupt at the master', () => {
    raise(12);
    expect(pic.acknowledge()).toBe(0x2c);
    raise(9);
    expect(pic.pending()).toBe(false);
    write(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x29);
  });

  it('sets the lowest priority, and ends a given level', () => {
    write(0x20, 0xc0 | 4); // 4 is last: 5 comes first
    raise(1);
    raise(6);
    expect(pic.acknowledge()).toBe(0x26);
    expect(pic.pending()).toBe(false);
    write(0x20, 0x60 | 6);
    expect(pic.acknowledge()).toBe(0x21);
    write(0x20, 0x0b);
    expect(pic.readPort(0x20)).toBe(1 << 1);
    write(0x20, 0xe0 | 1); // and rotates on it
    write(0x20, 0x0b);
    expect(pic.readPort(0x20)).toBe(0);
    raise(0);
    lower(1);
    raise(1);
    raise(2 + 1);
    expect(pic.acknowledge()).toBe(0x23);
  });
});
