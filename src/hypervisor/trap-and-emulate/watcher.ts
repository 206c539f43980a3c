// The watcher that the guest cannot see: what a sensitive instruction gave a kernel at ring 1, and what bare hardware would
// have given it (Robin & Irvine 2000). It looks with the simulator's eyes and changes nothing; see decisions/watcher.md.

import { VECTOR } from '../../machine/cpu/fault.ts';
import { IF, IOPL } from '../../machine/cpu/flags.ts';
import { Descriptor } from '../../machine/cpu/segmentation.ts';
import { CS, type Instruction, SS } from '../../machine/isa/instruction.ts';
import type { DeprivilegedGuest } from '../deprivileged/guest.ts';
import { answerOf, answers } from '../deprivileged/queries.ts';
import { believed } from '../deprivileged/rings.ts';
import { peekGuest } from '../guest-walk.ts';

const d = new Descriptor();
const PRIVILEGED = IF | IOPL;

/** A hole: what the guest got, and what it should have got, which may be an exception. Null when these are the same. */
export type Hole = { got: number; expected: number; faults: boolean } | null;

/**
 * @param got what the instruction gave; `expected` what it would have given at CPL 0 on the real tables
 * @param operand see `Cpu.watcher`
 */
export function compare(
  guest: DeprivilegedGuest,
  i: Instruction,
  got: number,
  expected: number,
  operand: number,
): Hole {
  const { privilegedFlags, descriptors } = guest;
  const { control } = guest.shadow;
  let had = got;
  let wanted = got;
  switch (i.form.operation) {
    case 'pushf':
      wanted = (got & ~PRIVILEGED) | privilegedFlags;
      break;
    // The virtual flags keep what they were; the processor's own are not the guest's.
    case 'popf':
    case 'iret':
      had = (got & ~PRIVILEGED) | privilegedFlags;
      wanted = expected;
      break;
    case 'sgdt':
      wanted = descriptors.gdtr.base | 0;
      had = got | 0;
      break;
    case 'sidt':
      wanted = guest.idtr.base | 0;
      had = got | 0;
      break;
    case 'sldt':
      wanted = descriptors.ldtr.selector;
      break;
    case 'str':
      wanted = guest.task.selector;
      break;
    case 'smsw':
      wanted = i.memory || i.operandSize === 16 ? control.cr0 & 0xffff : control.cr0;
      break;
    case 'lar':
    case 'lsl':
    case 'verr':
    case 'verw':
      wanted = asked(guest, i.form.operation, operand);
      break;
    case 'mov-from-sreg':
    case 'push-sreg':
    case 'call-far':
      wanted = believed(descriptors.unslotted(operand, got));
      break;
    case 'mov-to-sreg':
    case 'pop-sreg':
    case 'load-far-pointer':
    case 'jmp-far':
    case 'ret-far':
      return accepts(guest, got, operand) ? null : { got, expected: VECTOR.GP, faults: true };
  }
  return (had | 0) === (wanted | 0) ? null : { got: had, expected: wanted, faults: false };
}

/** Whether a selector that ring 1 could load passes the checks that ring 0 makes: a requested ring 1 is then no longer the CPL. */
function accepts(guest: DeprivilegedGuest, selector: number, register: number): boolean {
  const rpl = selector & 3;
  if (rpl === 0 || rpl === 3 || !(selector & 0xfffc) || !lookUp(guest, selector)) return true;
  if (register === SS) return false;
  return d.isConforming || (register !== CS && rpl <= d.dpl);
}

/** What LAR, LSL, VERR or VERW answers at ring 0 about the guest's own descriptor; 0 = ZF cleared. */
function asked(guest: DeprivilegedGuest, operation: string, selector: number): number {
  if (!(selector & 0xfffc) || !lookUp(guest, selector)) return 0;
  return answers(operation, d, selector, 0) ? answerOf(operation, d) : 0;
}

/** The guest's own descriptor in `d`; false when the selector lies outside its table. */
function lookUp(guest: DeprivilegedGuest, selector: number): boolean {
  const table = selector & 4 ? guest.descriptors.ldtr : guest.descriptors.gdtr;
  const offset = selector & 0xfff8;
  if (offset + 7 > table.limit) return false;
  d.low = look(guest, table.base + offset);
  d.high = look(guest, table.base + offset + 4);
  return true;
}

/** A word of guest-linear memory; 0 where there is none. Sets no bit and charges nothing. */
function look(guest: DeprivilegedGuest, linear: number): number {
  const physical = peekGuest(guest.domain.memory, guest.shadow.control, linear >>> 0);
  return physical < 0 ? 0 : guest.domain.memory.read32(physical);
}
