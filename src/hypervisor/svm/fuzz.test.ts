// Random kernels and random VMCBs under SVM, with shadow and nested paging, in protected and in real mode: see
// ../testing/fuzz-hardware.ts for what must hold.
import fc from 'fast-check';
import { VMCB_FIELDS } from '../../machine/cpu/svm/layout.ts';
import { fuzzEveryWay, type Vendor } from '../testing/fuzz-hardware.ts';
import { value } from '../testing/random-kernel.ts';
import { Svm } from './svm.ts';

/** Fields that are the guest's: what a guest could have brought about, and more. The hypervisor's own controls are not meddled with. */
const FIELDS = VMCB_FIELDS.filter((f) => f.area === 'guest');
const ACCESS = [0xc9b, 0xc93, 0xcfb, 0xcf3, 0xf3, 0x8b, 0x82, 0, 0x93, 0x9b, 0x493];
const FLAGS = [0x2, 0x202, 0x20202, 0x1000];
const CR0 = 0x558;
const CR4 = 0x548;

type Change = { field: (typeof FIELDS)[number]; value: number };

const vendor = (paging: 'shadow' | 'nested'): Vendor<Change> => ({
  processor: paging === 'nested' ? 'nehalem' : 'prescott',
  paging,
  technique: (hypervisor) => new Svm(hypervisor),
  tables(technique, domain) {
    const guest = (technique as Svm).guestOf(domain);
    return { nested: guest?.nested ?? null, shadow: guest?.shadowTables ?? null };
  },
  change: fc.record({
    field: fc.constantFrom(...FIELDS),
    value: fc.oneof(value, fc.constantFrom(...ACCESS, ...FLAGS), fc.nat(0x2f)),
  }),
  meddle(technique, domain, changes) {
    const guest = (technique as Svm).guestOf(domain);
    const { machine } = guest.vmcb;
    const { memory } = guest.hypervisor.pc;
    for (const { field, value } of changes) {
      if (field.bits === 8) memory.write8(machine + field.offset, value);
      else if (field.bits === 16) memory.write16(machine + field.offset, value);
      else memory.write32(machine + field.offset, value);
    }
    if (paging === 'nested' || !changes.length) return;
    // With shadow paging CR3 is the hypervisor’s; paging and write protection stay on, and large pages are none of the guest’s.
    guest.loadedRoot = -1;
    memory.write32(machine + CR0, memory.read32(machine + CR0) | 0x80010000);
    memory.write32(machine + CR4, memory.read32(machine + CR4) & ~0x30);
  },
});

fuzzEveryWay(vendor);
