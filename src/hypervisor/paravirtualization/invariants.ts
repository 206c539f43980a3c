// For tests: what must hold of a paravirtualized domain at any moment. It is the reason why direct paging is safe (Barham
// et al. 2003, §3.3.3). `violations` reads it from the machine's memory alone; `miscounts` looks whether what the
// hypervisor counts is true of that memory, and so finds a mistake long before a guest could make anything of it.
import type { Hypervisor } from '../hypervisor.ts';
import { xenServices } from '../xen/services.ts';
import { PTE } from './abi.ts';
import { LEVEL, TYPE } from './layout.ts';
import type { PageTypes } from './page-types.ts';
import type { PvDomain } from './pv-domain.ts';

const hex = (value: number) => (value >>> 0).toString(16);

/** May the domain have this frame of another's in its tables, and write to it? What a test knows of the grants it made. */
export type Granted = (frame: number, write: boolean) => boolean;

/**
 * Sentences about what does not hold: tables that reach outside, writable tables, segments of ring 0.
 * @param granted nothing, when absent
 */
export function violations(hypervisor: Hypervisor, pv: PvDomain, granted: Granted = () => false): string[] {
  const found: string[] = [];
  const { memory } = hypervisor.pc;
  const { frames } = hypervisor;
  const { pae, entryShift, entries, tableShift, hypervisorStart } = pv.layout;
  const own = (frame: number) => frames.owner[frame] === pv.domain.id;
  const entry = (frame: number, n: number) => memory.read32(frame * 4096 + (n << entryShift));
  const high = (frame: number, n: number) => (pae ? memory.read32(frame * 4096 + n * 8 + 4) : 0);
  const tables = new Set<number>();
  const directories: { frame: number; first: number }[] = [];
  const writable = new Map<number, string>();

  const bases = new Set(pv.vcpus.filter((v) => v.initialised).map((v) => v.baseFrame));
  for (const base of bases) {
    if (!own(base)) found.push(`what CR3 names, frame ${hex(base)}h, is not the domain's`);
    if (!pae) directories.push({ frame: base, first: 0 });
    for (let n = 0; pae && n < 4; n++) {
      const pointer = entry(base, n);
      if (!(pointer & PTE.present)) continue;
      if (!own(pointer >>> 12) || pointer & 0x1e6 || high(base, n))
        found.push(`pointer ${n} is ${hex(pointer)}`);
      else directories.push({ frame: pointer >>> 12, first: n << 9 });
    }
    if (pae && !(entry(base, 3) & PTE.present)) found.push('the top GiB has no directory');
  }
  for (const { frame, first } of directories)
    for (let n = 0; n < entries; n++) {
      const pde = entry(frame, n);
      const address = (first + n) * 2 ** tableShift;
      if (address >= hypervisorStart) {
        const wanted = pv.sharedEntries[(address - hypervisorStart) / 2 ** tableShift];
        if ((pde ^ wanted) & ~0x60 || pde & PTE.user || high(frame, n))
          found.push(`the entry of ${hex(address)}h in the directory is ${hex(pde)}`);
        continue;
      }
      if (!(pde & PTE.present)) continue;
      if (!own(pde >>> 12) || pde & PTE.large || high(frame, n))
        found.push(`entry ${n} of directory ${hex(frame)}h leads to frame ${hex(pde >>> 12)}h`);
      else tables.add(pde >>> 12);
    }
  for (const table of tables)
    for (let n = 0; n < entries; n++) {
      const pte = entry(table, n);
      if (!(pte & PTE.present)) continue;
      const allowed = own(pte >>> 12) || granted(pte >>> 12, (pte & PTE.writable) !== 0);
      if (!allowed || high(table, n))
        found.push(`entry ${n} of table ${hex(table)}h maps frame ${hex(pte >>> 12)}h`);
      if (pte & PTE.global) found.push(`entry ${n} of table ${hex(table)}h is global`);
      if (pte & PTE.writable) writable.set(pte >>> 12, `entry ${n} of table ${hex(table)}h`);
    }
  const protectedFrames = [
    ...bases,
    ...directories.map((d) => d.frame),
    ...tables,
    ...pv.vcpus.flatMap((v) => [...v.gdtFrames, ...v.ldtFrames]),
  ];
  for (const frame of protectedFrames) {
    const where = writable.get(frame);
    if (where) found.push(`${where} makes frame ${hex(frame)}h writable, which is a table`);
  }
  return [...found, ...descriptorViolations(hypervisor, pv)].slice(0, 5);
}

