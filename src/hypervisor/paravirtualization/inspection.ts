// Looking into a paravirtualized guest: the pages that it shares with Xen, word by word (xen/include/public/xen.h,
// arch-x86_32.h, io/console.h, io/xs_wire.h, grant_table.h), the trap table that Xen keeps for it, and the way an address
// goes. Reads machine memory; changes nothing.
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { AddressWalk, Inspector, SharedStructure } from '../inspection.ts';
import type { Technique } from '../technique.ts';
import { walkSteps } from '../walk-steps.ts';
import { CONSOLE, SHARED_INFO, START_INFO, VCPU_INFO_SIZE } from './abi.ts';
import type { Paravirtualization } from './paravirtualization.ts';
import type { PvDomain } from './pv-domain.ts';
import type { PvVcpu } from './pv-vcpu.ts';

type Field = SharedStructure['fields'][number];

/** struct xenstore_domain_interface: requests and answers of 1 KiB each, then four counters. */
const STORE = { size: 1024, reqCons: 2048, reqProd: 2052, rspCons: 2056, rspProd: 2060 } as const;
const GRANT = { size: 8, most: 64 } as const;
const GRANT_TYPES = ['invalid', 'permit access', 'accept transfer', 'transitive'];
const WORDS = 32;
const ALL = 0xffffffff;

const hex = (value: number) => `${(value >>> 0).toString(16).toUpperCase()}h`;

class Reader {
  readonly fields: Field[] = [];
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly machine: number,
  ) {}

  value(offset: number, size: 1 | 2 | 4 | 8 = 4): number {
    const { memory } = this.hypervisor.pc;
    const at = this.machine + offset;
    if (size === 1) return memory.read8(at);
    if (size === 2) return memory.read8(at) | (memory.read8(at + 1) << 8);
    const low = memory.read32(at) >>> 0;
    return size === 4 ? low : low + (memory.read32(at + 4) >>> 0) * 2 ** 32;
  }

  /** Adds a word. `meaning` gets its value. */
  add(name: string, offset: number, size: 1 | 2 | 4 | 8 = 4, meaning?: (value: number) => string): this {
    const value = this.value(offset, size);
    this.fields.push({ name, offset, size, value, ...(meaning ? { meaning: meaning(value) } : {}) });
    return this;
  }

  structure(name: string, length: number): SharedStructure {
    return { name, machine: this.machine, length, fields: this.fields };
  }
}

/** What the ports of a word of bits are bound to: "1 console, 3 virq". */
function portsOf(pv: PvDomain, word: number, bits: number): string {
  const named: string[] = [];
  for (let n = 0; n < 32; n++) {
    const port = pv.ports[word * 32 + n];
    if (bits & (1 << n) && port && port.kind !== 'free')
      named.push(`${word * 32 + n} ${port.kind === 'virq' ? `virq ${port.virq}` : port.kind}`);
  }
  return named.join(', ');
}

function vcpuInfo(r: Reader): Reader {
  return r
    .add('evtchn_upcall_pending', SHARED_INFO.upcallPending, 1, (v) => (v & 1 ? 'an event waits' : 'none'))
    .add('evtchn_upcall_mask', SHARED_INFO.upcallMask, 1, (v) => (v & 1 ? 'no upcalls' : 'upcalls on'))
    .add('evtchn_pending_sel', SHARED_INFO.pendingSelector)
    .add('arch.cr2', SHARED_INFO.cr2)
    .add('time.version', SHARED_INFO.timeVersion, 4, (v) => (v & 1 ? 'being written' : 'complete'))
    .add('time.tsc_timestamp', SHARED_INFO.tscTimestamp, 8)
    .add(
      'time.system_time',
      SHARED_INFO.systemTime,
      8,
      (v) => `${(v / 1e6).toFixed(3)} ms since the host started`,
    )
    .add('time.tsc_to_system_mul', SHARED_INFO.tscMultiplier)
    .add('time.tsc_shift', SHARED_INFO.tscShift, 1, (v) => `${(v << 24) >> 24}`);
}

