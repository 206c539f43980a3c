import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignDrives } from './drive-bays.ts';
import { capacity, chsOf, diskGeometry, floppyFormat, linearSector } from './geometry.ts';
import { type DriveKind, Medium } from './medium.ts';

const geometry = fc.record({
  cylinders: fc.integer({ min: 1, max: 1024 }),
  heads: fc.integer({ min: 1, max: 16 }),
  sectorsPerTrack: fc.integer({ min: 1, max: 255 }),
});

describe('cylinders, heads and sectors', () => {
  it('go to a linear sector and back', () => {
    fc.assert(
      fc.property(geometry, fc.nat(), (g, n) => {
        const linear = n % capacity(g);
        const { cylinder, head, sector } = chsOf(g, linear);
        expect(linearSector(g, cylinder, head, sector)).toBe(linear);
      }),
    );
  });

  it('count every sector once, in order', () => {
    fc.assert(
      fc.property(
        fc.record({
          cylinders: fc.integer({ min: 1, max: 5 }),
          heads: fc.integer({ min: 1, max: 5 }),
          sectorsPerTrack: fc.integer({ min: 1, max: 9 }),
        }),
        (g) => {
          const seen: number[] = [];
          for (let c = 0; c < g.cylinders; c++)
            for (let h = 0; h < g.heads; h++)
              for (let s = 1; s <= g.sectorsPerTrack; s++) seen.push(linearSector(g, c, h, s));
          expect(seen).toEqual([...Array(capacity(g)).keys()]);
        },
      ),
    );
  });

  it('have no sector 0, and none beyond the geometry', () => {
    fc.assert(
      fc.property(geometry, fc.nat(300), fc.nat(20), fc.nat(1100), (g, s, h, c) => {
        const inside = s >= 1 && s <= g.sectorsPerTrack && h < g.heads && c < g.cylinders;
        expect(linearSector(g, c, h, s) >= 0).toBe(inside);
      }),
    );
  });

  it('of a disk never reach beyond it, nor beyond 16 383 cylinders', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1008, max: 2 ** 31 }), (sectors) => {
        const g = diskGeometry(sectors);
        expect(capacity(g)).toBeLessThanOrEqual(sectors);
        expect(g.cylinders).toBeLessThanOrEqual(16_383);
        if (sectors < 16_383 * 1008) expect(sectors - capacity(g)).toBeLessThan(1008);
      }),
    );
  });

  it('of a diskette follow from its size', () => {
    const of = (kib: number) => {
      const { cylinders, heads, sectorsPerTrack, driveType } = floppyFormat(kib * 2);
      return [cylinders, heads, sectorsPerTrack, driveType];
    };
    expect(of(360)).toEqual([40, 2, 9, 1]);
    expect(of(720)).toEqual([80, 2, 9, 3]);
    expect(of(1200)).toEqual([80, 2, 15, 2]);
    expect(of(1440)).toEqual([80, 2, 18, 4]);
    expect(of(2880)).toEqual([80, 2, 36, 5]);
    expect(of(37)).toEqual([80, 2, 18, 4]); // a boot sector and a kernel, not filled up
  });
});

describe('drive bays', () => {
  const drive = (kind: DriveKind, bytes = 2048) => ({
    kind,
    medium: new Medium(new Uint8Array(bytes), kind === 'cd' ? 2048 : 512),
  });

  it('give disks the primary channel, CDs the secondary one', () => {
    const disk = drive('hard-disk');
    const cd = drive('cd');
    const floppy = drive('floppy');
    const bays = assignDrives([cd, disk, floppy]);
    expect(bays.ide).toEqual([disk, null, cd, null]);
    expect(bays.floppies).toEqual([floppy.medium]);
    const five = [disk, drive('hard-disk'), drive('hard-disk')];
    expect(assignDrives([...five, cd]).ide[3]).toBe(five[2]);
  });

  it('are four and two', () => {
    expect(() => assignDrives(Array(5).fill(drive('hard-disk')))).toThrow('four hard disks and CDs');
    expect(() => assignDrives(Array(3).fill(drive('floppy')))).toThrow('two diskette drives');
    expect(() => assignDrives([{ kind: 'cd', medium: new Medium(new Uint8Array(512)) }])).toThrow('2048');
  });
});
