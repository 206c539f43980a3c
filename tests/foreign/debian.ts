// Kernels and programs that nobody here wrote, as Debian packages, fetched with Debian's own package client. Nothing of the
// system changes: the client works on folders of its own, and asks for i386 whatever this machine is. None is committed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where everything that is fetched lies. */
export const CACHE = resolve('node_modules/.cache/ringside-foreign');
const TOOLS = ['apt-get', 'apt-cache', 'dpkg-deb'];

/** Packages of the guests, and of the tools that make media for them. */
type Architecture = 'i386' | 'native';

/** What Debian calls the architectures that Node knows. */
const DEBIAN_NAMES: Partial<Record<string, string>> = { x64: 'amd64', arm: 'armhf', ia32: 'i386' };
/** Where the package client notes the files of what is installed. */
const INSTALLED = '/var/lib/dpkg/info';

const listsOf = (architecture: Architecture) =>
  join(CACHE, architecture === 'i386' ? 'lists' : 'lists-native');

/** Options that keep apt away from the system's state. */
function options(architecture: Architecture = 'i386'): string[] {
  const name = architecture === 'i386' ? 'i386' : (DEBIAN_NAMES[process.arch] ?? process.arch);
  const settings = {
    'APT::Architecture': name,
    'APT::Architectures': name,
    'Dir::State::lists': listsOf(architecture),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(CACHE, 'apt'),
    'APT::Sandbox::User': '',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Why packages cannot be had here, or null. Updates the lists once. */
export function whyNoPackages(architecture: Architecture = 'i386'): string | null {
  for (const tool of TOOLS)
    if (spawnSync('which', [tool]).status !== 0) return `no ${tool}: not a Debian system`;
  const lists = listsOf(architecture);
  mkdirSync(join(lists, 'partial'), { recursive: true });
  mkdirSync(join(CACHE, 'apt/archives/partial'), { recursive: true });
  // One list of several may fail; what matters is that some came.
  const there = () => readdirSync(lists).some((name) => name.includes('Packages'));
  if (there()) return null;
  const { stderr } = spawnSync('apt-get', [...options(architecture), 'update', '-qq'], { encoding: 'utf8' });
  return there() ? null : `the package lists could not be fetched: ${stderr.split('\n')[0]}`;
}

/** The package that a meta-package stands for (linux-image-686 → linux-image-6.1.0-…-686). Throws when there is none. */
export function dependency(name: string): string {
  const { stdout } = spawnSync('apt-cache', [...options(), 'depends', name], { encoding: 'utf8' });
  const found = /Depends: (\S+)/.exec(stdout)?.[1];
  if (!found) throw new Error(`Debian has no package ${name} for i386`);
  return found;
}

/**
 * Some files of a source package as its authors released it.
 * @param paths wildcards of tar, below the top folder
 * @returns the folder with them. Throws when it cannot be had
 */
export function sources(name: string, paths: readonly string[]): string {
  const folder = join(CACHE, `${name}-sources`);
  if (existsSync(folder)) return folder;
  const codename = /VERSION_CODENAME=(\w+)/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const list = join(CACHE, 'sources.list');
  const lists = join(CACHE, 'source-lists');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(list, `deb-src [signed-by=${keyring}] http://deb.debian.org/debian ${codename} main\n`);
  const from = ['-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=/dev/null'];
  const apt = (...words: string[]) =>
    spawnSync('apt-get', [...options(), ...from, '-o', `Dir::State::lists=${lists}`, '-qq', ...words], {
      cwd: CACHE,
      encoding: 'utf8',
    });
  apt('update');
  const { stderr } = apt('source', '--download-only', name);
  const archive = readdirSync(CACHE).find((f) => f.startsWith(`${name}_`) && f.includes('.orig.tar'));
  if (!archive) throw new Error(`the sources of ${name} could not be downloaded: ${stderr}`);
  const unpacked = `${folder}.part`;
  mkdirSync(unpacked, { recursive: true });
  const tar = ['--strip-components=1', '--wildcards', '-xf', join(CACHE, archive), '-C', unpacked];
  spawnSync('tar', [...tar, ...paths.map((path) => `*/${path}`)]);
  renameSync(unpacked, folder);
  return folder;
}

/** Downloads and unpacks a package. @returns the folder with its files. Throws when it cannot be had. */
export function unpack(name: string, architecture: Architecture = 'i386'): string {
  const folder = join(CACHE, architecture === 'i386' ? name : `native-${name}`);
  if (existsSync(folder)) return folder;
  const downloads = join(CACHE, architecture);
  mkdirSync(downloads, { recursive: true });
  const download = spawnSync('apt-get', [...options(architecture), 'download', '-qq', name], {
    cwd: downloads,
    encoding: 'utf8',
  });
  const file = readdirSync(downloads).find((f) => f.startsWith(`${name}_`) && f.endsWith('.deb'));
  if (!file) throw new Error(`${name} could not be downloaded: ${download.stderr}`);
  const { status, stderr } = spawnSync('dpkg-deb', ['-x', join(downloads, file), folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${file} could not be unpacked: ${stderr}`);
  return folder;
}

/** Packages of this machine's architecture and the libraries that they need and this machine has not. */
export function nativeClosure(names: readonly string[]): string[] {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
  const words = ['depends', '--recurse', ...kinds.map((kind) => `--no-${kind}`), ...names];
  const { stdout } = spawnSync('apt-cache', [...options('native'), ...words], { encoding: 'utf8' });
  const installed = new Set(readdirSync(INSTALLED).map((file) => file.replace(/(:\w+)?\.\w+$/, '')));
  const libraries = stdout.split('\n').filter((line) => /^lib\S+$/.test(line) && !installed.has(line));
  return [...names, ...libraries];
}
