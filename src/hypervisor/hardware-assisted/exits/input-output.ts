// IO_INSTRUCTION (SDM vol. 3 table 27-5): every port of the guest belongs to its virtual board. String forms move whole
// runs at once, through the guest's own page tables, and may stop in the middle with a page fault that is the guest's.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { DF } from '../../../machine/cpu/flags.ts';
import { FIELD as F } from '../../../machine/cpu/vmx/fields.ts';
import { vmread } from '../../../machine/cpu/vmx/operations.ts';
import { decode } from '../../../machine/isa/decode.ts';
import { ECX, EDI, ESI, type Instruction } from '../../../machine/isa/instruction.ts';
import { Emulated, Injected } from '../../../trace/events.ts';
import type { Resume } from '../../technique.ts';
import type { ExitContext } from './context.ts';

/** Elements of a string instruction moved in one exit; the rest follows in the next, so that interrupts get their turn. */
const BATCH = 1024;

export function inputOutput(c: ExitContext): Resume {
  const q = c.exit.qualification;
  const size = ((q & 7) + 1) as 1 | 2 | 4;
  const port = q >>> 16;
  const input = (q & 8) !== 0;
  const resume = q & 16 ? stringForm(c, port, size, input, (q & 32) !== 0) : simpleForm(c, port, size, input);
  return powered(c, resume);
}

function simpleForm(c: ExitContext, port: number, size: 1 | 2 | 4, input: boolean): Resume {
  const { regs } = c.vcpu;
  const mask = size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
  if (input) {
    const value = c.guest.board.read(port, size);
    regs[0] = (regs[0] & ~mask) | (value & mask);
    c.emulated(Emulated.ioIn, port, value, size);
  } else {
    const value = (regs[0] & mask) >>> 0;
    c.guest.board.write(port, value, size);
    c.emulated(Emulated.ioOut, port, value, size);
  }
  c.hypervisor.charge('emulateDevice');
  return c.skip();
}

/** The guest may have switched its machine off, or reset it. */
function powered(c: ExitContext, resume: Resume): Resume {
  const { board, domain } = c.guest;
  if (board.state === 'on') return resume;
  if (board.state === 'off') c.hypervisor.endDomain(domain, 'halted', 'the guest switched the machine off');
  else c.hypervisor.endDomain(domain, 'rebooting', 'the guest reset the machine');
  return 'ended';
}

function stringForm(
  c: ExitContext,
  port: number,
  size: 1 | 2 | 4,
  input: boolean,
  repeated: boolean,
): Resume {
  const { guest, vcpu, cpu } = c;
  const instruction = fetch(c);
  if (instruction === null) return 'enter';
  c.hypervisor.charge('emulateInstruction');
  const { regs } = vcpu;
  const wide = instruction.addressSize === 32;
  const mask = wide ? 0xffffffff : 0xffff;
  const index = input ? EDI : ESI;
  const step = vmread(cpu, F.GUEST_RFLAGS) & DF ? -size : size;
  // The processor gives the linear address of the first element; the segment base is what remains without the index.
  const base = vmread(cpu, F.GUEST_LINEAR_ADDRESS) - ((regs[index] & mask) >>> 0);
  const user = vcpu.cpl === 3;
  const count = repeated ? (regs[ECX] & mask) >>> 0 : 1;
  for (let done = 0; done < count; done++) {
    if (done === BATCH) return 'enter';
    const linear = (base + ((regs[index] & mask) >>> 0)) >>> 0;
    if (!moveElement(c, linear, port, size, input, user))
      return c.raise(VECTOR.PF, guest.shadow.guestError, Injected.fault, linear);
    regs[index] = (regs[index] & ~mask) | ((regs[index] + step) & mask);
    if (repeated) regs[ECX] = (regs[ECX] & ~mask) | ((regs[ECX] - 1) & mask);
    c.hypervisor.charge('emulateDevice');
  }
  return c.skip();
}

/** One element between port and memory. False when the guest's tables forbid it; then nothing has happened. */
function moveElement(
  c: ExitContext,
  linear: number,
  port: number,
  size: 1 | 2 | 4,
  input: boolean,
  user: boolean,
): boolean {
  const { guest, hypervisor } = c;
  const { memory } = hypervisor.pc;
  const machine: number[] = [];
  for (let k = 0; k < size; k++) {
    const physical = guest.shadow.translate((linear + k) >>> 0, input, user);
    if (physical < 0) return false;
    machine.push(guest.domain.memory.toMachine(physical));
  }
  let value = 0;
  if (input) {
    value = guest.board.read(port, size);
    // Memory that is not there takes nothing; elsewhere it is all ones.
    for (let k = 0; k < size; k++) if (machine[k] >= 0) memory.write8(machine[k], value >>> (8 * k));
  } else {
    for (let k = 0; k < size; k++) value |= (machine[k] < 0 ? 0xff : memory.read8(machine[k])) << (8 * k);
    guest.board.write(port, value >>> 0, size);
  }
  c.emulated(input ? Emulated.ioIn : Emulated.ioOut, port, value, size);
  return true;
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
