// The two questions that most system instructions ask first (SDM vol. 3 §5.9).
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { isProtected } from '../segmentation.ts';

/** #GP(0) outside ring 0. Real mode is ring 0, virtual-8086 mode ring 3. */
export function requireRing0(cpu: Cpu): void {
  if (cpu.cpl !== 0) fault(cpu, VECTOR.GP, 0);
}

/** #UD in real and virtual-8086 mode, where selectors have no descriptors. */
export function requireDescriptors(cpu: Cpu): void {
  if (!isProtected(cpu)) fault(cpu, VECTOR.UD);
}

/** True in rings 1 and 2, where a kernel runs that has been moved out of ring 0. */
export function isDeprivileged(cpu: Cpu): boolean {
  return cpu.cpl === 1 || cpu.cpl === 2;
}
