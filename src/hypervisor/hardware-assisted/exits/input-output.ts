// IO_INSTRUCTION (SDM vol. 3 table 27-5): every port of the guest belongs to its virtual board. What the access is, the
// qualification says; only the address size of a string form has to be read from the instruction itself.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { DF } from '../../../machine/cpu/flags.ts';
import { FIELD as F } from '../../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../../machine/cpu/vmx/operations.ts';
import { decode } from '../../../machine/isa/decode.ts';
import { EDI, ESI, type Instruction } from '../../../machine/isa/instruction.ts';
import { Injected } from '../../../trace/events.ts';
import { endWhenPoweredOff } from '../../platform/pc-guest.ts';
import { type PortSize, portAccess, StringEnd, stringAccess } from '../../platform/port-io.ts';
import type { Resume } from '../../technique.ts';
import type { ExitContext } from './context.ts';

export function inputOutput(c: ExitContext): Resume {
  const q = c.exit.qualification;
  const size = ((q & 7) + 1) as PortSize;
  const port = q >>> 16;
  const input = (q & 8) !== 0;
  const resume = q & 16 ? stringForm(c, port, size, input, (q & 32) !== 0) : simpleForm(c, port, size, input);
  return endWhenPoweredOff(c.guest) ? 'ended' : resume;
}

function simpleForm(c: ExitContext, port: number, size: PortSize, input: boolean): Resume {
  portAccess(c.guest, port, size, input);
  const hit = portBreakpoints(c, port, size);
  // The processor delivers the trap at the next entry, behind the instruction.
  if (hit) vmwrite(c.cpu, F.GUEST_PENDING_DBG_EXCEPTIONS, hit | BREAKPOINT_ENABLED);
  return c.skip();
}

/** DR6 bits of the guest's breakpoints on this port: an access that leaves is not matched by the silicon (SDM vol. 3 §17.2.4). */
function portBreakpoints(c: ExitContext, port: number, size: number): number {
  const { dr } = c.cpu;
  if ((dr[0] | dr[1] | dr[2] | dr[3]) === 0) return 0;
  const dr7 = vmread(c.cpu, F.GUEST_DR7);
  if (!(dr7 & 0xff) || !(c.guest.shadow.control.cr4 & CR4_DE)) return 0;
  let hit = 0;
  for (let n = 0; n < 4; n++) {
    const kind = (dr7 >>> (16 + n * 4)) & 15;
    const length = (kind >>> 2) + 1;
    const first = dr[n] & ~(length - 1);
    const enabled = ((dr7 >>> (n * 2)) & 3) !== 0;
    if (enabled && (kind & 3) === ON_PORTS && port < first + length && port + size > first) hit |= 1 << n;
  }
  return hit;
}
const CR4_DE = 8;
const ON_PORTS = 2;
const BREAKPOINT_ENABLED = 0x1000;

function stringForm(c: ExitContext, port: number, size: PortSize, input: boolean, repeated: boolean): Resume {
  const { guest, vcpu, cpu } = c;
  const instruction = fetch(c);
  if (instruction === null) return 'enter';
  c.hypervisor.charge.emulateInstruction();
  const wide = instruction.addressSize === 32;
  const first = vcpu.regs[input ? EDI : ESI] & (wide ? 0xffffffff : 0xffff);
  const end = stringAccess(guest, {
    port,
    size,
    input,
    repeated,
    wide,
    backward: (vmread(cpu, F.GUEST_RFLAGS) & DF) !== 0,
    // The processor gives the linear address of the first element; the segment base is what remains without the index.
    base: vmread(cpu, F.GUEST_LINEAR_ADDRESS) - (first >>> 0),
    user: vcpu.cpl === 3,
  });
  if (end === StringEnd.done) return c.skip();
  if (end === StringEnd.more) return 'enter';
  return c.raise(VECTOR.PF, guest.shadow.guestError, Injected.fault, end);
}

/** Fetches and decodes the guest's instruction, for its address size. Null when its page has gone: then the guest faults by itself. */
function fetch(c: ExitContext): Instruction | null {
  const { guest, cpu, hypervisor } = c;
  const linear = vmread(cpu, F.GUEST_CS_BASE) + c.exit.eip;
  const bytes = new Uint8Array(c.exit.instructionLength);
  for (let k = 0; k < bytes.length; k++) {
    const physical = guest.shadow.translate((linear + k) >>> 0, false, c.vcpu.cpl === 3);
    const machine = physical < 0 ? -1 : guest.domain.memory.toMachine(physical);
    if (machine < 0) return null;
    bytes[k] = hypervisor.pc.memory.read8(machine);
  }
  const decoded = decode(bytes, 0, vmread(cpu, F.GUEST_CS_AR_BYTES) & 0x4000 ? 32 : 16);
  return typeof decoded === 'string' ? null : decoded;
}
