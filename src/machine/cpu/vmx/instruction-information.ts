// Details of the instruction that caused an exit, beyond its length (SDM vol. 3 §27.2.1, §27.2.4, tables 27-12 to 27-13):
// rare, so the instruction is simply decoded once more from where it stands.
import { decode } from '../../isa/decode.ts';
import { CS, EDI, ES, ESI, type Instruction } from '../../isa/instruction.ts';
import { effectiveAddress } from '../address.ts';
import { peek } from '../paging.ts';
import { EXIT } from './exit-reasons.ts';
import type { VmxState } from './state.ts';
import { W } from './words.ts';

const MAX_LENGTH = 15;
const bytes = new Uint8Array(MAX_LENGTH);

/** The instruction being executed, or null when its bytes have been unmapped meanwhile. */
function current(vmx: VmxState): Instruction | null {
  const { cpu } = vmx;
  const code = cpu.segments[CS];
  let length = 0;
  for (; length < MAX_LENGTH; length++) {
    const physical = peek(cpu, (code.base + cpu.instructionStart + length) >>> 0);
    if (physical < 0) break;
    bytes[length] = cpu.memory.read8(physical);
  }
  const decoded = decode(bytes, 0, code.access & 0x4000 ? 32 : 16, length);
  return typeof decoded === 'string' ? null : decoded;
}

/** Stores the guest-linear address of INS (ES:DI) or OUTS (segment:SI). */
export function describeStringIo(vmx: VmxState, input: boolean): void {
  const { cpu, words: w, base: b } = vmx;
  const i = current(vmx);
  if (!i) return;
  const index = cpu.regs[input ? EDI : ESI];
  const offset = i.addressSize === 32 ? index : index & 0xffff;
  w[b + W.linearAddress] = cpu.segments[input ? ES : i.segment].base + offset;
}

/** Stores the guest-linear address of LMSW's memory operand. @returns 1 when it has one, 0 for a register */
export function describeLmsw(vmx: VmxState): 0 | 1 {
  const { cpu, words: w, base: b } = vmx;
  const i = current(vmx);
  if (!i?.memory) return 0;
  w[b + W.linearAddress] = cpu.segments[i.segment].base + effectiveAddress(cpu, i);
  return 1;
}

/** Stores the instruction-information field of a VMX instruction. @returns the displacement of its memory operand: the exit qualification */
export function describeVmxOperands(vmx: VmxState, reason: number): number {
  const { words: w, base: b } = vmx;
  const i = current(vmx);
  if (!i || reason === EXIT.vmlaunch || reason === EXIT.vmresume || reason === EXIT.vmxoff) return 0;
  const hasRegister = reason === EXIT.vmread || reason === EXIT.vmwrite || reason >= EXIT.invept;
  let information = hasRegister ? i.reg << 28 : 0;
  if (!i.memory) information |= (i.rm << 3) | (1 << 10);
  else {
    information |= i.scale | ((i.addressSize === 32 ? 1 : 0) << 7) | (i.segment << 15);
    information |= i.index < 0 ? 1 << 22 : i.index << 18;
    information |= i.base < 0 ? 1 << 27 : i.base << 23;
  }
  w[b + W.instructionInfo] = information;
  return i.memory ? i.displacement : 0;
}
