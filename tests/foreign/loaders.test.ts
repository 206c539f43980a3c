// Boot loaders that others wrote, from media made with their own tools, under our BIOS: GRUB 2 from CD and hard disk,
// SYSLINUX from diskette, hard disk and CD; and what they boot: Debian's Linux, GNU Mach, GRUB Invaders, Memtest86+, iPXE.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { debianKernel, PLAIN, PROMPT, run, type Talk } from './boot.ts';
import { initrd } from './cpio.ts';
import { unpack, whyNoPackages } from './debian.ts';
import { grubCd, grubDisk, isolinuxCd, syslinuxDisk, syslinuxFloppy } from './media.ts';

const missing = whyNoPackages() ?? whyNoPackages('native');
if (missing) console.warn(`boot loaders are skipped: ${missing}`);

/** Firmware and loaders count the clock's ticks while they wait. */
const SLOW_HZ = 100_000_000;
const TO_SHELL: Talk = [
  [PROMPT, 'uname -a; echo do""ne\n'],
  ['done', ''],
];
const LINUX = ['linux', 'initrd.gz'] as const;

describe.skipIf(missing)('boot loaders', () => {
  const files = new Map<string, string>();
  const some = (...names: string[]) => new Map(names.map((name) => [name, files.get(name)!]));
  beforeAll(() => {
    const disk = join(mkdtempSync(join(tmpdir(), 'ringside-foreign-')), 'initrd.gz');
    writeFileSync(disk, initrd(readFileSync(join(unpack('busybox-static'), 'bin/busybox'))));
    files.set('initrd.gz', disk);
    files.set('linux', debianKernel('linux-image-686'));
    files.set('memtest', join(unpack('memtest86+'), 'boot/memtest86+ia32.bin'));
    files.set('invaders', join(unpack('grub-invaders'), 'boot/invaders.exec'));
    files.set('mach.gz', join(unpack('gnumach-image-1.8-486'), 'boot/gnumach-1.8-486.gz'));
    files.set('ipxe.krn', join(unpack('ipxe'), 'boot/ipxe.lkrn'));
  });
  const grub = (command: string) => `serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
menuentry x {
${command}
}
`;
  const grubLinux = grub(`linux /boot/linux ${PLAIN}\ninitrd /boot/initrd.gz`);
  const syslinux = (kernel: string, append = '') =>
    `SERIAL 0 115200\nDEFAULT x\nPROMPT 0\nLABEL x\n KERNEL ${kernel}\n${append}`;
  const syslinuxLinux = syslinux('linux', ` INITRD initrd.gz\n APPEND ${PLAIN}\n`);

  it.each([
    ['GRUB from a CD', () => grubCd({ files: some(...LINUX), configuration: grubLinux })],
    ['GRUB from a hard disk', () => grubDisk({ files: some(...LINUX), configuration: grubLinux }, 24)],
    [
      'SYSLINUX from a hard disk',
      () => syslinuxDisk({ files: some(...LINUX), configuration: syslinuxLinux }, 24),
    ],
    ['ISOLINUX from a CD', () => isolinuxCd({ files: some(...LINUX), configuration: syslinuxLinux })],
  ])('%s boots Linux to its shell', (title, make) => {
    const { text, finished, screen } = run(title, { image: make(), memoryMiB: 96, talk: TO_SHELL });
    expect(finished, text.slice(-2000) + screen).toBe(true);
    expect(text).toMatch(/Linux \(none\) .* i686 GNU\/Linux/);
  });

  it('GRUB boots GNU Mach, by multiboot, as far as it goes without the Hurd’s servers', () => {
    const configuration = grub('multiboot /boot/mach.gz console=com0');
    const image = grubCd({ files: some('mach.gz'), configuration });
    const talk: Talk = [['No bootstrap code loaded with the kernel!', '']];
    const { text, finished } = run('GNU Mach', { image, memoryMiB: 64, clockHz: SLOW_HZ, talk });
    expect(finished, text.slice(-2000)).toBe(true);
    expect(text).toMatch(/RTC time is 2005-12-05 10:00:/);
  });

  it('SeaBIOS, in the place of our BIOS, boots GRUB from a hard disk', () => {
    const configuration = `serial --unit=0 --speed=115200
terminal_output serial
set timeout=-1
menuentry "the only entry" { true }
`;
    const { text, finished } = run('SeaBIOS', {
      image: join(unpack('seabios'), 'usr/share/seabios/bios.bin'),
      disks: [grubDisk({ files: new Map(), configuration }, 4)],
      memoryMiB: 64,
      clockHz: SLOW_HZ,
      talk: [['the only entry', '']],
    });
    expect(finished, text.slice(-2000)).toBe(true);
  });

  it.each([
    ['GRUB Invaders, itself', () => files.get('invaders')!, 'PRESS'],
    ['iPXE, by its real-mode entry', () => files.get('ipxe.krn')!, 'iPXE initialising devices...ok'],
    [
      'SYSLINUX from a diskette boots iPXE',
      () => syslinuxFloppy({ files: some('ipxe.krn'), configuration: syslinux('ipxe.krn') }),
      'iPXE initialising devices...ok',
    ],
    [
      'SYSLINUX from a diskette boots Memtest86+',
      () => syslinuxFloppy({ files: some('memtest'), configuration: syslinux('memtest') }),
      'Status: Testing',
    ],
  ])('%s', (title, image, wait) => {
    const talk: Talk = [[wait, '', 'screen']];
    const { screen, finished } = run(title, {
      image: image(),
      memoryMiB: 32,
      clockHz: SLOW_HZ,
      talk,
      maxSeconds: 300,
    });
    expect(finished, screen).toBe(true);
    expect(screen).not.toMatch(/Errors:\s+[1-9]/);
  });
});
