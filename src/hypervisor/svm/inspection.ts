// Looking into a guest of SVM: its VMCB field by field as it lies in machine memory, and the ways an address goes. Changes
// nothing. Values in words where a field has any (APM vol. 2 app. B, C).
import { GENERAL1, GENERAL2 } from '../../machine/cpu/svm/exit-codes.ts';
import { V, VMCB_FIELDS, type VmcbField } from '../../machine/cpu/svm/layout.ts';
import { Vendor } from '../../trace/events.ts';
import { exitName, vectorName } from '../../trace/exits.ts';
import { bitNames, cr0Names, flagNames, vectorNames } from '../bit-names.ts';
import type { Vcpu } from '../domain.ts';
import type { AddressWalk, ControlField, ControlStructure, Inspector, WalkStep } from '../inspection.ts';
import { walkSteps } from '../walk-steps.ts';
import type { Svm } from './svm.ts';
import type { SvmGuest } from './svm-guest.ts';

const PG = 0x80000000;
const PAE = 0x20;

const list =
  (text: string, first = 0) =>
  (low: number) =>
    text
      .split(' ')
      .filter((_, n) => (low >>> (n + first)) & 1)
      .join(' ');
const registers = (name: string) => (low: number) =>
  Array.from({ length: 16 }, (_, n) => n)
    .filter((n) => (low >>> n) & 1)
    .map((n) => `${name}${n}`)
    .join(' ');

const CR4 = list('VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT');
const EVENT_TYPES: Readonly<Record<number, string>> = {
  0: 'interrupt',
  2: 'NMI',
  3: 'exception',
  4: 'INT n',
};
const event = (low: number): string => {
  if (low >= 0) return '';
  const type = (low >>> 8) & 7;
  const vector = low & 0xff;
  return `${EVENT_TYPES[type] ?? 'reserved'} ${type === 3 ? vectorName(vector) : `${vector.toString(16).toUpperCase()}h`}`;
};
const vintr = (low: number): string =>
  bitNames({ V_IRQ: 1 << 8, V_IGN_TPR: 1 << 20, V_INTR_MASKING: 1 << 24 })(low);

const MEANINGS: Readonly<Record<string, (low: number) => string>> = {
  INTERCEPT_CR_READ: registers('CR'),
  INTERCEPT_CR_WRITE: registers('CR'),
  INTERCEPT_DR_READ: registers('DR'),
  INTERCEPT_DR_WRITE: registers('DR'),
  INTERCEPT_EXCEPTION: vectorNames,
  INTERCEPT_GENERAL1: bitNames({ ...GENERAL1 }),
  INTERCEPT_GENERAL2: bitNames({ ...GENERAL2 }),
  TLB_CONTROL: (low) => (low & 1 ? 'flush' : ''),
  VINTR: vintr,
  INTERRUPT_SHADOW: (low) => (low & 1 ? 'shadow' : ''),
  EXITCODE: (low) => exitName(Vendor.svm, low),
  EXITINTINFO: event,
  NP_ENABLE: (low) => (low & 1 ? 'nested paging' : ''),
  EVENTINJ: event,
  EFER: (low) => (low & 0x1000 ? 'SVME' : ''),
  CR0: cr0Names,
  CR4,
  RFLAGS: flagNames,
};

function read(guest: SvmGuest, f: VmcbField): ControlField {
  const { memory } = guest.hypervisor.pc;
  const at = guest.vmcb.machine + f.offset;
  const low = f.bits === 8 ? memory.read8(at) : f.bits === 16 ? memory.read16(at) : memory.read32(at);
  const meaning = MEANINGS[f.name]?.(low);
  return {
    name: f.name,
    encoding: f.offset,
    area: f.area,
    // The view knows no bytes.
    bits: f.bits === 8 ? 16 : f.bits,
    low: low >>> 0,
    high: f.bits === 64 ? memory.read32(at + 4) >>> 0 : 0,
    ...(meaning ? { meaning } : {}),
  };
}

/** Guest-linear to guest-physical by the guest's own tables, and what the processor walks to the machine address. */
function walk(guest: SvmGuest, linear: number): AddressWalk {
  const { memory } = guest.hypervisor.pc;
  const { cr0, cr3, cr4 } = guest.control;
  const paging = (cr0 & PG) !== 0;
  const own = paging
    ? walkSteps(memory, 'guest', cr4 & PAE ? 'pae' : 'legacy', cr3, linear, (at) =>
        guest.domain.memory.toMachine(at),
      )
    : { steps: [] as WalkStep[], result: linear };
  const physical = own.result;
  const none = { steps: [] as WalkStep[], result: -1 };
  const real = guest.nested
    ? physical < 0
      ? none
      : walkSteps(memory, 'nested', guest.nested.tables.format.kind, guest.nested.root, physical)
    : walkSteps(memory, 'shadow', guest.shadowTables!.wide ? 'pae' : 'legacy', guest.vmcb.get(V.cr3), linear);
  return { linear, guest: own.steps, physical, real: real.steps, machine: real.result };
}

/** What can be seen of guests under SVM. */
export function svmInspector(technique: Svm): Inspector {
  return {
    controlRegion: (vcpu) => technique.guestOf(vcpu.domain)?.vmcb.machine ?? -1,
    controlStructure(vcpu: Vcpu): ControlStructure | null {
      const guest = technique.guestOf(vcpu.domain);
      if (!guest) return null;
      return {
        kind: 'VMCB',
        machine: guest.vmcb.machine,
        fields: VMCB_FIELDS.map((f) => read(guest, f)),
      };
    },
    walk(vcpu: Vcpu, linear: number): AddressWalk | null {
      const guest = technique.guestOf(vcpu.domain);
      return guest ? walk(guest, linear) : null;
    },
  };
}
