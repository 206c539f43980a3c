// Looking into a guest of VT-x: its VMCS field by field as it lies in machine memory, with values in words where a field has
// any (SDM vol. 3 app. B, C), and the ways an address goes: the guest's tables beside shadow tables or EPT. Changes nothing.
import { EXIT_CONTROL, PIN, PROC } from '../../machine/cpu/vmx/capabilities.ts';
import { ENTRY_FAILURE } from '../../machine/cpu/vmx/exit-reasons.ts';
import { FIELDS, type Field } from '../../machine/cpu/vmx/fields.ts';
import { Vendor } from '../../trace/events.ts';
import { exitName, vectorName } from '../../trace/exits.ts';
import { bitNames, cr0Names, flagNames, vectorNames } from '../bit-names.ts';
import type { Vcpu } from '../domain.ts';
import type { GuestControl } from '../guest-walk.ts';
import type { AddressWalk, ControlField, ControlStructure, Inspector } from '../inspection.ts';
import type { Technique } from '../technique.ts';
import { walkSteps } from '../walk-steps.ts';
import type { HardwareAssisted } from './hardware-assisted.ts';
import { hasNestedPaging } from './vmcs.ts';
import type { VtxGuest } from './vtx-guest.ts';

const PG = 0x80000000;
const PAE = 0x20;

const CR4 = bitNames({
  VME: 1,
  PVI: 2,
  TSD: 4,
  DE: 8,
  PSE: 16,
  PAE: 32,
  MCE: 64,
  PGE: 128,
  PCE: 256,
  OSFXSR: 512,
  OSXMMEXCPT: 1024,
  VMXE: 1 << 13,
});
const TYPES = ['interrupt', '', 'NMI', 'exception', 'INT n', 'INT1', 'INT3 or INTO', ''];

/** Interruption information: valid bit, type, vector. */
function event(low: number): string {
  if (low >= 0) return '';
  const type = (low >>> 8) & 7;
  const vector = low & 0xff;
  return `${TYPES[type]} ${type === 3 || type === 6 ? vectorName(vector) : `${vector.toString(16).toUpperCase()}h`}`;
}

const rights = (low: number): string => {
  if (low & 0x10000) return 'unusable';
  const kind = !(low & 16) ? 'system' : low & 8 ? 'code' : 'data';
  return `${kind} DPL ${(low >>> 5) & 3}${low & 0x80 ? '' : ' not present'}`;
};

const MEANINGS: Readonly<Record<string, (low: number) => string>> = {
  PIN_BASED_VM_EXEC_CONTROL: bitNames(PIN),
  CPU_BASED_VM_EXEC_CONTROL: bitNames(PROC),
  SECONDARY_VM_EXEC_CONTROL: bitNames({ ept: 2, vpid: 32, wbinvd: 64, unrestricted: 128 }),
  VM_EXIT_CONTROLS: bitNames(EXIT_CONTROL),
  EXCEPTION_BITMAP: vectorNames,
  VM_EXIT_REASON: (low) => `${exitName(Vendor.vmx, low)}${low & ENTRY_FAILURE ? ' (the entry failed)' : ''}`,
  VM_EXIT_INTR_INFO: event,
  VM_ENTRY_INTR_INFO: event,
  IDT_VECTORING_INFO: event,
  GUEST_ACTIVITY_STATE: (low) => ['active', 'HLT', 'shutdown', 'wait-for-SIPI'][low] ?? '',
  GUEST_INTERRUPTIBILITY_INFO: bitNames({ STI: 1, 'MOV SS': 2, SMI: 4, NMI: 8 }),
  GUEST_RFLAGS: flagNames,
  EPT_POINTER: (low) =>
    `tables at ${((low & 0xfffff000) >>> 0).toString(16).toUpperCase()}h, ${((low >>> 3) & 7) + 1} levels`,
  GUEST_CR0: cr0Names,
  HOST_CR0: cr0Names,
  CR0_GUEST_HOST_MASK: cr0Names,
  CR0_READ_SHADOW: cr0Names,
  GUEST_CR4: CR4,
  HOST_CR4: CR4,
  CR4_GUEST_HOST_MASK: CR4,
  CR4_READ_SHADOW: CR4,
};

const AREAS = { control: 'control', 'read-only': 'exit', guest: 'guest', host: 'host' } as const;

function read(guest: VtxGuest, f: Field): ControlField {
  const low = guest.look(f.encoding);
  const meaning = f.name.endsWith('_AR_BYTES') ? rights(low) : MEANINGS[f.name]?.(low);
  return {
    name: f.name,
    encoding: f.encoding,
    area: AREAS[f.group],
    bits: f.width === 'natural' ? 32 : f.width,
    low: f.width === 16 ? low & 0xffff : low,
    high: f.width === 64 ? guest.look(f.encoding + 1) : 0,
    ...(meaning ? { meaning } : {}),
  };
}

/** Every field that this processor has; the halves of 64-bit fields together. */
function controlStructure(guest: VtxGuest): ControlStructure | null {
  if (!guest.prepared) return null;
  const generation = hasNestedPaging(guest.hypervisor.cpu) ? 2 : 1;
  const fields = FIELDS.filter((f) => f.generation <= generation && !(f.width === 64 && f.encoding & 1));
  return { kind: 'VMCS', machine: guest.vmcs, fields: fields.map((f) => read(guest, f)) };
}

function walk(guest: VtxGuest, { cr0, cr3, cr4 }: Readonly<GuestControl>, linear: number): AddressWalk {
  const { memory } = guest.hypervisor.pc;
  const own =
    cr0 & PG
      ? walkSteps(memory, 'guest', cr4 & PAE ? 'pae' : 'legacy', cr3, linear, (at) =>
          guest.domain.memory.toMachine(at),
        )
      : { steps: [], result: linear >>> 0 };
  if (guest.nested) {
    const real =
      own.result < 0
        ? { steps: [], result: -1 }
        : walkSteps(memory, 'nested', 'ept', guest.nested.root, own.result);
    return { linear, guest: own.steps, physical: own.result, real: real.steps, machine: real.result };
  }
  const real = walkSteps(
    memory,
    'shadow',
    guest.shadowTables!.wide ? 'pae' : 'legacy',
    guest.shadowTables!.root,
    linear,
  );
  return { linear, guest: own.steps, physical: own.result, real: real.steps, machine: real.result };
}

/** How to look into the guests of this technique. */
export function vtxInspector(technique: Technique): Inspector {
  const vtx = technique as HardwareAssisted;
  const of = (vcpu: Vcpu): VtxGuest | null => vtx.guestOf(vcpu);
  return {
    controlStructure: (vcpu) => {
      const guest = of(vcpu);
      return guest && controlStructure(guest);
    },
    walk: (vcpu, linear) => {
      const guest = of(vcpu);
      return guest && walk(guest, vtx.controlOf(vcpu), linear >>> 0);
    },
  };
}
