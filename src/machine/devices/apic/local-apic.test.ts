// The local APIC, the I/O APIC and the way between them, by their registers alone.
import { describe, expect, it } from 'vitest';
import { MemoryMap } from '../../memory/memory-mapped.ts';
import { Pic } from '../pic.ts';
import { ApicSystem } from './apic-system.ts';
import { IO_APIC_BASE } from './io-apic.ts';
import { LOCAL_APIC_BASE } from './local-apic.ts';

function machine(processors = 1) {
  const clock = { cycles: 0, frequency: 400_000_000, now: () => clock.cycles };
  const map = new MemoryMap(1 << 20);
  const pic = new Pic();
  const log: string[] = [];
  let current = 0;
  const system = new ApicSystem(
    clock,
    pic,
    map,
    {
      processors,
      current: () => current,
      pins: (n) => ({
        nmi: () => log.push(`nmi ${n}`),
        init: () => log.push(`init ${n}`),
        startup: (vector) => log.push(`start ${n} at ${vector.toString(16)}`),
      }),
    },
    () => {},
  );
  const apic = (offset: number, value?: number) =>
    value === undefined
      ? map.read(LOCAL_APIC_BASE + offset, 4)
      : map.write(LOCAL_APIC_BASE + offset, value, 4);
  const io = (index: number, value?: number) => {
    map.write(IO_APIC_BASE, index, 4);
    return value === undefined ? map.read(IO_APIC_BASE + 0x10, 4) : map.write(IO_APIC_BASE + 0x10, value, 4);
  };
  const redirect = (input: number, low: number, destination = 0) => {
    io(0x11 + input * 2, destination << 24);
    io(0x10 + input * 2, low);
  };
  const at = (cycle: number) => {
    while (system.nextDeadline() <= cycle) {
      clock.cycles = system.nextDeadline();
      system.advance(clock.cycles);
    }
    clock.cycles = cycle;
  };
  const cpu = (n: number) => system.locals[n];
  return { system, pic, log, apic, io, redirect, at, cpu, as: (n: number) => (current = n) };
}

/** A pulse on an input of the I/O APIC. */
const pulse = (m: ReturnType<typeof machine>, input: number) => {
  m.system.ioApic.setLine(input, true);
  m.system.ioApic.setLine(input, false);
};

describe('local APIC', () => {
  it('after power-on passes the PIC through LINT0, as firmware leaves it', () => {
    const m = machine();
    m.pic.writePort(0x21, 0xfe);
    expect(m.cpu(0).pending()).toBe(false);
    m.pic.line(0)(true);
    expect(m.cpu(0).pending()).toBe(true);
    m.apic(0x350, 0x10700); // LINT0 masked
    expect(m.cpu(0).pending()).toBe(false);
    m.apic(0x350, 0x700);
    expect(m.cpu(0).acknowledge()).toBe(0x08);
  });

  it('tells its version and its identification, and each processor finds its own', () => {
    const m = machine(2);
    expect(m.apic(0x30)).toBe(0x50014);
    m.as(1);
    expect(m.apic(0x20)).toBe(1 << 24);
  });

  it('serves the highest priority first and holds back what is not above the one in service', () => {
    const m = machine();
    m.apic(0xf0, 0x1ff);
    for (const vector of [0x41, 0x52, 0x43]) m.apic(0x300, 0x40000 | vector); // to itself
    expect(m.cpu(0).acknowledge()).toBe(0x52);
    expect(m.cpu(0).pending()).toBe(false);
    expect(m.apic(0xa0)).toBe(0x50);
    m.apic(0xb0, 0);
    expect(m.cpu(0).acknowledge()).toBe(0x43);
    expect(m.cpu(0).pending()).toBe(false); // same class
    m.apic(0xb0, 0);
    m.apic(0x80, 0x40); // task priority
    expect(m.cpu(0).pending()).toBe(false);
    m.apic(0x80, 0x30);
    expect(m.cpu(0).acknowledge()).toBe(0x41);
  });

  it('counts at the bus clock through the divider: once, or periodically', () => {
    const m = machine();
    m.apic(0xf0, 0x1ff);
    m.apic(0x3e0, 0x3); // by 16
    m.apic(0x320, 0x30);
    m.apic(0x380, 100);
    m.at(4 * 16 * 60); // 400 MHz processor, 100 MHz bus
    expect(m.apic(0x390)).toBe(40);
    expect(m.cpu(0).pending()).toBe(false);
    m.at(4 * 16 * 100);
    expect(m.cpu(0).acknowledge()).toBe(0x30);
    m.apic(0xb0, 0);
    m.at(4 * 16 * 300);
    expect([m.apic(0x390), m.cpu(0).pending()]).toEqual([0, false]);
    m.apic(0x320, 0x20030); // periodic
    m.apic(0x380, 100);
    m.at(4 * 16 * 400);
    expect(m.cpu(0).acknowledge()).toBe(0x30);
    m.apic(0xb0, 0);
    m.at(4 * 16 * 450);
    expect(m.apic(0x390)).toBe(50);
    m.at(4 * 16 * 500);
    expect(m.cpu(0).acknowledge()).toBe(0x30);
  });

  it('starts other processors by INIT and start-up, and interrupts them', () => {
    const m = machine(3);
    m.apic(0x310, 1 << 24);
    m.apic(0x300, 0x4500); // INIT assert
    m.apic(0x300, 0x8500); // de-assert: nothing
    m.apic(0x300, 0x4608); // start at 8000h
    expect(m.log).toEqual(['init 1', 'start 1 at 8']);
    m.apic(0x300, 0xc4400); // NMI to all but itself
    expect(m.log.slice(2)).toEqual(['nmi 1', 'nmi 2']);
    m.as(2);
    m.apic(0xf0, 0x1ff);
    m.apic(0xd0, 4 << 24); // logical: bit 2
    m.as(0);
    m.apic(0x310, 6 << 24);
    m.apic(0x300, 0x4860);
    expect([m.cpu(1).pending(), m.cpu(2).acknowledge()]).toEqual([false, 0x60]);
  });

  it('reports an illegal vector', () => {
    const m = machine();
    m.apic(0xf0, 0x1ff);
    m.apic(0x370, 0xfe);
    m.apic(0x300, 0x40005);
    m.apic(0x280, 0);
    expect(m.apic(0x280)).toBe(0x20);
    expect(m.cpu(0).acknowledge()).toBe(0xfe);
  });

  it('switched off, hands the processor to the PIC', () => {
    const m = machine();
    expect(m.cpu(0).setBase(0xfee00100n)).toBe(true);
    expect(m.cpu(0).setBase(0xfed00900n)).toBe(false);
    m.pic.writePort(0x21, 0xfd);
    m.pic.line(1)(true);
    expect(m.cpu(0).acknowledge()).toBe(0x09);
    expect(m.apic(0x30)).toBe(-1);
  });
});

