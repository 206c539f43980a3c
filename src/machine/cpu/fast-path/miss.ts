// A memory operand whose page the TLB does not have: what its executor would do first, the page walk and the page fault,
// without throwing anything. Page faults are what guests and their monitors live on.

import type { Instruction } from '../../isa/instruction.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { pageFaultOf } from '../fault.ts';
import { deliverFault } from '../interrupts.ts';
import { tryTranslate } from '../paging.ts';
import { entryAt, Word } from '../tlb.ts';
import { lastFlatPage } from './flat.ts';
import { ACCESS, Field, WRITES } from './forms.ts';

/**
 * Brings the page of an instruction's memory operand into the TLB. The instruction is charged, EIP is behind it, no data
 * breakpoint is armed.
 * @returns true when that was a #PF, which has been delivered: the instruction has not happened
 */
export function faulted(cpu: Cpu, i: Instruction): boolean {
  if ((i.fast & ACCESS) === 0) return false;
  const linear = effectiveAddress(cpu, i);
  if (linear >>> 12 > lastFlatPage(cpu.segments[i.segment])) return false;
  if ((linear & 0xfff) + ((i.fast >> Field.span) & 3) > 0xfff) return false;
  const write = (i.fast & WRITES) !== 0;
  const user = cpu.cpl === 3;
  const { words, space } = cpu.tlb;
  const at = entryAt(linear) + (user ? 1 : 0);
  const tag = (linear >>> 12) | space;
  if (words[at + (write ? Word.write : Word.read)] === tag || (write && words[at + Word.beside] === tag))
    return false;
  const error = tryTranslate(cpu, linear >>> 0, write, user);
  if (error < 0) return false;
  cpu.tlb.invalidate(linear);
  cpu.eip = cpu.instructionStart;
  deliverFault(cpu, pageFaultOf(linear, error));
  return true;
}
