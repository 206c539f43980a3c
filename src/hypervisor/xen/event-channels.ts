// Event channels (xen/common/event_channel.c): the virtual interrupts of Xen's guests, as bits in shared_info. The other end
// of a channel is a virtual interrupt, the console, the store, another domain, or a backend of domain 0.
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { ERROR, EVENT_PORTS, EVTCHNOP, SHARED_INFO, VIRQ } from './abi.ts';
import { type ArgumentAccess, domidOf, type Port, type XenGuest, xenGuests } from './guest.ts';

/** Commands that only drivers of split devices ask for: filled in by provide.ts. */
export const optionalChannelCalls = new Map<
  number,
  (channels: EventChannels, vcpu: Vcpu, guest: XenGuest, argument: number) => number
>();

export class EventChannels {
  constructor(
    readonly hypervisor: Hypervisor,
    readonly access: ArgumentAccess,
    /** The guest notified its console port. */
    private readonly onConsole: (guest: XenGuest) => void,
    /** The guest notified its store port. */
    private readonly onStore: (guest: XenGuest) => void = () => {},
  ) {}

  /** Takes a free port. -ENOSPC when all are bound. */
  bind(guest: XenGuest, port: Port): number {
    for (let n = 1; n < EVENT_PORTS; n++) {
      if (!guest.ports[n] || guest.ports[n].kind === 'free') {
        guest.ports[n] = port;
        return n;
      }
    }
    return ERROR.nospc;
  }

  /** Sets a port pending, as evtchn_set_pending does: pending bit, then (unless masked) selector bit and upcall flag. */
  setPending(guest: XenGuest, port: number): void {
    raiseEvent(this.hypervisor, guest, port);
  }

  /** A virtual interrupt of this virtual processor's arrives at whatever port it is bound to. */
  raiseVirq(vcpu: Vcpu, guest: XenGuest, virq: number): void {
    const port = portOfVirq(guest, virq, vcpu.id);
    if (port > 0) this.setPending(guest, port);
  }

  /** HYPERVISOR_event_channel_op(cmd, arg). Result as the hypercall's. */
  operate(vcpu: Vcpu, guest: XenGuest, command: number, argument: number): number {
    const { access } = this;
    const portAt = (offset: number) => access.read32(guest, argument + offset) >>> 0;
    const bound = (port: number) =>
      port > 0 && port < EVENT_PORTS && guest.ports[port] && guest.ports[port].kind !== 'free';
    switch (command) {
      case EVTCHNOP.bindVirq: {
        const virq = portAt(0);
        const who = portAt(4);
        if (virq >= 24 || (isGlobal(virq) && who)) return ERROR.inval;
        if (who >= guest.domain.vcpus.length) return ERROR.noent;
        if (portOfVirq(guest, virq, who) > 0) return ERROR.exist;
        return this.bindInto(guest, { kind: 'virq', virq, vcpu: who }, argument + 8);
      }
      case EVTCHNOP.bindIpi: {
        const who = portAt(0);
        if (who >= guest.domain.vcpus.length) return ERROR.noent;
        return this.bindInto(guest, { kind: 'ipi', vcpu: who }, argument + 4);
      }
      case EVTCHNOP.close: {
        const port = portAt(0);
        if (!bound(port)) return ERROR.inval;
        this.close(guest, port);
        return 0;
      }
      case EVTCHNOP.send: {
        const port = portAt(0);
        return bound(port) ? this.send(guest, port) : ERROR.inval;
      }
      case EVTCHNOP.unmask: {
        const port = portAt(0);
        if (!bound(port)) return ERROR.inval;
        this.unmask(guest, port);
        return 0;
      }
      default:
        return optionalChannelCalls.get(command)?.(this, vcpu, guest, argument) ?? ERROR.nosys;
    }
  }

