// Selectors in and out of segment registers: MOV, PUSH, POP, LDS LES LFS LGS LSS (SDM vol. 2; checks in vol. 3 §5).
// What a load checks and does is segmentation.ts; here are the places, the order, and the shadow after loading SS.
import { CS, DS, ES, ESP, FS, GS, type Instruction, SS } from '../../isa/instruction.ts';
import { read16, read32, write16 } from '../access.ts';
import { effectiveAddress, stepOffset } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { loadSegment } from '../segmentation.ts';
import { advance } from '../stacks.ts';
import type { Binder, Executors } from './executor.ts';
import { isDeprivileged } from './privilege.ts';
import { peek16, peek32, push16, push32 } from './stack.ts';

/** Bit of `cpu.shadow`: no interrupt before the instruction after the one that loads SS, which will set ESP. */
const SHADOW_MOV_SS = 2;

const OF_KIND: Readonly<Record<string, number>> = { es: ES, cs: CS, ss: SS, ds: DS, fs: FS, gs: GS };

function movFromMemory(cpu: Cpu, i: Instruction): void {
  movTo(cpu, i, read16(cpu, i.segment, effectiveAddress(cpu, i)));
}

function movTo(cpu: Cpu, i: Instruction, selector: number): void {
  loadSegment(cpu, i.reg, selector);
  if (i.reg === SS) cpu.shadow |= SHADOW_MOV_SS;
  accepted(cpu, i, i.reg, selector);
}

/** A load has passed the checks, which were made with the real CPL. */
function accepted(cpu: Cpu, i: Instruction, register: number, selector: number): void {
  if (cpu.watcher !== null && isDeprivileged(cpu))
    cpu.watcher(i, selector & 0xffff, selector & 0xffff, register);
}

// CS as a destination, and numbers 6 and 7, have not passed the decoder.

const movToSreg: Binder = (i) => {
  return i.memory ? movFromMemory : (cpu, i) => movTo(cpu, i, cpu.regs16[i.rm << 1]);
};

/** CS and SS carry the CPL in their low bits: storing them tells a kernel that was moved out of ring 0 where it is. */
function revealed(cpu: Cpu, i: Instruction, register: number): void {
  if (cpu.watcher === null || !isDeprivileged(cpu)) return;
  const { selector } = cpu.segments[register];
  cpu.watcher(i, selector, selector, register);
}

const movFromSreg: Binder = (i) => {
  const store = storeSreg(i);
  if (i.reg !== CS && i.reg !== SS) return store;
  return (cpu, i) => {
    store(cpu, i);
    revealed(cpu, i, i.reg);
  };
};

const storeSreg: Binder = (i) => {
  if (i.memory)
    return (cpu, i) => write16(cpu, i.segment, effectiveAddress(cpu, i), cpu.segments[i.reg].selector);
  if (i.operandSize === 16) {
    return (cpu, i) => {
      cpu.regs16[i.rm << 1] = cpu.segments[i.reg].selector;
    };
  }
  // Since the Pentium Pro the upper half is zeroed.
  return (cpu, i) => {
    cpu.regs[i.rm] = cpu.segments[i.reg].selector;
  };
};

const pushSreg: Binder = (i) => {
  const register = OF_KIND[i.form.operands[0]];
  const push = i.operandSize === 32 ? push32 : push16;
  if (register !== CS && register !== SS) return (cpu) => push(cpu, cpu.segments[register].selector);
  return (cpu, i) => {
    push(cpu, cpu.segments[register].selector);
    revealed(cpu, i, register);
  };
};

const popSreg: Binder = (i) => {
  const register = OF_KIND[i.form.operands[0]];
  return (cpu, i) => {
    const selector = i.operandSize === 32 ? peek32(cpu, 0) : peek16(cpu, 0);
    // By the width of the stack it came from, before SS may change.
    const esp = advance(cpu.segments[SS], cpu.regs[ESP], i.operandSize >> 3);
    loadSegment(cpu, register, selector);
    cpu.regs[ESP] = esp;
    if (register === SS) cpu.shadow |= SHADOW_MOV_SS;
    accepted(cpu, i, register, selector);
  };
};

/** LDS and its family: the segment register is in the mnemonic. LSS casts no shadow: it loads ESP itself. */
const loadFarPointer: Binder = (i) => {
  const register = OF_KIND[i.form.mnemonic.slice(1)];
  if (i.operandSize === 32) {
    return (cpu, i) => {
      const at = effectiveAddress(cpu, i);
      const offset = read32(cpu, i.segment, at);
      const selector = read16(cpu, i.segment, stepOffset(i, at, 4));
      loadSegment(cpu, register, selector);
      cpu.regs[i.reg] = offset;
      accepted(cpu, i, register, selector);
    };
  }
  return (cpu, i) => {
    const at = effectiveAddress(cpu, i);
    const offset = read16(cpu, i.segment, at);
    const selector = read16(cpu, i.segment, stepOffset(i, at, 2));
    loadSegment(cpu, register, selector);
    cpu.regs16[i.reg << 1] = offset;
    accepted(cpu, i, register, selector);
  };
};

export const segmentMoveExecutors: Executors = {
  'mov-to-sreg': movToSreg,
  'mov-from-sreg': movFromSreg,
  'push-sreg': pushSreg,
  'pop-sreg': popSreg,
  'load-far-pointer': loadFarPointer,
};
