// The one-line text: every kind of event says what happened.
import { describe, expect, it } from 'vitest';
import { Emulated, Kind, type TraceEvent, Vendor } from './events.ts';
import { eventText, formatEvent, kindName } from './format.ts';

const event = (kind: number, rest: Partial<TraceEvent> = {}): TraceEvent => ({
  seq: 0,
  time: 8340,
  kind,
  domain: 1,
  vcpu: 0,
  eip: 0xc0101234,
  a: 0,
  b: 0,
  c: 0,
  d: 0,
  e: 0,
  cost: 0,
  ...rest,
});

describe('the text of an event', () => {
  it.each([
    [event(Kind.exit, { a: 28, b: 0x003, e: Vendor.vmx }), 'VM exit 28 CR_ACCESS: MOV to CR3'],
    [
      event(Kind.exit, { a: 30, b: (0x3f8 << 16) | 8, e: Vendor.vmx }),
      'VM exit 30 IO_INSTRUCTION: IN port 3f8h',
    ],
    [
      event(Kind.exit, { a: 14, b: 0xbad00000 | 0, c: 6, e: Vendor.xen }),
      'trap into Xen: PAGE_FAULT at bad00000 (not present, write, user)',
    ],
    [
      event(Kind.hypercall, { a: 18, b: 0, c: 5, d: 16, e: -14 }),
      'hypercall console_io(0h, 5h, 10h) = -EFAULT',
    ],
    [event(Kind.entry, { a: 0x30, cost: 8340 }), 'entry with vector 30h injected · 8 340 cycles'],
    [event(Kind.interrupt, { a: 0x80, b: -1, c: 3, d: 1, e: 2 }), 'INT 80h: ring 3 → ring 1'],
    [event(Kind.interrupt, { a: 14, b: 4, c: 3, d: 0 }), '#PF: ring 3 → ring 0'],
    [event(Kind.emulate, { a: Emulated.ioOut, b: 0x20, c: 0x20 }), 'emulated OUT port 20h: 20h'],
    [event(Kind.schedule, { a: -1, b: 1, c: 3 }), 'world switch: idle → domain 1 (woken by an event)'],
  ])('%#', (e, text) => expect(eventText(e)).toBe(text));

  it('stands behind time, place, instruction pointer and kind', () => {
    expect(formatEvent(event(Kind.irq, { domain: -1, a: 0x20, b: 0 }))).toBe(
      '        8340 host  c0101234 irq          hardware interrupt vector 20h (IRQ 0)',
    );
  });

  it('exists for every kind', () => {
    for (const kind of Object.values(Kind)) {
      expect(eventText(event(kind))).not.toMatch(/^event \d/);
      expect(Kind[kindName(kind)]).toBe(kind);
    }
  });
});
