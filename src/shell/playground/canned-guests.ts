// Canned guests for the playground only: endless event sequences of the kinds that real guests make, written with the
// real recorder, so that every view can be looked at without booting anything. Nothing of this reaches the product's page.
import { Channel, Device, Emulated, Injected, Kind, Shadow, Switch, Vendor } from '../../trace/events.ts';
import type { Recorder } from '../../trace/recorder.ts';

/** Writes one event of a domain after so many cycles. */
export type Write = (after: number, domain: number, kind: number, ...args: number[]) => void;

/** A repeatable source of numbers (linear congruential, Numerical Recipes' constants). */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const HELLO =
  'Penguin 0.1 (paravirtualized) booting\nmemory: 16 MiB, 4096 pages\nevent channels: timer on port 2\ninit: started\n$ ps\nPID STATE CMD\n  1 sleep init\n  2 run   sh\n  7 run   primes\n$ primes\n2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79\n$ forkwait\n40 rounds, 0 failed\n$ ';

/** Sequences of a paravirtualized guest: each a function that writes one. */
function paravirtualized(id: number, write: Write, random: (below: number) => number): (() => void)[] {
  let said = 0;
  const entry = (after: number, cpl: number, cost: number) =>
    write(after, id, Kind.entry, -1, cpl, 0, 0, 0, cost);
  const hypercall = (number: number, b: number, c: number, result: number, work: () => void = () => {}) => {
    write(120, id, Kind.interrupt, 0x82, -1, 1, 0, 2);
    write(10, id, Kind.exit, 0x82, 0, 0, 2, Vendor.xen);
    work();
    write(340, id, Kind.hypercall, number, b, c, 0, result);
    entry(320, 1, 1180);
  };
  const syscall = (inside: () => void) => {
    write(900 + random(4000), id, Kind.interrupt, 0x80, -1, 3, 1, 2);
    inside();
    write(240 + random(300), id, Kind.ring, 1, 3);
  };
  const print = () => {
    const character = HELLO.charCodeAt(said++ % HELLO.length);
    hypercall(18, 0, 1, 0, () => write(200, id, Kind.output, character, Channel.console));
  };
  const fault = () => {
    const at = 0x08049000 + random(64) * 4096;
    write(500 + random(2000), id, Kind.interrupt, 14, 6, 3, 0, 0);
    write(10, id, Kind.exit, 14, at, 6, 0, Vendor.xen);
    write(180, id, Kind.inject, 14, 6, Injected.reflected);
    entry(320, 1, 816);
    hypercall(14, at, 0x12067, 0, () =>
      write(430, id, Kind.pageTable, 0x00a12000 + random(1024) * 4, 0x00412067, 1, 0),
    );
    write(200, id, Kind.ring, 1, 3);
  };
  return [
    () => syscall(print),
    () => syscall(print),
    () => syscall(() => {}),
    () => syscall(() => {}),
    fault,
    () =>
      syscall(() =>
        hypercall(26, 1, 0x51000, 0, () => write(1400, id, Kind.pageTable, 0x51000, 0x52063, 2, 0)),
      ),
  ];
}

