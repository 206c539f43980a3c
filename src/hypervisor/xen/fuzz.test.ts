// A hostile front end: forged grant references, ring indices, messages to the store, event ports, states. The hypervisor never
// throws and never dwells; no memory but the guest's own changes; page tables stay what direct paging needs; nobody else's
// nodes in the store change.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Medium } from '../../machine/devices/storage/medium.ts';
import { miscounts, violations } from '../paravirtualization/invariants.ts';
import type { PvDomain } from '../paravirtualization/pv-domain.ts';
import { CONSOLE, EVTCHNOP, GNTMAP, GTF, STORE } from './abi.ts';
import type { StoreTree } from './store/tree.ts';
import { type FrontEnd, PAGES, XenHost } from './testing.ts';

const SECTORS = 64;
const RUNS = Number(process.env.FUZZ_RUNS ?? 100);
const host = new XenHost(8);
const victim = host.boot(1, { network: true });
victim.domain.state = 'paused';
const { memory } = host.pc;
const FUZZED = 2;
/** The victim grants this domain a frame to write, one to read, and what it must not: its page table. */
const WRITABLE = victim.frame(2);
const READABLE = victim.frame(3);
victim.grant(8, WRITABLE, { domid: FUZZED + 1 });
victim.grant(9, READABLE, { domid: FUZZED + 1, readonly: true });
victim.grant(10, (victim.guest as unknown as PvDomain).current.baseFrame, { domid: FUZZED + 1 });
victim.accept(11, FUZZED + 1);
const GRANTED_FLAGS = [8, 9, 10, 11].map((reference) => victim.flags(reference));

const PATHS = [
  'data', 'data/a', 'data/a/b', 'device/vbd/51712/state', 'device/vbd/51712/ring-ref', 'device/vbd/51712/event-channel',
  'device/vif/0/state', 'device/vif/0/tx-ring-ref', 'device/vif/0/rx-ring-ref', 'device/vif/0/event-channel',
  'device/vif/0/request-rx-copy', 'memory/target', 'control/shutdown', 'device', 'device/vbd', '/', '/local/domain/2/data',
  '/local/domain/3', '/local/domain/0/backend/vbd/3/51712/state', '@releaseDomain', '//', '../x', 'a'.repeat(2500), '',
]; // biome-ignore format: a list
const VALUES = [
  '0',
  '1',
  '2',
  '3',
  '4',
  '5',
  '6',
  '7',
  '8',
  '9',
  '12',
  '-1',
  'x',
  '4294967295',
  'n3',
  'T',
  'F',
  'y'.repeat(2048),
];

