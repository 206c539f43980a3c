// Runs one floating-point case on our processor: flat memory, CPL 3, its instructions decoded and bound as execute.ts does it.
import { decode } from '../../isa/decode.ts';
import { CS, DS, EBX, EDI, ES, SS } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { bind } from '../executors/index.ts';
import { isFault } from '../fault.ts';
import { getFlags, setFlags } from '../flags.ts';
import { AT, MEMORY, STATE_BYTES, STATUS, type X87Case, type X87Outcome } from './x87-case.ts';

const OPERAND = 0x110000;
const CR0_PE_MP_NE = 0x23;
const START = 0x1000;
/** OSFXSR and OSXMMEXCPT. */
const CR4 = 0x600;

/** Runs a case. `cpu` comes from `bareProcessor` and may be used for many. */
export function runX87Case(cpu: Cpu, c: X87Case): X87Outcome {
  cpu.cr0 = (cpu.cr0 & ~0xe) | CR0_PE_MP_NE;
  cpu.cr4 |= CR4;
  cpu.cpl = 3;
  for (const register of [CS, DS, ES, SS]) {
    const s = cpu.segments[register];
    s.selector = (register << 3) | 7;
    s.base = 0;
    s.limit = 0xffffffff;
    s.access = register === CS ? 0x40fb : 0x40f3;
  }
  const view = new DataView(c.state.buffer, c.state.byteOffset);
  const f = cpu.x87;
  f.control = view.getUint16(AT.control, true);
  f.statusWord = view.getUint16(AT.status, true);
  f.occupied = c.state[AT.tags];
  f.mxcsr = view.getUint32(AT.mxcsr, true);
  for (let r = 0; r < 8; r++) {
    const at = AT.st + 10 * r;
    f.set(r, view.getUint16(at + 8, true), view.getInt32(at + 4, true), view.getInt32(at, true));
  }
  for (let n = 0; n < 32; n++) f.xmm[n] = view.getInt32(AT.xmm + 4 * n, true);
  cpu.memory.bytes.set(c.state.subarray(AT.memory), OPERAND);
  cpu.regs[0] = view.getInt32(AT.eax, true);
  cpu.regs[EBX] = cpu.regs[EDI] = OPERAND;
  setFlags(cpu, view.getUint32(AT.flags, true));
  const vector = execute(cpu, c);

  const state = new Uint8Array(STATE_BYTES);
  const out = new DataView(state.buffer);
  out.setUint16(AT.control, f.control, true);
  out.setUint16(AT.status, f.statusWord, true);
  out.setUint32(AT.mxcsr, f.mxcsr, true);
  state[AT.tags] = f.occupied;
  for (let r = 0; r < 8; r++) {
    const at = AT.st + 10 * r;
    out.setInt32(at, f.lo[r], true);
    out.setInt32(at + 4, f.hi[r], true);
    out.setUint16(at + 8, f.se[r], true);
  }
  for (let n = 0; n < 32; n++) out.setInt32(AT.xmm + 4 * n, f.xmm[n], true);
  out.setInt32(AT.eax, cpu.regs[0], true);
  out.setUint32(AT.flags, (getFlags(cpu) & STATUS) | 0x202, true);
  state.set(cpu.memory.bytes.subarray(OPERAND, OPERAND + MEMORY), AT.memory);
  return { vector, state };
}

/** @returns the vector of the fault, 0 when there was none */
function execute(cpu: Cpu, c: X87Case): number {
  const bytes = Uint8Array.from(c.bytes);
  cpu.eip = START;
  try {
    while (cpu.eip < START + bytes.length) {
      const i = decode(bytes, cpu.eip - START, 32);
      if (typeof i === 'string') throw new Error(`${c.name}: ${i} instruction`);
      bind(i, cpu.cost);
      cpu.instructionStart = cpu.eip;
      cpu.eip += i.length;
      i.execute!(cpu as never, i);
    }
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown;
    return thrown.vector;
  }
  return 0;
}
