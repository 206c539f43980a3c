// What lies under a guest, for people to look at: its control structure and what the handler of the last exit changed in
// it, the translation cache beside the original, shared pages, and the walk of one address. Loaded when a view is opened.
import type { Domain, Vcpu } from '../hypervisor/domain.ts';
import type {
  AddressWalk,
  ControlField,
  Inspector,
  SharedStructure,
  TranslatedBlock,
  TranslatedPart,
} from '../hypervisor/inspection.ts';
import { walkSteps } from '../hypervisor/walk-steps.ts';
import { CR0_PG, CR4_PAE } from '../machine/cpu/page-walk.ts';
import { fieldWord } from '../machine/cpu/vmx/layout.ts';
import { disassembleRange } from '../machine/isa/disassemble.ts';
import { inspectorOf } from './inspectors.ts';
import type { Session } from './session.ts';
import { hasXenPages, xenPages } from './xen-pages.ts';

/** A field as it is now, and as the silicon left it at the last exit. */
export interface FieldNow extends ControlField {
  readonly exitLow: number;
  readonly exitHigh: number;
}
export interface Inside {
  /** Which views there are under this technique. */
  readonly offers: { control: boolean; blocks: boolean; shared: boolean; walk: boolean };
  readonly control: { kind: 'VMCS' | 'VMCB'; machine: number; fields: FieldNow[] } | null;
  readonly blocks: readonly TranslatedBlock[];
  readonly shared: readonly SharedStructure[];
}
/** One instruction of the original with what stands for it, disassembled. */
export interface TranslatedLine {
  readonly how: TranslatedPart['how'];
  readonly guest: number;
  /** Empty when it goes on with what stands for the same instruction. */
  readonly original: string;
  readonly translation: readonly { address: number; text: string }[];
}

const REGION = 4096;
/** Exits after which nobody has looked again: the copies stop. */
const FORGOTTEN_AFTER = 100_000;
const NOTHING: Inside = {
  offers: { control: false, blocks: false, shared: false, walk: false },
  control: null,
  blocks: [],
  shared: [],
};

/** Copies of control structures as they were when their guests last left, while somebody looks. */
class ExitCopies {
  private readonly copies = new Map<Vcpu, Uint8Array>();
  private unseen = 0;

  constructor(private readonly session: Session) {}

  of(vcpu: Vcpu): Uint8Array | undefined {
    this.unseen = 0;
    const { hypervisor } = this.session.host;
    if (hypervisor) hypervisor.onExit = (left) => this.take(left);
    return this.copies.get(vcpu);
  }

  private take(vcpu: Vcpu): void {
    const { hypervisor, pc } = this.session.host;
    if (++this.unseen > FORGOTTEN_AFTER && hypervisor) {
      hypervisor.onExit = null;
      this.copies.clear();
      return;
    }
    const inspector = inspect(vcpu.domain);
    const machine = inspector.controlRegion?.(vcpu) ?? inspector.controlStructure?.(vcpu)?.machine;
    if (machine !== undefined && machine >= 0)
      this.copies.set(vcpu, pc.memory.bytes.slice(machine, machine + REGION));
  }
}

const copies = new WeakMap<Session, ExitCopies>();
const inspect = (domain: Domain): Inspector => inspectorOf(domain.technique);

/** What can be seen of a guest now. @param view only this one is filled in */
export function inside(session: Session, id: number, view: 'control' | 'blocks' | 'shared' | 'walk'): Inside {
  const domain = session.host.hypervisor?.domains.get(id);
  if (!domain) return { ...NOTHING, offers: { ...NOTHING.offers, walk: session.view(id) !== undefined } };
  const inspector = inspect(domain);
  const [vcpu] = domain.vcpus;
  return {
    offers: {
      control: inspector.controlStructure !== undefined,
      blocks: inspector.translatedBlocks !== undefined,
      shared: inspector.sharedStructures !== undefined || hasXenPages(session, domain),
      walk: inspector.walk !== undefined,
    },
    control: view === 'control' ? controlNow(session, inspector, vcpu) : null,
    blocks: view === 'blocks' ? (inspector.translatedBlocks?.(vcpu) ?? []) : [],
    shared:
      view === 'shared' ? [...(inspector.sharedStructures?.(vcpu) ?? []), ...xenPages(session, domain)] : [],
  };
}

function controlNow(session: Session, inspector: Inspector, vcpu: Vcpu): Inside['control'] {
  const structure = inspector.controlStructure?.(vcpu);
  if (!structure) return null;
  let kept = copies.get(session);
  if (!kept) copies.set(session, (kept = new ExitCopies(session)));
  const copy = kept.of(vcpu);
  const words = copy && new DataView(copy.buffer, copy.byteOffset, REGION);
  const fields = structure.fields.map((field): FieldNow => {
    const at = structure.kind === 'VMCS' ? fieldWord(field.encoding) * 4 : field.encoding;
    if (!words) return { ...field, exitLow: field.low, exitHigh: field.high };
    const exitLow = field.bits === 16 ? words.getUint16(at, true) : words.getUint32(at, true);
    const exitHigh = field.bits === 64 ? words.getUint32(at + 4, true) : 0;
    return { ...field, low: field.low >>> 0, high: field.high >>> 0, exitLow, exitHigh };
  });
  return { kind: structure.kind, machine: structure.machine, fields };
}

/** A block of the translation cache, original and translation side by side. */
export function translated(session: Session, id: number, guest: number): TranslatedLine[] {
  const domain = session.host.hypervisor?.domains.get(id);
  if (!domain) return [];
  const [vcpu] = domain.vcpus;
  const inspector = inspect(domain);
  const block = inspector.translatedBlocks?.(vcpu).find((b) => b.guest === guest);
  const parts = inspector.translatedParts?.(vcpu, guest) ?? [];
  if (!block) return [];
  const { bytes } = session.host.pc.memory;
  return parts.map((part) => {
    const original = session.host.readGuest(id, part.guest, part.length);
    const at = block.machine + (part.cache - block.cache);
    return {
      how: part.how,
      guest: part.guest,
      original:
        part.length === 0
          ? ''
          : (disassembleRange(original, 0, 32, part.guest, 1)[0]?.text ?? 'not mapped now'),
      translation: disassembleRange(
        bytes.slice(at, at + part.cacheLength),
        0,
        32,
        part.cache,
        part.cacheLength,
      ).map(({ address, text }) => ({ address, text })),
    };
  });
}

/** The walk of one address through everything that stands between it and the machine. Null when there is no guest. */
export function walk(session: Session, id: number, linear: number): AddressWalk | null {
  const { host } = session;
  const domain = host.hypervisor?.domains.get(id);
  if (domain) return inspect(domain).walk?.(domain.vcpus[0], linear) ?? null;
  if (!session.view(id)) return null;
  const { cpu, memory } = host.pc;
  const kind = cpu.cr4 & CR4_PAE ? 'pae' : 'legacy';
  const { steps, result } =
    cpu.cr0 & CR0_PG
      ? walkSteps(memory, 'guest', kind, cpu.cr3, linear)
      : { steps: [], result: linear >>> 0 };
  return { linear, guest: steps, physical: result, real: [], machine: result };
}
