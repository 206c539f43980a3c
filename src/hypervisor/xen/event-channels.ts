// Event channels (xen/common/event_channel.c): the virtual interrupts of Xen's guests, as bits in shared_info. The other end
// of a channel is a virtual interrupt, the console, the store, another domain, or a backend of domain 0.
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { DOMID_SELF, ERROR, EVENT_PORTS, EVTCHNOP, SHARED_INFO } from './abi.ts';
import { type ArgumentAccess, DOMAIN_0, domidOf, type Port, type XenGuest, xenGuests } from './guest.ts';

/** EVTCHNSTAT_*. */
const STATUS = {
  free: 0,
  unbound: 1,
  interdomain: 2,
  backend: 2,
  console: 2,
  store: 2,
  virq: 4,
  ipi: 5,
} as const;

export class EventChannels {
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly access: ArgumentAccess,
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
  setPending(vcpu: Vcpu, guest: XenGuest, port: number): void {
    raiseEvent(this.hypervisor, vcpu, guest, port);
  }

  /** A virtual interrupt arrives at whatever port it is bound to. */
  raiseVirq(vcpu: Vcpu, guest: XenGuest, virq: number): void {
    const port = guest.ports.findIndex((p) => p?.kind === 'virq' && p.virq === virq);
    if (port > 0) this.setPending(vcpu, guest, port);
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
        if (virq >= 24 || portAt(4) !== 0) return ERROR.inval;
        if (guest.ports.some((p) => p?.kind === 'virq' && p.virq === virq)) return ERROR.exist;
        return this.bindInto(guest, { kind: 'virq', virq }, argument + 8);
      }
      case EVTCHNOP.bindIpi:
        return portAt(0) !== 0 ? ERROR.inval : this.bindInto(guest, { kind: 'ipi' }, argument + 4);
      case EVTCHNOP.allocUnbound:
        return this.allocateUnbound(guest, argument);
      case EVTCHNOP.bindInterdomain:
        return this.bindInterdomain(vcpu, guest, argument);
      case EVTCHNOP.close: {
        const port = portAt(0);
        if (!bound(port)) return ERROR.inval;
        this.close(guest, port);
        return 0;
      }
      case EVTCHNOP.send: {
        const port = portAt(0);
        return bound(port) ? this.send(vcpu, guest, port) : ERROR.inval;
      }
      case EVTCHNOP.status:
        return this.status(guest, argument);
      case EVTCHNOP.unmask: {
        const port = portAt(0);
        if (!bound(port)) return ERROR.inval;
        this.unmask(vcpu, guest, port);
        return 0;
      }
      default:
        return ERROR.nosys;
    }
  }

  /** {u16 dom, u16 remote_dom, out: u32 port}: a port that `remote_dom` may bind to. */
  private allocateUnbound(guest: XenGuest, argument: number): number {
    const { access } = this;
    const owner = access.read16(guest, argument);
    if (owner !== DOMID_SELF && owner !== domidOf(guest.domain)) return ERROR.perm;
    const remote = access.read16(guest, argument + 2);
    return this.bindInto(
      guest,
      { kind: 'unbound', remote: remote === DOMID_SELF ? domidOf(guest.domain) : remote },
      argument + 4,
    );
  }

  /** {u16 remote_dom, u32 remote_port, out: u32 local_port}. */
  private bindInterdomain(vcpu: Vcpu, guest: XenGuest, argument: number): number {
    const { access, hypervisor } = this;
    const self = domidOf(guest.domain);
    const named = access.read16(guest, argument);
    const remote = named === DOMID_SELF ? self : named;
    const remotePort = access.read32(guest, argument + 4) >>> 0;
    const other = xenGuests(hypervisor).get(remote);
    if (!other) return ERROR.srch;
    const offered = remotePort < EVENT_PORTS ? other.ports[remotePort] : undefined;
    if (offered?.kind !== 'unbound' || offered.remote !== self) return ERROR.inval;
    const local = this.bind(guest, { kind: 'interdomain', remote, remotePort });
    if (local < 0) return local;
    other.ports[remotePort] = { kind: 'interdomain', remote: self, remotePort: local };
    // What was sent before somebody was there must not be lost.
    this.setPending(vcpu, guest, local);
    access.write32(guest, argument + 8, local);
    return 0;
  }

  private send(vcpu: Vcpu, guest: XenGuest, port: number): number {
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
        this.setPending(vcpu, guest, port);
        break;
      case 'interdomain': {
        const other = xenGuests(this.hypervisor).get(to.remote);
        if (other) this.setPending(other.domain.vcpus[0], other, to.remotePort);
        break;
      }
    }
    return 0;
  }

  /** {u16 dom, u32 port, out: u32 status, u32 vcpu, what is at the other end}. */
  private status(guest: XenGuest, argument: number): number {
    const { access } = this;
    const owner = access.read16(guest, argument);
    if (owner !== DOMID_SELF && owner !== domidOf(guest.domain)) return ERROR.perm;
    const port = access.read32(guest, argument + 4) >>> 0;
    if (port >= EVENT_PORTS) return ERROR.inval;
    const what = guest.ports[port] ?? { kind: 'free' };
    access.write32(guest, argument + 8, STATUS[what.kind]);
    if (what.kind === 'virq') access.write32(guest, argument + 16, what.virq);
    else if (what.kind === 'unbound') access.write32(guest, argument + 16, what.remote);
    else if (what.kind === 'interdomain') {
      access.write32(guest, argument + 16, what.remote);
      access.write32(guest, argument + 20, what.remotePort);
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
      other.ports[remotePort] = { kind: 'unbound', remote: domidOf(guest.domain) };
  }

  /** The domain goes: nobody's port leads to it any more. */
  closeAll(guest: XenGuest): void {
    for (let port = 1; port < guest.ports.length; port++) if (guest.ports[port]) this.close(guest, port);
  }

  private unmask(vcpu: Vcpu, guest: XenGuest, port: number): void {
    const { memory } = this.hypervisor.pc;
    const word = port >>> 5;
    const bit = 1 << (port & 31);
    const mask = guest.sharedInfo + SHARED_INFO.evtchnMask + word * 4;
    memory.write32(mask, memory.read32(mask) & ~bit);
    if (memory.read32(guest.sharedInfo + SHARED_INFO.evtchnPending + word * 4) & bit)
      select(this.hypervisor, vcpu, guest, word);
  }

  private bindInto(guest: XenGuest, port: Port, result: number): number {
    const number = this.bind(guest, port);
    if (number < 0) return number;
    this.access.write32(guest, result, number);
    return 0;
  }
}