  private send(guest: XenGuest, port: number): number {
    const to = guest.ports[port];
    switch (to.kind) {
      case 'console':
        this.onConsole(guest);
        break;
      case 'store':
        this.onStore(guest);
        break;
      case 'backend':
        to.notify();
        break;
      case 'ipi':
        this.setPending(guest, port);
        break;
      case 'interdomain': {
        const other = xenGuests(this.hypervisor).get(to.remote);
        if (other) this.setPending(other, to.remotePort);
        break;
      }
    }
    return 0;
  }

  private close(guest: XenGuest, port: number): void {
    const was = guest.ports[port];
    guest.ports[port] = { kind: 'free' };
    if (was.kind === 'interdomain') this.leave(guest, was);
  }

  /** The other end of a channel waits for this domain again, as before it bound. */
  private leave(guest: XenGuest, { remote, remotePort }: { remote: number; remotePort: number }): void {
    const other = xenGuests(this.hypervisor).get(remote);
    if (other && other.ports[remotePort]?.kind === 'interdomain')
      other.ports[remotePort] = {
        kind: 'unbound',
        remote: domidOf(guest.domain),
        vcpu: other.ports[remotePort].vcpu,
      };
  }

  /** The domain goes: nobody's port leads to it any more. */
  closeAll(guest: XenGuest): void {
    for (let port = 1; port < guest.ports.length; port++) if (guest.ports[port]) this.close(guest, port);
  }

  private unmask(guest: XenGuest, port: number): void {
    const { memory } = this.hypervisor.pc;
    const word = port >>> 5;
    const bit = 1 << (port & 31);
    const mask = guest.sharedInfo + SHARED_INFO.evtchnMask + word * 4;
    memory.write32(mask, memory.read32(mask) & ~bit);
    if (memory.read32(guest.sharedInfo + SHARED_INFO.evtchnPending + word * 4) & bit)
      select(this.hypervisor, guest, port);
  }

  /** Takes a free port and says which. */
  bindInto(guest: XenGuest, port: Port, result: number): number {
    const number = this.bind(guest, port);
    if (number < 0) return number;
    this.access.write32(guest, result, number);
    return 0;
  }
}

const VIRQ_XENOPROF = 7;

/** Virtual interrupts of the whole domain, which its first virtual processor hears of: all but timer, debug and profiling. */
export const isGlobal = (virq: number): boolean =>
  virq !== VIRQ.timer && virq !== VIRQ.debug && virq !== VIRQ_XENOPROF;

const portOfVirq = (guest: XenGuest, virq: number, vcpu: number): number =>
  guest.ports.findIndex(
    (p) => p?.kind === 'virq' && p.virq === virq && (isGlobal(virq) || (p.vcpu ?? 0) === vcpu),
  );

/** See `EventChannels.setPending`: for whoever has no hypercalls to serve. */
export function raiseEvent(hypervisor: Hypervisor, guest: XenGuest, port: number): void {
  const { memory } = hypervisor.pc;
  const word = port >>> 5;
  const bit = 1 << (port & 31);
  const pending = guest.sharedInfo + SHARED_INFO.evtchnPending + word * 4;
  if (memory.read32(pending) & bit) return;
  memory.write32(pending, memory.read32(pending) | bit);
  if (!(memory.read32(guest.sharedInfo + SHARED_INFO.evtchnMask + word * 4) & bit))
    select(hypervisor, guest, port);
}

/** The virtual processor that this port's events go to is told that there is one, and wakes if it waits. */
function select(hypervisor: Hypervisor, guest: XenGuest, port: number): void {
  const { memory } = hypervisor.pc;
  const vcpu = guest.domain.vcpus[guest.ports[port]?.vcpu ?? 0];
  const info = guest.vcpuInfoOf?.(vcpu) ?? guest.sharedInfo;
  const selector = info + SHARED_INFO.pendingSelector;
  memory.write32(selector, memory.read32(selector) | (1 << (port >>> 5)));
  memory.write8(info + SHARED_INFO.upcallPending, 1);
  guest.onUpcall?.(vcpu);
  if (!guest.toldByInterrupt && !guest.isDown?.(vcpu)) hypervisor.wake(vcpu);
}
