// Event → cue: which mark an event of the trace gets on the stage. Pure; nothing is drawn that the trace does not say.
// A crossing is drawn once, by the event that crosses (exit, entry, interrupt inside a guest, IRET, device access);
// what the hypervisor does in between is a pulse where it is done.

import { Channel, Emulated, Kind, Life, Shadow, type TraceEvent, Vendor } from '../trace/events.ts';
import { isBare } from '../worker/protocol.ts';
import type { Meaning } from './meanings.ts';
import { type ColumnInfo, type Place, type Spot, stationOf, stationOfIrq } from './places.ts';

/** One mark: from a spot to a spot; a pulse when they are the same. */
export interface Cue {
  readonly seq: number;
  /** Domain that it belongs to, -1 = host. */
  readonly domain: number;
  readonly meaning: Meaning;
  readonly from: Spot;
  readonly to: Spot;
  /** The device it is about, when that is a virtual one, inside the hypervisor. */
  readonly about?: Place;
}

const HYPERCALL_VECTOR = 0x82;
/** The hypervisor's remapped interrupt controllers raise sixteen vectors from here. */
const FIRST_IRQ_VECTOR = 0x20;
/** Basic exit reasons, SDM vol. 3 app. C. */
const VMX_EXTERNAL_INTERRUPT = 1;
const VMX_INTERRUPT_WINDOW = 7;
const SVM_VMMCALL = 0x81;
const SVM_INTERRUPTS: readonly number[] = [0x60, 0x64];
const VMX_VMCALL = 18;

/** What is known of a domain from the events so far, as long as none was missed. */
interface Known {
  /** Where its processor is, or was when it left the guest. */
  place: Place;
  /** Why it is in the hypervisor; null while it is in the guest. */
  open: Meaning | null;
  /** Why it is in its own kernel; null when that is not known. */
  inside: Meaning | null;
}

export class Director {
  private readonly columns = new Map<number, ColumnInfo>();
  private readonly known = new Map<number, Known>();
  private next = 0;

  setColumns(columns: readonly ColumnInfo[]): void {
    this.columns.clear();
    for (const column of columns) this.columns.set(column.id, column);
    this.known.clear();
  }

  /**
   * The mark for an event, or null for one that has none. Give events in order; a gap in `seq` makes it forget, and what
   * cannot be known then is not drawn.
   */
  cue(e: TraceEvent): Cue | null {
    if (e.seq !== this.next) this.known.clear();
    this.next = e.seq + 1;
    const column = this.columns.get(e.domain);
    if (!column && e.domain >= 0) return null;
    const known = this.knownOf(e.domain);
    const domain = e.domain;
    const spot = (place: Place): Spot => ({ domain, place });
    const across = (meaning: Meaning, from: Place, to: Place): Cue => {
      return { seq: e.seq, domain, meaning, from: spot(from), to: spot(to) };
    };
    const at = (meaning: Meaning, place: Place): Cue => across(meaning, place, place);
    const monitor: Place = column && isBare(column.technique) ? 'kernel' : 'hypervisor';

    switch (e.kind) {
      case Kind.interrupt: {
        const from = placeOfRing(column, e.c);
        const to = placeOfRing(column, e.d);
        const meaning = interruptMeaning(e);
        if (to === 'hypervisor') {
          // The silicon goes through the monitor's IDT: the exit that follows is the crossing.
          known.place = from;
          return at(meaning, from);
        }
        known.place = to;
        known.inside = meaning;
        return across(meaning, from, to);
      }
      case Kind.ring: {
        const from = placeOfRing(column, e.a);
        const to = placeOfRing(column, e.b);
        // Out of the hypervisor by the silicon: the entry that follows is the crossing.
        const meaning = from === 'hypervisor' ? known.open : known.inside;
        if (from !== 'hypervisor') known.place = to;
        if (!meaning) return null;
        return from === 'hypervisor' ? at(meaning, to) : across(meaning, from, to);
      }
      case Kind.exit: {
        known.open = exitMeaning(e);
        return across(known.open, known.place, 'hypervisor');
      }
      case Kind.entry: {
        const meaning = e.a >= 0 ? 'inject' : (known.open ?? onlyReason(column));
        known.place = placeOfRing(column, e.b);
        known.open = null;
        return meaning && across(meaning, 'hypervisor', known.place);
      }
      case Kind.hypercall:
        return at('hypercall', 'hypervisor');
      case Kind.emulate:
        return at(emulateMeaning(e.a), 'hypervisor');
      case Kind.inject:
      case Kind.upcall:
        known.open = 'inject';
        return at('inject', 'hypervisor');
      case Kind.shadow:
        return e.a === Shadow.guestFault ? at('paging', 'hypervisor') : across('paging', 'hypervisor', 'mmu');
      case Kind.pageTable:
        return across('paging', monitor, 'mmu');
      case Kind.addressSpace:
        return across('paging', 'kernel', 'mmu');
      case Kind.schedule: {
        const end = (id: number): Spot => {
          return id >= 0 ? { domain: id, place: 'hypervisor' } : { domain: -1, place: 'processor' };
        };
        return {
          seq: e.seq,
          domain: e.b >= 0 ? e.b : e.a,
          meaning: 'schedule',
          from: end(e.a),
          to: end(e.b),
        };
      }
      case Kind.device: {
        const station = stationOf(e.a);
        // A virtual device is a part of the hypervisor: its access stays there.
        if (column && monitor === 'hypervisor') return { ...at('device', 'hypervisor'), about: station };
        return e.b ? across('device', monitor, station) : across('device', station, monitor);
      }
      case Kind.irq:
        return across('inject', stationOfIrq(e.b), monitor);
      case Kind.output:
        return across('device', monitor, e.b === Channel.debug ? 'hardware' : 'serial');
      case Kind.idle:
        return at('schedule', monitor);
      case Kind.domain:
        if (e.a === Life.crashed || e.a === Life.tripleFault) return at('exit', 'kernel');
        return domain < 0 ? null : at('schedule', 'kernel');
      case Kind.hole:
        return at('hole', 'kernel');
      default:
        return null;
    }
  }

