// The kinds of split devices: what the nodes of a virtual block device and a virtual network interface say (libxl's
// device/vbd and device/vif), and how each connects.
import type { Drive } from '../../machine/devices/storage/medium.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { BlockBackend } from './block-backend.ts';
import type { Bridge } from './bridge.ts';
import type { Connected, DeviceKind } from './device.ts';
import type { GrantMapping, GrantTables } from './grants.ts';
import { domidOf, type XenGuest } from './guest.ts';
import { NetBackend } from './net-backend.ts';

/** Number of the first virtual disk, xvda: major 202, 16 partitions each. */
const XVDA = 202 << 8;
const INFO_CDROM = 1,
  INFO_READONLY = 4;

/** Virtual disk `n`. Null for a diskette: Xen has none. */
export function blockDevice(
  hypervisor: Hypervisor,
  grants: GrantTables,
  guest: XenGuest,
  { kind, medium }: Drive,
  n: number,
): (DeviceKind & { backendNow(): BlockBackend | null }) | null {
  if (kind === 'floppy') return null;
  const handle = XVDA + n * 16;
  let now: BlockBackend | null = null;
  return {
    type: 'vbd',
    handle,
    frontend: { 'virtual-device': `${handle}`, 'device-type': kind === 'cd' ? 'cdrom' : 'disk' },
    backend: {
      dev: `xvd${String.fromCharCode(97 + n)}`,
      mode: medium.readOnly ? 'r' : 'w',
      'feature-barrier': '1',
      'feature-flush-cache': '1',
    },
    connected: {
      sectors: `${BlockBackend.sectors(medium)}`,
      'sector-size': '512',
      info: `${(kind === 'cd' ? INFO_CDROM : 0) | (medium.readOnly ? INFO_READONLY : 0)}`,
    },
    backendNow: () => now,
    connect(read, notify): Connected | null {
      const [shared] = mapAll(grants, guest, [read('ring-ref')]);
      if (!shared) return null;
      const backend = new BlockBackend(hypervisor, grants, guest, medium, shared, notify);
      now = backend;
      return {
        serve: () => backend.serve(),
        close: () => {
          now = null;
          grants.unmap(guest, shared);
        },
      };
    },
  };
}

/** Ethernet address of a guest's interface: in Xen's range 00:16:3e, by the guest's number. */
export const addressOf = (domid: number): string => `00:16:3e:00:00:${domid.toString(16).padStart(2, '0')}`;

export function netDevice(
  hypervisor: Hypervisor,
  grants: GrantTables,
  guest: XenGuest,
  bridge: Bridge,
): DeviceKind & { backendNow(): NetBackend | null } {
  const mac = addressOf(domidOf(guest.domain));
  let now: NetBackend | null = null;
  return {
    type: 'vif',
    handle: 0,
    frontend: { handle: '0', mac },
    backend: { handle: '0', mac, bridge: 'xenbr0', 'feature-rx-copy': '1', 'feature-rx-flip': '0' },
    connected: {},
    backendNow: () => now,
    connect(read, notify): Connected | null {
      if (read('request-rx-copy') !== 1) return null;
      const [tx, rx] = mapAll(grants, guest, [read('tx-ring-ref'), read('rx-ring-ref')]);
      if (!tx || !rx) return null;
      const backend = new NetBackend(hypervisor, grants, guest, bridge, [tx, rx], notify);
      now = backend;
      return {
        serve: () => backend.serve(),
        close: () => {
          now = null;
          backend.close();
          for (const mapping of [tx, rx]) grants.unmap(guest, mapping);
        },
      };
    },
  };
}

/** All of these grants for writing, or none. */
function mapAll(grants: GrantTables, guest: XenGuest, references: readonly number[]): GrantMapping[] {
  const mapped: GrantMapping[] = [];
  for (const reference of references) {
    const mapping = reference < 0 ? -1 : grants.map(guest, reference, true);
    if (typeof mapping === 'number') {
      for (const earlier of mapped) grants.unmap(guest, earlier);
      return [];
    }
    mapped.push(mapping);
  }
  return mapped;
}
