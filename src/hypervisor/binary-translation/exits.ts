// What to do when translated code, or a program, comes to the monitor: call-outs are instructions to be done; all else is a trap
// as under trap-and-emulate, once it is known where in the original the guest stands.
import { VECTOR } from '../../machine/cpu/fault.ts';
import { TF } from '../../machine/cpu/flags.ts';
import { CS, type Instruction, REP_NONE } from '../../machine/isa/instruction.ts';
import { guarded, handleTrap, inject, singleStepped } from '../deprivileged/emulator.ts';
import { fetch, loaded, offsetOf } from '../deprivileged/operands.ts';
import { SYSENTER } from '../deprivileged/reasons.ts';
import { believed } from '../deprivileged/rings.ts';
import { closeOpened, stopStep } from '../deprivileged/stepping.ts';
import { SELECTOR } from '../monitor.ts';
import type { Exit, Resume } from '../technique.ts';
import { canMake, makeAccess, reachesBeyond } from './accesses.ts';
import type { Block, Part } from './block.ts';
import { doInstruction } from './call-outs.ts';
import type { TranslatedGuest } from './guest.ts';
import { hiddenPart } from './hidden-parts.ts';
import { Interpretation } from './interpretation.ts';
import { BORROW_LENGTH, REASON } from './layout.ts';
import { usesTakenSegment } from './rules.ts';

const EM = 4;
const TS = 8;
const DR6_BREAKPOINTS = 0xf;

export function handleTranslated(guest: TranslatedGuest, exit: Exit): Resume {
  if (exit.reason === SYSENTER) return handleTrap(guest, exit);
  if (exit.reason >= REASON.callOut) return guarded(guest, () => callOut(guest, exit));
  if (guest.fromCache) {
    if (exit.reason === VECTOR.DB && isInTheMiddle(guest)) return 'enter';
    if (borrowFailed(guest, exit.reason)) return 'enter';
    // CLTS in the cache has not reached the processor's own CR0, which follows now.
    if (exit.reason === VECTOR.NM && !(guest.shadow.control.cr0 & (EM | TS))) return 'enter';
  }
  if (guest.ring === 0 && isBeyondLimit(exit) && Interpretation.stackHides(guest, 4))
    return guest.interpretation.take(null);
  const { fromCache, shadow } = guest;
  const instruction = fromCache ? guest.locate(guest.resumeAt).part?.instruction : null;
  const makes = instruction && canMake(instruction);
  if (isBeyondLimit(exit) && !(makes && reachesBeyond(guest, instruction))) {
    const i = instruction ?? fetch(guest);
    if (i && isCutOff(guest, i)) return guest.interpretation.take(null);
  }
  if (!makes) return handleTrap(guest, exit);
  const at = guest.frame.eip;
  if (isBeyondLimit(exit) && reachesBeyond(guest, instruction)) {
    suspect(guest, at, instruction);
    return guarded(guest, () => make(guest, instruction));
  }
  const { tableWrites } = shadow;
  const resume = handleTrap(guest, exit);
  if (exit.reason === VECTOR.PF && (guest.opened.length > 0 || shadow.tableWrites > tableWrites))
    suspect(guest, at, instruction);
  return resume;
}

const isBeyondLimit = ({ reason, detail }: Exit): boolean =>
  (reason === VECTOR.GP || reason === VECTOR.SS) && detail === 0;

/**
 * Whether the segment of an operand reaches it as the guest has it, and not as the processor has it, which cuts it off below the
 * monitor: programs address what lies below the base of their thread's segment by offsets around 4 GiB.
 */
function isCutOff(guest: TranslatedGuest, i: Instruction): boolean {
  if (!i.memory) return false;
  const offset = offsetOf(guest, i);
  return offset + 15 > loaded(guest, i.segment).limit && offset <= hiddenPart(guest, i.segment).limit;
}

/** The monitor makes the accesses of the instruction at which the guest stands. */
function make(guest: TranslatedGuest, i: Instruction): Resume {
  stopStep(guest);
  guest.settle();
  guest.hypervisor.charge.emulateInstruction();
  return makeAccess(guest, i);
}

