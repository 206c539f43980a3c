// Hostile guests of the interfaces: random hypercalls with random memory behind them, random values for the registers. The
// hypervisor never throws and never dwells, no memory but the guest's own changes, and the guest goes on or ends clearly.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { hasNasm, nasm } from '../../machine/cpu/test-machine.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import { kernel } from '../hardware-assisted/testing.ts';
import { Hypervisor } from '../hypervisor.ts';
import type { PcGuest } from '../platform/pc-guest.ts';
import { RunLoop } from '../run-loop.ts';
import {
  enlightenedHypercall,
  identifyEnlightened,
  readEnlightenedMsr,
  writeEnlightenedMsr,
} from './seam.ts';
import { TECHNIQUES } from './testing.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 40);
const FUZZED = 2;
const nat = fc.nat(0xffffffff);
/** Words that mean something: small numbers, addresses of its memory, its ports, DOMID_SELF. */
const word = fc.oneof(
  fc.nat(40),
  nat,
  fc.constantFrom(0x7ff0, 2, 3, 0, 1, 0xb8, 0x202, 0x3ff, 0x400, 0xee, 0xfffff),
  fc.nat(0x1ff).map((n) => 0x300000 + n * 8),
);
const hypercall = fc.record({
  do: fc.constant('call' as const),
  number: fc.oneof(
    fc.constantFrom(12, 15, 20, 24, 29, 32, 34, 18, 17),
    fc.nat(40),
    fc
      .tuple(fc.constantFrom(1, 2, 3, 8, 9), fc.boolean())
      .map(([code, fast]) => 0x80000000 + code + (fast ? 0x10000 : 0)),
    nat,
  ),
  registers: fc.array(word, { minLength: 5, maxLength: 5 }),
  memory: fc.array(word, { minLength: 12, maxLength: 12 }),
  formed: fc.boolean(),
});
/** What a balloon driver asks for, with frames that are the guest's and others. */
const balloon = fc.record({
  do: fc.constant('call' as const),
  number: fc.constant(12),
  registers: fc
    .tuple(fc.constantFrom(0, 1, 1, 1, 6, 6, 6 + 64))
    .map(([command]) => [command, 0x300000, 0, 0, 0]),
  memory: fc
    .tuple(fc.nat(8), fc.array(fc.oneof(fc.nat(0x400), word), { minLength: 7, maxLength: 7 }))
    .map(([count, frames]) => [0x300014, count, 0, 0, 0x7ff0, ...frames]),
  formed: fc.constant(false),
});
const register = fc.record({
  do: fc.constant('msr' as const),
  index: fc.constantFrom(0x40000000, 0x40000001, 0x40000002, 0x40000020, 0x40000021, 0x40000200, 0x40000100),
  low: fc.oneof(
    nat,
    fc.nat(0x3ff).map((n) => n * 4096 + 1),
    fc.nat(0x3ff).map((n) => n * 4096),
    fc.constant(0),
  ),
  high: fc.oneof(fc.constant(0), fc.constant(0), nat),
});

const WAYS = TECHNIQUES.flatMap(([name, make]) =>
  (['shadow', 'nested'] as const).map((paging) => ({ name, make, paging })),
);