const nat = fc.nat(0xffffffff);
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), type: fc.nat(24), path: fc.nat(), value: fc.nat(), transaction: fc.nat(3), form: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 200 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('index' as const), which: fc.nat(3), value: nat }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('grant' as const), reference: fc.nat(12), frame: fc.nat(9), flags: fc.nat(7), n: nat }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('word' as const), page: fc.nat(3), offset: fc.nat(60), kind: fc.nat(5), value: nat }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('event' as const), command: fc.nat(11), words: fc.array(fc.oneof(fc.nat(12), nat, fc.constant(0x7ff0)), { maxLength: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('grants' as const), command: fc.nat(7), count: fc.oneof(fc.nat(3), nat), words: fc.array(fc.oneof(fc.nat(12), nat, fc.constant(0x7ff0), fc.constant(2)), { minLength: 6, maxLength: 12 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('map' as const), place: fc.nat(3), flags: fc.oneof(fc.constant(2), fc.nat(31)), reference: fc.integer({ min: 7, max: 12 }), mine: fc.nat(9) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('unmap' as const), place: fc.nat(3), handle: fc.nat(4), bus: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('transfer' as const), page: fc.nat(9), unmapped: fc.boolean(), reference: fc.integer({ min: 7, max: 12 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('console' as const), which: fc.nat(3), kind: fc.nat(3), value: nat, typed: fc.nat(40) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('connect' as const), vbd: fc.boolean(), ring: fc.nat(3) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('request' as const),
      operation: fc.nat(5),
      count: fc.oneof(fc.nat(3), fc.nat(255)),
      sector: fc.oneof(fc.nat(SECTORS + 2), nat),
      segments: fc.array(fc.record({ grant: fc.oneof(fc.nat(13), nat), first: fc.nat(9), last: fc.nat(9) }), {
        minLength: 3,
        maxLength: 3,
      }),
      size: fc.oneof(fc.integer({ min: 14, max: 80 }), fc.nat(0xffff)),
      vif: fc.boolean(),
    }),
  },
); // biome-ignore format: one kind a line
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

const pvOf = (front: FrontEnd) => front.guest as unknown as PvDomain;

/** Frames that a forged entry may name: its own pages, page tables, somebody else's, none. */
function frameOf(front: FrontEnd, which: number, n: number): number {
  const pv = pvOf(front);
  const choices = [
    front.frame(n & 7), front.frame(1), front.frame(2), front.frame(3), pv.current.baseFrame, pv.sharedInfo / 4096,
    memory.read32(pv.current.baseFrame * 4096 + 768 * 4) >>> 12, victim.frame(n & 7), n, host.hypervisor.monitor.gdtPage / 4096,
  ]; // biome-ignore format: a list
  return Math.floor(choices[which] ?? n) >>> 0;
}

/** Linear addresses at which it maps, and their entries. */
const place = (front: FrontEnd, n: number, byEntry: boolean): number => {
  const address = PAGES + (32 + n) * 4096;
  return byEntry ? host.technique.access.entryOf(pvOf(front), address) : address;
};

let actions = 0;
/** Grants of the victim's that it mapped. */
let mapped = 0;
/** Sectors and frames that went through, and as many of the devices that are connected now. */
let moved = 0;
let done = 0;
function act(front: FrontEnd, a: Action): void {
  actions++;
  const before = host.hypervisor.now;
  switch (a.do) {
    case 'ask': {
      const path = PATHS[a.path % PATHS.length];
      const value = VALUES[a.value % VALUES.length];
      const payload = [`${path}\0`, `${path}\0${value}`, `${path}\0${value}\0`, path, '\0', `${value}\0`][
        a.form
      ];
      send(front, a.type, a.transaction, payload);
      break;
    }
    case 'bytes':
      front.send([...a.bytes]);
      break;
    case 'index':
      // Seldom: it is not served any more after that.
      if (a.value & 15) break;
      memory.write32(
        front.guest.storeRing +
          [STORE.requestCons, STORE.requestProd, STORE.replyCons, STORE.replyProd][a.which],
        a.value,
      );
      front.send([]);
      break;
    case 'grant':
      front.grant(a.reference, frameOf(front, a.frame, a.n), {
        readonly: (a.flags & 1) !== 0,
        domid: a.flags & 6 ? 0 : a.n & 0xffff,
      });
      break;
    case 'word': {
      const values = [
        a.value,
        a.value & 7,
        a.value & 255,
        0,
        front.page(1).getUint32(0, true) + 1,
        a.value & 1023,
      ];
      front.page(1 + a.page).setUint32(a.offset * 4, values[a.kind] >>> 0, true);
      break;
    }
    case 'event':
      front.event(a.command, ...a.words);
      break;
    case 'grants':
      front.words(PAGES, ...a.words);
      front.call(20, a.command, PAGES, a.count);
      break;
    case 'map': {
      // Seldom one of its own, and then it is refused.
      const domid = a.mine ? victim.domid : front.domid;
      const at = place(front, a.place, (a.flags & GNTMAP.containsPte) !== 0);
      if (!front.map(at, a.flags, a.reference, domid).status) mapped++;
      break;
    }
    case 'unmap':
      front.unmap(place(front, a.place, (a.bus & 8) !== 0), a.handle, a.bus & 1 ? WRITABLE * 4096 : 0);
      break;
    case 'transfer':
      if (a.unmapped) front.call(14, PAGES + (40 + a.page) * 4096, 0, 0, 2);
      front.transfer(front.frame(40 + a.page), victim.domid, a.reference);
      break;
    case 'console': {
      // An index anywhere, near another, or full by one; then both sides are asked to look.
      const index = [CONSOLE.outCons, CONSOLE.outProd, CONSOLE.inCons, CONSOLE.inProd];
      const ring = front.guest.consoleRing;
      const other = memory.read32(ring + index[a.which ^ 1]);
      const size = a.which < 2 ? CONSOLE.outSize : CONSOLE.inSize;
      memory.write32(
        ring + index[a.which],
        [a.value, other, other + size + (a.value & 3) - 1, other + (a.value & 255)][a.kind],
      );
      front.domain.consoleInput.push(...new Array<number>(a.typed).fill(0x41));
      front.event(
        EVTCHNOP.send,
        front.guest.ports.findIndex((port) => port?.kind === 'console'),
      );
      host.technique.advance(front.domain, host.hypervisor.now);
      expect(front.domain.consoleOutput.length, 'kept output is bounded').toBeLessThan(1 << 21);
      break;
    }
    case 'request':
      request(front, a);
      break;
    default: {
      // What an honest front end does, so that the fuzzer gets behind the door; the rings are as they are.
      const device = a.vbd ? 'device/vbd/51712' : 'device/vif/0';
      const put = (node: string, value: number) => send(front, 11, 0, `${device}/${node}\0${value}`);
      put('state', 1);
      front.grant(8, front.frame(1));
      front.grant(9, front.frame(2));
      put(a.vbd ? 'ring-ref' : 'tx-ring-ref', 8);
      put('rx-ring-ref', 9);
      put('request-rx-copy', 1);
      put('event-channel', front.offer());
      put('state', 4);
    }
  }
  front.guest.ports.forEach((port, n) => {
    if (port?.kind === 'backend') front.event(4, n);
  });
  const { disks, net } = host.domain0.traffic(front.domain);
  const now = (disks[0]?.sectorsRead ?? 0) + (disks[0]?.sectorsWritten ?? 0) + (net?.framesSent ?? 0);
  if (now > done) moved += now - done;
  done = now;
  expect(host.hypervisor.now - before, 'cycles of one action').toBeLessThan(40_000_000);
}

/** Puts a request into the first ring, in the form of a disk's or of a frame to send, and moves its index on. */
function request(front: FrontEnd, a: Extract<Action, { do: 'request' }>): void {
  const ring = front.page(1);
  const producer = ring.getUint32(0, true);
  if (a.vif) {
    const at = 64 + (producer & 255) * 12;
    ring.setUint32(at, a.segments[0].grant, true);
    ring.setUint16(at + 4, a.segments[0].first * 500, true);
    ring.setUint16(at + 6, a.count & 15, true);
    ring.setUint16(at + 10, a.size, true);
  } else {
    const at = 64 + (producer & 31) * 108;
    ring.setUint8(at, a.operation);
    ring.setUint8(at + 1, a.count);
    ring.setUint32(at + 12, a.sector, true);
    ring.setUint32(at + 16, 0, true);
    a.segments.forEach(({ grant, first, last }, n) => {
      ring.setUint32(at + 20 + n * 8, grant, true);
      ring.setUint8(at + 24 + n * 8, first);
      ring.setUint8(at + 25 + n * 8, last);
    });
  }
  ring.setUint32(0, producer + 1, true);
}

function send(front: FrontEnd, type: number, transaction: number, payload: string): void {
  const bytes: number[] = [];
  for (const word of [type, 7, transaction, payload.length])
    bytes.push(word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24);
  for (const c of payload) bytes.push(c.charCodeAt(0));
  for (let at = 0; at < bytes.length; at += 700) front.send(bytes.slice(at, at + 700));
  // It takes its answers, if it feels like it.
  if (type & 1)
    memory.write32(
      front.guest.storeRing + STORE.replyCons,
      memory.read32(front.guest.storeRing + STORE.replyProd),
    );
}

/** Everything but the fuzzed domain's own frames, free memory and where the hypervisor writes in passing. */
function foreign(front: FrontEnd): Uint8Array {
  const copy = memory.bytes.slice();
  const { owner } = host.hypervisor.frames;
  const { monitor } = host.hypervisor;
  owner.forEach((id, frame) => {
    if (id !== FUZZED && id !== -1) return;
    copy.fill(0, frame * 4096, frame * 4096 + 4096);
    copy.fill(0, monitor.m2p + frame * 4, monitor.m2p + frame * 4 + 4);
  });
  // What it was granted to write; and that the victim's entries are in use.
  copy.fill(0, WRITABLE * 4096, WRITABLE * 4096 + 4096);
  const table = victim.guest.grantFrames[0] * 4096;
  for (const reference of [8, 9, 10, 11]) copy[table + reference * 8] &= ~(GTF.reading | GTF.writing);
  const area = pvOf(front).perDomainTable;
  copy.fill(0, area, area + 4096);
  copy.fill(0, monitor.stack, monitor.stack + 0x2000);
  return copy;
}

/** Nodes of the store that are not the fuzzed domain's to change. */
function others(front: FrontEnd): string[] {
  const { tree } = host.domain0.store as unknown as { tree: StoreTree };
  const mine = front.domid;
  const found: string[] = [];
  for (const [path, node] of tree.nodes) {
    const own = path.startsWith(`/local/domain/${mine}/`);
    if (node.permissions[0].domid === mine && !own) found.push(`${path} is the guest’s`);
    // Its own backends' states follow what it does.
    const backend = path.startsWith('/local/domain/0/backend/') && path.split('/')[6] === `${mine}`;
    if (!own && !backend) found.push(`${path}=${node.value}`);
  }
  return found.sort();
}

it('a hostile front end reaches nothing but itself, and never makes the host dwell', () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 40, maxLength: 120 }), (sequence) => {
      const medium = new Medium(new Uint8Array(SECTORS * 512));
      const front = host.boot(FUZZED, { network: true, drives: [{ kind: 'hard-disk', medium }] });
      const before = foreign(front);
      const nodes = others(front);
      act(front, { do: 'connect', vbd: sequence.length % 3 > 0, ring: 0 });
      for (const reference of [10, 11]) front.grant(reference, front.frame(reference - 6));
      for (const a of sequence) {
        act(front, a);
        if (!front.domain.alive) break;
      }
      expect(front.domain.ending).not.toMatch(/mistake of the hypervisor/);
      const pv = pvOf(front);
      const granted = (frame: number, write: boolean) => frame === WRITABLE || (!write && frame === READABLE);
      expect(violations(host.hypervisor, pv, granted)).toEqual([]);
      const { types } = host.technique as unknown as { types: Parameters<typeof miscounts>[1] };
      expect(miscounts(host.hypervisor, types, pv)).toEqual([]);
      expect(others(front)).toEqual(nodes);
      expect(Buffer.compare(before, foreign(front)), 'foreign memory').toBe(0);
      done = 0;
      host.hypervisor.destroyDomain(FUZZED);
      expect([8, 9, 10, 11].map((reference) => victim.flags(reference))).toEqual(GRANTED_FLAGS);
    }),
    {
      numRuns: RUNS,
      seed: Number(process.env.FUZZ_SEED ?? 20030101),
      endOnFailure: !process.env.FUZZ_SHRINK,
    },
  );
  // It got somewhere.
  expect(moved).toBeGreaterThan(RUNS / 8);
  expect(mapped).toBeGreaterThan(RUNS / 2);
  if (process.env.FUZZ_TELL) console.log(actions, moved, mapped);
}, 300_000);
