// Guests for the page: images from the bundle; sources fetched when they are needed; whatever a lesson brings along.
import guests from 'virtual:guests';
import { LineMap } from '../assembler/line-map.ts';
import { guestEntry } from '../guests/catalog.ts';
import type { Enlightenment, Paging, TechniqueName } from '../hypervisor/technique.ts';
import type { GuestLibrary, GuestSource, SourceMap } from '../session/library.ts';
import type { Scenario } from '../session/scenario.ts';
import type { GuestFiles, GuestImage, SourceFile } from './protocol.ts';

interface Way {
  technique?: TechniqueName;
  paging?: Paging;
  enlightenments?: readonly Enlightenment[];
}

/** Base64 of raw deflate, as the build packs guests. */
async function unpack(base64: string): Promise<Uint8Array> {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export class BundledLibrary implements GuestLibrary {
  includes: ReadonlyMap<string, string> = new Map();
  assembler: GuestLibrary['assembler'] = null;
  private brought = new Map<string, GuestSource>();

  private readonly fetched = new Map<string, GuestSource>();
  /** What is known of the sources of fetched guests; and for which of them it has been asked for. */
  private readonly maps = new Map<string, { -readonly [K in keyof SourceMap]: SourceMap[K] }>();
  private readonly mapped = new Set<string>();
  private rom: Uint8Array | undefined;

  /** The BIOS, once `loadFirmware` has fetched it. */
  firmware(): Uint8Array | undefined {
    return this.rom;
  }

  /** Fetches the BIOS and the drives: disks can be booted then. */
  async loadFirmware(): Promise<void> {
    await import('../machine/devices/storage/provide.ts');
    await this.loadForOthers();
    this.rom ??= await unpack((await import('virtual:firmware')).rom);
  }

  find(guest: string): GuestSource | undefined {
    return this.brought.get(guest) ?? this.fetched.get(guest);
  }

  /** Fetches guests of ours, so that `find` has them. Unknown names are left to the session's own message. */
  async fetch(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.fetchOne(name)));
  }

  private async fetchOne(name: string): Promise<void> {
    const guest = guests[name];
    if (this.fetched.has(name) || !guest) return;
    const bytes = await unpack(await guest.image());
    if (guest.lines) this.maps.set(name, { lines: new LineMap([]), symbols: new Map() });
    const map = this.maps.get(name);
    this.fetched.set(name, map ? { kind: 'prebuilt', bytes, map } : { kind: 'image', name, bytes });
  }

  /** Fetches which line of a guest of ours is where: whoever has booted it knows from then on. */
  async loadLines(name: string): Promise<void> {
    const map = this.maps.get(name);
    if (!map || this.mapped.has(name)) return;
    this.mapped.add(name);
    const { unpackLines } = await import('../assembler/line-map-codec.ts');
    map.lines = unpackLines(await unpack(await guests[name].lines!()));
  }

  /** Fetches what a scenario's host and guests need beyond the usual. */
  async loadParts({ domains, apic, processors, processor }: Scenario): Promise<void> {
    // Its VT-x has a second generation, and whoever uses that has VPIDs to look after.
    if (processor === 'nehalem') await import('../hypervisor/hardware-assisted/provide.ts');
    if (domains.some((d) => d.disks.length > 0)) await this.loadFirmware();
    if (domains.some((d) => d.network)) await import('../session/provide-xen.ts');
    if (apic || processors > 1) await import('../machine/devices/apic/provide.ts');
    // A guest that is a hypervisor itself.
    if (domains.some((d) => d.guest.startsWith('own-hypervisor'))) await this.loadForOthers();
    for (const domain of domains) await this.loadWay(domain);
  }

  /** For guests that are not ours: ours compute with integers only, ask Xen for little, and are no hypervisors. */
  private async loadForOthers(): Promise<void> {
    await import('../machine/cpu/executors/provide-floating-point.ts');
    await import('../machine/cpu/provide-performance-counters.ts');
    await import('../images/other.ts');
    await import('../machine/devices/provide-scan-set-3.ts');
    await import('../machine/devices/vga/provide.ts');
    await import('../session/provide-xen.ts');
    // The silicon, and the words for its exits.
    await import('../session/provide-svm.ts');
    await import('../hypervisor/hardware-assisted/provide.ts');
  }

  /** Fetches what a way to run a guest needs. */
  async loadWay({ technique, paging, enlightenments }: Way): Promise<void> {
    if (paging === 'nested') await import('../hypervisor/hardware-assisted/provide.ts');
    if (enlightenments?.length) await import('../session/provide-enlightenments.ts');
    if (technique === 'trap-and-emulate') await import('../session/provide-trap-and-emulate.ts');
    if (technique === 'binary-translation') await import('../session/provide-binary-translation.ts');
    if (technique === 'native') await import('../session/provide-native.ts');
    if (technique === 'container') await import('../session/provide-containers.ts');
    if (technique === 'svm') await import('../session/provide-svm.ts');
  }

  /** Fetches the sources and the assembler: what learners include is then there. */
  async loadSources(): Promise<void> {
    if (!this.includes.size) this.includes = (await import('./sources.ts')).SOURCES;
    await this.loadForOthers();
    this.assembler ??= (await import('../assembler/assemble.ts')).assemble;
  }

  /** Guests that a scenario brings along stay until the next scenario. */
  bring(files: readonly GuestFiles[], images: readonly GuestImage[] = []): void {
    this.brought = new Map<string, GuestSource>();
    for (const { guest, files: sources, main } of files)
      this.brought.set(guest, {
        kind: 'source',
        files: new Map(sources.map((f) => [f.name, f.text])),
        main,
        sealed: false,
      });
    for (const { guest, bytes } of images) this.brought.set(guest, { kind: 'image', name: guest, bytes });
  }

  /** The files of a guest that has a source to show. */
  async sources(guest: string): Promise<{ files: SourceFile[]; main: string }> {
    const brought = this.brought.get(guest);
    if (brought?.kind === 'source')
      return { files: [...brought.files].map(([name, text]) => ({ name, text })), main: brought.main };
    const entry = guestEntry(guest);
    if (!entry || entry.sealed) return { files: [], main: '' };
    await this.loadLines(guest);
    await this.loadSources();
    return { files: [...this.includes].map(([name, text]) => ({ name, text })), main: entry.main };
  }
}
