// Hypercalls about the virtual processor's registers and entry points: debug registers, callbacks, assists, and what a
// domain without privileges or a 32-bit one is refused (xen/arch/x86/traps.c, domain.c, x86_32/traps.c, mm.c).
import type { Cpu } from '../../../machine/cpu/cpu.ts';
import { DOMID_SELF, ERROR } from '../abi.ts';
import type { HypercallRequest } from '../extensions.ts';
import type { PvDomain } from '../pv-domain.ts';
import type { PvVcpu } from '../pv-vcpu.ts';
import { CALLBACK, EPERM, VMASST } from './numbers.ts';

/** set_debugreg(register, value). */
export function setDebugRegister({
  hypervisor: { cpu },
  pv,
  a: [register, value],
}: HypercallRequest): number {
  return writeDebugRegister(pv, pv.current, cpu, register, value);
}

/** No breakpoint in the hypervisor, no reserved bits, no I/O breakpoints (set_debugreg of xen/arch/x86/traps.c). */
export function writeDebugRegister(
  pv: PvDomain,
  v: PvVcpu,
  cpu: Cpu,
  register: number,
  value: number,
): number {
  let allowed = value;
  switch (register) {
    case 0:
    case 1:
    case 2:
    case 3:
      if (value >>> 0 >= pv.layout.hypervisorStart - 4) return EPERM;
      break;
    case 6:
      allowed = (value & 0xffffefff) | 0xffff0ff0;
      break;
    case 7:
      allowed = (value & 0xffff27ff) | 0x400;
      // Length and type of each: 2 is I/O; the general-detect bit would shut the hypervisor out.
      for (let n = 0; n < 4; n++)
        if ((allowed & (3 << (n * 2))) !== 0 && ((allowed >>> (16 + n * 4)) & 3) === 2) return EPERM;
      if (allowed & 0x2000) return EPERM;
      break;
    default:
      return ERROR.inval;
  }
  debugRegisters(pv, v, cpu)[register] = allowed;
  if (v === pv.current) cpu.dr[register] = allowed;
  return 0;
}

export function getDebugRegister({ hypervisor: { cpu }, pv, a: [register] }: HypercallRequest): number {
  if (register < 0 || register > 7 || register === 4 || register === 5) return ERROR.inval;
  return debugRegisters(pv, pv.current, cpu)[register];
}

const kept = new WeakMap<PvVcpu, Int32Array>();

/** The debug registers of a virtual processor: in the real one while it runs, and nobody else's. DR6 is what that has put there. */
function debugRegisters(pv: PvDomain, v: PvVcpu, cpu: Cpu): Int32Array {
  const running = v === pv.current;
  let registers = kept.get(v);
  if (registers) {
    if (running) registers[6] = cpu.dr[6];
    return registers;
  }
  registers = Int32Array.of(0, 0, 0, 0, 0, 0, 0xffff0ff0, 0x400);
  kept.set(v, registers);
  const own = registers;
  const put = (from: ArrayLike<number>) => {
    for (const n of [0, 1, 2, 3, 6, 7]) cpu.dr[n] = from[n];
  };
  if (running) put(own);
  v.onLoad.add(() => put(own));
  v.onUnload.add(() => {
    own[6] = cpu.dr[6];
    put([0, 0, 0, 0, 0, 0, 0xffff0ff0 | 0, 0x400]);
  });
  return own;
}

/** callback_op(command, argument): struct callback_register {u16 type, u16 flags, {cs, eip}}; callback_unregister {u16 type}. */
export function callbackOperation({ access, descriptors, pv, a: [command, at] }: HypercallRequest): number {
  const type = access.read16(pv, at);
  if (command === 1) return type === CALLBACK.nmi ? 0 : ERROR.inval;
  if (command !== 0) return ERROR.nosys;
  const callback = {
    selector: descriptors.guestSelector(access.read32(pv, at + 4)),
    address: access.read32(pv, at + 8),
  };
  switch (type) {
    case CALLBACK.event:
      pv.current.eventCallback = callback;
      return 0;
    case CALLBACK.failsafe:
      pv.current.failsafeCallback = callback;
      return 0;
    case CALLBACK.nmi:
      // There is none that a guest could be told of.
      return 0;
    case CALLBACK.sysenterDeprecated:
    case CALLBACK.syscall:
      return ERROR.inval;
    default:
      return ERROR.nosys;
  }
}

/** vm_assist(command, type). */
export function vmAssist({ pv, a: [command, type] }: HypercallRequest): number {
  if (type >>> 0 > VMASST.paeExtendedCr3) return ERROR.inval;
  if (command !== 0 && command !== 1) return ERROR.nosys;
  if (command === 0) pv.assists |= 1 << type;
  else pv.assists &= ~(1 << type);
  return 0;
}

/** update_va_mapping_otherdomain(…, domid): another's page tables are for privileged domains; one's own have a call of their own. */
export function otherDomainMapping({ a }: HypercallRequest): number {
  return (a[4] & 0xffff) === DOMID_SELF ? ERROR.inval : EPERM;
}