describe('I/O APIC', () => {
  it('has 24 masked inputs', () => {
    const m = machine();
    expect(m.io(1)).toBe(0x170011);
    expect(m.io(0x10 + 23 * 2)).toBe(0x10000);
  });

  it('sends an edge once, and loses it while masked', () => {
    const m = machine();
    m.apic(0xf0, 0x1ff);
    m.redirect(4, 0x10044);
    pulse(m, 4);
    m.redirect(4, 0x44);
    expect(m.cpu(0).pending()).toBe(false);
    pulse(m, 4);
    expect(m.cpu(0).acknowledge()).toBe(0x44);
    m.apic(0xb0, 0);
    expect(m.cpu(0).pending()).toBe(false);
  });

  it('sends a level again after the end of interrupt, as long as it is asserted', () => {
    const m = machine();
    m.apic(0xf0, 0x1ff);
    m.redirect(17, 0xa055); // level, low
    m.system.ioApic.setLine(17, true);
    expect(m.cpu(0).acknowledge()).toBe(0x55);
    expect(Number(m.io(0x10 + 34)) & 0x4000).toBe(0x4000);
    expect(m.cpu(0).pending()).toBe(false);
    m.apic(0xb0, 0);
    expect(m.cpu(0).acknowledge()).toBe(0x55);
    m.system.ioApic.setLine(17, false);
    m.apic(0xb0, 0);
    expect(m.cpu(0).pending()).toBe(false);
  });

  it('gives a lowest-priority interrupt to one of those named', () => {
    const m = machine(2);
    for (const n of [0, 1]) {
      m.as(n);
      m.apic(0xf0, 0x1ff);
      m.apic(0xd0, (1 << n) << 24);
      m.apic(0x80, n === 0 ? 0x70 : 0x20);
    }
    m.redirect(5, 0x0960, 3); // logical, lowest priority
    pulse(m, 5);
    expect([m.cpu(0).pending(), m.cpu(1).acknowledge()]).toEqual([false, 0x60]);
  });

  it('passes the PIC on by ExtINT at input 0', () => {
    const m = machine();
    m.apic(0x350, 0x10000);
    m.pic.writePort(0x21, 0xfe);
    m.pic.line(0)(true);
    expect(m.cpu(0).pending()).toBe(false);
    m.redirect(0, 0x700);
    expect(m.cpu(0).acknowledge()).toBe(0x08);
  });
});
