// Random kernels with nested paging and in real mode, and random fields in their control structures: the host never throws
// and never dwells, a guest runs on or ends with a reason, its EPT leads nowhere but into its own frames, whatever the
// emulator interprets stays inside the domain, and nobody else's memory changes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { FIELD as F } from '../../machine/cpu/vmx/fields.ts';
import { vmwrite } from '../../machine/cpu/vmx/operations.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { Hypervisor } from '../hypervisor.ts';
import { RunLoop } from '../run-loop.ts';
import type { BootOptions } from '../technique.ts';
import { assembly, at, code, value } from '../testing/random-kernel.ts';
import { HardwareAssisted } from './hardware-assisted.ts';
import './provide.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 60);
const VICTIM = 1;
const FUZZED = 2;
/** Firmware that goes to the boot sector's place at once: F000:FFF0 holds a far jump to 0:7C00h. */
const FIRMWARE = new Uint8Array(0x10000);
FIRMWARE.set([0xea, 0x00, 0x7c, 0x00, 0x00], 0xfff0);

const FIELDS = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [
    F.GUEST_ES_SELECTOR + 2 * n,
    F.GUEST_ES_BASE + 2 * n,
    F.GUEST_ES_LIMIT + 2 * n,
    F.GUEST_ES_AR_BYTES + 2 * n,
  ]),
  F.GUEST_GDTR_BASE,
  F.GUEST_IDTR_BASE,
  F.GUEST_IDTR_LIMIT,
  F.GUEST_RFLAGS,
  F.GUEST_RIP,
  F.GUEST_RSP,
  F.GUEST_CR3,
  F.GUEST_CR4,
  F.GUEST_CR0,
  F.GUEST_DR7,
  F.GUEST_INTERRUPTIBILITY_INFO,
  F.GUEST_ACTIVITY_STATE,
] as const;
const change = fc.record({
  field: fc.constantFrom(...FIELDS),
  value: fc.oneof(
    value,
    fc.constantFrom(
      0xc09b,
      0xc093,
      0xf3,
      0x8b,
      0x10000,
      0x93,
      0x9b,
      0x2,
      0x202,
      0x20002,
      0x30,
      0x31,
      0x80000031,
      0x2020,
    ),
  ),
});

interface Host {
  hypervisor: Hypervisor;
  technique: HardwareAssisted;
  loop: RunLoop;
  boot(id: number, bytes: Uint8Array, options?: Partial<BootOptions>): Domain;
}

function host(processor: string): Host {
  const pc = new Pc(costModel(processor), new Recorder(1 << 10), 8 << 20, {
    startDate: '2005-12-05T10:00:00',
  });
  const hypervisor = new Hypervisor(pc);
  const technique = new HardwareAssisted(hypervisor);
  return {
    hypervisor,
    technique,
    loop: new RunLoop(hypervisor),
    boot: (id, bytes, options = {}) =>
      hypervisor.createDomain({
        id,
        name: `${id}`,
        technique,
        memoryBytes: 2 << 20,
        image: parseImage(bytes, 'fuzz'),
        options: { commandLine: '', modules: [], firmware: FIRMWARE, ...options },
      }),
  };
}

/** Memory of the victim and of the monitor. */
function foreign({ hypervisor }: Host): Buffer {
  const { monitor, frames, pc } = hypervisor;
  const structures = [monitor.idt, monitor.gdtPage, monitor.pageDirectory, monitor.m2p];
  const parts: Uint8Array[] = [];
  for (let frame = 0; frame < frames.count; frame++)
    if (frames.owner[frame] === VICTIM || frames.owner[frame] === -3 || structures.includes(frame * 4096))
      parts.push(pc.memory.bytes.slice(frame * 4096, frame * 4096 + 4096));
  return Buffer.concat(parts);
}

/** Leaves of the guest's EPT that are not its own frames. */
function strays({ hypervisor, technique }: Host, domain: Domain): string[] {
  const { memory } = hypervisor.pc;
  const nested = technique.guestOf(domain.vcpus[0])?.nested;
  if (!nested) return [];
  const found: string[] = [];
  const visit = (table: number, level: number): void => {
    for (let n = 0; n < 512; n++) {
      const entry = memory.read32(table + n * 8);
      if (!(entry & 7)) continue;
      if (level > 1) visit((entry & 0xfffff000) >>> 0, level - 1);
      else if (hypervisor.frames.owner[entry >>> 12] !== FUZZED) found.push(entry.toString(16));
    }
  };
  visit(nested.root, 4);
  return found;
}

