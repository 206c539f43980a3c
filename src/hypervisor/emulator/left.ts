// What the emulator leaves to the hypervisor: instructions whose result depends on what a guest may know of its processor,
// HLT, and the interrupts of the virtual board. The same for every kind of hardware assistance.
import type { Identification } from '../../machine/cpu/cpuid.ts';
import { IF } from '../../machine/cpu/flags.ts';
import { EventType } from '../../machine/cpu/interrupts.ts';
import { EAX, EBX, ECX, EDX } from '../../machine/isa/instruction.ts';
import { Emulated, Injected, Kind } from '../../trace/events.ts';
import type { PcGuest } from '../platform/pc-guest.ts';
import type { Resume } from '../technique.ts';
import type { Emulator } from './emulator.ts';

/** A guest that can halt, and that has a time-stamp counter of its own. */
export interface EmulatedGuest extends PcGuest {
  interruptible: boolean;
  readonly tscOffset: number;
}

/** Takes an interrupt of the virtual board in the emulator. @returns false when none can be taken */
export function takeInterrupt({ board, hypervisor, vcpu }: PcGuest, emulator: Emulator): boolean {
  if (!emulator.takesInterrupts || !board.pic.pending()) return false;
  const vector = board.pic.acknowledge();
  hypervisor.charge.injectEvent();
  hypervisor.record(vcpu, Kind.inject, vector, -1, Injected.virtualInterrupt);
  emulator.deliver(vector, EventType.external);
  return true;
}

/** Does what the emulator has just left. @param identify what CPUID answers the guest */
export function doWhatIsLeft(
  guest: EmulatedGuest,
  emulator: Emulator,
  identify: (leaf: number) => Identification,
): Resume {
  const { hypervisor, board, vcpu } = guest;
  const { cpu } = emulator;
  const { regs } = cpu;
  switch (emulator.left) {
    case 'cpuid': {
      const answer = identify(regs[EAX] >>> 0);
      hypervisor.record(vcpu, Kind.emulate, Emulated.cpuid, regs[EAX], answer.eax, 4);
      regs[EAX] = answer.eax;
      regs[EBX] = answer.ebx;
      regs[ECX] = answer.ecx;
      regs[EDX] = answer.edx;
      return 'enter';
    }
    case 'rdtsc': {
      const time = BigInt(Math.floor(hypervisor.now + guest.tscOffset));
      regs[EAX] = Number(BigInt.asIntN(32, time));
      regs[EDX] = Number(BigInt.asIntN(32, time >> 32n));
      return 'enter';
    }
    case 'hlt': {
      hypervisor.record(vcpu, Kind.emulate, Emulated.hlt);
      guest.interruptible = (cpu.flags & IF) !== 0;
      if (guest.interruptible && board.pic.pending()) return 'enter';
      hypervisor.record(vcpu, Kind.idle, 0);
      if (!guest.interruptible) guest.domain.ending = 'halted with interrupts off: it waits for ever';
      return 'block';
    }
    default:
      return 'enter';
  }
}
