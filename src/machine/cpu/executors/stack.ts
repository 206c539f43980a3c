// PUSH POP PUSHA POPA ENTER LEAVE (SDM vol. 2; vol. 1 §6.2). Two sizes rule: the operand size says how much is moved, the
// B bit of SS whether ESP or only SP points. Every access is made before a register changes.
import { EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, type Instruction, SS } from '../../isa/instruction.ts';
import { modify16, modify32, read16, read32, write16, write32 } from '../access.ts';
import { effectiveAddress, stepOffset } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { advance } from '../stacks.ts';
import type { Binder, Executors } from './executor.ts';
import { placeOf, readerOf } from './operands.ts';

/** B bit of SS in `SegmentRegister.access`. */
const BIG = 0x4000;
const SP = ESP * 2;
const BP = EBP * 2;

/** Raises #SS(0), #PF. */
export function push32(cpu: Cpu, value: number): void {
  if (cpu.segments[SS].access & BIG) {
    const esp = (cpu.regs[ESP] - 4) | 0;
    write32(cpu, SS, esp, value);
    cpu.regs[ESP] = esp;
  } else {
    const sp = (cpu.regs16[SP] - 4) & 0xffff;
    write32(cpu, SS, sp, value);
    cpu.regs16[SP] = sp;
  }
}

/** Raises #SS(0), #PF. */
export function push16(cpu: Cpu, value: number): void {
  if (cpu.segments[SS].access & BIG) {
    const esp = (cpu.regs[ESP] - 2) | 0;
    write16(cpu, SS, esp, value);
    cpu.regs[ESP] = esp;
  } else {
    const sp = (cpu.regs16[SP] - 2) & 0xffff;
    write16(cpu, SS, sp, value);
    cpu.regs16[SP] = sp;
  }
}

/** Reads 32 bits at the stack pointer plus `bytes`, without popping. */
export function peek32(cpu: Cpu, bytes: number): number {
  return read32(cpu, SS, stackOffset(cpu, bytes));
}

/** Reads 16 bits at the stack pointer plus `bytes`, without popping. */
export function peek16(cpu: Cpu, bytes: number): number {
  return read16(cpu, SS, stackOffset(cpu, bytes));
}

function stackOffset(cpu: Cpu, bytes: number): number {
  return cpu.segments[SS].access & BIG ? (cpu.regs[ESP] + bytes) | 0 : (cpu.regs16[SP] + bytes) & 0xffff;
}

/** Moves the stack pointer by `bytes`. */
export function moveStackPointer(cpu: Cpu, bytes: number): void {
  if (cpu.segments[SS].access & BIG) cpu.regs[ESP] += bytes;
  else cpu.regs16[SP] += bytes;
}

function pushRegister32(cpu: Cpu, i: Instruction): void {
  push32(cpu, cpu.regs[i.reg]);
}

function pushImmediate32(cpu: Cpu, i: Instruction): void {
  push32(cpu, i.immediate);
}

function pushMemory32(cpu: Cpu, i: Instruction): void {
  push32(cpu, read32(cpu, i.segment, effectiveAddress(cpu, i)));
}

const pushBinder: Binder = (i) => {
  const place = placeOf(i, i.form.operands[0]);
  if (i.operandSize === 32) {
    if (place === 'reg') return pushRegister32;
    if (place === 'immediate') return pushImmediate32;
    if (place === 'memory') return pushMemory32;
    return (cpu, i) => push32(cpu, cpu.regs[i.rm]);
  }
  // An 8-bit immediate is sign-extended by the decoder; here it is a word like all others.
  const read = place === 'immediate' ? (_: Cpu, i: Instruction) => i.immediate : readerOf(i, 0);
  return (cpu, i) => push16(cpu, read(cpu, i));
};

/** `pop esp` ends with the popped value: the register is written last. */
function popRegister32(cpu: Cpu, i: Instruction): void {
  const value = peek32(cpu, 0);
  moveStackPointer(cpu, 4);
  cpu.regs[i.reg] = value;
}

function popRegister16(cpu: Cpu, i: Instruction): void {
  const value = peek16(cpu, 0);
  moveStackPointer(cpu, 2);
  cpu.regs16[i.reg << 1] = value;
}

/** The address is worked out with the stack pointer after the pop (SDM vol. 2 "POP"). */
function popMemory(cpu: Cpu, i: Instruction): void {
  const bytes = i.operandSize >> 3;
  const old = cpu.regs[ESP];
  const esp = advance(cpu.segments[SS], old, bytes);
  const value = i.operandSize === 32 ? peek32(cpu, 0) : peek16(cpu, 0);
  let offset = effectiveAddress(cpu, i);
  if (i.base === ESP) offset = stepOffset(i, offset, esp - old);
  if (i.operandSize === 32) write32(cpu, i.segment, offset, value);
  else write16(cpu, i.segment, offset, value);
  cpu.regs[ESP] = esp;
}

const popBinder: Binder = (i) => {
  if (i.memory) return popMemory;
  const inRm = placeOf(i, i.form.operands[0]) === 'rm';
  if (!inRm) return i.operandSize === 32 ? popRegister32 : popRegister16;
  return (cpu, i) => {
    const value = i.operandSize === 32 ? peek32(cpu, 0) : peek16(cpu, 0);
    moveStackPointer(cpu, i.operandSize >> 3);
    if (i.operandSize === 32) cpu.regs[i.rm] = value;
    else cpu.regs16[i.rm << 1] = value;
  };
};

