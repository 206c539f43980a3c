// Guests of both vendors' silicon, whose compiled code walks two dimensions, loads CR3 and invalidates pages itself: under a
// hypervisor that maps lazily, protects and moves pages, and switches address spaces behind its back, everything is as the
// interpreter has it, and with second dimensions remembered nothing costs more or less than walking through them each time.
import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { getFlags } from '../cpu/flags.ts';
import { GuestPhysical } from '../cpu/guest-physical.ts';
import { readyVmcb } from '../cpu/svm/testing.ts';
import { EPT } from '../cpu/vmx/ept.ts';
import { AT, guestTables, readyVmcs } from '../cpu/vmx/testing.ts';
import type { Engine } from './engine.ts';
import { Links } from './links.ts';
import './provide.ts';
import '../cpu/svm/provide.ts';
import '../cpu/vmx/provide-second-generation.ts';
import {
  BODY,
  type Case,
  CODE,
  G,
  HIGH,
  KERNEL,
  MOST,
  MOVED,
  RWX,
  source,
  USER,
} from './testing/nested-case.ts';
import { svmHost, vmxHost } from './testing/nested-hosts.ts';

const GATES = {
  1: 'debug',
  14: 'fault',
  17: 'done',
  13: 'done',
  6: 'done',
  8: 'done',
  64: 'gate40',
  65: 'done',
};

