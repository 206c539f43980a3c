import { expect, it } from 'vitest';
import { Emulated, Kind, Shadow, type TraceEvent, Vendor } from '../trace/events.ts';
import { Story } from './story.ts';

const event = (seq: number, kind: number, a = 0, b = 0, c = 0, d = 0, e = 0, cost = 0): TraceEvent => {
  return { seq, time: 0, kind, domain: 1, vcpu: 0, eip: 0, a, b, c, d, e, cost };
};

it('tells an exit as one story, up to the entry that ends it', () => {
  const story = new Story();
  story.tell(event(1, Kind.exit, 28, 3, 0, 3, Vendor.vmx), 'exit');
  story.tell(event(2, Kind.emulate, Emulated.crWrite, 3, 0x5000), 'paging');
  story.tell(event(3, Kind.shadow, Shadow.switchRoot, 0, 0x5000, 0x9000), 'paging');
  story.tell(event(4, Kind.entry, -1, 0, 0, 0, 0, 8340), 'exit');
  expect(story.lines.map((l) => l.text)).toEqual([
    'VM exit 28 CR_ACCESS: MOV to CR3',
    'emulated MOV to CR3: 00005000',
    'shadow CR3 switched: guest CR3 00005000 → machine 00009000',
    'entry · 8 340 cycles',
  ]);
  story.tell(event(5, Kind.interrupt, 0x80, -1, 3, 0, 2), 'syscall');
  expect(story.lines.map((l) => l.seq)).toEqual([5]);
});
