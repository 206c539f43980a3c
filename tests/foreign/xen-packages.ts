// Packages for Xen, of whatever architecture this machine has: guests of 32 bits and public headers are in them all the
// same. Fetched by the machine's own package client, into the cache; nothing of the system changes, nothing is committed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';

const CACHE = resolve('node_modules/.cache/ringside-foreign/xen');

/** Unpacks a package. @returns its folder, or the sentence that says why it cannot be had */
export function xenPackage(name: string): { folder: string } | { reason: string } {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return { folder };
  if (spawnSync('which', ['apt-get', 'dpkg-deb']).status !== 0)
    return { reason: `${name} cannot be fetched: this is not a Debian system` };
  mkdirSync(CACHE, { recursive: true });
  const { stderr } = spawnSync('apt-get', ['-o', 'APT::Sandbox::User=', 'download', '-qq', name], {
    cwd: CACHE,
    encoding: 'utf8',
  });
  const file = readdirSync(CACHE).find((f) => f.startsWith(`${name}_`) && f.endsWith('.deb'));
  if (!file)
    return { reason: `${name} cannot be fetched: ${stderr?.trim().split('\n').pop() || 'no apt-get'}` };
  const part = `${folder}.part`;
  const { status } = spawnSync('dpkg-deb', ['-x', join(CACHE, file), part]);
  if (status !== 0) return { reason: `${file} cannot be unpacked` };
  renameSync(part, folder);
  return { folder };
}
