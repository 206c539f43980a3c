// What the session sees of a guest, whether it has a hypervisor under it or the bare machine.
import type { GuestBoard } from '../machine/devices/board.ts';
import type { DomainState } from './domain.ts';
import type { TechniqueInfo } from './technique.ts';

export interface GuestView {
  readonly id: number;
  readonly name: string;
  readonly technique: TechniqueInfo;
  readonly state: DomainState;
  readonly ending: string;
  /** The PC that the guest sees (real or virtual); null for a paravirtualized guest. */
  readonly board: GuestBoard | null;
  /** Text from the paravirtual console that nobody took yet, and characters for it. */
  consoleOutput: string;
  readonly consoleInput: number[];
}
