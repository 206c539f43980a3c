// What a hostile domain may change, and what not: everything that lies in the machine's memory, compared byte by byte, with
// the few places named at which a hypervisor writes in the course of its work for that domain.

import type { Domain } from '../domain.ts';
import { OWNER_FREE, OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';

const PAGE = 4096;

/** The memory of a host at one moment. */
export class Snapshot {
  private readonly bytes: Uint8Array;
  private readonly owner: Int16Array;

  constructor(private readonly hypervisor: Hypervisor) {
    this.bytes = hypervisor.pc.memory.bytes.slice();
    this.owner = hypervisor.frames.owner.slice();
  }

  /** Addresses of bytes outside `domain` that have changed since, with what they belong to; at most ten. */
  damage(domain: Domain): string[] {
    const { bytes, owner } = this;
    const now = this.hypervisor.pc.memory.bytes;
    const found: string[] = [];
    for (let frame = 0; frame < owner.length && found.length < 10; frame++) {
      const owned = this.hypervisor.frames.owner[frame];
      if (owned !== owner[frame]) {
        // The hypervisor may take free frames for what it keeps about the domain, and for nothing else.
        const grown = owner[frame] === OWNER_FREE && owned === OWNER_HYPERVISOR && domain.board !== null;
        if (!grown) found.push(`frame ${frame.toString(16)}h went from owner ${owner[frame]} to ${owned}`);
        continue;
      }
      if (owned === domain.id || this.isWorkOf(domain, frame)) continue;
      for (let at = frame * PAGE; at < frame * PAGE + PAGE; at++) {
        if (now[at] === bytes[at] || this.mayChange(domain, at)) continue;
        found.push(
          `${at.toString(16)}h (owner ${owned}): ${bytes[at].toString(16)} → ${now[at].toString(16)}`,
        );
        break;
      }
    }
    return found;
  }

  /** Whole frames that the hypervisor keeps for this domain: descriptor tables; VMCS or VMCB; shadow page tables. */
  private isWorkOf(domain: Domain, frame: number): boolean {
    const kept = (domain.technique as unknown as { guests: Map<Domain, Kept> }).guests.get(domain);
    if (!kept) return false;
    if (kept.perDomainTable !== undefined) return frame === kept.perDomainTable >>> 12;
    if (kept.vmcs !== undefined && frame === kept.vmcs >>> 12) return true;
    if (kept.vmcb !== undefined && frame === kept.vmcb.machine >>> 12) return true;
    if (kept.statePage !== undefined && frame === kept.statePage >>> 12) return true;
    if (kept.cache?.frames.some((machine) => machine >>> 12 === frame)) return true;
    if (kept.descriptors?.frames.some((machine) => machine >>> 12 === frame)) return true;
    return kept.shadow!.pages.pages.some((page) => page.machine >>> 12 === frame);
  }

  /**
   * Single places: the pages where VMRUN and VMSAVE put the hypervisor's own state, its stack, the ring-1 stack in its TSS, the gate of INT 80h, the two descriptors through
   * which deprivileged guests load CS and SS, the domain's part of the M2P table.
   */
  private mayChange(domain: Domain, at: number): boolean {
    const { monitor, frames } = this.hypervisor;
    const within = (start: number, length: number) => at >= start && at < start + length;
    const { saveArea } = domain.technique as { saveArea?: number };
    if (saveArea && within(saveArea, 2 * PAGE)) return true;
    if (within(monitor.stack, 0x2000) || within(monitor.tss + 0x0c, 6) || within(monitor.idt + 0x80 * 8, 8))
      return true;
    if (
      /trap-and-emulate|binary-translation/.test(domain.technique.name) &&
      within(monitor.gdtPage + 0x48, 16)
    )
      return true;
    return within(monitor.m2p, frames.count * 4) && frames.owner[(at - monitor.m2p) >>> 2] === domain.id;
  }
}

/** What techniques keep about a guest, as far as it lies in frames. */
interface Kept {
  perDomainTable?: number;
  vmcs?: number;
  vmcb?: { machine: number };
  statePage?: number;
  cache?: { frames: readonly number[] };
  descriptors?: { frames: readonly number[] };
  shadow?: { pages: { pages: { machine: number }[] } };
}
