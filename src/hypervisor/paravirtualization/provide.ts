// The whole of Xen's interface from now on: everything that extensions.ts asks for.
import { ERROR } from './abi.ts';
import { emulateMore, forcedCpuid } from './calls/emulated.ts';
import { memoryOperation } from './calls/memory.ts';
import { EPERM, NUMBER } from './calls/numbers.ts';
import {
  callbackOperation,
  getDebugRegister,
  otherDomainMapping,
  setDebugRegister,
  vmAssist,
} from './calls/processor.ts';
import { schedulePoll, vcpuOperation } from './calls/vcpu.ts';
import { xenVersion } from './calls/version.ts';
import {
  type HypercallHandler,
  optionalExceptions,
  optionalForeign,
  optionalHypercalls,
  optionalPae,
  optionalPrivileged,
} from './extensions.ts';
import { ForeignPages } from './foreign-pages.ts';
import { gdtFault } from './gdt-fault.ts';
import { ldtFault, provideExtended } from './ldt.ts';
import { makePaeArea } from './pae-area.ts';
import { cutSegmentFault } from './segments-4gb.ts';
import { writableTableFault } from './writable-tables.ts';

const handlers: [number, HypercallHandler][] = [
  [NUMBER.set_debugreg, setDebugRegister],
  [NUMBER.get_debugreg, getDebugRegister],
  [NUMBER.memory_op, memoryOperation],
  [NUMBER.xen_version, xenVersion],
  [NUMBER.vm_assist, vmAssist],
  [NUMBER.update_va_mapping_otherdomain, otherDomainMapping],
  [NUMBER.vcpu_op, vcpuOperation],
  [NUMBER.sched_op, schedulePoll],
  [NUMBER.callback_op, callbackOperation],
  // Real interrupts and ports are for domains that have devices.
  [NUMBER.physdev_op, () => EPERM],
  [NUMBER.physdev_op_compat, () => EPERM],
  [NUMBER.nmi_op, () => ERROR.nosys],
];
for (const [number, handler] of handlers) optionalHypercalls.set(number, handler);
optionalExceptions.set(6, [forcedCpuid]);
optionalExceptions.set(13, [cutSegmentFault]);
optionalExceptions.set(14, [gdtFault, ldtFault, writableTableFault]);
if (!optionalPrivileged.includes(emulateMore)) optionalPrivileged.push(emulateMore);
optionalPae.makeArea = makePaeArea;
optionalForeign.make = (tables, pv) => new ForeignPages(tables, pv);
provideExtended();