function fuzz(
  h: Host,
  image: (bytes: Uint8Array, mode: number, registers: number[]) => Uint8Array,
  options: Partial<BootOptions>,
) {
  const { hypervisor, loop } = h;
  const { cpu, recorder } = hypervisor.pc;
  const victim = h.boot(VICTIM, assembly.bytes, { paging: options.paging });
  loop.run(hypervisor.now + 2_000_000);
  loop.leaveGuest();
  victim.state = 'paused';
  const before = foreign(h);
  const reasons = new Map<number, number>();
  let interpreted = 0;
  fc.assert(
    fc.property(
      code,
      fc.nat(3),
      fc.array(value, { minLength: 5, maxLength: 5 }),
      fc.oneof(fc.constant([]), fc.array(change, { maxLength: 3 })),
      (bytes, mode, registers, changes) => {
        const domain = h.boot(FUZZED, image(Uint8Array.from(bytes), mode, registers), options);
        loop.run(hypervisor.now + 1);
        if (registers[0] & 1) loop.run(hypervisor.now + 60_000);
        loop.leaveGuest();
        const guest = h.technique.guestOf(domain.vcpus[0]);
        if (domain.alive && guest?.prepared && cpu.vmx!.current === (guest.vmcs | 0))
          for (const { field, value: v } of changes) vmwrite(cpu, field, v);
        const start = cpu.instructions + domain.vcpus[0].instructions;
        loop.run(hypervisor.now + 220_000);
        loop.leaveGuest();
        expect(loop.inGuest, 'the hypervisor got the processor back').toBe(false);
        expect(cpu.instructions + domain.vcpus[0].instructions - start, 'in bounded time').toBeLessThan(
          900_000,
        );
        if (!domain.alive) expect(domain.ending).not.toBe('');
        expect(domain.ending, 'no mistake of ours').not.toMatch(
          /VMRESUME|VMLAUNCH|no control asks|mistake of the hypervisor|makes? no sense/,
        );
        if (!changes.length)
          expect(domain.ending, 'a guest that nobody meddled with').not.toMatch(/refused to enter/);
        expect(strays(h, domain)).toEqual([]);
        for (const x of recorder.exitCounts(FUZZED))
          reasons.set(x.reason & 0xffff, (reasons.get(x.reason & 0xffff) ?? 0) + x.count);
        interpreted += domain.vcpus[0].instructions;
        hypervisor.destroyDomain(FUZZED);
        recorder.resetCounts(FUZZED);
      },
    ),
    { numRuns: RUNS, seed: Number(process.env.FUZZ_SEED ?? 2008), endOnFailure: !process.env.FUZZ_SHRINK },
  );
  if (process.env.FUZZ_TELL) console.log([...reasons], interpreted);
  expect(Buffer.compare(before, foreign(h))).toBe(0);
  return { reasons, interpreted };
}

const kernel = (bytes: Uint8Array, mode: number, registers: number[]): Uint8Array => {
  const image = assembly.bytes.slice();
  image.set(bytes, at('code'));
  image[at('mode')] = mode;
  registers.forEach((word, n) => new DataView(image.buffer).setInt32(at('random') + n * 4, word, true));
  return image;
};

/** Firmware whose reset vector leads into random bytes: real mode from the first instruction on. */
const sector = (bytes: Uint8Array): Uint8Array => {
  const image = new Uint8Array(1_474_560);
  image.set(bytes.subarray(0, 510));
  image.set([0x55, 0xaa], 510);
  return image;
};

describe('random guests leave the host and the neighbour alone', () => {
  it('with nested paging', () => {
    const { reasons } = fuzz(host('nehalem'), kernel, { paging: 'nested' });
    expect(reasons.size).toBeGreaterThan(8);
  }, 300_000);

  it.each([
    ['unrestricted', 'nehalem', 'nested'],
    ['in virtual-8086 mode', 'prescott', 'shadow'],
  ] as const)(
    'in real mode, %s',
    (_, processor, paging) => {
      const h = host(processor);
      const random = (bytes: Uint8Array): Uint8Array => {
        // The code itself is what firmware is: the far jump leads to F000:8000h.
        FIRMWARE.set(bytes, 0x8000);
        FIRMWARE.set([0xea, 0x00, 0x80, 0x00, 0xf0], 0xfff0);
        return sector(bytes);
      };
      const { reasons } = fuzz(h, random, { paging });
      expect(reasons.size).toBeGreaterThan(3);
    },
    300_000,
  );
});