function sharedInfo(hypervisor: Hypervisor, pv: PvDomain): SharedStructure {
  const r = new Reader(hypervisor, pv.sharedInfo);
  if (pv.vcpus[0].vcpuInfo === pv.sharedInfo) vcpuInfo(r);
  for (let word = 0; word < WORDS; word++) {
    const pending = SHARED_INFO.evtchnPending + word * 4;
    const mask = SHARED_INFO.evtchnMask + word * 4;
    if (word && !r.value(pending) && r.value(mask) === ALL) continue;
    r.add(`evtchn_pending[${word}]`, pending, 4, (v) => portsOf(pv, word, v) || 'none');
    r.add(`evtchn_mask[${word}]`, mask, 4, (v) => `open: ${portsOf(pv, word, ~v) || 'none'}`);
  }
  r.add('wc_version', SHARED_INFO.wallclockVersion)
    .add('wc_sec', SHARED_INFO.wallclockSeconds)
    .add('wc_nsec', SHARED_INFO.wallclockNanoseconds);
  return r.structure('shared_info', 4096);
}

/** Null when the guest has put something else into that page, as it may. */
function startInfo(hypervisor: Hypervisor, pv: PvDomain): SharedStructure | null {
  const r = new Reader(hypervisor, pv.startInfo);
  let magic = '';
  for (let n = 0; n < 31 && r.value(n, 1); n++) magic += String.fromCharCode(r.value(n, 1));
  if (magic !== pv.layout.magic) return null;
  return r
    .add('magic', START_INFO.magic, 4, () => magic)
    .add('nr_pages', START_INFO.nrPages, 4, (v) => `${v / 256} MiB`)
    .add('shared_info', START_INFO.sharedInfo)
    .add('flags', START_INFO.flags)
    .add('store_mfn', START_INFO.storeMfn)
    .add('store_evtchn', START_INFO.storeEvtchn)
    .add('console.mfn', START_INFO.consoleMfn)
    .add('console.evtchn', START_INFO.consoleEvtchn)
    .add('pt_base', START_INFO.ptBase)
    .add('nr_pt_frames', START_INFO.nrPtFrames)
    .add('mfn_list', START_INFO.mfnList)
    .add('mod_start', START_INFO.modStart)
    .add('mod_len', START_INFO.modLen)
    .structure('start_info', START_INFO.size);
}

/** Producer and consumer of one direction of a ring: how much waits. */
const waiting = (r: Reader, producer: number, consumer: number) => () =>
  `${(r.value(producer) - r.value(consumer)) >>> 0} bytes wait`;

function consoleRing(hypervisor: Hypervisor, pv: PvDomain): SharedStructure {
  const r = new Reader(hypervisor, pv.consoleRing);
  return r
    .add('in_cons', CONSOLE.inCons)
    .add('in_prod', CONSOLE.inProd, 4, waiting(r, CONSOLE.inProd, CONSOLE.inCons))
    .add('out_cons', CONSOLE.outCons)
    .add('out_prod', CONSOLE.outProd, 4, waiting(r, CONSOLE.outProd, CONSOLE.outCons))
    .structure('console ring', 4096);
}

function storeRing(hypervisor: Hypervisor, pv: PvDomain): SharedStructure {
  const r = new Reader(hypervisor, pv.storeRing);
  return r
    .add('req_cons', STORE.reqCons)
    .add('req_prod', STORE.reqProd, 4, waiting(r, STORE.reqProd, STORE.reqCons))
    .add('rsp_cons', STORE.rspCons)
    .add('rsp_prod', STORE.rspProd, 4, waiting(r, STORE.rspProd, STORE.rspCons))
    .structure('xenstore ring', 4096);
}

/** Entries in use of one page of the grant table. */
function grantTable(hypervisor: Hypervisor, frame: number, page: number): SharedStructure {
  const r = new Reader(hypervisor, frame * 4096);
  let listed = 0;
  for (let n = 0; n < 4096 / GRANT.size && listed < GRANT.most; n++) {
    const at = n * GRANT.size;
    const flags = r.value(at, 2);
    if (!flags) continue;
    listed++;
    const used = [flags & 4 ? 'read-only' : '', flags & 8 ? 'read' : '', flags & 16 ? 'written' : ''];
    r.add(`[${page * 512 + n}].flags`, at, 2, () =>
      [GRANT_TYPES[flags & 3], ...used].filter(Boolean).join(', '),
    )
      .add(`[${page * 512 + n}].domid`, at + 2, 2)
      .add(`[${page * 512 + n}].frame`, at + 4);
  }
  return r.structure(`grant table, page ${page}`, 4096);
}