/** An instruction's access has come to the monitor: innocent until proven guilty (Adams & Agesen 2006, §3.3). */
function suspect(guest: TranslatedGuest, eip: number, i: Instruction): void {
  // A string is moved faster by the processor, a page at a time, than by the monitor word by word.
  if (i.rep === REP_NONE && guest.accuse(eip)) guest.adapt(eip);
}

function callOut(guest: TranslatedGuest, exit: Exit): Resume {
  const { fetchFault, continuation } = guest;
  guest.fetchFault = null;
  if (fetchFault) return inject(guest, fetchFault.vector, fetchFault.errorCode, fetchFault.address);
  // Whatever else it was stepped for, it stands between two instructions now.
  if (exit.reason !== REASON.callOut) {
    if (continuation?.block.parts[continuation.index].shadowed) shadow(guest);
    guest.continuation = null;
    if (!stopStep(guest)) return 'enter';
    // The guest's own trap flag: the instruction that led here has been done.
    return singleStepped(guest);
  }
  guest.hypervisor.charge.callOut();
  const part = continuation!.block.parts[continuation!.index];
  if (part.changed) {
    // It is translated anew, where it stands.
    guest.cache.drop(continuation!.block);
    guest.continuation = null;
    return 'enter';
  }
  if (part.fault >= 0) return inject(guest, part.fault, part.fault === VECTOR.GP ? 0 : -1);
  if (!part.instruction) {
    // A window for interrupts: `enter` sees to them.
    stopStep(guest);
    if (part.shadowed) shadow(guest);
    return 'enter';
  }
  const next = (part.guest + part.instruction.length) | 0;
  const resume = doInstruction(guest, part.instruction);
  if (part.expects >= 0 && guest.frame.eip === next) learn(guest, continuation!.block, part);
  guest.continuation = continuation;
  return resume;
}

/** The instruction before was an STI. */
function shadow(guest: TranslatedGuest): void {
  guest.shadowedEip = guest.frame.eip >>> 0;
  guest.shadowHoldsTraps = false;
}

/** The guest's kernel has loaded a segment register, by all the rules: the same selector need not be looked at here again. */
function learn(guest: TranslatedGuest, block: Block, part: Part): void {
  const { operation, operands } = part.instruction!.form;
  const register =
    operation === 'mov-to-sreg' ? part.instruction!.reg : ['es', 'cs', 'ss', 'ds', 'fs'].indexOf(operands[0]);
  const selector = guest.selector(register);
  // Ring 1 of the processor is not ring 1 of the guest, and the monitor's own descriptors are nobody's.
  if (
    block.live &&
    !guest.descriptors.isCompared &&
    (selector & 3) !== 1 &&
    selector < SELECTOR.firstReserved
  )
    guest.cache.expect(part, selector);
}

/** A single step ended within what stands for one instruction: on it goes. */
function isInTheMiddle(guest: TranslatedGuest): boolean {
  const { dr } = guest.hypervisor.cpu;
  const { part } = guest.locate(guest.resumeAt);
  const between = part?.cache === guest.resumeAt && part.boundary && !part.exit;
  if (between) {
    dr[6] |= guest.lateBreakpoints;
    guest.lateBreakpoints = 0;
    return false;
  }
  guest.lateBreakpoints |= dr[6] & DR6_BREAKPOINTS;
  dr[6] = 0xffff0ff0 | 0;
  closeOpened(guest);
  if (guest.stepping || guest.lateBreakpoints) guest.frame.eflags |= TF;
  return true;
}

/** The processor would not load GS with a segment of the guest's own, because its descriptor is gone: the monitor does, from what it has kept. */
function borrowFailed(guest: TranslatedGuest, vector: number): boolean {
  if (vector !== VECTOR.GP && vector !== VECTOR.NP && vector !== VECTOR.SS) return false;
  const { part } = guest.locate(guest.resumeAt);
  const i: Instruction | null | undefined = part?.instruction;
  if (!i || !usesTakenSegment(i) || !guest.isBorrow(guest.resumeAt)) return false;
  const selector = guest.selector(i.segment);
  guest.borrowedGs = { selector: i.segment === CS ? believed(selector) : selector, from: i.segment };
  guest.resumeAt += BORROW_LENGTH;
  return true;
}
