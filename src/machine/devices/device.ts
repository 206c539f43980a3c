// What a device of the board is, seen from the bus. Devices know nothing of the processor, of hypervisors or of the page:
// they are asked through ports, they pull interrupt lines, and they tell when they want to be woken.

/** Deterministic virtual time, in processor cycles since power-on. */
export interface Clock {
  now(): number;
  /** Cycles in one second of virtual time (the host's clock frequency). */
  readonly frequency: number;
}

/** A wire into an interrupt controller. Level: true = asserted. */
export type InterruptLine = (level: boolean) => void;

/** What does something by itself, in its time. */
export interface Timed {
  /** Next moment (in cycles) at which it will; Infinity when it won't. */
  nextDeadline(): number;
  /** Does everything that is due at or before `now`. */
  advance(now: number): void;
}

export interface Device extends Timed {
  readonly name: string;
  /** Inclusive port ranges that this device decodes. */
  readonly ports: readonly (readonly [first: number, last: number])[];
  /** True for a device that takes 16- and 32-bit accesses whole; the others get them byte by byte, as on the PC's 8-bit bus. */
  readonly wide?: boolean;
  /** True when reading a port never changes when the device will do something by itself; and when writing one doesn't either. */
  readonly readsQuietly?: boolean;
  readonly writesQuietly?: boolean;
  /** @param size 1, 2 or 4 bytes. Unsigned result. */
  readPort(port: number, size: 1 | 2 | 4): number;
  writePort(port: number, value: number, size: 1 | 2 | 4): void;
  /** Back to the state after power-on. */
  reset(): void;
}

/** The processor's view of ports. Ports that nobody decodes read as all ones; writes there are lost. */
export interface PortBus {
  read(port: number, size: 1 | 2 | 4): number;
  write(port: number, value: number, size: 1 | 2 | 4): void;
}

/** The processor's view of the interrupt controller: the INTR pin and the INTA cycle. */
export interface InterruptController {
  /** True while INTR is asserted. */
  pending(): boolean;
  /** INTA: acknowledges the highest-priority request and returns its vector. */
  acknowledge(): number;
}