/** What set_trap_table registered. Xen keeps it to itself: it lies in no page of the guest's (`machine` is -1). */
function trapTable({ traps, eventCallback, failsafeCallback }: PvVcpu): SharedStructure {
  const fields: Field[] = traps.flatMap((trap, vector) =>
    trap
      ? [
          {
            name: `vector ${hex(vector)}`,
            offset: vector * 8,
            size: 4,
            value: trap.address >>> 0,
            meaning: `at ${hex(trap.selector)}, from ring ${trap.dpl} by INT${trap.masksEvents ? ', masks events' : ''}`,
          },
        ]
      : [],
  );
  const callback = (name: string, n: number, { selector, address }: PvVcpu['eventCallback']): Field[] =>
    address
      ? [{ name, offset: 2048 + n * 8, size: 4, value: address >>> 0, meaning: `at ${hex(selector)}` }]
      : [];
  fields.push(...callback('event callback', 0, eventCallback));
  fields.push(...callback('failsafe callback', 1, failsafeCallback));
  return { name: 'trap table (kept by Xen)', machine: -1, length: 0, fields };
}

function structures(hypervisor: Hypervisor, pv: PvDomain, seen: PvVcpu): SharedStructure[] {
  const found: SharedStructure[] = [sharedInfo(hypervisor, pv)];
  for (const v of pv.vcpus) {
    const { id } = v.vcpu;
    // The first one's is part of shared_info above, unless the guest has moved it.
    if (id ? !v.up : v.vcpuInfo === pv.sharedInfo) continue;
    const name = id ? `vcpu_info[${id}]` : 'vcpu_info';
    found.push(vcpuInfo(new Reader(hypervisor, v.vcpuInfo)).structure(name, VCPU_INFO_SIZE));
  }
  const info = startInfo(hypervisor, pv);
  if (info) found.push(info);
  found.push(consoleRing(hypervisor, pv), storeRing(hypervisor, pv), trapTable(seen));
  pv.grantFrames.forEach((frame, page) => {
    if (frame >= 0) found.push(grantTable(hypervisor, frame, page));
  });
  return found;
}

/** The guest's tables are the processor's: they lead to machine addresses; what the guest calls that page says the machine-to-physical table. */
function walk(hypervisor: Hypervisor, pv: PvDomain, { baseFrame }: PvVcpu, linear: number): AddressWalk {
  const { memory } = hypervisor.pc;
  const kind = pv.layout.pae ? 'pae' : 'legacy';
  const { steps, result } = walkSteps(memory, 'guest', kind, baseFrame * 4096, linear);
  const frame = Math.floor(result / 4096);
  const known = result >= 0 && frame < hypervisor.frames.count;
  const page = known ? memory.read32(hypervisor.monitor.m2p + frame * 4) >>> 0 : -1;
  const own = known && pv.domain.memory.p2m[page] === frame;
  return {
    linear,
    guest: steps,
    physical: own ? page * 4096 + (result & 0xfff) : -1,
    real: [],
    machine: result,
  };
}

/** What can be seen of a paravirtualized guest. */
export function paravirtualizationInspector(technique: Technique): Inspector {
  const of = (vcpu: Vcpu) => (technique as Paravirtualization).guestOf(vcpu.domain);
  return {
    sharedStructures(vcpu) {
      const guest = of(vcpu);
      return guest ? structures(guest.hypervisor, guest.pv, guest.pv.vcpus[vcpu.id]) : [];
    },
    walk(vcpu, linear) {
      const guest = of(vcpu);
      return guest ? walk(guest.hypervisor, guest.pv, guest.pv.vcpus[vcpu.id], linear) : null;
    },
  };
}
