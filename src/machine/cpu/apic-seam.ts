// What a processor knows of the local APIC on its die: CPUID tells of it, MSR 1Bh switches it. The APIC itself is a device.

export interface ApicSeam {
  /** Its identifier, which CPUID gives too. */
  readonly id: number;
  /** Switched on by MSR 1Bh. */
  readonly enabled: boolean;
  /** MSR 1Bh as it is after reset. */
  readonly base: bigint;
  /** WRMSR to 1Bh. False when the value is not possible: #GP(0). */
  setBase(value: bigint): boolean;
  /** At this cycle `look` is called, once, instead of what was wished for before: for events that nobody tells of. Infinity: never. */
  lookAt(cycle: number, look: () => void): void;
  /** A performance counter has overflowed. */
  counterOverflow(): void;
}
