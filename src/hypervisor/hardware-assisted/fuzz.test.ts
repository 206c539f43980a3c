// Random kernels and random guest states under VT-x, with shadow tables and with EPT, in protected and in real mode: see
// ../testing/fuzz-hardware.ts for what must hold.
import fc from 'fast-check';
import { FIELD as F } from '../../machine/cpu/vmx/fields.ts';
import { vmwrite } from '../../machine/cpu/vmx/operations.ts';
import { fuzzEveryWay, type Vendor } from '../testing/fuzz-hardware.ts';
import { value } from '../testing/random-kernel.ts';
import { HardwareAssisted } from './hardware-assisted.ts';

const FIELDS = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [
    F.GUEST_ES_SELECTOR + 2 * n,
    F.GUEST_ES_BASE + 2 * n,
    F.GUEST_ES_LIMIT + 2 * n,
    F.GUEST_ES_AR_BYTES + 2 * n,
  ]),
  F.GUEST_GDTR_BASE,
  F.GUEST_GDTR_LIMIT,
  F.GUEST_IDTR_BASE,
  F.GUEST_IDTR_LIMIT,
  F.GUEST_RFLAGS,
  F.GUEST_RFLAGS,
  F.GUEST_RIP,
  F.GUEST_RSP,
  F.GUEST_DR7,
  F.GUEST_SYSENTER_CS,
  F.GUEST_SYSENTER_EIP,
  F.GUEST_INTERRUPTIBILITY_INFO,
  F.GUEST_PENDING_DBG_EXCEPTIONS,
] as const;
/** With EPT these are the guest's own. */
const NESTED_FIELDS = [F.GUEST_CR0, F.GUEST_CR3, F.GUEST_CR4, F.GUEST_ACTIVITY_STATE] as const;
const ACCESS = [
  0xc09b, 0xc093, 0xc0fb, 0xc0f3, 0xf3, 0x8b, 0x83, 0x82, 0x10000, 0x93, 0x9b, 0x4093, 0x97, 0xc097, 0xc09f,
];
const FLAGS = [0x2, 0x102, 0x202, 0x302, 0x20002, 0x23202, 0x4002, 0x10002, 0x200002];
const CONTROL = [0x30, 0x31, 0x80000031, 0x2020, 0x2000];

type Change = { field: number; value: number };

const vendor = (paging: 'shadow' | 'nested'): Vendor<Change> => ({
  processor: paging === 'nested' ? 'nehalem' : 'prescott',
  paging,
  technique: (hypervisor) => new HardwareAssisted(hypervisor),
  tables(technique, domain) {
    const guest = (technique as HardwareAssisted).guestOf(domain.vcpus[0]);
    return { nested: guest?.nested ?? null, shadow: guest?.shadowTables ?? null };
  },
  change: fc.record({
    field: fc.constantFrom(...FIELDS, ...(paging === 'nested' ? NESTED_FIELDS : [])),
    value: fc.oneof(value, fc.constantFrom(...ACCESS), fc.constantFrom(...FLAGS, ...CONTROL), fc.nat(0x2f)),
  }),
  meddle(technique, domain, changes) {
    const guest = (technique as HardwareAssisted).guestOf(domain.vcpus[0]);
    if (!guest?.prepared) return;
    const { cpu } = guest.hypervisor;
    if (cpu.vmx!.current !== (guest.vmcs | 0)) return;
    for (const { field, value } of changes) vmwrite(cpu, field, value);
  },
});

fuzzEveryWay(vendor);
