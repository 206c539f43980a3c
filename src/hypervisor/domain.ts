// A domain: one guest with its memory, its virtual processors and its virtual platform.
import { X87 } from '../machine/cpu/x87/state.ts';
import type { Board } from '../machine/devices/board.ts';
import type { Drive } from '../machine/devices/storage/medium.ts';
import { widen } from '../machine/wide-numbers.ts';
import type { GuestMemory } from './frames.ts';
import type { Technique } from './technique.ts';

export type DomainState = 'running' | 'paused' | 'halted' | 'rebooting' | 'crashed';

/** A virtual processor. Its registers are here while another one has the physical processor. */
export class Vcpu {
  /** General registers, saved at every exit (the silicon does not save them). */
  readonly regs = new Int32Array(8);
  cr2 = 0;
  /** Floating-point, MMX and SSE registers, as long as another virtual processor's are in the physical one. */
  readonly floatingPoint = new X87();
  state: 'runnable' | 'blocked' = 'runnable';
  /** Cycle at which the last exit happened, and cycles spent on it so far (without time asleep or waiting). */
  exitTime = 0;
  exitCost = 0;
  /** Privilege level before the last exit: where the guest was. */
  cpl = 0;
  eip = 0;
  /** Instructions retired by the guest. */
  instructions = 0;

  constructor(
    readonly domain: Domain,
    readonly id: number,
  ) {
    widen(this, 'exitTime', 'exitCost', 'instructions');
  }
}

/** All eight general registers. Spelled out: the library's way costs ten times as much for so few. */
export function copyRegisters(from: Int32Array, to: Int32Array): void {
  to[0] = from[0];
  to[1] = from[1];
  to[2] = from[2];
  to[3] = from[3];
  to[4] = from[4];
  to[5] = from[5];
  to[6] = from[6];
  to[7] = from[7];
}

export class Domain {
  readonly vcpus: Vcpu[] = [];
  state: DomainState = 'running';
  /** Why it ended, for people; empty while it lives. */
  ending = '';
  /** The virtual PC of an unmodified guest; null for a paravirtualized one. */
  board: Board | null = null;
  /** What that PC's drives are; set before it is built. */
  drives: readonly Drive[] = [];
  /** Text that came out of the paravirtual console (a serial port keeps its own on the board). */
  consoleOutput = '';
  /** Characters that wait for the paravirtual console. */
  consoleInput: number[] = [];
  /** Cycle of its last boot. */
  bootTime = 0;

  constructor(
    readonly id: number,
    readonly name: string,
    readonly technique: Technique,
    readonly memory: GuestMemory,
  ) {
    this.vcpus.push(new Vcpu(this, 0));
  }

  get alive(): boolean {
    return this.state === 'running' || this.state === 'paused';
  }

  /** Ends the domain. The first reason stays. */
  end(state: 'halted' | 'rebooting' | 'crashed', reason: string): void {
    if (!this.alive) return;
    this.state = state;
    this.ending = reason;
  }
}
