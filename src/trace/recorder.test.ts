// The log: what is kept, what is counted, and that equal traces have equal hashes.
import { describe, expect, it } from 'vitest';
import { Kind, RECORD_WORDS, Vendor } from './events.ts';
import { Recorder, unpack } from './recorder.ts';
import { GATE_NOTE, noteOf, RING_NOTE } from './transfer-notes.ts';

describe('the recorder', () => {
  it('gives back what was written, times beyond 32 bits too', () => {
    const log = new Recorder(8);
    const time = 2 ** 40 + 12345;
    log.recordAt(3, Kind.pageTable, time, 0xc0101234, -1, 2, 3, 4, 5, 0xffffffff);
    expect(log.get(0)).toEqual({
      seq: 0,
      time,
      kind: Kind.pageTable,
      domain: 3,
      vcpu: 0,
      eip: 0xc0101234,
      a: -1,
      b: 2,
      c: 3,
      d: 4,
      e: 5,
      cost: 0xffffffff,
    });
    log.recordAt(-1, Kind.irq, 1, 0);
    expect(log.get(1)!.domain).toBe(-1);
  });

  it('keeps the newest records, and says what it no longer has', () => {
    const log = new Recorder(4);
    for (let n = 0; n < 10; n++) log.recordAt(0, Kind.output, n, 0, n);
    expect(log.oldest).toBe(6);
    expect(log.get(5)).toBeUndefined();
    expect(log.get(6)!.a).toBe(6);
    expect(log.get(10)).toBeUndefined();
    const copy = new Int32Array(2 * RECORD_WORDS);
    log.copy(8, 10, copy);
    expect(unpack(copy, RECORD_WORDS, 9).a).toBe(9);
  });

  it('counts exits by reason, with what they cost until the entry', () => {
    const log = new Recorder(16);
    const exit = (cost: number) => {
      log.recordAt(1, Kind.exit, 0, 0x1000, 28, 0, 0, 0, Vendor.vmx);
      log.recordAt(1, Kind.entry, 0, 0, -1, 0, 0, 0, 0, cost);
    };
    exit(100);
    exit(50);
    log.recordAt(2, Kind.exit, 0, 0, 0x82, 0, 0, 0, Vendor.xen);
    expect(log.exitCounts(1)).toEqual([
      { domain: 1, vendor: Vendor.vmx, reason: 28, count: 2, cycles: 150, min: 50, max: 100 },
    ]);
    expect(log.exitCounts()).toHaveLength(2);
    expect([...log.exitSites(1)]).toEqual([[0x1000, 2]]);
    log.resetCounts(1);
    expect(log.exitCounts(1)).toEqual([]);
    expect(log.count(Kind.exit, 2)).toBe(1);
  });

  it('counts hypercalls and the failed ones among them', () => {
    const log = new Recorder(16);
    log.recordAt(0, Kind.hypercall, 0, 0, 18, 0, 0, 0, 0);
    log.recordAt(0, Kind.hypercall, 0, 0, 18, 0, 0, 0, -14);
    expect(log.hypercallCounts(0).get(18)).toEqual({ count: 2, failed: 1 });
  });

  it('hashes every word of every event', () => {
    const hash = (change: number) => {
      const log = new Recorder(8);
      log.hashing = true;
      for (let n = 0; n < 20; n++) log.recordAt(0, Kind.output, n, 0, 0, 0, 0, 0, n === 3 ? change : 0);
      return log.hash;
    };
    expect(hash(0)).toBe(hash(0));
    expect(hash(1)).not.toBe(hash(0));
  });

  it('knows where each domain spends its time', () => {
    const log = new Recorder(64);
    log.recordAt(0, Kind.domain, 0, 0, 1);
    log.recordAt(0, Kind.entry, 100, 0, -1, 0);
    log.recordAt(0, Kind.ring, 150, 0, 0, 3);
    log.recordAt(0, Kind.interrupt, 190, 0, 0x80, -1, 3, 0, 2);
    log.recordAt(0, Kind.exit, 200, 0, 12, 0, 0, 0, Vendor.vmx);
    log.recordAt(0, Kind.idle, 230, 0);
    expect(log.placeOf(0, 300).read(300)).toEqual({
      ready: 100,
      kernel: 60,
      user: 40,
      hypervisor: 30,
      idle: 70,
    });
  });

  it('gives back costs beyond 32 bits, and sums them', () => {
    const log = new Recorder(16);
    const cost = 3 * 2 ** 32 + 7;
    log.recordAt(1, Kind.exit, 0, 0x1000, 12, 0, 0, 0, Vendor.vmx);
    log.recordAt(1, Kind.entry, cost, 0, -1, 0, 0, 0, 0, cost);
    expect(log.get(1)).toMatchObject({ kind: Kind.entry, domain: 1, vcpu: 0, cost });
    expect(log.exitCounts(1)[0]).toMatchObject({ count: 1, cycles: cost, min: cost, max: cost });
  });

  it('writes what compiled code has noted as if each had been recorded by itself', () => {
    // With a hash each is; without one they are written and counted together. The ring is smaller than the batch.
    const logs = [new Recorder(8), new Recorder(8)];
    logs[1].hashing = true;
    const notes = Int32Array.from(
      [
        [noteOf(GATE_NOTE, 3, 0, 0x80), 900, 0x401000 | 0, 0],
        [noteOf(RING_NOTE, 0, 3, 0), 700, 0xc0101234 | 0, 0],
        [noteOf(GATE_NOTE, 0, 0, 0x20), 650, 0x1000, 0],
        [noteOf(GATE_NOTE, 3, 1, 0x81), 600, 0x401002, 0],
        [noteOf(RING_NOTE, 1, 3, 0), 10, 0x2000, 0],
      ].flat(),
    );
    for (const log of logs) {
      log.domain = 2;
      log.vcpu = 1;
      log.recordAt(2, Kind.ring, 2 ** 32 - 600, 0x500, 0, 3);
      for (let round = 0; round < 3; round++)
        log.recordTransfers(notes, 5, 2 ** 32 + 1000 * round + 500, 300, 200);
      log.recordAt(2, Kind.output, 2 ** 32 + 2600, 0, 65);
    }
    const [together, single] = logs;
    expect(together.next).toBe(17);
    for (let seq = single.oldest; seq < single.next; seq++)
      expect(together.get(seq)).toEqual(single.get(seq));
    for (const kind of [Kind.ring, Kind.interrupt, Kind.output])
      expect(together.count(kind, 2)).toBe(single.count(kind, 2));
    expect(single.count(Kind.interrupt, 2)).toBe(9);
    const now = 2 ** 32 + 3000;
    expect(together.placeOf(2, now).read(now)).toEqual(single.placeOf(2, now).read(now));
    expect(single.placeOf(2, now).read(now).kernel).toBeGreaterThan(0);
  });
});
