// Where the drives of a machine go: hard disks to the primary channel, CDs to the secondary one, as QEMU's -hda and -cdrom
// do; what finds no place there goes to the other channel. Diskettes have their own controller, with two drives.
import type { Drive, DriveKind, Medium } from './medium.ts';

/** Places of the four IDE drives (0, 1 primary; 2, 3 secondary), in the order in which a kind takes them. */
const ORDER: Record<Exclude<DriveKind, 'floppy'>, readonly number[]> = {
  cd: [2, 3, 1, 0],
  'hard-disk': [0, 1, 3, 2],
};

export interface DriveBays {
  /** Four places: primary device 0 and 1, secondary device 0 and 1. */
  readonly ide: readonly (Drive | null)[];
  /** Drives A and B. */
  readonly floppies: readonly Medium[];
}

/** Gives every drive its place. Throws RangeError when there are more than a PC takes, or a sector size does not fit the kind. */
export function assignDrives(drives: readonly Drive[]): DriveBays {
  const ide: (Drive | null)[] = [null, null, null, null];
  for (const kind of ['cd', 'hard-disk'] as const) {
    for (const drive of drives.filter((d) => d.kind === kind)) {
      const place = ORDER[kind].find((n) => ide[n] === null);
      if (place === undefined) throw new RangeError('a PC takes four hard disks and CDs, no more');
      ide[place] = drive;
    }
  }
  const floppies = drives.filter((d) => d.kind === 'floppy').map((d) => d.medium);
  if (floppies.length > 2) throw new RangeError('a PC takes two diskette drives, no more');
  for (const { kind, medium } of drives) {
    const size = kind === 'cd' ? 2048 : 512;
    if (medium.sectorSize !== size) throw new RangeError(`sectors of a ${kind} have ${size} bytes`);
  }
  return { ide, floppies };
}
