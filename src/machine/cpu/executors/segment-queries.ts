// LAR, LSL, VERR, VERW and ARPL: asking about a selector without loading it (SDM vol. 2; vol. 3 §5.10). They answer for the
// real CPL and never trap, so a kernel that was moved out of ring 0 gets other answers than it would there.
import type { Instruction } from '../../isa/instruction.ts';
import { commit16, modify16, read16 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { replaceFlags, ZF } from '../flags.ts';
import { Descriptor, fetchDescriptor, isNull } from '../segmentation.ts';
import type { Executor, Executors } from './executor.ts';
import { isDeprivileged, requireDescriptors } from './privilege.ts';

const d = new Descriptor();

/** System descriptor types that LAR and LSL answer for (SDM vol. 2A tables "LAR", "LSL"), as bit sets. */
const LAR_TYPES = 0b0001_1010_0011_1110;
const LSL_TYPES = 0b0000_1010_0000_1110;

/** Whether privilege `cpl` may see the descriptor in `d` through this selector. */
function visible(selector: number, cpl: number): boolean {
  if (d.isConforming) return true;
  return d.dpl >= cpl && d.dpl >= (selector & 3);
}

type Query = (selector: number, cpl: number) => boolean;

const larAnswers: Query = (selector, cpl) =>
  (d.isSegment || ((LAR_TYPES >> d.systemType) & 1) === 1) && visible(selector, cpl);
const lslAnswers: Query = (selector, cpl) =>
  (d.isSegment || ((LSL_TYPES >> d.systemType) & 1) === 1) && visible(selector, cpl);
const verrAnswers: Query = (selector, cpl) => d.isReadable && visible(selector, cpl);
const verwAnswers: Query = (selector, cpl) => d.isWritableData && visible(selector, cpl);

const accessRights = (): number => d.high & 0x00ffff00;
const limit = (): number => d.limit | 0;
const one = (): number => 1;

/** @param value what is stored when the answer is yes; `stores` is false for VERR and VERW, which only set ZF */
const query =
  (answers: Query, value: () => number, stores: boolean): Executor =>
  (cpu, i) => {
    requireDescriptors(cpu);
    const selector = i.memory ? read16(cpu, i.segment, effectiveAddress(cpu, i)) : cpu.regs16[i.rm << 1];
    const exists = !isNull(selector) && fetchDescriptor(cpu, selector, d);
    const yes = exists && answers(selector, cpu.cpl);
    replaceFlags(cpu, ZF, yes ? ZF : 0);
    if (yes && stores) {
      if (i.operandSize === 32) cpu.regs[i.reg] = value();
      else cpu.regs16[i.reg << 1] = value();
    }
    if (cpu.watcher !== null && isDeprivileged(cpu)) {
      const expected = exists && answers(selector, 0) ? value() : 0;
      cpu.watcher(i, yes ? value() : 0, expected, selector);
    }
  };

function arpl(cpu: Cpu, i: Instruction): void {
  requireDescriptors(cpu);
  const source = cpu.regs16[i.reg << 1] & 3;
  const destination = i.memory ? modify16(cpu, i.segment, effectiveAddress(cpu, i)) : cpu.regs16[i.rm << 1];
  const raise = (destination & 3) < source;
  if (raise) {
    const value = (destination & ~3) | source;
    if (i.memory) commit16(cpu, value);
    else cpu.regs16[i.rm << 1] = value;
  }
  replaceFlags(cpu, ZF, raise ? ZF : 0);
}

const lar = query(larAnswers, accessRights, true);
const lsl = query(lslAnswers, limit, true);
const verr = query(verrAnswers, one, false);
const verw = query(verwAnswers, one, false);

export const segmentQueryExecutors: Executors = {
  lar: () => lar,
  lsl: () => lsl,
  verr: () => verr,
  verw: () => verw,
  arpl: () => arpl,
};
