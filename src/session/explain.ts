// What one event was: instruction, rule, what the handler did, what changed, what it cost. All of it read from the trace,
// the machine and the tables.
import type { ChargeName, CostModel } from '../cost/model.ts';
import { decode } from '../machine/isa/decode.ts';
import { disassemble } from '../machine/isa/disassemble.ts';
import { Emulated, Kind, type TraceEvent, Vendor } from '../trace/events.ts';
import { eventText, formatEvent } from '../trace/format.ts';
import { hex8 } from '../trace/hex.ts';
import { lineOf } from './lines.ts';
import { ruleOf } from './rules.ts';
import type { Session } from './session.ts';

/** How far back and forward a story may reach, in events. */
const REACH = 4000;

export interface InstructionAt {
  address: number;
  text: string;
  bytes: string;
  line: { file: string; line: number } | null;
}
export interface Explained {
  seq: number;
  text: string;
  instruction: InstructionAt | null;
  why: string;
  manual: string;
  handler: { seq: number; text: string }[];
  changes: { name: string; before: string; after: string }[];
  cost: { cycles: number; parts: { name: string; cycles: number; mark: string; source: string }[] };
}

/** The instruction at a guest-linear address, as memory holds it now. */
export function instructionAt(session: Session, id: number, address: number): InstructionAt | null {
  const bytes = session.host.readGuest(id, address, 15);
  const instruction = decode(bytes, 0, session.host.codeBits(id));
  if (typeof instruction === 'string') return null;
  return {
    address,
    text: disassemble(instruction, address),
    bytes: [...bytes.subarray(0, instruction.length)].map((b) => b.toString(16).padStart(2, '0')).join(' '),
    line: lineOf(session, id, address),
  };
}

/** Explains an event; null when the trace no longer holds it. */
export function explain(session: Session, seq: number): Explained | null {
  const { recorder } = session.host;
  const event = recorder.get(seq);
  if (!event) return null;
  const story = exitStory(session, event);
  const exit = story?.[0];
  const rule = ruleOf(event);
  const subject = exit ?? event;
  const handler = story ? story.slice(1).map((e) => ({ seq: e.seq, text: eventText(e) })) : [];
  return {
    seq,
    text: formatEvent(event),
    instruction: event.domain >= 0 && subject.eip ? instructionOf(session, subject) : null,
    why: rule.why,
    manual: rule.manual,
    handler,
    changes: changesOf(story ?? [event]),
    cost: costOf(story ?? [event], session.host.pc.cost),
  };
}

/** A hypercall is told with its call; for any other INT n the saved EIP is behind the instruction: show the instruction itself. */
function instructionOf(session: Session, e: TraceEvent): InstructionAt | null {
  const at = instructionAt(session, e.domain, e.eip);
  const software =
    (e.kind === Kind.exit && e.e === Vendor.xen && e.a === 0x82) || (e.kind === Kind.interrupt && e.e & 2);
  if (!software || at?.text.startsWith('call')) return at;
  const before = instructionAt(session, e.domain, (e.eip - 2) >>> 0);
  return before?.text.startsWith('int') ? before : at;
}

/** The events from the exit that this one belongs to up to the entry that ends it; null outside any exit. */
function exitStory(session: Session, event: TraceEvent): TraceEvent[] | null {
  const { recorder } = session.host;
  const { domain } = event;
  let start = -1;
  for (let seq = event.seq; seq >= Math.max(recorder.oldest, event.seq - REACH); seq--) {
    const e = recorder.get(seq)!;
    if (e.domain !== domain) continue;
    if (e.kind === Kind.entry && seq !== event.seq) break;
    if (e.kind === Kind.exit) {
      start = seq;
      break;
    }
  }
  if (start < 0) return null;
  const story: TraceEvent[] = [];
  for (let seq = start; seq < Math.min(recorder.next, start + REACH); seq++) {
    const e = recorder.get(seq)!;
    if (e.domain !== domain) continue;
    story.push(e);
    if (e.kind === Kind.entry) break;
  }
  return story;
}