function finish(
  code: Uint8Array,
  symbols: ReadonlyMap<string, number>,
  c: Case,
  how: 'compiled' | 'interpreted',
) {
  const vmx = c.vendor === 'vmx';
  const { cpu } = vmx ? readyVmcs('nehalem') : readyVmcb('nehalem');
  const { memory, recorder } = cpu;
  cpu.compiledAllowed = how === 'compiled';
  recorder.hashing = true;
  const base = c.nested ? MOVED : 0;
  guestTables(memory, 0);
  for (const [vector, name] of Object.entries(GATES)) {
    const to = symbols.get(name)!;
    memory.write32(AT.idt + Number(vector) * 8, (8 << 16) | (to & 0xffff));
    memory.write32(AT.idt + Number(vector) * 8 + 4, (to & 0xffff0000) | 0xee00);
  }
  if (c.nested) memory.bytes.copyWithin(base + AT.gdt, AT.gdt, AT.tss + 0x1000);
  memory.load(base + CODE, code);
  const put = (at: number, value: number) => memory.write32(base + at, value);
  for (const [directory, table] of [
    [G.a, G.tableA],
    [G.b, G.tableB],
  ]) {
    put(directory, G.low | 7);
    put(directory + 4, table | 7);
    put(directory + 1023 * 4, directory | 7);
    put(table + 16 * 4, G.data | 0x67);
    put(directory + 8, c.cr4 & 0x10 ? 0x87 : G.low | 7);
    for (let n = 0; n < 16; n++)
      put(table + n * 4, (G.data + n * 4096 + (c.high && c.nested ? HIGH : 0)) | c.flags);
  }
  for (let n = 0; n < 0x80; n++) put(G.low + n * 4, (n << 12) | 7);
  for (let n = 0; n < 0x80; n++) memory.write32(base + 0x6f000 + n * 4, n * 77);
  const host = vmx ? vmxHost(cpu, c) : svmHost(cpu, c);
  const given = new Map<number, number>();
  const map = (physical: number, to: number, rights: number) => {
    given.set(physical >>> 12, rights);
    host.map(physical, to, rights);
  };
  const rights = c.lazy ? 0 : RWX;
  for (let n = 0; n < 0x80; n++) map(n << 12, base + (n << 12), rights);
  for (let n = 0x70; n < 0x80; n++) map(HIGH + (n << 12), base + (n << 12), rights);
  host.set('CR3', G.a);
  host.set('CR0', c.cr0);
  host.set('CR4', (vmx ? 0x2000 : 0) | c.cr4);
  let calls = 0;
  const seen: string[] = [];
  let entries = 0;
  const act = (action: string) => {
    const n = (calls * 7) & 15;
    const data = G.data + n * 4096 + (c.high ? HIGH : 0);
    switch (action) {
      case 'unmap':
        map(data, 0, 0);
        return host.flush();
      case 'protect':
        map(data, base + G.data + n * 4096, EPT.read | EPT.execute);
        return host.flush();
      case 'protect all':
        for (let m = 0; m < 16; m++) {
          const at = G.data + m * 4096;
          map(at + (c.high ? HIGH : 0), base + at, EPT.read);
        }
        return host.flush();
      case 'move':
        map(data, base + G.data + ((n + 1) & 15) * 4096, RWX);
        return host.flush();
      case 'protect tables':
        for (const at of [G.tableA, G.tableB, G.a]) map(at, base + at, EPT.read);
        return host.flush();
      case 'unmap tables':
        for (const at of [G.tableA, G.b, G.low]) map(at, 0, 0);
        return host.flush();
      case 'unmap stack':
        for (const at of [AT.stack - 4096, AT.idt & 0xf000, AT.tss]) map(at, 0, 0);
        return host.flush();
      case 'no code':
        for (const at of [CODE, CODE + 0x1000]) map(at, base + at, EPT.read | EPT.write);
        return host.flush();
      case 'clean':
        for (let m = 0; m < 0x80; m++) map(m << 12, base + (m << 12), RWX);
        return host.flush();
      case 'tag':
        return host.tag(1 + (calls % 3));
      case 'tags':
        return host.tag(1 + ((calls * 5) % 20));
      case 'watch paging':
        return host.watch('paging');
      case 'watch faults':
        return host.watch('faults');
      case 'inject':
        return host.inject(0x40);
      case 'root':
        return host.root();
      case 'cr3':
        return host.set('CR3', host.get('CR3') ^ G.a ^ G.b);
      case 'wp':
        return host.set('CR0', host.get('CR0') ^ 0x10000);
      case 'pge':
        return host.set('CR4', host.get('CR4') ^ 0x80);
      case 'dr7':
        return host.set('DR7', host.get('DR7') === 0x400 ? 0xf0402 : 0x400);
      case 'flush 0':
      case 'flush 1':
      case 'flush 2':
        return host.flushTag(Number(action.slice(6)));
      default:
    }
  };
  let why = '';
  cpu.dr[0] = 0x6f004;
  for (let slice = 0; why === '' && entries < 40_000; entries++) {
    host.enter();
    let stop: number = cpu.stop;
    cpu.stop = Stop.none;
    for (; (stop === Stop.budget || stop === Stop.none) && cpu.cycles < MOST; slice++)
      stop = run(cpu, cpu.cycles + c.slices[slice % c.slices.length]);
    if (stop !== Stop.monitor) {
      why = `stop ${stop}`;
      break;
    }
    const reason = host.reason();
    if (reason === 'call') {
      host.skipCall();
      act(c.actions[calls++ % c.actions.length]);
    } else if (reason === 'watched') {
      host.watch('nothing');
      if (seen.length < 50) seen.push(`watched ${host.where()} ${cpu.cycles}`);
    } else if (reason === 'violation' && c.nested) {
      const { physical, write, fetch } = host.violation();
      if (physical >= HIGH ? physical < HIGH + 0x70000 : physical >= 0x80000) why = `at ${physical}`;
      const wanted = EPT.read | (write ? EPT.write : 0) | (fetch ? EPT.execute : 0);
      const rights = c.stingy ? wanted | (given.get(physical >>> 12) ?? 0) : RWX;
      map((physical & ~0xfff) >>> 0, base + (physical & 0x7f000), rights);
      if (seen.length < 50) seen.push(`${physical.toString(16)} ${write} ${fetch} ${cpu.cycles}`);
    } else why = reason;
  }
  const { regs, eip, cr2, cycles, instructions } = cpu;
  const engine = executionOf(cpu).engine as Engine | null;
  return {
    state: {
      why,
      regs: [...regs],
      flags: getFlags(cpu),
      eip,
      cr2,
      cycles,
      instructions,
      entries,
      seen,
      hash: recorder.hash,
      memory: Buffer.from(memory.bytes.subarray(base)).toString('base64'),
    },
    regions: engine?.compiled ?? 0,
    walks: engine?.links.regions.some((region) => region !== null && region.owner.walks.size > 0) ?? false,
  };
}

