// Floating-point errors of an unmodified guest whose CR0.NE is 0, as the PC's wiring has them (SDM vol. 1 §8.7.2): FERR# goes to
// the guest's own board, the processor waits for IRQ 13, and port F0h of that board asserts IGNNE#.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { Resume } from '../technique.ts';
import type { PcGuest } from './pc-guest.ts';

/** @param processors the one that the guest runs on, and the emulator's: the same guest's state is in one or the other */
export function wireCoprocessor({ coprocessor }: Board, [silicon, emulated]: readonly Cpu[]): void {
  coprocessor.onIgnore = () => {
    for (const { x87 } of [silicon, emulated]) x87.ignoreErrors = x87.errorAsserted;
  };
  emulated.x87.onError = (asserted) => coprocessor.setError(asserted);
}

/** FERR#: the guest stands still until an interrupt comes. @param interrupts its IF */
export function waitForIrq13(guest: PcGuest & { interruptible: boolean }, interrupts: boolean): Resume {
  guest.board.coprocessor.setError(true);
  guest.interruptible = interrupts;
  return interrupts && guest.board.pic.pending() ? 'enter' : 'block';
}