function pusha32(cpu: Cpu): void {
  // The far end is checked first, so that nothing is written when the last push would fault.
  modify32(cpu, SS, stackOffset(cpu, -32));
  const { regs } = cpu;
  for (let r = EAX; r <= EDI; r++) write32(cpu, SS, stackOffset(cpu, -4 * (r + 1)), regs[r]);
  moveStackPointer(cpu, -32);
}

function pusha16(cpu: Cpu): void {
  modify16(cpu, SS, stackOffset(cpu, -16));
  for (let r = EAX; r <= EDI; r++) write16(cpu, SS, stackOffset(cpu, -2 * (r + 1)), cpu.regs16[r << 1]);
  moveStackPointer(cpu, -16);
}

function popa32(cpu: Cpu): void {
  const { regs } = cpu;
  const edi = peek32(cpu, 0);
  const esi = peek32(cpu, 4);
  const ebp = peek32(cpu, 8);
  const ebx = peek32(cpu, 16);
  const edx = peek32(cpu, 20);
  const ecx = peek32(cpu, 24);
  regs[EAX] = peek32(cpu, 28);
  regs[ECX] = ecx;
  regs[EDX] = edx;
  regs[EBX] = ebx;
  regs[EBP] = ebp;
  regs[ESI] = esi;
  regs[EDI] = edi;
  moveStackPointer(cpu, 32);
}

function popa16(cpu: Cpu): void {
  const { regs16 } = cpu;
  const di = peek16(cpu, 0);
  const si = peek16(cpu, 2);
  const bp = peek16(cpu, 4);
  const bx = peek16(cpu, 8);
  const dx = peek16(cpu, 10);
  const cx = peek16(cpu, 12);
  regs16[EAX << 1] = peek16(cpu, 14);
  regs16[ECX << 1] = cx;
  regs16[EDX << 1] = dx;
  regs16[EBX << 1] = bx;
  regs16[BP] = bp;
  regs16[ESI << 1] = si;
  regs16[EDI << 1] = di;
  moveStackPointer(cpu, 16);
}

function put(cpu: Cpu, offset: number, value: number, wide: boolean): void {
  if (wide) write32(cpu, SS, offset, value);
  else write16(cpu, SS, offset, value);
}

/** Frame with room for `immediate` bytes of locals and the frame pointers of `immediate2` mod 32 outer frames. */
function enter(cpu: Cpu, i: Instruction): void {
  const wide = i.operandSize === 32;
  const size = wide ? 4 : 2;
  const level = i.immediate2 & 31;
  const ss = cpu.segments[SS];
  const mask = ss.access & BIG ? -1 : 0xffff;
  let esp = advance(ss, cpu.regs[ESP], -size);
  put(cpu, esp & mask, cpu.regs[EBP], wide);
  // On a 16-bit stack processors borrow from the upper half here, though SP itself wraps.
  const framePointer = (cpu.regs[ESP] - size) | 0;
  if (level > 0) {
    let outer = cpu.regs[EBP];
    for (let n = 1; n < level; n++) {
      outer = advance(ss, outer, -size);
      esp = advance(ss, esp, -size);
      const pointer = wide ? read32(cpu, SS, outer & mask) : read16(cpu, SS, outer & mask);
      put(cpu, esp & mask, pointer, wide);
    }
    esp = advance(ss, esp, -size);
    put(cpu, esp & mask, framePointer, wide);
  }
  esp = advance(ss, esp, -i.immediate);
  // The new top must be writable, though nothing is written there (SDM vol. 2 "ENTER").
  if (wide) modify32(cpu, SS, esp & mask);
  else modify16(cpu, SS, esp & mask);
  if (wide) cpu.regs[EBP] = framePointer;
  else cpu.regs16[BP] = framePointer;
  cpu.regs[ESP] = esp;
}

function leave32(cpu: Cpu): void {
  const ss = cpu.segments[SS];
  const big = ss.access & BIG;
  const value = read32(cpu, SS, big ? cpu.regs[EBP] : cpu.regs16[BP]);
  cpu.regs[ESP] = big ? cpu.regs[EBP] + 4 : (cpu.regs[ESP] & ~0xffff) | ((cpu.regs16[BP] + 4) & 0xffff);
  cpu.regs[EBP] = value;
}

function leave16(cpu: Cpu): void {
  const ss = cpu.segments[SS];
  const big = ss.access & BIG;
  const value = read16(cpu, SS, big ? cpu.regs[EBP] : cpu.regs16[BP]);
  cpu.regs[ESP] = big ? cpu.regs[EBP] + 2 : (cpu.regs[ESP] & ~0xffff) | ((cpu.regs16[BP] + 2) & 0xffff);
  cpu.regs16[BP] = value;
}

export const stackExecutors: Executors = {
  push: pushBinder,
  pop: popBinder,
  pusha: (i) => (i.operandSize === 32 ? pusha32 : pusha16),
  popa: (i) => (i.operandSize === 32 ? popa32 : popa16),
  enter: () => enter,
  leave: (i) => (i.operandSize === 32 ? leave32 : leave16),
};
