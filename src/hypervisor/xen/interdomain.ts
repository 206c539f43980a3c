// Event channels between domains, and to the back ends in domain 0 (xen/common/event_channel.c): one side offers a port, the
// other binds to it.
import type { Vcpu } from '../domain.ts';
import { DOMID_SELF, ERROR, EVENT_PORTS, EVTCHNOP } from './abi.ts';
import { type EventChannels, isGlobal, optionalChannelCalls } from './event-channels.ts';
import { DOMAIN_0, domidOf, type XenGuest, xenGuests } from './guest.ts';

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

/** {u16 dom, u16 remote_dom, out: u32 port}: a port that `remote_dom` may bind to. */
function allocateUnbound(channels: EventChannels, _: Vcpu, guest: XenGuest, argument: number): number {
  const { access } = channels;
  const owner = access.read16(guest, argument);
  if (owner !== DOMID_SELF && owner !== domidOf(guest.domain)) return ERROR.perm;
  const remote = access.read16(guest, argument + 2);
  return channels.bindInto(
    guest,
    { kind: 'unbound', remote: remote === DOMID_SELF ? domidOf(guest.domain) : remote },
    argument + 4,
  );
}

/** {u16 remote_dom, u32 remote_port, out: u32 local_port}. */
function bindInterdomain(channels: EventChannels, _: Vcpu, guest: XenGuest, argument: number): number {
  const { access, hypervisor } = channels;
  const self = domidOf(guest.domain);
  const named = access.read16(guest, argument);
  const remote = named === DOMID_SELF ? self : named;
  const remotePort = access.read32(guest, argument + 4) >>> 0;
  const other = xenGuests(hypervisor).get(remote);
  if (!other) return ERROR.srch;
  const offered = remotePort < EVENT_PORTS ? other.ports[remotePort] : undefined;
  if (offered?.kind !== 'unbound' || offered.remote !== self) return ERROR.inval;
  const local = channels.bind(guest, { kind: 'interdomain', remote, remotePort });
  if (local < 0) return local;
  other.ports[remotePort] = { kind: 'interdomain', remote: self, remotePort: local, vcpu: offered.vcpu };
  // What was sent before somebody was there must not be lost.
  channels.setPending(guest, local);
  access.write32(guest, argument + 8, local);
  return 0;
}

/** {u16 dom, u32 port, out: u32 status, u32 vcpu, what is at the other end}. */
function status(channels: EventChannels, _: Vcpu, guest: XenGuest, argument: number): number {
  const { access } = channels;
  const owner = access.read16(guest, argument);
  if (owner !== DOMID_SELF && owner !== domidOf(guest.domain)) return ERROR.perm;
  const port = access.read32(guest, argument + 4) >>> 0;
  if (port >= EVENT_PORTS) return ERROR.inval;
  const what = guest.ports[port] ?? { kind: 'free' };
  access.write32(guest, argument + 8, STATUS[what.kind]);
  access.write32(guest, argument + 12, what.vcpu ?? 0);
  if (what.kind === 'virq') access.write32(guest, argument + 16, what.virq);
  else if (what.kind === 'unbound') access.write32(guest, argument + 16, what.remote);
  else if (what.kind === 'interdomain') {
    access.write32(guest, argument + 16, what.remote);
    access.write32(guest, argument + 20, what.remotePort);
  }
  return 0;
}

/** {u32 port, u32 vcpu}: who hears of this port's events from now on. IPIs and virtual interrupts of one processor stay its own. */
function bindVcpu(channels: EventChannels, _: Vcpu, guest: XenGuest, argument: number): number {
  const { access } = channels;
  const port = access.read32(guest, argument) >>> 0;
  const who = access.read32(guest, argument + 4) >>> 0;
  if (who >= guest.domain.vcpus.length) return ERROR.noent;
  const what = port < EVENT_PORTS ? guest.ports[port] : undefined;
  if (!what || what.kind === 'free' || what.kind === 'ipi') return ERROR.inval;
  if (what.kind === 'virq' && !isGlobal(what.virq)) return ERROR.inval;
  what.vcpu = who;
  return 0;
}

/** Channels between domains can be bound from now on. */
export function provideInterdomain(): void {
  optionalChannelCalls.set(EVTCHNOP.allocUnbound, allocateUnbound);
  optionalChannelCalls.set(EVTCHNOP.bindInterdomain, bindInterdomain);
  optionalChannelCalls.set(EVTCHNOP.status, status);
  optionalChannelCalls.set(EVTCHNOP.bindVcpu, bindVcpu);
}

/**
 * Domain 0 binds to a port that a guest offers it. False when the guest offered it to somebody else, or nothing.
 * @param notify the guest has sent an event through it
 */
export function bindBackend(guest: XenGuest, port: number, notify: () => void): boolean {
  const offered = port > 0 && port < EVENT_PORTS ? guest.ports[port] : undefined;
  if (offered?.kind !== 'unbound' || offered.remote !== DOMAIN_0) return false;
  guest.ports[port] = { kind: 'backend', notify, vcpu: offered.vcpu };
  return true;
}

/** Domain 0 closes its end: the port waits for it again. */
export function unbindBackend(guest: XenGuest, port: number): void {
  if (guest.ports[port]?.kind === 'backend')
    guest.ports[port] = { kind: 'unbound', remote: DOMAIN_0, vcpu: guest.ports[port].vcpu };
}
