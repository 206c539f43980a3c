// Grants, channels between domains, and the split devices over them: a front end in TypeScript does what the drivers of
// Linux do (drivers/xen/blkfront, netfront), by the rules of grant_table.h, io/ring.h, io/blkif.h and io/netif.h.
import { beforeEach, describe, expect, it } from 'vitest';
import { Medium } from '../../machine/devices/storage/medium.ts';
import type { PvDomain } from '../paravirtualization/pv-domain.ts';
import { EVTCHNOP, GNTST, GNTTABOP, XENBUS } from './abi.ts';
import { XS } from './store/connection.ts';
import { type FrontEnd, PAGES, XenHost } from './testing.ts';

const put = (front: FrontEnd, path: string, value: number | string) =>
  expect(front.ask(XS.write, `${path}\0${value}`).payload).toBe('OK\0');
const get = (front: FrontEnd, path: string) => front.ask(XS.read, `${path}\0`).payload;

describe('event channels', () => {
  it('join two domains: an event sent at one end is pending at the other', () => {
    const host = new XenHost();
    const [a, b] = [host.boot(1), host.boot(2)];
    const offered = a.offer(b.domid);
    expect(b.event(EVTCHNOP.bindInterdomain, 4711, offered).result, 'no such domain').toBe(-3);
    expect(a.event(EVTCHNOP.bindInterdomain, a.domid, offered).result, 'offered to somebody else').toBe(-22);
    const bound = b.event(EVTCHNOP.bindInterdomain, a.domid, offered);
    expect(bound.result).toBe(0);
    const local = bound.words[2];
    expect(b.event(EVTCHNOP.status, 0x7ff0, local).words.slice(2)).toEqual([2, 0, a.domid, offered]);
    b.pending(local);
    b.event(EVTCHNOP.send, local);
    expect(a.pending(offered)).toBe(true);
    a.event(EVTCHNOP.send, offered);
    expect(b.pending(local)).toBe(true);
    host.hypervisor.destroyDomain(2);
    expect(a.guest.ports[offered]).toEqual({ kind: 'unbound', remote: b.domid });
    expect(a.event(EVTCHNOP.send, offered).result, 'to nobody').toBe(0);
  });
});

describe('grant tables', () => {
  let host: XenHost;
  let a: FrontEnd;
  let b: FrontEnd;
  beforeEach(() => {
    host = new XenHost();
    a = host.boot(1);
    b = host.boot(2);
  });
  const copy = (front: FrontEnd, source: number[], dest: number[], length: number, flags: number) => {
    const half = ([word, domid, offset]: number[]) => [word, domid | (offset << 16)];
    front.words(PAGES, ...half(source), ...half(dest), length | (flags << 16), 0x7fff);
    expect(front.call(20, GNTTABOP.copy, PAGES, 1)).toBe(0);
    return (front.guest.access.read32(front.guest, PAGES + 20) << 16) >> 16;
  };

  it('tell their size', () => {
    a.words(PAGES, 0x7ff0, 0, 0, 0x7fff);
    expect(a.call(20, GNTTABOP.querySize, PAGES, 1)).toBe(0);
    expect([4, 8, 12].map((at) => a.guest.access.read16(a.guest, PAGES + at))).toEqual([0, 4, 0]);
  });

  it('let a domain copy what it was granted, and no more', () => {
    a.page(1).setUint32(100, 0x12345678, true);
    a.grant(8, a.frame(1), { domid: b.domid });
    a.grant(9, a.frame(1), { domid: b.domid, readonly: true });
    a.grant(10, b.frame(1), { domid: b.domid });
    const self = 0x7ff0;
    expect(copy(b, [8, a.domid, 100], [b.frame(2), self, 0], 4, 1)).toBe(GNTST.okay);
    expect(b.page(2).getUint32(0, true)).toBe(0x12345678);
    expect(copy(b, [b.frame(2), self, 0], [8, a.domid, 200], 4, 2)).toBe(GNTST.okay);
    expect(a.page(1).getUint32(200, true)).toBe(0x12345678);
    expect(copy(b, [b.frame(2), self, 0], [9, a.domid, 0], 4, 2), 'read-only').toBe(GNTST.generalError);
    expect(copy(b, [b.frame(2), self, 0], [a.frame(1), a.domid, 0], 4, 0)).toBe(GNTST.permissionDenied);
    expect(copy(b, [a.frame(1), self, 0], [b.frame(2), self, 0], 4, 0)).toBe(GNTST.badPage);
    expect(copy(b, [7, a.domid, 0], [b.frame(2), self, 0], 4, 1), 'nothing granted').toBe(GNTST.generalError);
    expect(copy(b, [1e6, a.domid, 0], [b.frame(2), self, 0], 4, 1)).toBe(GNTST.badGntref);
    expect(copy(b, [8, 99, 0], [b.frame(2), self, 0], 4, 1)).toBe(GNTST.badDomain);
    expect(copy(b, [8, a.domid, 4094], [b.frame(2), self, 0], 4, 1)).toBe(GNTST.badCopyArg);
    expect(copy(b, [10, a.domid, 0], [b.frame(2), self, 0], 4, 1), 'not a’s to grant').toBe(GNTST.badPage);
    expect(copy(a, [8, a.domid, 0], [a.frame(2), self, 0], 4, 1), 'granted to b').toBe(GNTST.generalError);
  });

  it('never write to a page table', () => {
    const base = (a.guest as unknown as PvDomain).current.baseFrame;
    a.grant(8, base, { domid: b.domid });
    const before = host.pc.memory.bytes.slice(base * 4096, base * 4096 + 4096);
    expect(copy(b, [b.frame(1), 0x7ff0, 0], [8, a.domid, 0], 64, 2)).toBe(GNTST.generalError);
    expect(Buffer.compare(before, host.pc.memory.bytes.subarray(base * 4096, base * 4096 + 4096))).toBe(0);
    expect(host.domain0.grants.copyIn(a.guest, a.grant(9, base), 0, new Uint8Array(8))).toBe(
      GNTST.generalError,
    );
  });

  it('say while a grant is in use, and keep its frame until then', () => {
    const { grants } = host.domain0;
    const mapped = grants.map(a.guest, a.grant(8, a.frame(1)), true);
    if (typeof mapped === 'number') throw new Error(`${mapped}`);
    expect(a.flags(8)).toBe(1 | 8 | 16);
    grants.unmap(a.guest, mapped);
    expect(a.flags(8)).toBe(1);
    expect(grants.map(a.guest, a.grant(9, a.frame(1), { readonly: true }), true)).toBe(GNTST.generalError);
  });

  it('have commands, and lists that end somewhere', () => {
    expect(a.call(20, 77, PAGES, 1)).toBe(-38);
    expect(a.call(20, GNTTABOP.dumpTable, PAGES, 1), 'only where Xen is built for debugging').toBe(-38);
    expect(a.call(20, GNTTABOP.copy, PAGES, 1e6)).toBe(-22);
  });
});

