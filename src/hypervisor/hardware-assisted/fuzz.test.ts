// Random kernels and random guest states under VT-x: whatever the guest executes and whatever its control structure says
// about it, the host never throws and never dwells, the guest runs on or ends with a reason, shadow tables lead nowhere but
// into the domain's own memory, and nobody else's memory changes.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { FIELD as F } from '../../machine/cpu/vmx/fields.ts';
import { vmwrite } from '../../machine/cpu/vmx/operations.ts';
import { Pc } from '../../machine/pc.ts';
import { Kind } from '../../trace/events.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { Hypervisor } from '../hypervisor.ts';
import { RunLoop } from '../run-loop.ts';
import { assembly, at, code, value } from '../testing/random-kernel.ts';
import { HardwareAssisted } from './hardware-assisted.ts';
import type { VtxGuest } from './vtx-guest.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 1500);
const VICTIM = 1;
const FUZZED = 2;

const GUEST_FIELDS = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [
    F.GUEST_ES_SELECTOR + 2 * n,
    F.GUEST_ES_BASE + 2 * n,
    F.GUEST_ES_LIMIT + 2 * n,
    F.GUEST_ES_AR_BYTES + 2 * n,
  ]),
  ...[
    F.GUEST_GDTR_BASE,
    F.GUEST_GDTR_LIMIT,
    F.GUEST_IDTR_BASE,
    F.GUEST_IDTR_LIMIT,
    F.GUEST_RFLAGS,
    F.GUEST_RFLAGS,
    F.GUEST_RIP,
    F.GUEST_RSP,
  ],
  ...[
    F.GUEST_DR7,
    F.GUEST_SYSENTER_CS,
    F.GUEST_SYSENTER_EIP,
    F.GUEST_INTERRUPTIBILITY_INFO,
    F.GUEST_PENDING_DBG_EXCEPTIONS,
  ],
] as const;
const ACCESS = [
  0xc09b, 0xc093, 0xc0fb, 0xc0f3, 0xf3, 0x8b, 0x83, 0x82, 0x10000, 0x93, 0x9b, 0x4093, 0x97, 0xc097, 0xc09f,
];
const change = fc.record({
  field: fc.constantFrom(...GUEST_FIELDS),
  value: fc.oneof(
    value,
    fc.constantFrom(...ACCESS),
    fc.constantFrom(0x2, 0x102, 0x202, 0x302, 0x20002, 0x23202, 0x4002, 0x10002, 0x200002),
    fc.nat(0x2f),
  ),
});

const pc = new Pc(costModel('prescott'), new Recorder(1 << 10), 6 << 20, {
  startDate: '2005-12-05T10:00:00',
});
const hypervisor = new Hypervisor(pc);
const technique = new HardwareAssisted(hypervisor);
const loop = new RunLoop(hypervisor);
const boot = (id: number, bytes: Uint8Array): Domain =>
  hypervisor.createDomain({
    id,
    name: `${id}`,
    technique,
    memoryBytes: 2 << 20,
    image: parseImage(bytes, 'fuzz'),
    options: { commandLine: '', modules: [] },
  });
const victim = boot(VICTIM, assembly.bytes);
loop.run(2_000_000);
loop.leaveGuest();
victim.state = 'paused';
const victimState = JSON.stringify(technique.registers(victim.vcpus[0]));

const guestOf = (domain: Domain): VtxGuest =>
  (technique as unknown as { guests: Map<Domain, VtxGuest> }).guests.get(domain)!;
const shadowsOf = (domain: Domain): { machine: number; live: boolean; isDirectory: boolean }[] =>
  (
    guestOf(domain).shadow as unknown as {
      pages: { pages: { machine: number; live: boolean; isDirectory: boolean }[] };
    }
  ).pages.pages;

/** What the shadow tables lead to that is not the domain's memory, or not one of its shadow tables. */
function strays(domain: Domain): string[] {
  const pages = shadowsOf(domain);
  const machines = new Set(pages.map((page) => page.machine));
  const found: string[] = [];
  for (const page of pages) {
    if (!page.live) continue;
    for (let n = 0; n < 1024; n++) {
      const entry = pc.memory.read32(page.machine + n * 4);
      if (!(entry & 1)) continue;
      const good = page.isDirectory
        ? machines.has((entry & ~0xfff) >>> 0) && !(entry & 0x80)
        : hypervisor.frames.owner[entry >>> 12] === FUZZED;
      if (!good)
        found.push(`shadow ${page.machine.toString(16)}h, entry ${n}: ${(entry >>> 0).toString(16)}`);
    }
  }
  return found;
}

