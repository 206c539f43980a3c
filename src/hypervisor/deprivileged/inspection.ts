// The three address spaces of a deprivileged guest side by side: its own page tables, and the shadows that the processor walks.
import type { Vcpu } from '../domain.ts';
import type { AddressWalk } from '../inspection.ts';
import { walkSteps } from '../walk-steps.ts';
import type { Deprivileged } from './deprivileged.ts';
import type { DeprivilegedGuest } from './guest.ts';

const CR0_PG = 0x80000000;

/** Walks one guest-linear address. Changes nothing. */
export function walkDeprivileged(
  technique: Deprivileged<DeprivilegedGuest>,
  vcpu: Vcpu,
  linear: number,
): AddressWalk | null {
  const guest = technique.guestOf(vcpu.domain);
  if (!guest) return null;
  const { domain, shadow, hypervisor } = guest;
  const { memory } = hypervisor.pc;
  const { cr0, cr3 } = shadow.control;
  const toMachine = (physical: number): number => domain.memory.toMachine(physical);
  const own =
    cr0 & CR0_PG
      ? walkSteps(memory, 'guest', 'legacy', cr3, linear, toMachine)
      : { steps: [], result: linear >>> 0 };
  const real = walkSteps(memory, 'shadow', 'legacy', shadow.root, linear);
  const machine = real.result >= 0 ? real.result : own.result < 0 ? -1 : toMachine(own.result);
  return { linear, guest: own.steps, physical: own.result, real: real.steps, machine };
}
