// What a guest of Xen's interface shares with domain 0 beyond what its technique shows: the rings of its split devices, found as a
// back end finds them (its nodes in the store, then its grant table; xen/include/public/io/ring.h), and for one with hardware
// assistance its shared_info and grant entries. Reads store and machine memory; changes nothing.
import type { Domain } from '../hypervisor/domain.ts';
import type { SharedStructure } from '../hypervisor/inspection.ts';
import { SHARED_INFO } from '../hypervisor/paravirtualization/abi.ts';
import { DomainZero } from '../hypervisor/xen/domain-0.ts';
import { domidOf, type XenGuest, xenGuests } from '../hypervisor/xen/guest.ts';
import { xenServices } from '../hypervisor/xen/services.ts';
import type { Store } from '../hypervisor/xen/store/store.ts';
import type { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import type { Session } from './session.ts';

type Field = SharedStructure['fields'][number];
const RINGS = [
  { type: 'vbd', node: 'ring-ref', name: 'block ring' },
  { type: 'vif', node: 'tx-ring-ref', name: 'net ring, sending' },
  { type: 'vif', node: 'rx-ring-ref', name: 'net ring, receiving' },
] as const;
/** struct sring: four indices, then entries. */
const SRING = { requests: 0, requestEvent: 4, responses: 8, responseEvent: 12 } as const;
const STATES = [
  'unknown',
  'initialising',
  'waits for the other',
  'initialised',
  'connected',
  'closing',
  'closed',
];
const GRANT_BYTES = 8;
const MOST_GRANTS = 64;
const PAGE = 4096;

/** True when the guest has pages that `xenPages` may show. */
export function hasXenPages(session: Session, domain: Domain): boolean {
  return guestOf(session, domain) !== undefined;
}

/** The pages of a guest of Xen's interface. Empty for one that knows nothing of it, or has nothing yet. */
export function xenPages(session: Session, domain: Domain): SharedStructure[] {
  const guest = guestOf(session, domain);
  if (!guest) return [];
  const { memory } = session.host.pc;
  const pages: SharedStructure[] = [];
  // The paravirtualized guest's own inspector shows these.
  if (domain.technique.name !== 'paravirtualization') {
    if (guest.sharedInfo) pages.push(sharedInfo(memory, guest));
    guest.grantFrames.forEach((frame, page) => {
      if (frame > 0) pages.push(grants(memory, frame * PAGE, page));
    });
  }
  const services = xenServices(session.host.hypervisor!);
  if (services instanceof DomainZero) pages.push(...rings(memory, guest, services.store));
  return pages;
}

function guestOf(session: Session, domain: Domain): XenGuest | undefined {
  const { hypervisor } = session.host;
  return hypervisor ? xenGuests(hypervisor).get(domidOf(domain)) : undefined;
}

function field(
  memory: PhysicalMemory,
  page: number,
  name: string,
  offset: number,
  size: 1 | 2 | 4,
  meaning?: string,
): Field {
  const at = page + offset;
  const value =
    size === 4
      ? memory.read32(at) >>> 0
      : size === 2
        ? memory.read8(at) | (memory.read8(at + 1) << 8)
        : memory.read8(at);
  return { name, offset, size, value, ...(meaning ? { meaning } : {}) };
}

function sharedInfo(memory: PhysicalMemory, { sharedInfo: page }: XenGuest): SharedStructure {
  const at = (name: string, offset: number, size: 1 | 2 | 4 = 4) => field(memory, page, name, offset, size);
  const fields = [
    at('evtchn_upcall_pending', SHARED_INFO.upcallPending, 1),
    at('evtchn_upcall_mask', SHARED_INFO.upcallMask, 1),
    at('evtchn_pending_sel', SHARED_INFO.pendingSelector),
    at('time.version', SHARED_INFO.timeVersion),
    at('evtchn_pending[0]', SHARED_INFO.evtchnPending),
    at('evtchn_mask[0]', SHARED_INFO.evtchnMask),
    at('wc_sec', SHARED_INFO.wallclockSeconds),
  ];
  return { name: 'shared_info', machine: page, length: PAGE, fields };
}

function grants(memory: PhysicalMemory, machine: number, page: number): SharedStructure {
  const fields: Field[] = [];
  for (let n = 0; n < PAGE / GRANT_BYTES && fields.length < 2 * MOST_GRANTS; n++) {
    const at = n * GRANT_BYTES;
    const flags = field(memory, machine, `[${page * 512 + n}].flags`, at, 2);
    if (flags.value === 0) continue;
    const to = memory.read8(machine + at + 2) | (memory.read8(machine + at + 3) << 8);
    fields.push({ ...flags, meaning: `to domain ${to}${flags.value & 4 ? ', read-only' : ''}` });
    fields.push(field(memory, machine, `[${page * 512 + n}].frame`, at + 4, 4));
  }
  return { name: `grant table, page ${page}`, machine, length: PAGE, fields };
}

/** The page that a grant reference of the guest's stands for, as a machine address; -1 when it stands for none. */
function granted(memory: PhysicalMemory, guest: XenGuest, reference: number): number {
  const frame = guest.grantFrames[Math.floor(reference / 512)];
  if (!(frame > 0)) return -1;
  const entry = frame * PAGE + (reference % 512) * GRANT_BYTES;
  if (!(memory.read8(entry) & 3)) return -1;
  const machine = guest.frames.toMachine(memory.read32(entry + 4) >>> 0);
  return machine < 0 ? -1 : machine * PAGE;
}

function rings(memory: PhysicalMemory, guest: XenGuest, store: Store): SharedStructure[] {
  const found: SharedStructure[] = [];
  for (const { type, node, name } of RINGS) {
    const home = `/local/domain/${domidOf(guest.domain)}/device/${type}`;
    if (store.get(home) === undefined) continue;
    for (const handle of store.directory(0, home)) {
      const number = (what: string) => Number(store.get(`${home}/${handle}/${what}`) ?? Number.NaN);
      const page = granted(memory, guest, number(node));
      if (page < 0) continue;
      found.push(
        ring(
          memory,
          `${name} (${type} ${handle})`,
          page,
          `${STATES[number('state')] ?? 'unknown'}, port ${number('event-channel')}`,
        ),
      );
    }
  }
  return found;
}

function ring(memory: PhysicalMemory, name: string, page: number, state: string): SharedStructure {
  const word = (offset: number) => memory.read32(page + offset) >>> 0;
  const open = (word(SRING.requests) - word(SRING.responses)) >>> 0;
  const fields = [
    field(memory, page, 'req_prod', SRING.requests, 4, `${open} without an answer; ${state}`),
    field(memory, page, 'req_event', SRING.requestEvent, 4),
    field(memory, page, 'rsp_prod', SRING.responses, 4),
    field(memory, page, 'rsp_event', SRING.responseEvent, 4),
  ];
  return { name, machine: page, length: PAGE, fields };
}