/** The victim's memory and what the hypervisor keeps for it and for itself. */
function foreign(): Uint8Array {
  const { monitor, frames } = hypervisor;
  const kept = new Set([guestOf(victim).vmcs, ...shadowsOf(victim).map((page) => page.machine)]);
  const parts: Uint8Array[] = [];
  for (let frame = 0; frame < frames.count; frame++) {
    const structure = [monitor.idt, monitor.gdtPage, monitor.pageDirectory, monitor.m2p].includes(
      frame * 4096,
    );
    if (frames.owner[frame] === VICTIM || frames.owner[frame] === -3 || kept.has(frame * 4096) || structure)
      parts.push(pc.memory.bytes.slice(frame * 4096, frame * 4096 + 4096));
  }
  return Buffer.concat(parts);
}

it('random kernels and random guest states leave the host and the neighbour alone', () => {
  const before = foreign();
  const reasons = new Map<number, number>();
  const endings = new Map<string, number>();
  let exits = 0;
  fc.assert(
    fc.property(
      code,
      fc.nat(3),
      fc.array(value, { minLength: 5, maxLength: 5 }),
      fc.oneof(fc.constant([]), fc.array(change, { maxLength: 3 })),
      (bytes, mode, registers, changes) => {
        const image = assembly.bytes.slice();
        image.set(bytes, at('code'));
        image[at('mode')] = mode;
        new Int32Array(registers).forEach((word, n) =>
          new DataView(image.buffer).setInt32(at('random') + n * 4, word, true),
        );
        const domain = boot(FUZZED, image);
        // The first entry fills the control structure; then the guest stands somewhere in its beginning.
        loop.run(hypervisor.now + 1);
        if (registers[0] & 1) loop.run(hypervisor.now + 60_000);
        loop.leaveGuest();
        if (domain.alive) for (const { field, value } of changes) vmwrite(pc.cpu, field, value);
        const start = pc.cpu.instructions;
        loop.run(hypervisor.now + 220_000);
        loop.leaveGuest();
        expect(loop.inGuest, 'the hypervisor got the processor back').toBe(false);
        expect(pc.cpu.instructions - start, 'instructions in bounded time').toBeLessThan(300_000);
        if (!domain.alive) expect(domain.ending).not.toBe('');
        expect(domain.ending, 'no mistake of ours').not.toMatch(
          /VMRESUME|VMLAUNCH|no control asks|mistake of the hypervisor/,
        );
        if (!changes.length)
          expect(domain.ending, 'a guest that nobody meddled with').not.toMatch(/refused to enter/);
        expect(strays(domain)).toEqual([]);
        for (const x of pc.recorder.exitCounts(FUZZED)) {
          exits += x.count;
          reasons.set(x.reason & 0xffff, (reasons.get(x.reason & 0xffff) ?? 0) + x.count);
        }
        const how = domain.alive ? 'runs' : domain.ending.replace(/[0-9A-Fa-f]+h/g, '').slice(0, 50);
        endings.set(how, (endings.get(how) ?? 0) + 1);
        hypervisor.destroyDomain(FUZZED);
        pc.recorder.resetCounts(FUZZED);
      },
    ),
    { numRuns: RUNS, seed: Number(process.env.FUZZ_SEED ?? 2005), endOnFailure: !process.env.FUZZ_SHRINK },
  );
  if (process.env.FUZZ_TELL)
    console.log(
      exits,
      [...reasons].sort((a, b) => b[1] - a[1]).join(' '),
      [...endings].sort((a, b) => b[1] - a[1]),
    );
  if (!process.env.FUZZ_RUNS) expect(exits).toBeGreaterThan(20_000);
  expect(reasons.size).toBeGreaterThan(12);
  expect(Buffer.compare(before, foreign())).toBe(0);
  expect(JSON.stringify(technique.registers(victim.vcpus[0]))).toBe(victimState);
  expect(pc.recorder.count(Kind.exit, VICTIM)).toBeGreaterThan(0);
}, 300_000);