/** See `EventChannels.setPending`: for whoever has no hypercalls to serve. */
export function raiseEvent(hypervisor: Hypervisor, vcpu: Vcpu, guest: XenGuest, port: number): void {
  const { memory } = hypervisor.pc;
  const word = port >>> 5;
  const bit = 1 << (port & 31);
  const pending = guest.sharedInfo + SHARED_INFO.evtchnPending + word * 4;
  if (memory.read32(pending) & bit) return;
  memory.write32(pending, memory.read32(pending) | bit);
  if (!(memory.read32(guest.sharedInfo + SHARED_INFO.evtchnMask + word * 4) & bit))
    select(hypervisor, vcpu, guest, word);
}

function select(hypervisor: Hypervisor, vcpu: Vcpu, guest: XenGuest, word: number): void {
  const { memory } = hypervisor.pc;
  const info = guest.vcpuInfo || guest.sharedInfo;
  const selector = info + SHARED_INFO.pendingSelector;
  memory.write32(selector, memory.read32(selector) | (1 << word));
  memory.write8(info + SHARED_INFO.upcallPending, 1);
  guest.onUpcall?.();
  if (!guest.toldByInterrupt) hypervisor.wake(vcpu);
}

/**
 * Domain 0 binds to a port that a guest offers it. False when the guest offered it to somebody else, or nothing.
 * @param notify the guest has sent an event through it
 */
export function bindBackend(guest: XenGuest, port: number, notify: () => void): boolean {
  const offered = port > 0 && port < EVENT_PORTS ? guest.ports[port] : undefined;
  if (offered?.kind !== 'unbound' || offered.remote !== DOMAIN_0) return false;
  guest.ports[port] = { kind: 'backend', notify };
  return true;
}

/** Domain 0 closes its end: the port waits for it again. */
export function unbindBackend(guest: XenGuest, port: number): void {
  if (guest.ports[port]?.kind === 'backend') guest.ports[port] = { kind: 'unbound', remote: DOMAIN_0 };
}
