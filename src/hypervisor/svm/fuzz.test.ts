// Random kernels and random VMCBs under SVM: whatever the guest executes and whatever its VMCB says about it, the host never
// throws and never dwells, the guest runs on or ends with a reason, shadow and nested tables lead nowhere but into the
// domain's own memory, and nobody else's memory changes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { VMCB_FIELDS } from '../../machine/cpu/svm/layout.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { OWNER_BOARD } from '../frames.ts';
import { Hypervisor } from '../hypervisor.ts';
import { RunLoop } from '../run-loop.ts';
import { assembly, at, code, value } from '../testing/random-kernel.ts';
import '../../session/provide-all.ts';
import type { Paging } from '../technique.ts';
import { Svm } from './svm.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 250);
const VICTIM = 1;
const FUZZED = 2;

/** Fields that are the guest's: what a guest could have brought about, and more. The hypervisor's own controls are not meddled with. */
const FIELDS = VMCB_FIELDS.filter((f) => f.area === 'guest');
const change = fc.record({
  field: fc.constantFrom(...FIELDS),
  value: fc.oneof(
    value,
    fc.constantFrom(
      0xc9b,
      0xc93,
      0xcfb,
      0xcf3,
      0xf3,
      0x8b,
      0x82,
      0,
      0x93,
      0x9b,
      0x493,
      0x2,
      0x202,
      0x20202,
      0x1000,
    ),
    fc.nat(0x2f),
  ),
});

describe.each<[Paging, string]>([
  ['shadow', 'prescott'],
  ['nested', 'nehalem'],
])('%s paging', (paging, processor) => {
  const pc = new Pc(costModel(processor), new Recorder(1 << 10), 8 << 20, {
    startDate: '2005-12-05T10:00:00',
  });
  const hypervisor = new Hypervisor(pc);
  const technique = new Svm(hypervisor);
  const loop = new RunLoop(hypervisor);
  const boot = (id: number, bytes: Uint8Array): Domain =>
    hypervisor.createDomain({
      id,
      name: `${id}`,
      technique,
      memoryBytes: 2 << 20,
      image: parseImage(bytes, 'fuzz'),
      options: { commandLine: '', modules: [], paging },
    });

  /** The victim's memory, and the monitor's own structures. */
  const foreign = (victim: Domain): Uint8Array => {
    const { monitor, frames } = hypervisor;
    const own = [
      monitor.idt,
      monitor.gdtPage,
      monitor.pageDirectory,
      monitor.m2p,
      technique.guestOf(victim).vmcb.machine,
    ];
    const parts: Uint8Array[] = [];
    for (let frame = 0; frame < frames.count; frame++)
      if (frames.owner[frame] === VICTIM || frames.owner[frame] === OWNER_BOARD || own.includes(frame * 4096))
        parts.push(pc.memory.bytes.slice(frame * 4096, frame * 4096 + 4096));
    return Buffer.concat(parts);
  };

  /** Machine frames that the tables in force lead to and that are not the domain's. */
  const strays = (domain: Domain): string[] => {
    const found: string[] = [];
    const guest = technique.guestOf(domain);
    const root = guest.nested?.root ?? guest.shadowTables!.root;
    for (let n = 0; n < 1024; n++) {
      const pde = pc.memory.read32(root + n * 4);
      if (!(pde & 1)) continue;
      for (let m = 0; m < 1024; m++) {
        const pte = pc.memory.read32((pde & 0xfffff000) + m * 4);
        if (pte & 1 && hypervisor.frames.owner[pte >>> 12] !== FUZZED)
          found.push(`${n}, ${m}: ${pte.toString(16)}`);
      }
    }
    return found;
  };

  it('random kernels and random guest states leave the host and the neighbour alone', () => {
    const victim = boot(VICTIM, assembly.bytes);
    loop.run(2_000_000);
    loop.leaveGuest();
    victim.state = 'paused';
    const before = foreign(victim);
    const reasons = new Set<number>();
    let exits = 0;
    fc.assert(
      fc.property(
        code,
        fc.nat(3),
        fc.array(value, { minLength: 5, maxLength: 5 }),
        fc.oneof(fc.constant([]), fc.array(change, { maxLength: 4 })),
        (bytes, mode, registers, changes) => {
          const image = assembly.bytes.slice();
          image.set(bytes, at('code'));
          image[at('mode')] = mode;
          new Int32Array(registers).forEach((word, n) =>
            new DataView(image.buffer).setInt32(at('random') + n * 4, word, true),
          );
          const domain = boot(FUZZED, image);
          if (registers[0] & 1) loop.run(hypervisor.now + 60_000);
          loop.leaveGuest();
          if (domain.alive) {
            const { machine } = technique.guestOf(domain).vmcb;
            for (const { field, value } of changes) {
              pc.memory.write8(machine + field.offset, value);
              if (field.bits > 8) pc.memory.write16(machine + field.offset, value);
              if (field.bits > 16) pc.memory.write32(machine + field.offset, value);
            }
            // With shadow paging CR3 is the hypervisor’s, and CR0.PG and WP with it.
            if (paging === 'shadow') technique.guestOf(domain).loadedRoot = -1;
            restoreControl(domain);
          }
          const start = pc.cpu.instructions;
          loop.run(hypervisor.now + 220_000);
          loop.leaveGuest();
          expect(loop.inGuest, 'the hypervisor got the processor back').toBe(false);
          expect(pc.cpu.instructions - start, 'instructions in bounded time').toBeLessThan(400_000);
          if (!domain.alive) expect(domain.ending).not.toBe('');
          expect(domain.ending, 'no mistake of ours').not.toMatch(
            /no intercept asks|mistake of the hypervisor/,
          );
          if (!changes.length)
            expect(domain.ending, 'a guest that nobody meddled with').not.toMatch(/refused to enter/);
          expect(strays(domain)).toEqual([]);
          for (const x of pc.recorder.exitCounts(FUZZED)) {
            exits += x.count;
            reasons.add(x.reason);
          }
          hypervisor.destroyDomain(FUZZED);
          pc.recorder.resetCounts(FUZZED);
        },
      ),
      { numRuns: RUNS, seed: Number(process.env.FUZZ_SEED ?? 2006), endOnFailure: !process.env.FUZZ_SHRINK },
    );
    if (process.env.FUZZ_TELL) console.log(paging, exits, [...reasons].map((r) => r.toString(16)).join(' '));
    if (!process.env.FUZZ_RUNS) expect(exits).toBeGreaterThan(3_000);
    expect(reasons.size).toBeGreaterThan(8);
    expect(Buffer.compare(before, foreign(victim))).toBe(0);
  }, 300_000);

  /** Paging stays on and write protection too, under shadows: those bits are never the guest's. */
  const restoreControl = (domain: Domain): void => {
    if (paging !== 'shadow') return;
    const { vmcb } = technique.guestOf(domain);
    const at = vmcb.machine + 0x558;
    pc.memory.write32(at, pc.memory.read32(at) | 0x80010000);
    pc.memory.write32(vmcb.machine + 0x548, pc.memory.read32(vmcb.machine + 0x548) & ~0x30);
  };
});