/** Sequences of an unmodified guest under VT-x. */
function unmodified(id: number, write: Write, random: (below: number) => number): (() => void)[] {
  const world = (
    reason: number,
    qualification: number,
    detail: number,
    length: number,
    inside: () => void,
    cpl = 0,
  ) => {
    write(1200 + random(6000), id, Kind.exit, reason, qualification, detail, length, Vendor.vmx);
    inside();
    write(2409, id, Kind.entry, -1, cpl, 0, 0, 0, 5200 + random(5200));
  };
  return [
    () =>
      world(30, 0x03c80000, 0, 1, () => {
        write(900, id, Kind.emulate, Emulated.ioOut, 0x3c8, random(256), 1);
        write(1500, id, Kind.device, Device.vga, 1, 0x3c8, random(256), 1);
      }),
    () =>
      world(30, 0x00600008, 0, 1, () => {
        write(900, id, Kind.emulate, Emulated.ioIn, 0x60, 0x1e, 1);
        write(1500, id, Kind.device, Device.keyboard, 0, 0x60, 0x1e, 1);
      }),
    () =>
      world(28, 3, 0, 3, () => {
        write(900, id, Kind.emulate, Emulated.crWrite, 3, 0x00105000, 4);
        write(2600, id, Kind.shadow, Shadow.switchRoot, 0, 0x00105000, 0x00b21000);
      }),
    () =>
      world(
        0,
        0xb8000 + random(64) * 4096,
        0x80000b0e,
        0,
        () => {
          write(2200, id, Kind.shadow, Shadow.fill, 0x40000000 + random(256) * 4096, 0x00200000, 0x00c40000);
        },
        3,
      ),
    () =>
      world(14, 0x40012000, 0, 3, () => {
        write(900, id, Kind.emulate, Emulated.invlpg, 0x40012000);
        write(400, id, Kind.shadow, Shadow.invalidatePage, 0x40012000);
      }),
    () => {
      write(800, id, Kind.interrupt, 0x30, -1, 3, 0, 2);
      write(700, id, Kind.ring, 0, 3);
    },
  ];
}

/** Sequences of a guest on the bare machine. */
function bare(id: number, write: Write, random: (below: number) => number): (() => void)[] {
  return [
    () => {
      write(900 + random(3000), id, Kind.interrupt, 0x80, -1, 3, 0, 2);
      write(400, id, Kind.device, Device.serial, 1, 0x3f8, 65 + random(26), 1);
      write(300, id, Kind.output, 65 + random(26), Channel.serial);
      write(300, id, Kind.ring, 0, 3);
    },
    () => {
      write(2500, id, Kind.irq, 0x20, 0);
      write(10, id, Kind.interrupt, 0x20, -1, 3, 0, 1);
      write(300, id, Kind.device, Device.pic, 1, 0x20, 0x20, 1);
      write(300, id, Kind.addressSpace, 0x105000, 0x104000);
      write(300, id, Kind.ring, 0, 3);
    },
  ];
}

/** All guests of a canned host, turn by turn. Call the result for the next sequence. */
export function cannedGuests(
  guests: readonly { id: number; technique: string }[],
  recorder: Recorder,
  clock: { now: number },
): () => void {
  const random = numbers(2005);
  const write: Write = (after, domain, kind, a = 0, b = 0, c = 0, d = 0, e = 0, cost = 0) => {
    clock.now += after;
    recorder.recordAt(domain, kind, clock.now, 0xc0101000 + random(4096), a, b, c, d, e, cost);
  };
  const sequences = guests.map(({ id, technique }) => {
    if (technique === 'native') return bare(id, write, random);
    return technique === 'vt-x' ? unmodified(id, write, random) : paravirtualized(id, write, random);
  });
  for (const { id } of guests) write(0, id, Kind.domain, 1, 0);
  let running = 0;
  let left = 12;
  return () => {
    const { id, technique } = guests[running];
    const of = sequences[running];
    of[random(of.length)]();
    if (--left > 0 || guests.length === 1) return;
    left = 8 + random(16);
    const next = (running + 1) % guests.length;
    const vmx = technique === 'vt-x';
    write(600, -1, Kind.irq, 0x20, 0);
    write(100, id, Kind.exit, vmx ? 1 : 0x20, 0, 0, 0, vmx ? Vendor.vmx : Vendor.xen);
    write(600, -1, Kind.schedule, id, guests[next].id, Switch.sliceEnd);
    const arriving = guests[next];
    const injects = arriving.technique === 'vt-x';
    if (injects) write(250, arriving.id, Kind.inject, 0x20, -1, Injected.virtualInterrupt);
    else write(400, arriving.id, Kind.upcall, 2, 4, 0);
    write(2409, arriving.id, Kind.entry, injects ? 0x20 : -1, injects ? 0 : 1, 0, 0, 0, 4100);
    running = next;
  };
}
