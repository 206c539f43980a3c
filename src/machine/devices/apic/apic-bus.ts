// The bus between the local APICs and the I/O APIC (SDM vol. 3 §10.6, §10.7): who is meant by a destination, and the way back
// of an end of interrupt. Messages arrive at once, in the order of the processors.
import type { IoApic } from './io-apic.ts';
import type { LocalApic } from './local-apic.ts';

export const DeliveryMode = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startup: 6,
  external: 7,
} as const;

export class ApicBus {
  private readonly locals: LocalApic[] = [];
  ioApic: IoApic | null = null;
  /** The interrupt mode register holds the PIC's INTR past the APICs, to the bootstrap processor. */
  bypassed = false;

  add(local: LocalApic): void {
    this.locals.push(local);
  }

  deliver(mode: number, vector: number, level: boolean, destination: number, logical: boolean): void {
    if (mode === DeliveryMode.lowestPriority) {
      let best: LocalApic | null = null;
      for (const local of this.locals) {
        if (!local.matches(destination, logical)) continue;
        if (best === null || local.arbitration < best.arbitration) best = local;
      }
      best?.receive(mode, vector, level);
      return;
    }
    for (const local of this.locals)
      if (local.matches(destination, logical)) local.receive(mode, vector, level);
  }

  /** To everybody, or to everybody but one. */
  broadcast(mode: number, vector: number, level: boolean, except: LocalApic | null): void {
    for (const local of this.locals) if (local !== except) local.receive(mode, vector, level);
  }

  endOfInterrupt(vector: number): void {
    this.ioApic?.endOfInterrupt(vector);
  }

  /** True when the I/O APIC passes the PIC's interrupts on to this processor. */
  externalTo(local: LocalApic): boolean {
    return this.ioApic?.externalTo(local) ?? false;
  }
}
