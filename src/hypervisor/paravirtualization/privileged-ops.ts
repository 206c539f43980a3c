// A paravirtualized kernel executed a privileged instruction at ring 1 and took #GP: the few that Xen 3.0 emulates
// (xen/arch/x86/traps.c, emulate_privileged_op). Anything else goes back to the guest as its own #GP.
import { decode } from '../../machine/isa/decode.ts';
import { ESP, type Instruction } from '../../machine/isa/instruction.ts';
import { Emulated, Kind } from '../../trace/events.ts';
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { SHARED_INFO } from './abi.ts';
import type { Descriptors } from './descriptors.ts';
import { GUEST_FAULT, type GuestAccess } from './guest-access.ts';
import type { PageTables } from './page-tables.ts';
import type { PvDomain } from './pv-domain.ts';

const CR0_TS = 8;
/** TSD and DE: a guest's own while it runs. */
export const CR4_OWN = 0xc;
/** Bits of CR4 that a guest may write as it likes: those, and without effect PSE PGE PCE OSFXSR OSXMMEXCPT. */
const CR4_GUESTS = 0x79c;
/** MSRs that a guest may read as zero: machine-check and platform identification, as kernels probe them. */
const READABLE = new Set([0x17, 0x8b]);

export class PrivilegedOps {
  private readonly bytes = new Uint8Array(15);

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly access: GuestAccess,
    private readonly descriptors: Descriptors,
    private readonly tables: PageTables,
    /** Carries out what is not among these; false when it does not either. */
    private readonly others: (
      vcpu: Vcpu,
      pv: PvDomain,
      operation: string,
      reg: number,
      rm: number,
    ) => boolean,
  ) {}

  /** The instruction at the guest's CS:EIP, or null when there is none to be read. */
  private fetch(pv: PvDomain): Instruction | null {
    const { frame } = pv.current;
    const code = this.descriptors.segment(pv, frame.cs);
    if (!code) return null;
    let length = 0;
    try {
      for (; length < 15; length++)
        this.bytes[length] = this.access.read8(pv, code.base + frame.eip + length);
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
    }
    const instruction = decode(this.bytes, 0, code.wide ? 32 : 16, length);
    return typeof instruction === 'string' ? null : instruction;
  }

  /** Length of the INT `vector` that the guest stands at; 0 when it is another instruction. */
  softwareInterruptLength(pv: PvDomain, vector: number): number {
    const instruction = this.fetch(pv);
    return instruction?.form.operation === 'int' && (instruction.immediate & 0xff) === vector
      ? instruction.length
      : 0;
  }

  /** Emulates the instruction at the guest's EIP. False when it is not one of them: the guest gets its #GP. */
  emulate(vcpu: Vcpu, pv: PvDomain): boolean {
    const { frame } = pv.current;
    // Only the kernel may.
    if ((frame.cs & 3) !== 1) return false;
    const instruction = this.fetch(pv);
    if (!instruction) return false;
    this.hypervisor.charge.emulateInstruction();
    if (!this.perform(vcpu, pv, instruction.form.operation, instruction.reg, instruction.rm)) return false;
    frame.eip = (frame.eip + instruction.length) | 0;
    return true;
  }

  private perform(vcpu: Vcpu, pv: PvDomain, operation: string, reg: number, rm: number): boolean {
    const { hypervisor } = this;
    const { regs } = vcpu;
    const done = (code: number, operand = 0, value = 0) => {
      hypervisor.record(vcpu, Kind.emulate, code, operand, value, 4);
      return true;
    };
    switch (operation) {
      case 'cli':
        pv.current.upcallMask = 1;
        return done(Emulated.cli);
      case 'sti':
        pv.current.upcallMask = 0;
        return done(Emulated.sti);
      case 'clts':
        pv.current.taskSwitched = false;
        return done(Emulated.clts);
      case 'wbinvd':
        return done(Emulated.wbinvd);
      case 'mov-from-cr': {
        const value = this.readCr(pv, reg);
        if (value === undefined) return false;
        // The guest's ESP is in the frame: in `regs` it is the hypervisor's.
        if (rm === ESP) pv.current.frame.esp = value;
        else regs[rm] = value;
        return done(Emulated.crRead, reg, value);
      }
      case 'mov-to-cr': {
        const value = rm === ESP ? pv.current.frame.esp : regs[rm];
        if (reg === 0) {
          // Only TS may change.
          if ((value ^ this.readCr(pv, 0)!) & ~CR0_TS) return false;
          pv.current.taskSwitched = (value & CR0_TS) !== 0;
        } else if (reg === 2) pv.memory.write32(pv.current.vcpuInfo + SHARED_INFO.cr2, value);
        else if (reg === 3) {
          if (
            this.tables.newBasePointer(
              pv,
              pv.layout.pae ? ((value >>> 12) | (value << 20)) >>> 0 : value >>> 12,
            )
          )
            return false;
        } else if (reg === 4 && !((value ^ hypervisor.cpu.cr4) & ~CR4_GUESTS)) {
          pv.current.cr4 = value;
          hypervisor.cpu.cr4 = (hypervisor.cpu.cr4 & ~CR4_OWN) | (value & CR4_OWN);
        } else return false;
        return done(Emulated.crWrite, reg, value);
      }
      case 'rdmsr':
        if (!READABLE.has(regs[1])) return false;
        regs[0] = regs[2] = 0;
        return done(Emulated.rdmsr, regs[1]);
      default:
        return this.others(vcpu, pv, operation, reg, rm) && done(Emulated.drAccess, reg);
    }
  }

  private readCr(pv: PvDomain, cr: number): number | undefined {
    switch (cr) {
      case 0:
        return (this.hypervisor.cpu.cr0 & ~CR0_TS) | (pv.current.taskSwitched ? CR0_TS : 0);
      case 2:
        return pv.memory.read32(pv.current.vcpuInfo + SHARED_INFO.cr2);
      case 3:
        return (pv.current.baseFrame * 4096) | 0;
      case 4:
        return pv.current.cr4 ?? this.hypervisor.cpu.cr4;
      default:
        return undefined;
    }
  }
}
