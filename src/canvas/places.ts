// Where something can be on the stage: a stratum of a guest's column, or a station in the hardware.
import { Device } from '../trace/events.ts';
import type { TechniqueName } from '../worker/protocol.ts';

/** Small parts of the hardware that have a mark of their own, left to right. */
export const STATIONS = [
  'processor',
  'mmu',
  'interrupts',
  'timer',
  'serial',
  'screen',
  'keyboard',
  'disk',
] as const;
export type Station = (typeof STATIONS)[number];

export const STATION_LABEL: Readonly<Record<Station, string>> = {
  processor: 'processor',
  mmu: 'MMU',
  interrupts: 'interrupts',
  timer: 'timer',
  serial: 'serial',
  screen: 'screen',
  keyboard: 'keyboard',
  disk: 'disk',
};

/** `guest` is the guest's side of the hypervisor's boundary when the ring is not known; `hardware` a device without a station. */
export type Place = 'user' | 'kernel' | 'guest' | 'hypervisor' | 'hardware' | Station;

/** A place in the column of a domain; domain -1 is the host's own. */
export interface Spot {
  readonly domain: number;
  readonly place: Place;
}

/** What the stage must know of a guest. `DomainInfo` of the protocol fits. */
export interface ColumnInfo {
  readonly id: number;
  readonly name: string;
  readonly technique: TechniqueName;
  readonly kernelRing: 0 | 1;
  readonly nonRoot: boolean;
}

/** The boundaries whose traffic a frame counts. */
export const BOUNDARIES = ['userKernel', 'kernelHypervisor', 'kernelHardware', 'hypervisorHardware'] as const;
export type Boundary = (typeof BOUNDARIES)[number];

const IN_GUEST = new Set<Place>(['user', 'kernel', 'guest']);

/** The lowest boundary that lies between two places, or null when they are on the same side of all. */
export function boundaryBetween(a: Place, b: Place): Boundary | null {
  const low = (place: Place) => (IN_GUEST.has(place) ? 0 : place === 'hypervisor' ? 1 : 2);
  const [upper, lower] = low(a) <= low(b) ? [a, b] : [b, a];
  if (low(upper) === 0 && low(lower) === 2) return 'kernelHardware';
  if (low(upper) === 0 && low(lower) === 1) return 'kernelHypervisor';
  if (low(upper) === 1 && low(lower) === 2) return 'hypervisorHardware';
  return (a === 'user') !== (b === 'user') ? 'userKernel' : null;
}

/** The station of a `Device.*` id. */
export function stationOf(device: number): Station | 'hardware' {
  switch (device) {
    case Device.pic:
      return 'interrupts';
    case Device.pit:
    case Device.cmos:
      return 'timer';
    case Device.serial:
    case Device.debug:
      return 'serial';
    case Device.keyboard:
    case Device.mouse:
      return 'keyboard';
    case Device.vga:
      return 'screen';
    case Device.disk:
    case Device.floppy:
      return 'disk';
    default:
      return 'hardware';
  }
}

/** The station that raises a line of the PC's interrupt controllers. */
export function stationOfIrq(line: number): Station {
  switch (line) {
    case 0:
    case 8:
      return 'timer';
    case 1:
    case 12:
      return 'keyboard';
    case 3:
    case 4:
      return 'serial';
    case 14:
    case 15:
      return 'disk';
    default:
      return 'interrupts';
  }
}
