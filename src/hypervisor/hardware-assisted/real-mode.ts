// A guest in real mode, as first-generation VT-x can run it: in virtual-8086 mode with IOPL 0, so that whatever would betray
// that (PUSHF, POPF, INT, IRET, CLI, STI, IN, OUT, LGDT, MOV CR0 …) is #GP and leaves. What real mode has and the VMCS then
// cannot hold is kept here (SDM vol. 3 §20.1, §20.2; vmxassist and realmode.c of Xen did the same).
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { getFlags, setFlags, VM } from '../../machine/cpu/flags.ts';
import { LDTR, TR } from '../../machine/isa/instruction.ts';

/** IOPL and NT: real mode stores them, virtual-8086 mode must not have them. */
const KEPT_FLAGS = 0x7000;
const REAL_SEGMENT = 0x93;
const VIRTUAL_SEGMENT = 0xf3;
/** Busy TSS of 32 bits, too short for a permission bitmap: every port is #GP. */
const BUSY_TSS = 0x8b;
const TSS_LIMIT = 0x2b;
const UNUSABLE = 0x10000;

interface Hidden {
  selector: number;
  base: number;
  limit: number;
  access: number;
}

export class RealMode {
  private readonly flags: number;
  private readonly idtr: { base: number; limit: number };
  private readonly system: Hidden[];

  /** Takes what cannot be shown, and leaves in `cpu` what the VMCS is to hold. The segments are clean (segment-rules.ts). */
  constructor(cpu: Cpu) {
    const flags = getFlags(cpu);
    this.flags = flags & KEPT_FLAGS;
    this.idtr = { ...cpu.idtr };
    this.system = [LDTR, TR].map((n) => ({ ...cpu.segments[n] }));
    setFlags(cpu, (flags & ~KEPT_FLAGS) | VM);
    for (let n = 0; n < 6; n++) cpu.segments[n].access = VIRTUAL_SEGMENT;
    // Every event in real mode goes through the emulator: no gate may be found.
    cpu.idtr.base = 0;
    cpu.idtr.limit = 0;
    Object.assign(cpu.segments[LDTR], { selector: 0, base: 0, limit: 0, access: UNUSABLE });
    Object.assign(cpu.segments[TR], { selector: 0, base: 0, limit: TSS_LIMIT, access: BUSY_TSS });
  }

  /** Makes what was read from the VMCS what the guest believes. */
  unveil(cpu: Cpu): void {
    setFlags(cpu, (getFlags(cpu) & ~(KEPT_FLAGS | VM)) | this.flags);
    for (let n = 0; n < 6; n++) cpu.segments[n].access = REAL_SEGMENT;
    Object.assign(cpu.idtr, this.idtr);
    [LDTR, TR].forEach((n, k) => {
      Object.assign(cpu.segments[n], this.system[k]);
    });
  }
}
