// Loads of segment registers that the monitor does in the guest's name, by the rules of the ring that the guest believes in
// (SDM vol. 2 MOV, vol. 3 §5.5–5.8).
import { VECTOR } from '../../machine/cpu/fault.ts';
import { Descriptor } from '../../machine/cpu/segmentation.ts';
import { CS, SS } from '../../machine/isa/instruction.ts';
import { ACCESSED } from './accessed-bits.ts';
import { obstacle } from './convert.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { guestFault } from './linear.ts';
import { compressed } from './rings.ts';

/** An event on its way into the guest. */
export interface PendingEvent {
  vector: number;
  /** `EventType` */
  type: number;
  /** -1 for none. */
  errorCode: number;
  returnEip: number;
}

/** Something legal that the processor cannot give a kernel at ring 1: the guest ends, with the reason, or is interpreted. Nothing has changed. */
export class Unsupported extends Error {
  override name = 'Unsupported';
  /** What was being delivered. */
  event: PendingEvent | null = null;
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
/** Error code that names a selector. @param ext the EXT bit while an event is delivered */
export const selectorError = (selector: number, ext = 0): number => (selector & 0xfffc) | ext;
const hex4 = (value: number): string => `${value.toString(16).padStart(4, '0')}h`;

/** The guest's own descriptor of a selector in `into`. Raises `vector` when there is none. */
export function ownDescriptor(
  guest: DeprivilegedGuest,
  selector: number,
  into: Descriptor,
  vector: number = VECTOR.GP,
  ext = 0,
): void {
  const words = guest.descriptors.own(selector);
  if (!words) guestFault(vector, selectorError(selector, ext));
  into.selector = selector;
  into.low = words.low;
  into.high = words.high;
}

/** Ends the guest when ring compression or truncation leaves no place for this segment. */
export function requireUsable(d: Descriptor): void {
  const reason = obstacle(d.low, d.high);
  if (reason) throw new Unsupported(`segment ${hex4(d.selector)} ${reason}`);
}

/** Ring 0 becomes ring 1 and ring 3 stays; between them there is no room. */
export function requireRing(ring: number): void {
  if (ring === 1 || ring === 2)
    throw new Unsupported(
      `the guest uses ring ${ring}: with its kernel at ring 1 there is no place for that`,
    );
}

/** Notes in the guest's own table that a segment is loaded, as the processor does. Raises #PF. */
export function markAccessed(guest: DeprivilegedGuest, segment: Descriptor): void {
  if (!(segment.high & ACCESSED)) guest.descriptors.markAccessed(segment.selector);
}

const d = new Descriptor();

/** MOV, POP or LxS into ES, SS, DS, FS or GS. Raises #GP, #NP, #SS, #PF; throws Unsupported. */
export function loadSegment(guest: DeprivilegedGuest, register: number, selector: number): void {
  selector &= 0xffff;
  const { ring } = guest;
  if (register === SS) checkStack(guest, selector, ring, VECTOR.GP, 0, d);
  else if (isNull(selector)) {
    guest.setSelector(register, selector);
    guest.descriptors.reloaded(register);
    return;
  } else {
    ownDescriptor(guest, selector, d);
    if (!d.isReadable || (!d.isConforming && Math.max(selector & 3, ring) > d.dpl))
      guestFault(VECTOR.GP, selectorError(selector));
    if (!d.present) guestFault(VECTOR.NP, selectorError(selector));
  }
  requireUsable(d);
  markAccessed(guest, d);
  guest.setSelector(register, register === SS ? compressed(selector, ring) : selector);
  guest.descriptors.reloaded(register);
}

/** The checks of a new SS at privilege `level`: writable data, DPL = RPL = level, present. */
export function checkStack(
  guest: DeprivilegedGuest,
  selector: number,
  level: number,
  vector: number,
  ext: number,
  into: Descriptor,
): void {
  if (isNull(selector)) guestFault(vector, ext);
  ownDescriptor(guest, selector, into, vector, ext);
  if ((selector & 3) !== level || !into.isWritableData || into.dpl !== level)
    guestFault(vector, selectorError(selector, ext));
  if (!into.present) guestFault(VECTOR.SS, selectorError(selector, ext));
}

/** Takes over a checked CS: the guest goes on at `eip` in `ring`. */
export function enterCode(guest: DeprivilegedGuest, selector: number, ring: number, eip: number): void {
  guest.frame.cs = compressed(selector, ring);
  guest.frame.eip = eip | 0;
  guest.descriptors.reloaded(CS);
}
