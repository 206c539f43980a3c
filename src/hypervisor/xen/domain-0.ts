// What domain 0 does for the guests of a host: the store, the toolstack's nodes for each guest, the back ends of their
// devices, the bridge between them, their memory targets. It runs in the hypervisor and touches guests through grants and
// shared rings only (decisions/domain-0.md).
import type { Domain } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { BootOptions } from '../technique.ts';
import type { BlockBackend } from './block-backend.ts';
import { Bridge } from './bridge.ts';
import { SplitDevice } from './device.ts';
import { blockDevice, netDevice } from './devices.ts';
import { raiseEvent } from './event-channels.ts';
import { GrantCalls } from './grant-calls.ts';
import { GrantTables } from './grants.ts';
import { domidOf, type XenGuest, xenGuests } from './guest.ts';
import type { NetBackend } from './net-backend.ts';
import type { XenServices } from './services.ts';
import { StoreConnection } from './store/connection.ts';
import { Store } from './store/store.ts';

interface Served {
  readonly guest: XenGuest;
  readonly connection: StoreConnection;
  readonly devices: SplitDevice[];
  readonly disks: { backendNow(): BlockBackend | null }[];
  readonly net: { backendNow(): NetBackend | null } | null;
}

/** Least that a guest can be told to shrink to (bytes). */
const MIN_TARGET = 1 << 20;

export class DomainZero implements XenServices {
  readonly store = new Store();
  readonly grants: GrantTables;
  readonly calls: GrantCalls;
  private readonly bridge = new Bridge();
  private readonly served = new Map<XenGuest, Served>();

  constructor(private readonly hypervisor: Hypervisor) {
    this.grants = new GrantTables(hypervisor);
    this.calls = new GrantCalls(hypervisor, this.grants);
  }

  start(guest: XenGuest, options: BootOptions): void {
    const { store } = this;
    const { domain } = guest;
    const domid = domidOf(domain);
    const home = `/local/domain/${domid}`;
    const put = (node: string, value: string, owner = 0) =>
      store.put(`${home}/${node}`, value, owner, [domid]);
    store.put(home, '', 0, [domid]);
    put('domid', `${domid}`);
    put('name', domain.name.replace(/[^\x20-\x7e]/g, '?'));
    put('memory/target', `${domain.memory.size / 1024}`);
    put('memory/static-max', `${domain.memory.size / 1024}`);
    for (const { id } of domain.vcpus) put(`cpu/${id}/availability`, 'online');
    put('control', '', 0);
    put('control/shutdown', '', domid);
    // Where a guest keeps what it wants to say.
    for (const own of ['data', 'device', 'error', 'drivers', 'attr']) put(own, '', domid);
    if (guest.consoleRing) {
      const port = guest.ports.findIndex((p) => p?.kind === 'console');
      put('console/ring-ref', `${guest.consoleRing / 4096}`);
      put('console/port', `${port}`);
      put('console/type', 'xenconsoled');
      put('console/limit', '1048576');
    }
    const connection = new StoreConnection(this.hypervisor, store, guest, () => this.raiseStore(guest));
    const devices: SplitDevice[] = [];
    const disks: Served['disks'] = [];
    const raise = (port: number) => raiseEvent(this.hypervisor, guest, port);
    let disk = 0;
    for (const drive of options.drives ?? []) {
      const kind = blockDevice(this.hypervisor, this.grants, guest, drive, disk);
      if (!kind) continue;
      disk++;
      devices.push(new SplitDevice(store, guest, kind, raise));
      disks.push(kind);
    }
    const net = options.network ? netDevice(this.hypervisor, this.grants, guest, this.bridge) : null;
    if (net) devices.push(new SplitDevice(store, guest, net, raise));
    this.served.set(guest, { guest, connection, devices, disks, net });
    // A word to whoever listens from the start: there are devices to look for.
    if (devices.length) this.raiseStore(guest);
  }

  private raiseStore(guest: XenGuest): void {
    const port = guest.ports.findIndex((p) => p?.kind === 'store');
    if (port > 0) raiseEvent(this.hypervisor, guest, port);
  }

  end(guest: XenGuest): void {
    const served = this.served.get(guest);
    for (const device of served?.devices ?? []) device.destroy();
    this.calls.maps.end(guest);
    if (!served) return;
    const domid = domidOf(guest.domain);
    this.store.forget(domid);
    this.store.delete(`/local/domain/${domid}`);
    this.served.delete(guest);
  }

  storeNotified(guest: XenGuest): void {
    this.served.get(guest)?.connection.serve();
  }

  mappedBy(guest: XenGuest): ReadonlyMap<number, { readers: number; writers: number }> {
    return this.calls.maps.mappedBy(guest);
  }

  grantTable(guest: XenGuest, command: number, list: number, count: number): number {
    return this.calls.operate(guest, command, list, count);
  }

  private tell(domain: Domain, node: string, value: string): boolean {
    const guest = xenGuests(this.hypervisor).get(domidOf(domain));
    if (!guest || !this.served.has(guest)) return false;
    this.store.put(`/local/domain/${domidOf(domain)}/${node}`, value);
    // It may not listen to the store yet: its port says that it should.
    this.raiseStore(guest);
    return true;
  }

  setMemoryTarget(domain: Domain, bytes: number): boolean {
    const most = domain.memory.size;
    const target = Math.min(most, Math.max(MIN_TARGET, Math.floor(bytes / 4096) * 4096));
    return this.tell(domain, 'memory/target', `${target / 1024}`);
  }

  requestShutdown(domain: Domain, how: string): boolean {
    return this.tell(domain, 'control/shutdown', how);
  }

  /** What a guest's devices have moved so far (xentop's columns). */
  traffic(domain: Domain): {
    readonly disks: readonly (BlockBackend | null)[];
    readonly net: NetBackend | null;
  } {
    const guest = xenGuests(this.hypervisor).get(domidOf(domain));
    const served = guest && this.served.get(guest);
    return { disks: served?.disks.map((d) => d.backendNow()) ?? [], net: served?.net?.backendNow() ?? null };
  }
}
