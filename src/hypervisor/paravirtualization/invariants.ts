// For tests: what must hold of a paravirtualized domain at any moment. It is the reason why direct paging is safe (Barham
// et al. 2003, §3.3.3). `violations` reads it from the machine's memory alone; `miscounts` looks whether what the
// hypervisor counts is true of that memory, and so finds a mistake long before a guest could make anything of it.
import type { Hypervisor } from '../hypervisor.ts';
import { PTE } from './abi.ts';
import { type PageTypes, TYPE } from './page-types.ts';
import type { PvDomain } from './pv-domain.ts';

const OWN_ENTRIES = 1008;
const PER_DOMAIN = 1010;

/** Sentences about what does not hold: tables that reach outside, writable tables, segments of ring 0. */
export function violations(hypervisor: Hypervisor, pv: PvDomain): string[] {
  const found: string[] = [];
  const { memory } = hypervisor.pc;
  const { frames, monitor } = hypervisor;
  const own = (frame: number) => frames.owner[frame] === pv.domain.id;
  const entry = (frame: number, n: number) => memory.read32(frame * 4096 + n * 4);
  const tables = new Set<number>();
  const writable = new Map<number, string>();

  if (!own(pv.baseFrame))
    found.push(`the directory, frame ${pv.baseFrame.toString(16)}h, is not the domain's`);
  for (let n = 0; n < 1024; n++) {
    const pde = entry(pv.baseFrame, n);
    if (n >= OWN_ENTRIES) {
      const wanted =
        n === PER_DOMAIN ? pv.perDomainTable >>> 12 : monitor.sharedEntries[n - OWN_ENTRIES] >>> 12;
      if (pde >>> 12 !== wanted || pde & PTE.user)
        found.push(`entry ${n} of the directory is ${pde.toString(16)}`);
      continue;
    }
    if (!(pde & PTE.present)) continue;
    const table = pde >>> 12;
    if (!own(table) || pde & PTE.large)
      found.push(`entry ${n} of the directory leads to frame ${table.toString(16)}h`);
    else tables.add(table);
  }
  for (const table of tables) {
    for (let n = 0; n < 1024; n++) {
      const pte = entry(table, n);
      if (!(pte & PTE.present)) continue;
      if (!own(pte >>> 12))
        found.push(`entry ${n} of table ${table.toString(16)}h maps frame ${(pte >>> 12).toString(16)}h`);
      if (pte & PTE.global) found.push(`entry ${n} of table ${table.toString(16)}h is global`);
      if (pte & PTE.writable) writable.set(pte >>> 12, `entry ${n} of table ${table.toString(16)}h`);
    }
  }
  for (const frame of [pv.baseFrame, ...tables, ...pv.gdtFrames]) {
    const where = writable.get(frame);
    if (where) found.push(`${where} makes frame ${frame.toString(16)}h writable, which is a table`);
  }
  return [...found, ...descriptorViolations(hypervisor, pv)].slice(0, 5);
}

/** The processor's GDT below the hypervisor's page: only segments of rings 1 to 3 that end below the monitor. */
function descriptorViolations(hypervisor: Hypervisor, pv: PvDomain): string[] {
  const found: string[] = [];
  const { memory } = hypervisor.pc;
  for (let page = 0; page < 14; page++) {
    const mapping = memory.read32(pv.perDomainTable + page * 4);
    if (!(mapping & PTE.present)) continue;
    for (let at = mapping & ~0xfff; at < (mapping & ~0xfff) + 4096; at += 8) {
      const low = memory.read32(at);
      const high = memory.read32(at + 4);
      if (!(high & 0x8000)) continue;
      const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
      const field = (low & 0xffff) | (high & 0xf0000);
      const end = base + (high & 0x800000 ? field * 4096 + 4095 : field);
      const expandsDown = (high & 0x1c00) === 0x1400;
      if (!(high & 0x1000) || !(high & 0x6000) || expandsDown || end >= 0xfc400000)
        found.push(
          `descriptor ${(high >>> 0).toString(16)}_${(low >>> 0).toString(16)} in page ${page} of the GDT`,
        );
    }
  }
  return found;
}

/**
 * Sentences about frames whose type does not say what they are: whatever an entry of a validated table leads to has the
 * type that the entry gives it (a writable mapping: writable; a directory's: table), in tables that nobody uses yet too.
 */
export function miscounts(hypervisor: Hypervisor, types: PageTypes, pv: PvDomain): string[] {
  const found: string[] = [];
  const { memory } = hypervisor.pc;
  const { owner } = hypervisor.frames;
  const name = (type: number) => Object.keys(TYPE)[type];
  for (let frame = 0; frame < owner.length; frame++) {
    const type = owner[frame] === pv.domain.id ? types.typeOf(frame) : TYPE.none;
    if (type !== TYPE.table && type !== TYPE.directory) continue;
    for (let n = 0; n < (type === TYPE.directory ? OWN_ENTRIES : 1024); n++) {
      const entry = memory.read32(frame * 4096 + n * 4);
      if (!(entry & PTE.present)) continue;
      const target = entry >>> 12;
      const wanted = type === TYPE.directory ? TYPE.table : entry & PTE.writable ? TYPE.writable : -1;
      const good = owner[target] === pv.domain.id && (wanted < 0 || types.typeOf(target) === wanted);
      if (!good)
        found.push(
          `entry ${n} of ${name(type)} ${frame.toString(16)}h is ${(entry >>> 0).toString(16)}, but that frame is ${name(types.typeOf(target))} of ${owner[target]}`,
        );
    }
  }
  for (const frame of pv.gdtFrames)
    if (types.typeOf(frame) !== TYPE.gdt) found.push(`GDT frame ${frame.toString(16)}h has another type`);
  return found.slice(0, 5);
}
