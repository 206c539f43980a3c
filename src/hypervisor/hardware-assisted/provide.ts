// VT-x can do nested paging, PAE, real mode, devices in memory and task switches from now on.
import '../../machine/cpu/vmx/provide-second-generation.ts';
import { FIELD as F, LATER_FIELD as L } from '../../machine/cpu/vmx/fields.ts';
import { INVEPT, INVVPID, invept, invvpid } from '../../machine/cpu/vmx/invalidate.ts';
import { vmread } from '../../machine/cpu/vmx/operations.ts';
import type { Remembered } from '../guest-paging.ts';
import { EPT_FORMAT, NestedPaging } from '../nested-paging.ts';
import { CR4_PAE } from '../platform/control-registers.ts';
import { WideShadowPaging } from '../wide-shadow-paging.ts';
import { Emulation } from './emulation.ts';
import { optional } from './optional.ts';
import { EPT_POINTER_BITS, NESTED_CR0_OWNED } from './vmcs.ts';
import type { VtxGuest } from './vtx-guest.ts';

optional.parts = {
  Shadows: WideShadowPaging,
  emulation: (guest, devices) => new Emulation(guest, devices),
  nestedPaging(guest, devices) {
    const { hypervisor, domain } = guest;
    /** What the guest believes, from its VMCS: by VMREAD for work, without for looking. */
    const registers = (looking: boolean) => {
      const read = (field: number): number =>
        looking ? guest.look(field) : vmread(hypervisor.cpu, field) | 0;
      if (!guest.prepared) return { cr0: 0x11, cr3: 0, cr4: 0 };
      const cr4 = read(F.GUEST_CR4) & ~0x2000;
      return {
        cr0: (read(F.GUEST_CR0) & ~NESTED_CR0_OWNED) | (read(F.CR0_READ_SHADOW) & NESTED_CR0_OWNED),
        cr3: read(F.GUEST_CR3),
        cr4,
        pointers: cr4 & CR4_PAE ? Int32Array.from({ length: 8 }, (_, n) => read(L.GUEST_PDPTR0 + n)) : null,
      };
    };
    return new NestedPaging(hypervisor, domain.memory, EPT_FORMAT, registers, remembered(guest), devices);
  },
  remembered,
};

/** Before its first entry (`prepared`), when its VPID is made its own, nothing is remembered of a guest. */
function remembered(guest: VtxGuest): Remembered {
  const { cpu } = guest.hypervisor;
  return {
    forgetTables() {
      if (guest.prepared) invept(cpu, INVEPT.single, guest.nested!.root | EPT_POINTER_BITS);
    },
    forgetAll() {
      if (guest.prepared) invvpid(cpu, INVVPID.single, guest.vpid);
    },
    forgetPage(linear) {
      if (guest.prepared) invvpid(cpu, INVVPID.address, guest.vpid, 0, linear);
    },
  };
}
