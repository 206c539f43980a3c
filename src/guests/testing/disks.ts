// The program that asks drives (exercisers/disks.asm), the drives it is written for, and what QEMU's drives answered: for
// tests on the bare machine and under hypervisors.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemble } from '../../assembler/assemble.ts';
import { type Drive, Medium } from '../../machine/devices/storage/medium.ts';

const GUESTS = join(import.meta.dirname, '..');
export const DISKS = 'exercisers/disks.asm';
/** Serial text of QEMU. */
export const expectedText = (): string =>
  readFileSync(join(GUESTS, 'exercisers/disks/expected.txt'), 'latin1');

export const assembledDisks = () =>
  assemble((name) => {
    try {
      return readFileSync(join(GUESTS, name), 'utf8');
    } catch {
      return undefined;
    }
  }, DISKS);

/** Numbers of a linear congruential generator: no two sectors are equal, and no sector is a partition table. */
function numbers(bytes: number): Uint8Array {
  const words = new Uint32Array(bytes / 4);
  let seed = 12345;
  for (let n = 0; n < words.length; n++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    words[n] = seed;
  }
  return new Uint8Array(words.buffer);
}

/** Contents of the three drives. */
export const diskImages = () => ({
  disk: numbers(20480 * 512),
  cd: numbers(200 * 2048),
  floppy: numbers(2880 * 512),
});

/** Drives with these contents, nothing written yet. */
export function diskDrives(images = diskImages()): Drive[] {
  return [
    { kind: 'hard-disk', medium: new Medium(images.disk) },
    { kind: 'cd', medium: new Medium(images.cd, 2048, true) },
    { kind: 'floppy', medium: new Medium(images.floppy) },
  ];
}
