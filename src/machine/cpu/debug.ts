// The four debug registers (SDM vol. 3 §17.2): which of them an instruction fetch, a data access or a port access matches.
import { CS } from '../isa/instruction.ts';
import { Attention, type Cpu } from './cpu.ts';

/** R/W field of DR7. */
const ON_EXECUTION = 0,
  ON_WRITE = 1,
  ON_IO = 2;
const CR4_DE = 8;
/** L0..G3 of DR7: some breakpoint is on. Pages with one for data have no fast tag (paging.ts), so only the slow way need look. */
export const DR7_ENABLES = 0xff;

/** The part of a processor that watches ports: a hypervisor asks for a guest's. */
type Watching = { readonly dr: ArrayLike<number> } & Pick<Cpu, 'cr4' | 'pendingDebug' | 'attention'>;

const enabled = (dr7: number, n: number): boolean => ((dr7 >>> (n * 2)) & 3) !== 0;
const condition = (dr7: number, n: number): number => (dr7 >>> (16 + n * 4)) & 3;
/** Bytes watched: LEN 0, 1, 3 are 1, 2, 4 bytes (2 is 8 bytes in 64-bit processors, undefined here). */
const length = (dr7: number, n: number): number => ((dr7 >>> (18 + n * 4)) & 3) + 1;

/** B0..B3 of the instruction breakpoints at CS:EIP. */
export function instructionBreakpoints(cpu: Cpu): number {
  const dr7 = cpu.dr[7];
  const linear = (cpu.segments[CS].base + cpu.eip) | 0;
  let hits = 0;
  for (let n = 0; n < 4; n++) {
    if (enabled(dr7, n) && condition(dr7, n) === ON_EXECUTION && cpu.dr[n] === linear) hits |= 1 << n;
  }
  return hits;
}

/** Notes the data breakpoints that an access to [linear, linear+size) matches; they trap behind the instruction. */
export function watchData(cpu: Cpu, linear: number, size: number, write: boolean): void {
  const dr7 = cpu.dr[7];
  for (let n = 0; n < 4; n++) {
    const kind = condition(dr7, n);
    if (!enabled(dr7, n) || kind === ON_EXECUTION || kind === ON_IO || (kind === ON_WRITE && !write))
      continue;
    if (overlaps(linear >>> 0, size, cpu.dr[n] >>> 0, length(dr7, n))) note(cpu, n);
  }
}

/** As `watchData`, for ports, when CR4.DE=1. */
export function watchPort(cpu: Watching, port: number, size: number): void {
  const dr7 = cpu.dr[7];
  if (!(cpu.cr4 & CR4_DE)) return;
  for (let n = 0; n < 4; n++) {
    if (
      enabled(dr7, n) &&
      condition(dr7, n) === ON_IO &&
      overlaps(port, size, cpu.dr[n] >>> 0, length(dr7, n))
    )
      note(cpu, n);
  }
}

/** True when some data breakpoint lies in the page: its accesses must not take the fast way. */
export function watchesPage(cpu: Cpu, page: number): boolean {
  const dr7 = cpu.dr[7];
  for (let n = 0; n < 4; n++) {
    const kind = condition(dr7, n);
    if (enabled(dr7, n) && kind !== ON_EXECUTION && kind !== ON_IO && cpu.dr[n] >>> 12 === page) return true;
  }
  return false;
}

function overlaps(a: number, sizeA: number, b: number, sizeB: number): boolean {
  const aligned = b - (b % sizeB);
  return a < aligned + sizeB && aligned < a + sizeA;
}

function note(cpu: Watching, n: number): void {
  cpu.pendingDebug |= 1 << n;
  cpu.attention |= Attention.event;
}