  private knownOf(domain: number): Known {
    let known = this.known.get(domain);
    if (!known) this.known.set(domain, (known = FORGOTTEN()));
    return known;
  }
}

const FORGOTTEN = (): Known => ({ place: 'guest', open: null, inside: null });

/** An unmodified guest never calls: whatever it comes back from was an exit. */
const onlyReason = (column: ColumnInfo | undefined): Meaning | null => (column?.nonRoot ? 'exit' : null);

/** The stratum that a ring is in: under a deprivileged kernel, ring 0 belongs to the hypervisor. */
function placeOfRing(column: ColumnInfo | undefined, ring: number): Place {
  if (ring === 3) return 'user';
  if (column?.kernelRing === 1 && ring === 0) return 'hypervisor';
  return 'kernel';
}

function interruptMeaning(e: TraceEvent): Meaning {
  if (e.e & 2) return e.a === HYPERCALL_VECTOR ? 'hypercall' : 'syscall';
  return e.e & 1 ? 'inject' : 'exit';
}

/** The guest's own doing is an exit, whatever for; knocking on purpose and the hardware's interrupts are told apart. */
function exitMeaning(e: TraceEvent): Meaning {
  if (e.e === Vendor.vmx) {
    const reason = e.a & 0xffff;
    if (reason === VMX_VMCALL) return 'hypercall';
    return reason === VMX_EXTERNAL_INTERRUPT || reason === VMX_INTERRUPT_WINDOW ? 'inject' : 'exit';
  }
  if (e.e === Vendor.svm)
    return e.a === SVM_VMMCALL ? 'hypercall' : SVM_INTERRUPTS.includes(e.a) ? 'inject' : 'exit';
  if (e.e === Vendor.xen && e.a === HYPERCALL_VECTOR) return 'hypercall';
  return e.a >= FIRST_IRQ_VECTOR && e.a < FIRST_IRQ_VECTOR + 16 ? 'inject' : 'exit';
}

function emulateMeaning(code: number): Meaning {
  switch (code) {
    case Emulated.ioIn:
    case Emulated.ioOut:
      return 'device';
    case Emulated.crRead:
    case Emulated.crWrite:
    case Emulated.invlpg:
      return 'paging';
    case Emulated.hlt:
      return 'schedule';
    default:
      return 'exit';
  }
}
