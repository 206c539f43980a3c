// Sensitive instructions that need no more of the monitor than a word which it keeps in the state page: a move between that word
// and a register stands for them (Adams & Agesen 2006, §3.2, "in-TC emulation"). None of them can fault at ring 0, and none changes
// a flag. What stores to memory, or takes its port from DX, is for the monitor.
import { EAX, ECX, type Instruction } from '../../machine/isa/instruction.ts';
import type { Emitter } from './emit.ts';
import { STATE } from './layout.ts';

/** The port whose device is nothing but a byte that is written and read back (machine/devices/debug-ports.ts). */
const LATCH = 0x80;
/** Control registers whose values lie in the state page. */
const KEPT: readonly number[] = [0, 2, 3, 4];

type Emulation = (e: Emitter, i: Instruction) => void;

/** A register by operand size from a word. (32 bits of SMSW are those of CR0; of SLDT and STR the upper half is 0.) */
const fromWord =
  (offset: number): Emulation =>
  (e, i) => {
    if (i.operandSize === 16) e.byte(0x66);
    e.load(i.rm, offset);
  };

const fromControl: Emulation = (e, i) => e.load(i.rm, STATE.control + i.reg * 4);
const toControl: Emulation = (e, i) => e.save(i.rm, STATE.control + i.reg * 4);

/** The processor's own CR0.TS follows at the next exit, or at the #NM of the instruction that it was cleared for. */
const clearTaskSwitched: Emulation = (e) => {
  e.save(ECX, STATE.ecx);
  e.load(ECX, STATE.taskNotSwitched);
  e.save(ECX, STATE.control);
  e.load(ECX, STATE.ecx);
};

const readLatch: Emulation = (e) => e.gs([0x8a], EAX, STATE.post);
const writeLatch: Emulation = (e) => e.gs([0x88], EAX, STATE.post);

/** Whether it is an access to the latch alone. */
export const isLatch = ({ form, immediate }: Instruction): boolean =>
  (form.operation === 'in' || form.operation === 'out') &&
  form.operands.includes('imm8') &&
  (immediate & 0xff) === LATCH &&
  (form.opcode & 1) === 0;

/** What stands for this instruction in the cache; null when it is another kind. */
export function inCacheEmulation(i: Instruction): Emulation | null {
  const { form, memory } = i;
  switch (form.operation) {
    case 'mov-from-cr':
      return KEPT.includes(i.reg) ? fromControl : null;
    case 'mov-to-cr':
      return i.reg === 2 ? toControl : null;
    case 'clts':
      return clearTaskSwitched;
    case 'smsw':
      return memory ? null : fromWord(STATE.control);
    case 'sldt':
      return memory ? null : fromWord(STATE.localTable);
    case 'str':
      return memory ? null : fromWord(STATE.task);
    case 'in':
      return isLatch(i) ? readLatch : null;
    case 'out':
      return isLatch(i) ? writeLatch : null;
    default:
      return null;
  }
}
