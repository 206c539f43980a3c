import { describe, expect, it } from 'vitest';
import { Chipset } from './chipset.ts';
import { PciInterrupts, pirqOf } from './interrupts.ts';

function machine() {
  const { isa, bus } = new Chipset();
  const up = new Set<number>();
  const interrupts = new PciInterrupts(isa, (irq) => (level) => {
    if (level) up.add(irq);
    else up.delete(irq);
  });
  bus.reset();
  const route = (pirq: number, value: number) => isa.write(0x60 + pirq, value);
  return { interrupts, route, up };
}

describe('PCI interrupts', () => {
  it('go round from slot to slot, so that INTA# of neighbours are different lines', () => {
    expect([1, 2, 3, 4, 5].map((device) => pirqOf(device, 1))).toEqual([0, 1, 2, 3, 0]);
    expect([1, 2, 3, 4].map((pin) => pirqOf(3, pin))).toEqual([2, 3, 0, 1]);
  });

  it('lead where firmware has routed them: A and B to IRQ 10, C and D to 11', () => {
    const { interrupts, up } = machine();
    interrupts.pin(1, 1)(true);
    expect([...up]).toEqual([10]);
    interrupts.pin(3, 1)(true);
    expect([...up]).toEqual([10, 11]);
  });

  it('share a line, which is up until the last has let go', () => {
    const { interrupts, up } = machine();
    const [one, other] = [interrupts.pin(5, 1), interrupts.pin(2, 1)];
    one(true);
    other(true);
    one(false);
    expect([...up]).toEqual([10]);
    other(false);
    expect([...up]).toEqual([]);
  });

  it('follow a new route, with a line that is up; bit 7 takes them off; reserved inputs are never reached', () => {
    const { interrupts, route, up } = machine();
    interrupts.pin(1, 1)(true);
    route(0, 5);
    expect([...up]).toEqual([5]);
    route(0, 0x85);
    expect([...up]).toEqual([]);
    for (const irq of [0, 1, 2, 8, 13]) {
      route(0, irq);
      expect([...up], `${irq}`).toEqual([]);
    }
    route(0, 9);
    expect([...up]).toEqual([9]);
  });
});
