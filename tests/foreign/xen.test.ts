// A Xen guest that others wrote: Debian's GRUB for Xen (grub-i386-xen.bin), a PAE kernel for the ABI xen-3.0-x86_32p. It
// builds its own three-level tables, maps console, store and grant table itself, finds a disk through the store and reads its
// partition table over a shared ring; then it answers what one types.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Answer, Request } from './drive.ts';
import { xenPackage } from './xen-packages.ts';

const found = xenPackage('grub-xen-host');
if ('reason' in found) console.warn(`GRUB for Xen is skipped: ${found.reason}`);

const SECTOR = 512;
const PROMPT = 'grub> ';

/** A disk of 2 MiB with one partition. */
function disk(): Uint8Array {
  const bytes = new Uint8Array(4096 * SECTOR);
  bytes.set([0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0], 446);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function boot(folder: string, talk: Request['talk'], disks: string[] = []): Answer {
  const request: Request = {
    image: join('folder' in found ? found.folder : '', 'usr/lib/grub-xen/grub-i386-xen.bin'),
    technique: 'paravirtualization',
    memoryMiB: 32,
    clockHz: 3_800_000_000,
    disks,
    talk,
    maxSeconds: 900,
  };
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
  const words = ['--import', 'tsx', 'tests/foreign/drive.ts', join(folder, 'request.json')];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout) as Answer;
}

/** What a terminal would show of it, without the cursor's movements. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals are made of them
const plain = (text: string) => text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');

describe.skipIf('reason' in found)('GRUB for Xen, as Debian built it', () => {
  it('boots to its prompt, answers, and finds its disk', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringside-xen-'));
    try {
      writeFileSync(join(folder, 'disk.img'), disk());
      const { text, finished, ending } = boot(
        folder,
        [
          [PROMPT, 'help\r'],
          [PROMPT, 'xen_ls device/vbd\r'],
          [PROMPT, 'ls\r'],
          [PROMPT, 'set x=42; echo six times seven is $x.\r'],
          ['is 42.', ''],
        ],
        [join(folder, 'disk.img')],
      );
      const shown = plain(text);
      expect([finished, ending], shown.slice(-2000)).toEqual([true, '']);
      expect(shown).toContain('Welcome to GRUB!');
      expect(shown).toMatch(/GNU GRUB {2}version 2\.\d\d/);
      expect(shown).toContain('xen_cat [DIR]');
      expect(shown, 'the number of xvda, from the store').toMatch(/\n\r?51712\n/);
      expect(shown).toMatch(/\(xen\/xvda\) \(xen\/xvda,msdos1\)/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('shuts down when it is told to', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringside-xen-'));
    try {
      const { ending } = boot(folder, [
        [PROMPT, 'halt\r'],
        ['never comes', ''],
      ]);
      expect(ending).toBe('the guest shut down');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