const cases: fc.Arbitrary<Case> = fc.boolean().chain((user) =>
  fc.record({
    vendor: fc.constantFrom('vmx', 'vmx', 'svm') as fc.Arbitrary<'vmx' | 'svm'>,
    nested: fc.constantFrom(true, true, true, false),
    tagged: fc.constantFrom(true, true, false),
    ours: fc.boolean(),
    user: fc.constant(user),
    stride: fc.constantFrom(4, 1028, 4096, 4100, 8, 0x2004),
    body: fc
      .tuple(
        fc.array(fc.constantFrom(...BODY, ...(user ? USER : [])), { minLength: 1, maxLength: 4 }),
        fc.array(fc.constantFrom(...(user ? BODY : KERNEL)), { minLength: 0, maxLength: 3 }),
        fc.boolean(),
      )
      .map(([one, two, swap]) => (swap ? [...two, ...one] : [...one, ...two])),
    away: fc.constantFrom(
      'mov eax, ebx\n shl eax, 12\n invlpg [0x3ff000 + eax]',
      'mov eax, cr3\n mov cr3, eax',
    ),
    flags: fc.constantFrom(6, 7, 2, 4, 0x67, 0x63, 0x167, 0x27, 0x107, 0x147),
    taken: fc.constantFrom(1, 1, 0x40, 0x60, 2, 3, 0x21, 0x61, 0x43, 0x101),
    high: fc.boolean(),
    calls: fc.constantFrom(7, 31, 127),
    actions: fc.array(
      fc.constantFrom(
        ...['unmap', 'protect', 'protect all', 'move', 'protect tables', 'unmap tables', 'unmap stack'],
        ...['no code', 'clean', 'tag', 'tag', 'cr3', 'wp', 'pge', 'dr7', 'flush 0', 'flush 1', 'flush 2', ''],
        ...['tags', 'tags', 'watch paging', 'watch faults', 'inject', 'root'],
      ),
      { minLength: 1, maxLength: 6 },
    ),
    stingy: fc.boolean(),
    lazy: fc.boolean(),
    cr0: fc.constantFrom(0x80010033 | 0, 0x80000033 | 0, 0x80050033 | 0),
    cr4: fc.constantFrom(0x10, 0x90, 0),
    slices: fc
      .array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 3 })
      .map((s) => [...s, 200_000]),
  }),
);

const READ = 'mov eax, [0x400000 + edi]\n add esi, eax';
const RELOAD = 'mov ebx, cr3\n mov cr3, ebx';
const usual: Case = {
  ...{
    vendor: 'vmx',
    nested: true,
    tagged: true,
    ours: true,
    user: false,
    stride: 4096,
    body: BODY.slice(0, 1),
  },
  ...{
    away: 'mov eax, cr3\n mov cr3, eax',
    flags: 0x67,
    taken: 0x100,
    high: false,
    calls: 31,
    actions: ['cr3'],
    stingy: false,
    lazy: false,
  },
  ...{ cr0: 0x80010033 | 0, cr4: 0x10, slices: [200_000] },
};
/** Pages that may be read but not written. */
const EXAMPLES: readonly Case[] = [
  { ...usual, body: [READ, RELOAD, READ, 'inc dword [0x400000 + edi]'], actions: ['protect all'], calls: 7 },
];

afterEach(() => {
  vi.restoreAllMocks();
});

const RUNS = 16;

it('does as the interpreter does, and costs what walking each time costs', () => {
  let regions = 0;
  let loads = 0;
  let walks = 0;
  fc.assert(
    fc.property(cases, (c) => {
      const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', source(c, 2500)]]), 'p.asm');
      expect(diagnostics.map((d) => d.message)).toEqual([]);
      const renew = vi.spyOn(Links.prototype, 'renew');
      const compiled = finish(bytes, symbols, c, 'compiled');
      loads += renew.mock.calls.length > 100 ? 1 : 0;
      renew.mockRestore();
      walks += compiled.walks ? 1 : 0;
      const plain = finish(bytes, symbols, { ...c, slices: [1_000_000] }, 'interpreted');
      expect(plain.state.why).toBe('hlt');
      expect(compiled.state).toEqual(plain.state);
      if (c.nested) {
        const find = vi.spyOn(GuestPhysical.prototype, 'find').mockReturnValue(-1);
        const walking = finish(bytes, symbols, { ...c, slices: [1_000_000] }, 'interpreted');
        find.mockRestore();
        expect(walking.state).toEqual(plain.state);
      }
      regions += compiled.regions;
    }),
    { numRuns: RUNS, seed: 1, endOnFailure: true, examples: EXAMPLES.map((c): [Case] => [c]) },
  );
  expect(regions).toBeGreaterThan(RUNS / 2);
  // Regions that load CR3, and that walk by themselves.
  expect(loads).toBeGreaterThan(1);
  expect(walks).toBeGreaterThan(1);
});
