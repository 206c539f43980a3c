// Builds a paravirtualized domain as Xen 3.0's domain builder does (tools/libxc/xc_linux_build.c): the kernel at its
// virtual base, then initrd, frame list, start_info, store page, console page, page tables and a boot stack, all mapped;
// page tables read-only. The guest starts at ring 1 with ESI → start_info.
import { type Image, ImageError, imageEnd, loadSegments, type XenInfo } from '../../images/image.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PER_DOMAIN_START, SELECTOR } from '../monitor.ts';
import type { BootOptions } from '../technique.ts';
import type { EventChannels } from '../xen/event-channels.ts';
import { HYPERCALL, PTE, SHARED_INFO, START_INFO, VCPU_INFO_SIZE } from './abi.ts';
import { descriptorSlot } from './descriptors.ts';
import { TYPE } from './layout.ts';
import type { HypervisorArea } from './pae-area.ts';
import type { PageTypes } from './page-types.ts';
import type { PvDomain } from './pv-domain.ts';

const PAGE = 4096;
const up = (value: number, to: number) => Math.ceil(value / to) * to;
const PAD = 512 * 1024;

/** Lays the domain out, or throws ImageError. Returns nothing: everything is in memory and in `pv`. */
export function buildDomain(
  hypervisor: Hypervisor,
  types: PageTypes,
  events: EventChannels,
  pv: PvDomain,
  image: Image,
  xen: XenInfo,
  options: BootOptions,
  area: HypervisorArea,
): void {
  const { domain } = pv;
  const { memory } = hypervisor.pc;
  const { frames } = hypervisor;
  if (domain.memory.pages * PAGE < 2 * 1024 * 1024)
    throw new ImageError(`a paravirtualized domain needs at least 2 MiB of memory`);
  domain.memory.populate(0, domain.memory.pages);
  domain.memory.p2m.forEach((machine, guest) => hypervisor.monitor.setMachineToPhysical(machine, guest));

  const base = xen.virtualBase >>> 0;
  const toGuest = (virtual: number) => virtual - base;
  loadSegments(domain.memory, image);

  let next = base + up(imageEnd(image), PAGE);
  const place = (bytes: number) => {
    const at = next;
    next += up(Math.max(bytes, 1), PAGE);
    return at;
  };
  const module = options.modules[0];
  const moduleAt = module ? place(module.data.length) : 0;
  const mfnList = place(domain.memory.pages * 4);
  const startInfo = place(PAGE);
  const store = place(PAGE);
  const consolePage = place(PAGE);
  // Page tables cover everything up to the end of the 4 MiB in which stack and pad end.
  const { pae, entryShift, entries, tableShift } = pv.layout;
  const firstTable = Math.floor(base / 2 ** tableShift);
  let tables = 1;
  let directories: number[] = [];
  let count = 0;
  for (; ; tables++) {
    const end = up(next + (tables + 2) * PAGE + PAD, 1 << 22);
    directories = pae ? gibibytes(base, end) : [];
    count = Math.ceil(end / 2 ** tableShift) - firstTable;
    if (tables >= 1 + directories.length + count) break;
  }
  const pageTables = place(tables * PAGE);
  const stack = place(PAGE) + PAGE;
  const mappedEnd = up(next + PAD, 1 << 22);
  if (next - base > domain.memory.size)
    throw new ImageError(
      `${image.name} with its page tables needs more than ${domain.memory.size >>> 20} MiB`,
    );

  const machineOf = (virtual: number) => domain.memory.toMachine(toGuest(virtual));
  if (module) domain.memory.load(toGuest(moduleAt), module.data);
  domain.memory.p2m.forEach((machine, guest) => domain.memory.write32(toGuest(mfnList) + guest * 4, machine));

  // What CR3 names first, with PAE then the directories, then tables; they map themselves read-only, and nothing is open to ring 3.
  const top = machineOf(pageTables);
  directories.forEach((gibibyte, n) => {
    memory.write32(top + gibibyte * 8, machineOf(pageTables + (1 + n) * PAGE) | PTE.present);
  });
  for (let n = 0; (firstTable + n) * 2 ** tableShift < mappedEnd; n++) {
    const table = machineOf(pageTables + (1 + directories.length + n) * PAGE);
    const directory = pae ? memory.read32(top + ((firstTable + n) >>> 9) * 8) & ~0xfff : top;
    memory.write32(
      directory + (((firstTable + n) & (entries - 1)) << entryShift),
      table | PTE.present | PTE.writable | PTE.user | PTE.accessed | PTE.dirty,
    );
    for (let k = 0; k < entries; k++) {
      const virtual = (firstTable + n) * 2 ** tableShift + k * PAGE;
      if (virtual < base || toGuest(virtual) >= domain.memory.size) continue;
      const machine = machineOf(virtual);
      const isTable = virtual >= pageTables && virtual < pageTables + tables * PAGE;
      memory.write32(
        table + (k << entryShift),
        machine | PTE.present | PTE.accessed | PTE.dirty | (isTable ? 0 : PTE.writable),
      );
    }
  }

  // The guest may never map the table of its descriptor area; the pages that the hypervisor writes to stay ordinary for ever.
  pv.perDomainTable = frames.allocate(OWNER_HYPERVISOR) * PAGE;
  pv.sharedInfo = frames.allocate(domain.id) * PAGE;
  for (const v of pv.vcpus) v.vcpuInfo = pv.sharedInfo + v.vcpu.id * VCPU_INFO_SIZE;
  pv.current.initialised = pv.current.up = true;
  pv.consoleRing = machineOf(consolePage);
  pv.storeRing = machineOf(store);
  for (const page of [pv.sharedInfo, pv.consoleRing, pv.storeRing])
    types.take(pv, page >>> 12, TYPE.writable);
  // Frame 0xE of each GDT is the hypervisor's page of descriptors, the same in every domain.
  const rights = PTE.present | PTE.writable | PTE.accessed | PTE.dirty;
  for (const v of pv.vcpus) memory.write32(descriptorSlot(pv, v, 14), area.gdtPage | rights);
  pv.sharedEntries = area.entries.slice();
  pv.sharedEntries[(PER_DOMAIN_START - pv.layout.hypervisorStart) >>> tableShift] =
    pv.perDomainTable | rights;
  memory.write32(pv.sharedInfo + SHARED_INFO.wallclockSeconds, hypervisor.pc.startSeconds);
  for (let n = 0; n < 32; n++) memory.write8(pv.sharedInfo + n * VCPU_INFO_SIZE + SHARED_INFO.upcallMask, 1);
  memory.load(pv.sharedInfo + SHARED_INFO.evtchnMask, new Uint8Array(128).fill(0xff));

  const info = machineOf(startInfo);
  pv.startInfo = info;
  const put = (offset: number, value: number) => memory.write32(info + offset, value);
  const text = (offset: number, value: string, size: number) =>
    memory.load(info + offset, encodeText(value).subarray(0, size - 1));
  text(START_INFO.magic, pv.layout.magic, 32);
  put(START_INFO.nrPages, domain.memory.pages);
  put(START_INFO.sharedInfo, pv.sharedInfo);
  put(START_INFO.storeMfn, machineOf(store) >>> 12);
  put(START_INFO.storeEvtchn, events.bind(pv, { kind: 'store' }));
  put(START_INFO.consoleMfn, machineOf(consolePage) >>> 12);
  put(START_INFO.consoleEvtchn, events.bind(pv, { kind: 'console' }));
  put(START_INFO.ptBase, pageTables);
  put(START_INFO.nrPtFrames, tables);
  put(START_INFO.mfnList, mfnList);
  put(START_INFO.modStart, moduleAt);
  put(START_INFO.modLen, module ? module.data.length : 0);
  text(START_INFO.cmdLine, options.commandLine, START_INFO.cmdLineSize);

  if (xen.hypercallPage !== null) {
    pv.hypercallPage = xen.hypercallPage | 0;
    memory.load(machineOf(xen.hypercallPage >>> 0), hypercallPage());
  }
  pv.current.baseFrame = top >>> 12;
  if (!types.pin(pv, pv.current.baseFrame, pv.layout.baseType))
    throw new ImageError(`${image.name}: the initial page tables are not valid`);
  types.take(pv, pv.current.baseFrame, pv.layout.baseType);

  const { frame } = pv.current;
  frame.eip = xen.entry | 0;
  frame.esp = stack | 0;
  frame.cs = SELECTOR.ring1Code;
  frame.ss = frame.ds = frame.es = frame.fs = frame.gs = SELECTOR.ring1Data;
  frame.eflags = 0x202;
  pv.current.kernelStack = { selector: SELECTOR.ring1Data, pointer: stack | 0 };
  domain.vcpus[0].regs[6] = startInfo | 0;
  for (const vcpu of domain.vcpus) {
    vcpu.floatingPoint.initialize();
    if (vcpu.id) vcpu.state = 'blocked';
  }
}

/** 32 bytes a slot: mov eax, n; int 82h; ret. The iret slot saves EAX, which HYPERVISOR_iret restores (x86_32/traps.c). */
function hypercallPage(): Uint8Array {
  const page = new Uint8Array(PAGE);
  for (let n = 0; n < PAGE / 32; n++) {
    const body = [0xb8, n, 0, 0, 0, 0xcd, 0x82];
    page.set(n === HYPERCALL.iret ? [0x50, ...body] : [...body, 0xc3], n * 32);
  }
  return page;
}

/** The GiB that need a level-2 table: those of the kernel, and the last, where the hypervisor is. */
function gibibytes(from: number, to: number): number[] {
  return [0, 1, 2, 3].filter((n) => n === 3 || (n * 2 ** 30 < to && (n + 1) * 2 ** 30 > from));
}

function encodeText(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}
