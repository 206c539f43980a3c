// REP MOVS of whole pages against one batch at a time and against single elements: limits, expand-down segments, the end of the
// address space, page faults, overlap, pages that share a slot of the TLB.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ECX, EDI, ESI } from '../../isa/instruction.ts';
import { step } from '../execute.ts';
import { TestMachine } from '../test-machine.ts';

const START = 0x1000;
const CODES = [
  [0xf3, 0xa4],
  [0x66, 0xf3, 0xa5],
  [0xf3, 0xa5],
];

const aSegment = fc.record({
  base: fc.constantFrom(0, 0, 0x10000, 0x10800, 0xfffc0000, 0xffffe000),
  limit: fc.constantFrom(0xffffffff, 0xffffffff, 0x43fff, 0x44fff, 0x44ffe, 0x127ff),
  access: fc.constantFrom(0xc093, 0xc093, 0xc097, 0x8097, 0xc091),
});
const aCase = fc.record({
  code: fc.constantFrom(...CODES),
  source: aSegment,
  destination: aSegment,
  from: fc.constantFrom(0x10000, 0x20000, 0x43000, 0x1f800, 0x00000, 0x3fffc, 0xffff8000),
  to: fc.constantFrom(0x40000, 0x41000, 0x13000, 0x12000, 0xffffa000, 0x440000, 0x30800),
  pages: fc.integer({ min: 1, max: 12 }),
  odd: fc.integer({ min: 0, max: 3000 }),
  missing: fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 2 }),
  moved: fc.integer({ min: 0, max: 7 }),
});
type Case = typeof aCase extends fc.Arbitrary<infer T> ? T : never;

/** Runs to the HLT or the shutdown (there is no IDT). @param how cycles of each run; 0: step by step; -1: element by element */
function outcome(c: Case, how: number) {
  const machine = new TestMachine(1 << 20).flat(Uint8Array.from([...c.code, 0xf4]), START);
  const { cpu, memory } = machine;
  for (let at = 0x10000; at < 0x80000; at++) memory.bytes[at] = (at * 7 + (at >>> 8) * 13) & 0xff;
  for (let n = 0; n < 1024; n++) memory.write32(0x90000 + n * 4, 0x91067);
  for (let n = 0; n < 1024; n++) {
    const page = 0x10 + ((n ^ (c.moved === 0 ? 1 : 0)) & 0x3f);
    const gone = c.missing.includes(n & 0x3f) && n % 3 === 0;
    memory.write32(0x91000 + n * 4, gone ? 0 : (page << 12) | 7);
  }
  memory.write32(0x91000 + 0x200 * 4, START | 0x67);
  cpu.eip = 0x200000;
  cpu.cr3 = 0x90000;
  cpu.cr0 |= 0x80000000;
  cpu.tlb.flush();
  cpu.idtr.limit = 0;
  Object.assign(cpu.segments[3], c.source);
  Object.assign(cpu.segments[0], { ...c.destination });
  cpu.regs[ESI] = (c.from - c.source.base) | 0;
  cpu.regs[EDI] = (c.to - c.destination.base) | 0;
  const size = c.code.length === 3 ? 2 : c.code[1] === 0xa5 ? 4 : 1;
  cpu.regs[ECX] = Math.floor((c.pages * 0x1000 + c.odd) / size);
  let shut = false;
  for (let turns = 0; turns < 70_000 && !cpu.halted && !shut; turns++) {
    if (how > 0) shut = machine.run(how) !== 0 && !cpu.halted;
    else {
      // Trapped data breakpoint far away: one element at a time.
      if (how === -1) {
        cpu.dr[0] = 0x7fff0000;
        cpu.dr[7] = 0x00010402;
      }
      shut = step(cpu) !== 0;
    }
    if (cpu.faultChain.length) break;
  }
  let hash = 0;
  for (let at = 0x10000; at < 0x80000; at++) hash = Math.imul(hash ^ memory.bytes[at], 0x01000193);
  const state = [...cpu.regs, cpu.faultChain.slice(0, 3).join(), hash];
  return how === -1 ? state : [...state, cpu.eip, cpu.halted];
}

it('does in many pages at once what it does batch by batch', () => {
  let faults = 0;
  let through = 0;
  let late = 0;
  fc.assert(
    fc.property(aCase, (c) => {
      const whole = outcome(c, 1_000_000);
      if (whole[8]) faults++;
      else through++;
      if (whole[8] && (whole[ESI] as number) !== ((c.from - c.source.base) | 0)) late++;
      expect(whole).toEqual(outcome(c, 0));
      expect(whole.slice(0, 10)).toEqual(outcome(c, -1));
    }),
    { numRuns: Number(process.env.RUNS ?? 60), seed: 11 },
  );
  expect(Math.min(faults, late, through)).toBeGreaterThan(2);
});
