// Cylinders, heads and sectors of a drive, and their way to a linear sector number: ATA/ATAPI-6 (T13 1410D) §6.2 for disks,
// the formats of ECMA-78, -99, -100 and -125 for diskettes. Sectors count from 1, heads and cylinders from 0.

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** Sector number of an address, or -1 when the geometry has no such address. */
export function linearSector(g: Geometry, cylinder: number, head: number, sector: number): number {
  if (sector < 1 || sector > g.sectorsPerTrack || head >= g.heads || cylinder >= g.cylinders) return -1;
  return (cylinder * g.heads + head) * g.sectorsPerTrack + sector - 1;
}

/** The inverse of `linearSector`. */
export function chsOf(g: Geometry, linear: number): { cylinder: number; head: number; sector: number } {
  const track = Math.floor(linear / g.sectorsPerTrack);
  return {
    cylinder: Math.floor(track / g.heads),
    head: track % g.heads,
    sector: (linear % g.sectorsPerTrack) + 1,
  };
}

/** The translation that a disk announces: 16 heads of 63 sectors, at most 16 383 cylinders (ATA/ATAPI-6 §6.2.1). */
export function diskGeometry(sectors: number): Geometry {
  const heads = 16;
  const sectorsPerTrack = 63;
  const cylinders = Math.max(1, Math.min(16_383, Math.floor(sectors / (heads * sectorsPerTrack))));
  return { cylinders, heads, sectorsPerTrack };
}

/** A diskette format: geometry, the drive it needs (type in CMOS byte 10h), and bytes per second at the head. */
export interface FloppyFormat extends Geometry {
  /** 1 = 360 KB 5¼″, 2 = 1.2 MB 5¼″, 3 = 720 KB 3½″, 4 = 1.44 MB 3½″, 5 = 2.88 MB 3½″. */
  readonly driveType: number;
  /** Data rate in kbit/s. */
  readonly rate: number;
}

const FORMATS: readonly FloppyFormat[] = [
  { cylinders: 40, heads: 1, sectorsPerTrack: 8, driveType: 1, rate: 250 },
  { cylinders: 40, heads: 1, sectorsPerTrack: 9, driveType: 1, rate: 250 },
  { cylinders: 40, heads: 2, sectorsPerTrack: 8, driveType: 1, rate: 250 },
  { cylinders: 40, heads: 2, sectorsPerTrack: 9, driveType: 1, rate: 250 },
  { cylinders: 80, heads: 2, sectorsPerTrack: 9, driveType: 3, rate: 250 },
  { cylinders: 80, heads: 2, sectorsPerTrack: 15, driveType: 2, rate: 500 },
  { cylinders: 80, heads: 2, sectorsPerTrack: 18, driveType: 4, rate: 500 },
  { cylinders: 80, heads: 2, sectorsPerTrack: 36, driveType: 5, rate: 1000 },
];

/** Sectors of a format in all. */
export const capacity = (g: Geometry): number => g.cylinders * g.heads * g.sectorsPerTrack;

/** The format of an image: the one it fills, else the smallest common one (1.44 MB, 2.88 MB) that holds it. */
export function floppyFormat(sectors: number): FloppyFormat {
  return (
    FORMATS.find((f) => capacity(f) === sectors) ??
    FORMATS.find((f) => f.driveType >= 4 && capacity(f) >= sectors) ??
    FORMATS[FORMATS.length - 1]
  );
}
