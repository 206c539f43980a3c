// What a paravirtualized kernel may still try at ring 1 without asking: instructions beyond those of privileged-ops.ts that
// Xen carries out for it (xen/arch/x86/traps.c emulate_privileged_op), and CPUID behind the prefix that makes it trap
// (emulate_forced_invalid_op; xen/include/public/arch-x86/xen.h XEN_EMULATE_PREFIX), which tells it about Xen.

import type { Cpu } from '../../../machine/cpu/cpu.ts';
import { cpuid, type Identification } from '../../../machine/cpu/cpuid.ts';
import { ESP } from '../../../machine/isa/instruction.ts';
import { Emulated, Kind } from '../../../trace/events.ts';
import type { ExceptionHandler, HypercallRequest, PrivilegedHandler } from '../extensions.ts';
import { GUEST_FAULT } from '../guest-access.ts';
import { getDebugRegister, setDebugRegister } from './processor.ts';

/** UD2, the letters "xen", CPUID. */
const PREFIXED_CPUID = [0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2];
const XEN_LEAF = 0x40000000;
/** Of leaf 1: what a guest of ours has no use for, or may not use. EDX: VME PSE MCE APIC SEP MTRR PGE MCA PSE36 ACPI; ECX: MONITOR VMX. */
const HIDDEN_EDX = 0x00433a8a | (1 << 14) | (1 << 22);
const HIDDEN_ECX = (1 << 3) | (1 << 5);
const EXTENDED_FEATURES = 0x80000001;
const HIDDEN_SVM = 1 << 2;

/** Leaves of the hypervisor (cpuid_hypervisor_leaves), and the processor's own without what only a hypervisor can use. */
function identify(cpu: Cpu, leaf: number): Identification {
  switch (leaf) {
    case XEN_LEAF:
      return { eax: XEN_LEAF + 2, ebx: 0x566e6558, ecx: 0x65584d4d, edx: 0x4d4d566e };
    case XEN_LEAF + 1:
      return { eax: 0x30000, ebx: 0, ecx: 0, edx: 0 };
    case XEN_LEAF + 2:
      // Hypercall pages that an MSR fills in: one, at 40000000h (which nobody needs who has an ELF note).
      return { eax: 1, ebx: 0x40000000, ecx: 0, edx: 0 };
    default: {
      const found = { ...cpuid(cpu, leaf) };
      if (leaf === 1) {
        found.edx &= ~HIDDEN_EDX;
        found.ecx &= ~HIDDEN_ECX;
      } else if (leaf === EXTENDED_FEATURES) found.ecx &= ~HIDDEN_SVM;
      return found;
    }
  }
}

export const forcedCpuid: ExceptionHandler = ({ hypervisor, access, descriptors, vcpu, pv }) => {
  const { frame } = pv.current;
  const code = descriptors.segment(pv, frame.cs);
  if (!code) return false;
  try {
    for (let n = 0; n < PREFIXED_CPUID.length; n++)
      if (access.read8(pv, code.base + frame.eip + n) !== PREFIXED_CPUID[n]) return false;
  } catch (error) {
    if (error !== GUEST_FAULT) throw error;
    return false;
  }
  const { regs } = vcpu;
  hypervisor.charge.emulateInstruction();
  const leaf = regs[0] >>> 0;
  const { eax, ebx, ecx, edx } = identify(hypervisor.cpu, leaf);
  regs[0] = eax;
  regs[3] = ebx;
  regs[1] = ecx;
  regs[2] = edx;
  hypervisor.record(vcpu, Kind.emulate, Emulated.cpuid, leaf, eax, 4);
  frame.eip = (frame.eip + PREFIXED_CPUID.length) | 0;
  return true;
};

/** MOV to and from debug registers, as the hypercalls do it; MSRs may be read, and writes to them are lost. */
export const emulateMore: PrivilegedHandler = (request, operation, reg, rm) => {
  const { regs } = request.vcpu;
  const { frame } = request.pv.current;
  switch (operation) {
    case 'mov-from-dr': {
      const value = getDebugRegister(withArguments(request, reg));
      if (value === -22 && (reg === 4 || reg === 5)) return false;
      if (rm === ESP) frame.esp = value;
      else regs[rm] = value;
      return true;
    }
    case 'mov-to-dr':
      return setDebugRegister(withArguments(request, reg, rm === ESP ? frame.esp : regs[rm])) === 0;
    default:
      return false;
  }
};

function withArguments(request: HypercallRequest, ...values: number[]): HypercallRequest {
  const a = new Int32Array(6);
  a.set(values);
  return { ...request, a };
}