describe.skipIf(!hasNasm())('hostile guests of enlightenments', () => {
  it.each(WAYS)(
    'reach nothing but themselves: $name, $paging',
    ({ make, paging }) => {
      const image = parseImage(nasm(kernel('again: jmp again')), 'loop');
      const pc = new Pc(costModel('nehalem'), new Recorder(1 << 10), 16 << 20, {
        startDate: '2005-12-05T10:00:00',
      });
      const host = new Hypervisor(pc);
      const technique = make(host);
      const loop = new RunLoop(host);
      const boot = (id: number) =>
        host.createDomain({
          id,
          name: `${id}`,
          technique,
          memoryBytes: 4 << 20,
          image,
          options: {
            commandLine: '',
            modules: [],
            paging,
            enlightenments: ['hyper-v', 'xen'],
            network: true,
          },
        });
      const victim = boot(1);
      loop.run(host.now + 300_000);
      loop.leaveGuest();
      victim.state = 'paused';
      /** Frames of the neighbour: what a guest must never reach. */
      const neighbour = () => {
        const copy: number[] = [];
        host.frames.owner.forEach((owner, frame) => {
          if (owner !== 1) return;
          let sum = frame;
          for (let at = frame * 4096; at < frame * 4096 + 4096; at += 4)
            sum = (Math.imul(sum, 31) + pc.memory.read32(at)) | 0;
          copy.push(sum);
        });
        return copy;
      };
      let calls = 0;
      let succeeded = 0;
      fc.assert(
        fc.property(
          fc.array(
            fc.oneof({ weight: 4, arbitrary: hypercall }, { weight: 2, arbitrary: balloon }, register),
            {
              minLength: 40,
              maxLength: 120,
            },
          ),
          (sequence) => {
            const domain = boot(FUZZED);
            loop.run(host.now + 50_000);
            loop.leaveGuest();
            const guest = (technique as unknown as { guests: Map<unknown, PcGuest> }).guests.get(domain)!;
            const before = neighbour();
            const [vcpu] = domain.vcpus;
            writeEnlightenedMsr(guest, 0x40000000, 1n);
            writeEnlightenedMsr(guest, 0x40000001, 0x200001n);
            for (const a of sequence) {
              if (!domain.alive) break;
              calls++;
              const from = host.now;
              if (a.do === 'msr') {
                writeEnlightenedMsr(guest, a.index, (BigInt(a.high >>> 0) << 32n) | BigInt(a.low >>> 0));
                readEnlightenedMsr(guest, a.index);
                identifyEnlightened(guest, a.index, { eax: 0, ebx: 0, ecx: 0, edx: 0 });
                continue;
              }
              a.memory.forEach((value, n) => domain.memory.write32(0x300000 + n * 4, value));
              let [ebx, ecx, edx] = a.registers;
              const [, , , esi, edi] = a.registers;
              // In the form that the calls want, with any content.
              if (a.formed) {
                if (a.number < 0x80000000) domain.memory.write32(0x300000, 0x7ff0);
                [ebx, ecx, edx] = a.number < 0x80000000 ? [ebx % 12, 0x300000, 1] : [0, 0x300000, edx % 4];
              }
              vcpu.regs.set([a.number, ecx, edx, ebx, 0, 0, esi, edi]);
              vcpu.cpl = 0;
              const resume = enlightenedHypercall(guest);
              if (resume !== null && vcpu.regs[0] === 0) succeeded++;
              expect([null, 'enter', 'yield', 'ended']).toContain(resume);
              expect(host.now - from, 'cycles of one call').toBeLessThan(20_000_000);
            }
            if (domain.alive) {
              loop.run(host.now + 30_000);
              loop.leaveGuest();
            }
            if (!domain.alive) expect(domain.ending).not.toBe('');
            expect(domain.ending).not.toMatch(/mistake of the hypervisor/);
            expect(neighbour()).toEqual(before);
            const map = domain.memory.p2m.filter((frame) => frame >= 0);
            const own = new Set(map);
            expect(own.size, 'no frame stands twice').toBe(map.length);
            for (const frame of own)
              expect(host.frames.owner[frame], 'every frame of its map is its own').toBe(FUZZED);
            // Beside its memory: shared_info, a grant table, the page that stands where there is nothing.
            const held = host.frames.owner.reduce((sum, owner) => sum + (owner === FUZZED ? 1 : 0), 0);
            expect(held, 'no more than it was born with').toBeLessThanOrEqual(domain.memory.pages + 40);
            host.destroyDomain(FUZZED);
          },
        ),
        {
          numRuns: RUNS,
          seed: Number(process.env.FUZZ_SEED ?? 20080204),
          endOnFailure: !process.env.FUZZ_SHRINK,
        },
      );
      expect(succeeded).toBeGreaterThan(calls / 50);
      if (process.env.FUZZ_TELL) console.log(calls, succeeded);
    },
    300_000,
  );
});