describe('a virtual disk', () => {
  const RING = 1;
  let host: XenHost;
  let front: FrontEnd;
  let port: number;
  const device = 'device/vbd/51712';
  const medium = () => new Medium(Uint8Array.from({ length: 64 * 512 }, (_, n) => (n >> 9) + (n & 3)));

  function open(drive = medium()): void {
    host = new XenHost();
    front = host.boot(1, { drives: [{ kind: 'hard-disk', medium: drive }] });
    expect(get(front, `${device}/state`)).toBe(`${XENBUS.initialising}`);
    const backend = get(front, `${device}/backend`);
    expect(get(front, `${backend}/state`)).toBe(`${XENBUS.initWait}`);
    expect(get(front, `${backend}/dev`)).toBe('xvda');
    front.page(RING).setUint32(4, 1, true);
    front.page(RING).setUint32(12, 1, true);
    port = front.offer();
    put(front, `${device}/ring-ref`, front.grant(8, front.frame(RING)));
    put(front, `${device}/event-channel`, port);
    put(front, `${device}/protocol`, 'x86_32-abi');
    put(front, `${device}/state`, XENBUS.initialised);
    expect(get(front, `${backend}/state`)).toBe(`${XENBUS.connected}`);
    expect(get(front, `${backend}/sectors`)).toBe('64');
    put(front, `${device}/state`, XENBUS.connected);
  }

  /** One request of `segments` {grant, first, last}; the response's status. */
  function request(operation: number, sector: number, segments: number[][], count = segments.length): number {
    const ring = front.page(RING);
    const producer = ring.getUint32(0, true);
    const at = 64 + (producer & 31) * 108;
    ring.setUint8(at, operation);
    ring.setUint8(at + 1, count);
    ring.setUint32(at + 4, 0xabc0 + producer, true);
    ring.setUint32(at + 8, 7, true);
    ring.setUint32(at + 12, sector, true);
    ring.setUint32(at + 16, 0, true);
    segments.forEach(([grant, first, last], n) => {
      ring.setUint32(at + 20 + n * 8, grant, true);
      ring.setUint8(at + 24 + n * 8, first);
      ring.setUint8(at + 25 + n * 8, last);
    });
    ring.setUint32(0, producer + 1, true);
    ring.setUint32(12, producer + 1, true);
    front.event(EVTCHNOP.send, port);
    expect(ring.getUint32(8, true), 'answered').toBe(producer + 1);
    expect(front.pending(port), 'and told').toBe(true);
    expect([ring.getUint32(at, true), ring.getUint32(at + 4, true), ring.getUint8(at + 8)]).toEqual([
      0xabc0 + producer,
      7,
      operation,
    ]);
    return ring.getInt16(at + 10, true);
  }

  it('reads, writes and flushes by segments of granted pages', () => {
    open();
    const page = front.grant(20, front.frame(3));
    expect(request(0, 5, [[page, 2, 3]])).toBe(0);
    expect([1024, 1025, 1536, 1024 + 1024].map((at) => front.page(3).getUint8(at))).toEqual([5, 6, 6, 0]);
    front.page(3).setUint32(0, 0xfeedface, true);
    expect(request(1, 60, [[page, 0, 0]])).toBe(0);
    expect(request(3, 0, [])).toBe(0);
    const other = front.grant(21, front.frame(4));
    expect(
      request(0, 60, [
        [other, 7, 7],
        [other, 0, 0],
      ]),
    ).toBe(0);
    expect(front.page(4).getUint32(7 * 512, true)).toBe(0xfeedface);
    expect(front.page(4).getUint8(0)).toBe(61);
    expect(host.domain0.traffic(front.domain).disks[0]).toMatchObject({ sectorsRead: 4, sectorsWritten: 1 });
  });

  it('answers what it cannot do with an error, and goes on', () => {
    open();
    const page = front.grant(20, front.frame(3));
    const fixed = front.grant(21, front.frame(3), { readonly: true });
    expect(request(0, 64, [[page, 0, 0]]), 'behind the end').toBe(-1);
    expect(request(0, 63, [[page, 0, 1]])).toBe(-1);
    expect(request(0, 0, [[page, 3, 2]])).toBe(-1);
    expect(request(0, 0, [[page, 0, 8]])).toBe(-1);
    expect(request(0, 0, [[fixed, 0, 0]]), 'a page that may only be read').toBe(-1);
    expect(request(1, 0, [[fixed, 0, 0]]), 'is enough to write from').toBe(0);
    expect(request(0, 0, [[99, 0, 0]])).toBe(-1);
    expect(request(0, 0, [[0xffffffff, 0, 0]])).toBe(-1);
    expect(request(0, 0, [[page, 0, 0]], 255)).toBe(-1);
    expect(request(0, 0, [])).toBe(-1);
    expect(request(9, 0, [[page, 0, 0]])).toBe(-2);
    expect(request(0, 1, [[page, 0, 0]])).toBe(0);
  });

  it('does not write to a medium that may only be read', () => {
    open(new Medium(new Uint8Array(64 * 512), 512, true));
    expect(get(front, `${get(front, `${device}/backend`)}/info`)).toBe('4');
    expect(request(1, 0, [[front.grant(20, front.frame(3)), 0, 0]])).toBe(-1);
  });

  it('closes, gives the ring back, and opens again', () => {
    open();
    const backend = get(front, `${device}/backend`);
    expect(front.flags(8)).toBe(1 | 8 | 16);
    put(front, `${device}/state`, XENBUS.closing);
    expect(get(front, `${backend}/state`)).toBe(`${XENBUS.closing}`);
    put(front, `${device}/state`, XENBUS.closed);
    expect(get(front, `${backend}/state`)).toBe(`${XENBUS.closed}`);
    expect(front.flags(8)).toBe(1);
    put(front, `${device}/state`, XENBUS.initialising);
    expect(get(front, `${backend}/state`)).toBe(`${XENBUS.initWait}`);
    put(front, `${device}/state`, XENBUS.initialised);
    expect(get(front, `${backend}/state`)).toBe(`${XENBUS.connected}`);
    expect(request(0, 1, [[front.grant(20, front.frame(3)), 0, 0]])).toBe(0);
  });

  it('ignores a front end that offers nothing usable', () => {
    open();
    const backend = get(front, `${device}/backend`);
    put(front, `${device}/state`, XENBUS.initialising);
    for (const [ring, channel] of [
      [99, port],
      ['nonsense', port],
      [8, 999],
      [8, 0],
      [8, '-1'],
    ]) {
      put(front, `${device}/ring-ref`, ring);
      put(front, `${device}/event-channel`, channel);
      put(front, `${device}/state`, XENBUS.initialised);
      expect(get(front, `${backend}/state`)).toBe(`${XENBUS.initWait}`);
      expect(front.flags(8), 'nothing stays mapped').toBe(1);
    }
  });
});

