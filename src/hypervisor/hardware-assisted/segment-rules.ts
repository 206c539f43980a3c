// Whether first-generation silicon takes a guest's segments as they are (SDM vol. 3 §26.3.1.2): on the way between real and
// protected mode they are neither one nor the other until the guest has loaded them all.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { VM } from '../../machine/cpu/flags.ts';
import { CS, LDTR, SS, TR } from '../../machine/isa/instruction.ts';

const PE = 1;
const UNUSABLE = 0x10000;
/** D/B and G. */
const BIG = 0xc000;
const NONCONFORMING = 12;

export function enterable(cpu: Cpu): boolean {
  if (!(cpu.cr0 & PE)) return virtual8086Clean(cpu);
  return (cpu.flags & VM) !== 0 || protectedClean(cpu);
}

/** Base 16 times the selector, limit FFFFh, nothing big: what virtual-8086 mode has. */
function virtual8086Clean({ segments, eip }: Cpu): boolean {
  for (let n = 0; n < 6; n++) {
    const s = segments[n];
    if (s.base !== s.selector << 4 || s.limit !== 0xffff || s.access & (BIG | UNUSABLE)) return false;
  }
  return eip <= 0xffff;
}

function protectedClean({ segments }: Cpu): boolean {
  const cs = segments[CS];
  const ss = segments[SS];
  const rpl = cs.selector & 3;
  if ((cs.access & 0x99) !== 0x99 || (ss.selector & 3) !== rpl) return false;
  const ssDpl = (ss.access >>> 5) & 3;
  const csDpl = (cs.access >>> 5) & 3;
  if (ssDpl !== rpl || ((cs.access & 15) < NONCONFORMING ? csDpl !== ssDpl : csDpl > ssDpl)) return false;
  for (let n = 0; n < 6; n++) {
    const { access, selector } = segments[n];
    if (n === CS || access & UNUSABLE) continue;
    if ((access & 0x91) !== 0x91) return false;
    if (n === SS) {
      if ((access & 0xb) !== 3) return false;
    } else if ((access & 15) < NONCONFORMING && ((access >>> 5) & 3) < (selector & 3)) return false;
  }
  return (segments[TR].access & 0x9b) === 0x8b || (segments[TR].access & 0x9f) === 0x83
    ? !(segments[LDTR].selector & 4)
    : false;
}
