// What every SSE floating-point instruction shares: operands lane by lane, flags of all lanes collected before anything is stored,
// and #XM for an unmasked one, or #UD while CR4.OSXMMEXCPT is 0 (SDM vol. 1 §11.5.2–3).
import type { Instruction } from '../../isa/instruction.ts';
import { read32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { DE, IE, type X87, ZE } from '../x87/state.ts';
import { memoryToSource, quadToSource, xmmToSource } from './access.ts';
import { type Format, R, SINGLE } from './float.ts';
import { D32, S32 } from './lanes.ts';

const CR4_OSXMMEXCPT = 1 << 10;

/** Flags of the lanes done so far. */
let collected = 0;

/** Each lane raises by itself: what one has raised must not be taken for another's. */
export function startLane(f: X87): void {
  f.raised = 0;
}
export function endLane(f: X87): void {
  collected |= f.raised;
}

/** Puts the control word back and notes the flags; faults for unmasked ones, before anything has been stored. */
export function leave(cpu: Cpu, f: X87, control: number): void {
  f.control = control;
  let raised = (f.raised | collected) & 0x3f;
  collected = 0;
  if (raised === 0) return;
  const unmasked = raised & ~(f.mxcsr >> 7);
  // What precedes a computation, when unmasked, keeps it from happening.
  if (unmasked & (IE | DE | ZE)) raised &= IE | DE | ZE;
  f.mxcsr |= raised;
  if (unmasked) fault(cpu, cpu.cr4 & CR4_OSXMMEXCPT ? VECTOR.XM : VECTOR.UD);
}

/** The source operand into S: as many bytes as the lanes need. */
export function source(cpu: Cpu, i: Instruction, bytes: number): void {
  if (!i.memory) xmmToSource(cpu.x87, i.rm);
  else if (bytes === 16) memoryToSource(cpu, i, true);
  else if (bytes === 8) quadToSource(cpu, i);
  else S32[0] = read32(cpu, i.segment, effectiveAddress(cpu, i));
}

/** Lane n of S or D into A or B. */
export function lane(to: Int32Array, from: Int32Array, n: number, format: Format): void {
  if (format === SINGLE) to[0] = from[n];
  else {
    to[0] = from[2 * n];
    to[1] = from[2 * n + 1];
  }
}
/** R into lane n of D. */
export function setLane(n: number, format: Format): void {
  if (format === SINGLE) D32[n] = R[0];
  else {
    D32[2 * n] = R[0];
    D32[2 * n + 1] = R[1];
  }
}
