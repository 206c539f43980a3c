// Event channels (xen/common/event_channel.c): the virtual interrupts of a paravirtualized guest, as bits in shared_info.
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { ERROR, EVENT_PORTS, EVTCHNOP, SHARED_INFO } from './abi.ts';
import type { GuestAccess } from './guest-access.ts';
import type { Port, PvDomain } from './pv-domain.ts';

export class EventChannels {
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly access: GuestAccess,
    /** The guest notified its console port. */
    private readonly onConsole: (pv: PvDomain) => void,
  ) {}

  /** Takes a free port. -ENOSPC when all are bound. */
  bind(pv: PvDomain, port: Port): number {
    for (let n = 1; n < EVENT_PORTS; n++) {
      if (!pv.ports[n] || pv.ports[n].kind === 'free') {
        pv.ports[n] = port;
        return n;
      }
    }
    return ERROR.nospc;
  }

  /** Sets a port pending, as evtchn_set_pending does: pending bit, then (unless masked) selector bit and upcall flag. */
  setPending(vcpu: Vcpu, pv: PvDomain, port: number): void {
    const { memory } = this.hypervisor.pc;
    const word = port >>> 5;
    const bit = 1 << (port & 31);
    const pending = pv.sharedInfo + SHARED_INFO.evtchnPending + word * 4;
    if (memory.read32(pending) & bit) return;
    memory.write32(pending, memory.read32(pending) | bit);
    if (!(memory.read32(pv.sharedInfo + SHARED_INFO.evtchnMask + word * 4) & bit))
      this.select(vcpu, pv, word);
  }

  private select(vcpu: Vcpu, pv: PvDomain, word: number): void {
    const { memory } = this.hypervisor.pc;
    const selector = pv.sharedInfo + SHARED_INFO.pendingSelector;
    memory.write32(selector, memory.read32(selector) | (1 << word));
    memory.write8(pv.sharedInfo + SHARED_INFO.upcallPending, 1);
    this.hypervisor.wake(vcpu);
  }

  /** A virtual interrupt arrives at whatever port it is bound to. */
  raiseVirq(vcpu: Vcpu, pv: PvDomain, virq: number): void {
    const port = pv.ports.findIndex((p) => p?.kind === 'virq' && p.virq === virq);
    if (port > 0) this.setPending(vcpu, pv, port);
  }

  /** HYPERVISOR_event_channel_op(cmd, arg). Result as the hypercall's. */
  operate(vcpu: Vcpu, pv: PvDomain, command: number, argument: number): number {
    const { access } = this;
    const portAt = (offset: number) => access.read32(pv, argument + offset) >>> 0;
    const bound = (port: number) =>
      port > 0 && port < EVENT_PORTS && pv.ports[port] && pv.ports[port].kind !== 'free';
    switch (command) {
      case EVTCHNOP.bindVirq: {
        const virq = portAt(0);
        if (virq >= 24 || portAt(4) !== 0) return ERROR.inval;
        if (pv.ports.some((p) => p?.kind === 'virq' && p.virq === virq)) return ERROR.exist;
        return this.bindInto(pv, { kind: 'virq', virq }, argument + 8);
      }
      case EVTCHNOP.bindIpi:
        return portAt(0) !== 0 ? ERROR.inval : this.bindInto(pv, { kind: 'ipi' }, argument + 4);
      case EVTCHNOP.allocUnbound:
        return this.bindInto(pv, { kind: 'unbound' }, argument + 4);
      case EVTCHNOP.close: {
        const port = portAt(0);
        if (!bound(port)) return ERROR.inval;
        pv.ports[port] = { kind: 'free' };
        return 0;
      }
      case EVTCHNOP.send: {
        const port = portAt(0);
        if (!bound(port)) return ERROR.inval;
        const { kind } = pv.ports[port];
        if (kind === 'console') this.onConsole(pv);
        else if (kind === 'ipi') this.setPending(vcpu, pv, port);
        return 0;
      }
      case EVTCHNOP.status: {
        const port = access.read32(pv, argument + 4) >>> 0;
        if (port >= EVENT_PORTS) return ERROR.inval;
        const kind = pv.ports[port]?.kind ?? 'free';
        access.write32(
          pv,
          argument + 8,
          { free: 0, unbound: 1, console: 2, store: 2, virq: 4, ipi: 5 }[kind],
        );
        return 0;
      }
      case EVTCHNOP.unmask: {
        const port = portAt(0);
        if (!bound(port)) return ERROR.inval;
        const { memory } = this.hypervisor.pc;
        const word = port >>> 5;
        const bit = 1 << (port & 31);
        const mask = pv.sharedInfo + SHARED_INFO.evtchnMask + word * 4;
        memory.write32(mask, memory.read32(mask) & ~bit);
        if (memory.read32(pv.sharedInfo + SHARED_INFO.evtchnPending + word * 4) & bit)
          this.select(vcpu, pv, word);
        return 0;
      }
      default:
        return ERROR.nosys;
    }
  }

  private bindInto(pv: PvDomain, port: Port, result: number): number {
    const number = this.bind(pv, port);
    if (number < 0) return number;
    this.access.write32(pv, result, number);
    return 0;
  }
}