describe('a virtual network interface', () => {
  const TX = 1,
    RX = 2,
    FRAME = 3;
  class Nic {
    readonly port: number;
    private readonly device = 'device/vif/0';
    constructor(readonly front: FrontEnd) {
      for (const page of [TX, RX]) {
        front.page(page).setUint32(4, 1, true);
        front.page(page).setUint32(12, 1, true);
      }
      this.port = front.offer();
      put(front, `${this.device}/tx-ring-ref`, front.grant(8, front.frame(TX)));
      put(front, `${this.device}/rx-ring-ref`, front.grant(9, front.frame(RX)));
      put(front, `${this.device}/event-channel`, this.port);
      put(front, `${this.device}/request-rx-copy`, 1);
      put(front, `${this.device}/state`, XENBUS.connected);
      expect(get(front, `${get(front, `${this.device}/backend`)}/state`)).toBe(`${XENBUS.connected}`);
    }
    get mac(): number[] {
      return get(this.front, `${this.device}/mac`)
        .split(':')
        .map((part) => Number.parseInt(part, 16));
    }
    /** Puts its page FRAME + 1 + n up for a frame. */
    receiveInto(n: number): void {
      const ring = this.front.page(RX);
      const producer = ring.getUint32(0, true);
      const at = 64 + (producer & 255) * 8;
      ring.setUint16(at, n, true);
      ring.setUint32(at + 4, this.front.grant(40 + n, this.front.frame(FRAME + 1 + n)), true);
      ring.setUint32(0, producer + 1, true);
      this.front.event(EVTCHNOP.send, this.port);
    }
    send(frame: number[], flags = 0): number {
      const ring = this.front.page(TX);
      const producer = ring.getUint32(0, true);
      const at = 64 + (producer & 255) * 12;
      frame.forEach((byte, n) => this.front.page(FRAME).setUint8(50 + n, byte));
      ring.setUint32(at, this.front.grant(30, this.front.frame(FRAME), { readonly: true }), true);
      ring.setUint16(at + 4, 50, true);
      ring.setUint16(at + 6, flags, true);
      ring.setUint16(at + 8, 5, true);
      ring.setUint16(at + 10, frame.length, true);
      ring.setUint32(0, producer + 1, true);
      this.front.event(EVTCHNOP.send, this.port);
      expect(ring.getUint32(8, true)).toBe(producer + 1);
      expect(ring.getUint16(at, true)).toBe(5);
      return ring.getInt16(at + 2, true);
    }
    /** Frames that have arrived, since the ring began. */
    get arrived(): number[][] {
      const ring = this.front.page(RX);
      return Array.from({ length: ring.getUint32(8, true) }, (_, n) => {
        const at = 64 + n * 8;
        const page = this.front.page(FRAME + 1 + ring.getUint16(at, true));
        return Array.from({ length: ring.getInt16(at + 6, true) }, (_, k) => page.getUint8(k));
      });
    }
  }
  const broadcast = [255, 255, 255, 255, 255, 255];
  const body = (n: number) => [0x88, 0xb5, n, n, n];

  it('carries frames between the guests of a host: to all, then to the one whose address is known', () => {
    const host = new XenHost();
    const [a, b, c] = [1, 2, 3].map((id) => new Nic(host.boot(id, { network: true })));
    for (const nic of [a, b, c]) for (const n of [0, 1, 2]) nic.receiveInto(n);
    expect(a.mac).toEqual([0, 0x16, 0x3e, 0, 0, 2]);
    const hello = [...broadcast, ...a.mac, ...body(1)];
    expect(a.send(hello)).toBe(0);
    expect([a.arrived, b.arrived, c.arrived]).toEqual([[], [hello], [hello]]);
    expect(b.front.pending(b.port)).toBe(true);
    const answer = [...a.mac, ...b.mac, ...body(2)];
    b.send(answer);
    expect([a.arrived, c.arrived.length], 'only to whom it was sent').toEqual([[answer], 1]);
    const last = [...b.mac, ...a.mac, ...body(3)];
    a.send(last);
    expect([b.arrived, c.arrived.length]).toEqual([[hello, last], 1]);
    expect(host.domain0.traffic(a.front.domain).net).toMatchObject({ framesSent: 2, framesReceived: 1 });
  });

  it('keeps what has no room for a while, refuses what is no frame, and loses what nobody can hear', () => {
    const host = new XenHost();
    const [a, b] = [1, 2].map((id) => new Nic(host.boot(id, { network: true })));
    const frame = [...broadcast, ...a.mac, ...body(4)];
    expect(a.send(frame)).toBe(0);
    expect(b.arrived).toEqual([]);
    b.receiveInto(0);
    expect(b.arrived).toEqual([frame]);
    expect(a.send([1, 2, 3]), 'too short').toBe(-1);
    expect(a.send(new Array(1519).fill(9)), 'too long').toBe(-1);
    expect(a.send(frame, 4), 'more of it to come').toBe(-1);
    for (let n = 0; n < 80; n++) a.send(frame);
    expect(host.domain0.traffic(b.front.domain).net?.framesDropped).toBe(16);
    host.hypervisor.destroyDomain(2);
    expect(a.send(frame)).toBe(0);
  });
});