function changesOf(story: TraceEvent[]): Explained['changes'] {
  const changes: Explained['changes'] = [];
  const first = story[0];
  const last = story[story.length - 1];
  if (first.kind === Kind.exit && last.kind === Kind.entry && first.eip !== last.eip)
    changes.push({ name: 'EIP', before: hex8(first.eip), after: hex8(last.eip) });
  for (const e of story) {
    if (e.kind === Kind.pageTable && !e.d)
      changes.push({ name: `entry ${hex8(e.a)}`, before: hex8(e.e), after: hex8(e.b) });
    if (e.kind === Kind.hypercall) changes.push({ name: 'EAX', before: `${e.a}`, after: hex8(e.e) });
    if (e.kind === Kind.addressSpace) changes.push({ name: 'CR3', before: hex8(e.b), after: hex8(e.a) });
    if (e.kind === Kind.emulate && e.a === Emulated.crWrite)
      changes.push({ name: `guest CR${e.b}`, before: hex8(e.e), after: hex8(e.c) });
    if (e.kind === Kind.hole) changes.push({ name: 'got / expected', before: hex8(e.b), after: hex8(e.c) });
    if (e.kind === Kind.interrupt) changes.push({ name: 'ring', before: `${e.c}`, after: `${e.d}` });
    if (e.kind === Kind.ring) changes.push({ name: 'ring', before: `${e.a}`, after: `${e.b}` });
  }
  return changes;
}

/** Which charge an event of this kind stands for. */
function chargeOf(e: TraceEvent): ChargeName | null {
  switch (e.kind) {
    case Kind.exit:
      return e.e === Vendor.vmx ? 'vmExit' : e.e === Vendor.svm ? 'svmExit' : null;
    case Kind.entry:
      return null;
    case Kind.pageTable:
      return 'validatePageTableEntry';
    case Kind.shadow:
      return 'shadowFill';
    case Kind.emulate:
      return e.a === Emulated.ioIn || e.a === Emulated.ioOut ? 'emulateDevice' : 'emulateInstruction';
    case Kind.hypercall:
      return 'hypercallDispatch';
    case Kind.inject:
      return 'injectEvent';
    case Kind.upcall:
      return 'eventUpcall';
    case Kind.interrupt:
      return 'interruptDelivery';
    case Kind.ring:
      return 'iret';
    case Kind.schedule:
      return 'scheduler';
    default:
      return null;
  }
}

function costOf(story: TraceEvent[], cost: CostModel): Explained['cost'] {
  const parts: Explained['cost']['parts'] = [];
  const count = new Map<ChargeName, number>();
  for (const e of story) {
    const name = chargeOf(e);
    if (name) count.set(name, (count.get(name) ?? 0) + 1);
  }
  const vmx = story[0].kind === Kind.exit && story[0].e === Vendor.vmx;
  const svm = story[0].kind === Kind.exit && story[0].e === Vendor.svm;
  if (vmx) count.set('vmEntry', 1);
  if (svm) count.set('svmRun', 1);
  for (const [name, times] of count) {
    const { cycles, mark, source } = cost.charges[name];
    parts.push({ name: times > 1 ? `${name} × ${times}` : name, cycles: cycles * times, mark, source });
  }
  const entry = story[story.length - 1];
  // The silicon's way in is before the exit is recorded; the entry carries the rest.
  const total =
    entry.kind === Kind.entry
      ? entry.cost +
        (vmx || svm
          ? cost.charges[vmx ? 'vmExit' : 'svmExit'].cycles
          : story[0].kind === Kind.exit
            ? cost.charges.interruptDelivery.cycles
            : 0)
      : parts.reduce((sum, p) => sum + p.cycles, 0);
  const named = parts.reduce((sum, p) => sum + p.cycles, 0);
  if (total > named)
    parts.push({
      name: vmx ? 'VMREAD, VMWRITE and the handler’s other work' : 'the handler’s other work',
      cycles: total - named,
      mark: 'D',
      source: 'the rest of what was charged between exit and entry',
    });
  return { cycles: total, parts };
}
