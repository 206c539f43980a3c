// Media that loaders boot from, made with the loaders' own tools: a CD and a hard disk of GRUB, a diskette, a hard disk and a
// CD of SYSLINUX. The tools are Debian packages for this machine, unpacked beside the others and run from there.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { nativeClosure, unpack } from './debian.ts';

const MIB = 2 ** 20;
const PARTITION = MIB;
const SECTOR = 512;
const TOOLS = ['grub-common', 'xorriso', 'mtools', 'syslinux'];

let environment: NodeJS.ProcessEnv | null = null;

/** Runs a tool. Throws with what it said when it fails. */
function tool(name: string, ...words: string[]): void {
  environment ??= toolEnvironment();
  const { status, stderr, error } = spawnSync(name, words, { env: environment, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} ${words.join(' ')}: ${error ?? stderr}`);
}

function toolEnvironment(): NodeJS.ProcessEnv {
  const roots = nativeClosure(TOOLS).map((name) => unpack(name, 'native'));
  const under = (...paths: string[]) =>
    roots.flatMap((root) => paths.map((path) => join(root, path))).filter((path) => existsSync(path));
  const libraries = under('usr/lib', 'lib').flatMap((folder) => [folder, ...triplets(folder)]);
  return {
    ...process.env,
    PATH: [...under('usr/bin', 'usr/sbin'), process.env.PATH, '/usr/sbin', '/sbin'].join(':'),
    LD_LIBRARY_PATH: libraries.join(':'),
    MTOOLS_SKIP_CHECK: '1',
    // mtools asks for a file of settings; there is none.
    MTOOLSRC: '/dev/null',
  };
}

/** /usr/lib/x86_64-linux-gnu and the like. */
function triplets(folder: string): string[] {
  const { stdout } = spawnSync('gcc', ['-dumpmachine'], { encoding: 'utf8' });
  const names = [stdout?.trim(), 'x86_64-linux-gnu', 'aarch64-linux-gnu'].filter(Boolean);
  return names.map((name) => join(folder, name)).filter((path) => existsSync(path));
}

/** What goes onto a medium: the files, and what its loader shall do with them. */
interface Contents {
  /** By name in the folder /boot. */
  files: ReadonlyMap<string, string>;
  /** GRUB's or SYSLINUX's configuration. */
  configuration: string;
}

const grubModules = () => join(unpack('grub-pc-bin'), 'usr/lib/grub/i386-pc');

/** A folder with /boot and GRUB's configuration. */
function grubTree({ files, configuration }: Contents): string {
  const tree = mkdtempSync(join(tmpdir(), 'ringside-media-'));
  mkdirSync(join(tree, 'boot/grub'), { recursive: true });
  for (const [name, file] of files) copyFileSync(file, join(tree, 'boot', name));
  writeFileSync(join(tree, 'boot/grub/grub.cfg'), configuration);
  return tree;
}

/** A CD as grub-mkrescue makes it. @returns its file */
export function grubCd(contents: Contents): string {
  const tree = grubTree(contents);
  const iso = join(mkdtempSync(join(tmpdir(), 'ringside-media-')), 'grub.iso');
  const small = ['--locales=', '--fonts=', '--themes='];
  tool('grub-mkrescue', '-d', grubModules(), ...small, '-o', iso, tree);
  return iso;
}

/** A hard disk with one ext2 partition, GRUB's boot sector and its core behind that, as grub-install leaves them. */
export function grubDisk(contents: Contents, megabytes: number): string {
  const tree = grubTree(contents);
  const folder = mkdtempSync(join(tmpdir(), 'ringside-media-'));
  const [core, partition, disk] = ['core.img', 'partition', 'grub.img'].map((name) => join(folder, name));
  const modules = 'biosdisk part_msdos ext2 multiboot linux normal serial terminal configfile boot';
  const target = ['-O', 'i386-pc', '-p', '(hd0,msdos1)/boot/grub', '-o', core];
  tool('grub-mkimage', '-d', grubModules(), ...target, ...modules.split(' '));
  tool('mke2fs', '-q', '-t', 'ext2', '-r', '1', '-b', '1024', '-d', tree, partition, `${megabytes}M`);
  const bytes = partitioned(0x83, megabytes * MIB);
  bytes.set(readFileSync(join(grubModules(), 'boot.img')).subarray(0, 440));
  bytes.set(readFileSync(core), SECTOR);
  bytes.set(readFileSync(partition), PARTITION);
  writeFileSync(disk, bytes);
  return disk;
}

/** A disk with one active partition from 1 MiB on. */
function partitioned(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(PARTITION + length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x80, 0x20, 0x21, 0, type, 0xfe, 0xff, 0xff], 446);
  view.setUint32(454, PARTITION / SECTOR, true);
  view.setUint32(458, length / SECTOR, true);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

/** Copies files and configuration into a FAT file system that mtools can reach as `drive`. */
function fillFat(drive: string, { files, configuration }: Contents, folder: string): void {
  const settings = join(folder, 'syslinux.cfg');
  writeFileSync(settings, configuration);
  tool('mcopy', '-i', drive, settings, '::syslinux.cfg');
  for (const [name, file] of files) tool('mcopy', '-i', drive, file, `::${name}`);
}

/** A 1.44 MB diskette with SYSLINUX. */
export function syslinuxFloppy(contents: Contents): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-media-'));
  const image = join(folder, 'floppy.img');
  tool('mformat', '-C', '-f', '1440', '-i', image, '::');
  tool('syslinux', '--install', image);
  fillFat(image, contents, folder);
  return image;
}

/** A hard disk with one FAT partition, SYSLINUX in it and its master boot record before it. */
export function syslinuxDisk(contents: Contents, megabytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-media-'));
  const image = join(folder, 'syslinux.img');
  const bytes = partitioned(0x0e, megabytes * MIB);
  const mbr = join(unpack('syslinux-common'), 'usr/lib/syslinux/mbr/mbr.bin');
  bytes.set(readFileSync(mbr).subarray(0, 440));
  writeFileSync(image, bytes);
  const drive = `${image}@@${PARTITION}`;
  const geometry = ['-T', `${(megabytes * MIB) / SECTOR}`, '-h', '255', '-s', '63'];
  tool('mformat', '-i', drive, ...geometry, '-H', `${PARTITION / SECTOR}`, '::');
  tool('syslinux', '--offset', `${PARTITION}`, '--install', image);
  fillFat(drive, contents, folder);
  return image;
}

/** A CD with ISOLINUX, booted without emulation. */
export function isolinuxCd({ files, configuration }: Contents): string {
  const tree = mkdtempSync(join(tmpdir(), 'ringside-media-'));
  const modules = join(unpack('syslinux-common'), 'usr/lib/syslinux/modules/bios');
  copyFileSync(join(unpack('isolinux'), 'usr/lib/ISOLINUX/isolinux.bin'), join(tree, 'isolinux.bin'));
  for (const name of ['ldlinux.c32', 'mboot.c32', 'libcom32.c32'])
    if (existsSync(join(modules, name))) cpSync(join(modules, name), join(tree, basename(name)));
  for (const [name, file] of files) copyFileSync(file, join(tree, name));
  writeFileSync(join(tree, 'isolinux.cfg'), configuration);
  const iso = join(mkdtempSync(join(tmpdir(), 'ringside-media-')), 'isolinux.iso');
  const boot = ['-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot', '-boot-load-size', '4'];
  tool('xorriso', '-as', 'mkisofs', '-quiet', '-o', iso, ...boot, '-boot-info-table', tree);
  return iso;
}
