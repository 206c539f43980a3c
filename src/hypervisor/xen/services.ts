// The seam to what only guests with paravirtual devices need: grant tables, the store, backends. They come when they are
// wanted (provide.ts fills this in); without them those hypercalls do not exist and nobody answers at the store's port.
import type { Domain } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { BootOptions } from '../technique.ts';
import type { XenGuest } from './guest.ts';

export interface XenServices {
  /** A guest has been built: its nodes in the store, its devices. */
  start(guest: XenGuest, options: BootOptions): void;
  /** It is going away. */
  end(guest: XenGuest): void;
  /** It notified its store port. */
  storeNotified(guest: XenGuest): void;
  /** grant_table_op(command, list, count). Result as the hypercall's. */
  grantTable(guest: XenGuest, command: number, list: number, count: number): number;
  /** Machine frames of other domains that a guest has in its page tables, and by how many handles for reading and for writing. */
  mappedBy(guest: XenGuest): ReadonlyMap<number, { readers: number; writers: number }>;
  /** Says how much memory a guest shall have (bytes); its balloon driver does the rest. False when there is no such guest. */
  setMemoryTarget(domain: Domain, bytes: number): boolean;
  /** Asks a guest to end: control/shutdown = poweroff, reboot, … False when there is no such guest. */
  requestShutdown(domain: Domain, how: string): boolean;
}

/** Filled in by provide.ts. */
export const optionalXen: { make: ((hypervisor: Hypervisor) => XenServices) | null } = { make: null };

const made = new WeakMap<Hypervisor, XenServices>();

/** The services of this host, or null where nobody provided them. */
export function xenServices(hypervisor: Hypervisor): XenServices | null {
  let services = made.get(hypervisor);
  if (!services && optionalXen.make) made.set(hypervisor, (services = optionalXen.make(hypervisor)));
  return services ?? null;
}