/** Each processor's GDT below the hypervisor's page, and its LDT: only segments of rings 1 to 3 that end below the monitor. */
function descriptorViolations(hypervisor: Hypervisor, pv: PvDomain): string[] {
  const found: string[] = [];
  const { memory } = hypervisor.pc;
  const { entryShift, segmentEnd } = pv.layout;
  for (let page = 0; page < 4096 >>> entryShift; page++) {
    const mapping = memory.read32(pv.perDomainTable + (page << entryShift));
    if (!(mapping & PTE.present) || page % 32 === 14) continue;
    if (hypervisor.frames.owner[mapping >>> 12] !== pv.domain.id)
      found.push(`page ${page} of the descriptor tables is frame ${hex(mapping >>> 12)}h`);
    for (let at = (mapping & ~0xfff) >>> 0, end = at + 4096; at < end; at += 8) {
      const low = memory.read32(at);
      const high = memory.read32(at + 4);
      if (!(high & 0x8000)) continue;
      const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
      const field = (low & 0xffff) | (high & 0xf0000);
      const last = base + (high & 0x800000 ? field * 4096 + 4095 : field);
      const expandsDown = (high & 0x1c00) === 0x1400;
      // One that expands down has the offsets above its limit: they must wrap around at 4 GiB before they begin.
      const outside = expandsDown ? last + 1 < 0x100000000 || base >= segmentEnd : last >= segmentEnd;
      if (!(high & 0x1000) || !(high & 0x6000) || outside)
        found.push(`descriptor ${hex(high)}_${hex(low)} in page ${page} of the descriptor tables`);
    }
  }
  return found;
}

/**
 * Sentences about frames whose type or number of references does not say what they are: whatever an entry of a validated
 * table leads to has the type that the entry gives it, in tables that nobody uses yet too, and counts it.
 */
export function miscounts(hypervisor: Hypervisor, types: PageTypes, pv: PvDomain): string[] {
  const found: string[] = [];
  const { memory } = hypervisor.pc;
  const { owner } = hypervisor.frames;
  const { pae, entryShift, guestEntries } = pv.layout;
  const name = (type: number) => Object.keys(TYPE)[type];
  const references = new Map<number, number>();
  /** Entries for other domains' frames: to read, to write. */
  const foreign = new Map<number, [number, number]>();
  for (let frame = 0; frame < owner.length; frame++) {
    const type = owner[frame] === pv.domain.id ? types.typeOf(frame) : TYPE.none;
    if (!LEVEL[type]) continue;
    for (let n = 0; n < guestEntries[type]; n++) {
      const entry = memory.read32(frame * 4096 + (n << entryShift));
      if (!(entry & PTE.present)) continue;
      const target = entry >>> 12;
      if (type === TYPE.table && owner[target] !== pv.domain.id) {
        const rights = foreign.get(target) ?? [0, 0];
        rights[entry & PTE.writable ? 1 : 0]++;
        foreign.set(target, rights);
        continue;
      }
      references.set(target, (references.get(target) ?? 0) + 1);
      const wanted =
        type === TYPE.pointers
          ? n === 3
            ? TYPE.topDirectory
            : TYPE.directory
          : type !== TYPE.table
            ? TYPE.table
            : entry & PTE.writable
              ? TYPE.writable
              : -1;
      const good = owner[target] === pv.domain.id && (wanted < 0 || types.typeOf(target) === wanted);
      if (!good || (pae && memory.read32(frame * 4096 + n * 8 + 4)))
        found.push(
          `entry ${n} of ${name(type)} ${hex(frame)}h is ${hex(entry)}, but that frame is ${name(types.typeOf(target))} of ${owner[target]}`,
        );
    }
  }
  const held = xenServices(hypervisor)?.mappedBy(pv);
  for (const [frame, [reading, writing]] of foreign) {
    const { readers, writers } = held?.get(frame) ?? { readers: 0, writers: 0 };
    if (reading > readers || writing > writers)
      found.push(
        `frame ${hex(frame)}h of another is mapped ${reading} times to read and ${writing} to write, by ${readers} and ${writers} handles`,
      );
  }
  for (const frame of pv.vcpus.flatMap((v) => [...v.gdtFrames, ...v.ldtFrames]))
    if (types.typeOf(frame) !== TYPE.gdt) found.push(`descriptor frame ${hex(frame)}h has another type`);
  for (let frame = 0; frame < owner.length; frame++) {
    if (owner[frame] !== pv.domain.id) continue;
    const counted = types.countsOf(frame);
    if (counted.references < (references.get(frame) ?? 0))
      found.push(`frame ${hex(frame)}h counts ${counted.references} of ${references.get(frame)} references`);
    if (counted.uses > counted.references) found.push(`frame ${hex(frame)}h has more uses than references`);
  }
  return found.slice(0, 5);
}
