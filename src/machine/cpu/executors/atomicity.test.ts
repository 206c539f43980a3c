// A fault leaves no trace: instructions of the vectors run over pages that may not be read or written, and after #PF every
// register, flag and byte is what it was (SDM vol. 3 §6.5 "restartable").
import { describe, expect, it } from 'vitest';
import { BASE, type Case, WINDOW_AT } from '../vectors/case.ts';
import { casesOf } from '../vectors/cases.ts';
import { describeCase } from '../vectors/compare.ts';
import { bareProcessor, runCase } from '../vectors/machine.ts';

/** Bits of a page-table entry (SDM vol. 3 table 4-6). */
const Pte = { present: 1, write: 2, user: 4 };
const DIRECTORY = 0x130000;
const TABLE = 0x131000;
const DATA_PAGE = (BASE.data + WINDOW_AT) >>> 12;
const STACK_PAGE = (BASE.stack + WINDOW_AT) >>> 12;

/** A processor with paging on, everything mapped for users but the pages of both windows. */
function paged(rights: number) {
  const cpu = bareProcessor();
  for (let page = 0; page < 1024; page++)
    cpu.memory.write32(TABLE + page * 4, (page << 12) | Pte.present | Pte.write | Pte.user);
  cpu.memory.write32(DIRECTORY, TABLE | Pte.present | Pte.write | Pte.user);
  for (const page of [DATA_PAGE, STACK_PAGE]) cpu.memory.write32(TABLE + page * 4, (page << 12) | rights);
  cpu.cr3 = DIRECTORY;
  cpu.cr0 |= 0x80000001;
  return cpu;
}

/** REP may have done some of its elements, and says so in its registers. */
const restartsWhole = (c: Case) => c.name !== 'string';

describe.each([
  ['not present', 0],
  ['read-only', Pte.present | Pte.user],
  ['of the supervisor', Pte.present | Pte.write],
])('memory that is %s', (_, rights) => {
  it('faults without a trace', () => {
    const cpu = paged(rights);
    let faults = 0;
    for (const c of casesOf(0x386, 0.25)) {
      if (!restartsWhole(c)) continue;
      const after = runCase(cpu, c);
      cpu.tlb.flush();
      if (after.vector !== 14) continue;
      faults++;
      const same =
        after.eip === 0x800 &&
        after.flags === c.flags &&
        after.regs.every((value, r) => value === c.regs[r]) &&
        after.data.every((byte, k) => byte === c.data[k]) &&
        after.stack.every((byte, k) => byte === c.stack[k]);
      if (!same) expect.fail(describeCase(c));
    }
    expect(faults).toBeGreaterThan(1500);
  });
});
