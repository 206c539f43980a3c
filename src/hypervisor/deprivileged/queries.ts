// What LAR, LSL, VERR and VERW answer about a descriptor (SDM vol. 2; vol. 3 §5.10).
import { type Descriptor, SystemType } from '../../machine/cpu/segmentation.ts';

/** System descriptor types that LAR alone, and both LAR and LSL, answer for. */
const GATES: readonly number[] = [SystemType.callGate16, SystemType.taskGate, SystemType.callGate32];
const SEGMENTS: readonly number[] = [
  SystemType.tss16,
  SystemType.ldt,
  SystemType.busyTss16,
  SystemType.tss32,
  SystemType.busyTss32,
];

/** Whether the operation sets ZF for privilege `ring`. */
export function answers(operation: string, d: Descriptor, selector: number, ring: number): boolean {
  if (!d.isConforming && (d.dpl < ring || d.dpl < (selector & 3))) return false;
  const system = SEGMENTS.includes(d.systemType);
  switch (operation) {
    case 'lar':
      return d.isSegment || system || GATES.includes(d.systemType);
    case 'lsl':
      return d.isSegment || system;
    case 'verr':
      return d.isReadable;
    default:
      return d.isWritableData;
  }
}

/** What LAR and LSL load. */
export const answerOf = (operation: string, d: Descriptor): number =>
  operation === 'lar' ? d.high & 0x00ffff00 : operation === 'lsl' ? d.limit | 0 : 1;
