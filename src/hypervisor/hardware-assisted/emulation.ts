// A guest of VT-x in the hypervisor's emulator, and back: its state is read from the VMCS field by field, a few instructions
// are interpreted, and what changed is written. On first-generation silicon, where CR0.PE cannot be 0, a guest in real mode
// runs in virtual-8086 mode (as in Xen 3.0): what that cannot do comes here, and so do the moments on the way between the
// modes when segments are neither (SDM vol. 3 §20.2, §26.3.1.2).
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { getFlags, IF, setFlags, VM } from '../../machine/cpu/flags.ts';
import { MSR } from '../../machine/cpu/msrs.ts';
import { INFO_ERROR_CODE, TYPE } from '../../machine/cpu/vmx/exit-reasons.ts';
import { FIELD as F, LATER_FIELD as L } from '../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../machine/cpu/vmx/operations.ts';
import { CS, LDTR, SS, TR } from '../../machine/isa/instruction.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { Emulated, Kind } from '../../trace/events.ts';
import { Emulator } from '../emulator/emulator.ts';
import { doWhatIsLeft, takeInterrupt } from '../emulator/left.ts';
import { loadControl } from '../emulator/load-control.ts';
import { tellChain } from '../fault-chain.ts';
import { waitForIrq13, wireCoprocessor } from '../platform/coprocessor.ts';
import { endWhenPoweredOff } from '../platform/pc-guest.ts';
import type { Resume } from '../technique.ts';
import { guestCpuid } from './exits/cpuid.ts';
import { RealMode } from './real-mode.ts';
import { enterable } from './segment-rules.ts';
import { exceptionsOf, nestedCr0, nestedCr4, realCr0, realCr4 } from './vmcs.ts';
import type { VtxGuest } from './vtx-guest.ts';

/** Instructions interpreted at most before others get their turn. */
const BATCH = 4096;
/** After an access to a device, so many more are interpreted: the next one often follows (Agesen et al. 2012). */
const CLUSTER = 8;
const PE = 1;
const PG = 0x80000000;
const PAE = 0x20;

/** A field of the VMCS and where it is in a processor. */
interface Slot {
  readonly field: number;
  get(cpu: Cpu): number;
  set(cpu: Cpu, value: number): void;
}

const msr = (field: number, index: number): Slot => ({
  field,
  get: (cpu) => Number(BigInt.asIntN(32, cpu.msrs.get(index)!)),
  set: (cpu, value) => cpu.msrs.set(index, BigInt(value >>> 0)),
});

const SLOTS: readonly Slot[] = [
  {
    field: F.GUEST_RIP,
    get: (c) => c.eip,
    set: (c, v) => {
      c.eip = v >>> 0;
    },
  },
  {
    field: F.GUEST_RSP,
    get: (c) => c.regs[4],
    set: (c, v) => {
      c.regs[4] = v;
    },
  },
  { field: F.GUEST_RFLAGS, get: getFlags, set: setFlags },
  {
    field: F.GUEST_DR7,
    get: (c) => c.dr[7],
    set: (c, v) => {
      c.dr[7] = v;
    },
  },
  {
    field: F.GUEST_GDTR_BASE,
    get: (c) => c.gdtr.base,
    set: (c, v) => {
      c.gdtr.base = v >>> 0;
    },
  },
  {
    field: F.GUEST_GDTR_LIMIT,
    get: (c) => c.gdtr.limit,
    set: (c, v) => {
      c.gdtr.limit = v;
    },
  },
  {
    field: F.GUEST_IDTR_BASE,
    get: (c) => c.idtr.base,
    set: (c, v) => {
      c.idtr.base = v >>> 0;
    },
  },
  {
    field: F.GUEST_IDTR_LIMIT,
    get: (c) => c.idtr.limit,
    set: (c, v) => {
      c.idtr.limit = v;
    },
  },
  {
    field: F.GUEST_INTERRUPTIBILITY_INFO,
    get: (c) => c.shadow | (c.nmiBlocked ? 8 : 0),
    set: (c, v) => {
      c.shadow = v & 3;
      c.nmiBlocked = (v & 8) !== 0;
    },
  },
  msr(F.GUEST_SYSENTER_CS, MSR.sysenterCs),
  msr(F.GUEST_SYSENTER_ESP, MSR.sysenterEsp),
  msr(F.GUEST_SYSENTER_EIP, MSR.sysenterEip),
  ...Array.from({ length: 8 }, (_, n): Slot[] => [
    {
      field: F.GUEST_ES_SELECTOR + n * 2,
      get: (c) => c.segments[n].selector,
      set: (c, v) => {
        c.segments[n].selector = v;
      },
    },
    {
      field: F.GUEST_ES_BASE + n * 2,
      get: (c) => c.segments[n].base,
      set: (c, v) => {
        c.segments[n].base = v >>> 0;
      },
    },
    {
      field: F.GUEST_ES_LIMIT + n * 2,
      get: (c) => c.segments[n].limit,
      set: (c, v) => {
        c.segments[n].limit = v >>> 0;
      },
    },
    {
      field: F.GUEST_ES_AR_BYTES + n * 2,
      get: (c) => c.segments[n].access,
      set: (c, v) => {
        c.segments[n].access = v;
      },
    },
  ]).flat(),
];

export class Emulation {
  readonly emulator: Emulator;
  /** What the VMCS cannot say of a guest in real mode that runs in virtual-8086 mode; null when it does not. */
  real: RealMode | null = null;
  /** The guest's state is in the emulator: the silicon could not be entered with it. */
  parked = false;
  /** Fields as the VMCS has them; NaN = not known. */
  private readonly known = new Float64Array(SLOTS.length).fill(NaN);

  constructor(
    private readonly guest: VtxGuest,
    devices: MemoryMap,
  ) {
    const { hypervisor, board } = guest;
    this.emulator = new Emulator(hypervisor, guest.vcpu, board, devices);
    wireCoprocessor(board, [hypervisor.cpu, this.emulator.cpu]);
  }

  /** The state after power-on goes into a VMCS that has been set up. */
  powerOn(): void {
    const { cpu } = this.emulator;
    cpu.segments[CS].base = 0xf0000;
    this.guest.vcpu.regs.set(cpu.regs);
    this.emulator.controlWritten = true;
    this.emulator.begin();
    this.store();
  }

  /** An access that the silicon could not make, or a delivery that met one: done here. */
  access(): Resume {
    const { guest } = this;
    const { event } = guest;
    this.load();
    guest.event = 0;
    const type = (event >>> 8) & 7;
    // INT n and its kin stand at their instruction, which is simply run.
    if (event && type < TYPE.softwareInterrupt)
      return this.delivered(event & 0xff, type, event & INFO_ERROR_CODE ? guest.eventErrorCode : -1);
    return this.run();
  }

  /** The instruction at RIP, and what follows until the silicon can go on. */
  instruction(): Resume {
    this.load();
    this.guest.event = 0;
    return this.run();
  }

  /**
   * #MF of a guest that has CR0.NE=0, which VT-x does not let it have: it is to wait for IRQ 13, or, when it has told its board to
   * ignore errors, to go on with the instruction.
   */
  numericError(): Resume {
    const { cpu } = this.guest.hypervisor;
    if (cpu.x87.ignoreErrors) return this.instruction();
    cpu.x87.errorAsserted = true;
    return waitForIrq13(this.guest, (vmread(cpu, F.GUEST_RFLAGS) & IF) !== 0);
  }

  /** An event goes through the guest's tables in the emulator. */
  deliver(vector: number, type: number, errorCode = -1): Resume {
    if (!this.parked) this.load();
    return this.delivered(vector, type, errorCode);
  }

  private delivered(vector: number, type: number, errorCode: number): Resume {
    const { guest, emulator } = this;
    guest.hypervisor.charge.injectEvent();
    emulator.deliver(vector, type, errorCode);
    guest.chain.clear();
    if (emulator.shutdown) return this.shutDown();
    if (this.canEnter()) {
      this.store();
      return 'enter';
    }
    return this.run();
  }

  /** Before each entry: what the silicon cannot take in real mode, and a guest that it cannot be entered with. */
  beforeEntry(): void {
    const { guest } = this;
    if (this.parked) {
      if (!this.pendingInterrupt()) this.run();
    } else if (this.real && guest.board.pic.pending() && this.vmcsInterruptible()) {
      this.load();
      this.pendingInterrupt();
      if (guest.domain.alive && !this.finish()) this.run();
    }
    if (this.parked && guest.domain.alive) this.enterForATurn();
  }

  private vmcsInterruptible(): boolean {
    const { cpu } = this.guest.hypervisor;
    return (vmread(cpu, F.GUEST_RFLAGS) & IF) !== 0 && (vmread(cpu, F.GUEST_INTERRUPTIBILITY_INFO) & 3) === 0;
  }

  /** An interrupt of the virtual board, taken in the emulator. False when none can be. */
  private pendingInterrupt(): boolean {
    if (!takeInterrupt(this.guest, this.emulator)) return false;
    if (this.emulator.shutdown) this.shutDown();
    return true;
  }

  private run(): Resume {
    const { guest, emulator } = this;
    const { hypervisor, vcpu } = guest;
    const { cpu } = emulator;
    const first = (cpu.segments[CS].base + cpu.eip) | 0;
    let steps = 0;
    let since = CLUSTER;
    let resume: Resume = 'enter';
    while (steps < BATCH) {
      emulator.deviceAccess = false;
      emulator.step();
      steps++;
      hypervisor.charge.emulateInstruction();
      since = emulator.deviceAccess ? 0 : since + 1;
      if (emulator.shutdown) return this.shutDown();
      if (guest.board.state !== 'on') break;
      if (emulator.left && doWhatIsLeft(guest, emulator, (leaf) => guestCpuid(guest, leaf)) === 'block') {
        resume = 'block';
        break;
      }
      const clean = this.canEnter();
      if (clean && (since >= CLUSTER || guest.board.pic.pending())) break;
      if (!clean && this.pendingInterrupt() && !guest.domain.alive) return 'ended';
    }
    hypervisor.record(vcpu, Kind.emulate, Emulated.interpreted, steps, first);
    this.finish();
    return endWhenPoweredOff(guest) ? 'ended' : resume;
  }

  /** Puts the state into the VMCS when the silicon takes it. */
  private finish(): boolean {
    this.parked = !this.canEnter();
    if (this.parked) this.keep();
    else this.store();
    return !this.parked;
  }

  private canEnter(): boolean {
    return this.guest.nested !== null || enterable(this.emulator.cpu);
  }

  private shutDown(): Resume {
    const { guest, emulator } = this;
    const { faultChain: chain } = emulator.cpu;
    const links = [];
    for (let n = 0; n < chain.length; n += 3)
      links.push({ vector: chain[n], errorCode: chain[n + 1], eip: emulator.cpu.eip, cr2: chain[n + 2] });
    guest.hypervisor.endDomain(guest.domain, 'crashed', tellChain(links), true);
    return 'ended';
  }

  // ---- between VMCS and emulator

  private load(): void {
    const { guest, emulator } = this;
    const { hypervisor, vcpu } = guest;
    const { cpu } = emulator;
    const silicon = hypervisor.cpu;
    cpu.regs.set(vcpu.regs);
    SLOTS.forEach((slot, n) => {
      const value = vmread(silicon, slot.field) | 0;
      this.known[n] = value;
      slot.set(cpu, value);
    });
    const { cr0, cr3, cr4 } = guest.shadow.control;
    cpu.cr0 = guest.nested ? cr0 : (cr0 & ~0xe) | (vmread(silicon, F.GUEST_CR0) & 0xe);
    cpu.cr3 = cr3;
    cpu.cr4 = cr4;
    cpu.cr2 = vcpu.cr2;
    for (const n of [0, 1, 2, 3, 6]) cpu.dr[n] = silicon.dr[n];
    cpu.x87.copyFrom(silicon.x87);
    this.real?.unveil(cpu);
    cpu.cpl = cpu.flags & VM ? 3 : (cpu.segments[SS].access >>> 5) & 3;
    emulator.controlWritten = false;
    emulator.begin(guest.shadow.control.pointers);
  }

  /** What lies outside the VMCS. */
  private keep(): void {
    const { guest, emulator } = this;
    const { hypervisor, vcpu } = guest;
    const { cpu } = emulator;
    vcpu.regs.set(cpu.regs);
    vcpu.cr2 = cpu.cr2;
    vcpu.eip = cpu.eip;
    for (const n of [0, 1, 2, 3, 6]) hypervisor.cpu.dr[n] = cpu.dr[n];
    hypervisor.cpu.x87.copyFrom(cpu.x87);
  }

  private store(): void {
    const { guest, emulator } = this;
    const { cpu } = emulator;
    const silicon = guest.hypervisor.cpu;
    this.parked = false;
    this.keep();
    if (emulator.controlWritten) this.storeControl(cpu, silicon);
    const wasReal = this.real !== null;
    this.real = guest.nested || cpu.cr0 & PE ? null : new RealMode(cpu);
    if (wasReal !== (this.real !== null)) vmwrite(silicon, F.EXCEPTION_BITMAP, exceptionsOf(guest));
    SLOTS.forEach((slot, n) => {
      const value = slot.get(cpu) | 0;
      if (value === this.known[n]) return;
      vmwrite(silicon, slot.field, value);
      this.known[n] = value;
    });
  }

  private storeControl(cpu: Cpu, silicon: Cpu): void {
    const { guest } = this;
    const { cr0, cr3, cr4, pdptes } = cpu;
    if (guest.nested) {
      // Whatever it was, the processor would have forgotten no more.
      guest.nested.remembered.forgetAll();
      vmwrite(silicon, F.GUEST_CR3, cr3);
      if (cr0 & PG && cr4 & PAE)
        for (let n = 0; n < 8; n++) vmwrite(silicon, L.GUEST_PDPTR0 + (n >> 1) * 2 + (n & 1), pdptes[n]);
    } else loadControl(guest.shadow, cpu);
    vmwrite(silicon, F.CR0_READ_SHADOW, cr0);
    vmwrite(silicon, F.GUEST_CR0, guest.nested ? nestedCr0(cr0) : realCr0(cr0));
    vmwrite(silicon, F.CR4_READ_SHADOW, cr4);
    vmwrite(silicon, F.GUEST_CR4, guest.nested ? nestedCr4(cr4) : realCr4(cr4, guest));
  }

  /**
   * The silicon is entered for nothing: with a state that it takes, and the interrupt window open, so that it leaves before
   * the first instruction. So the host's own interrupts come through, and other domains get their turn.
   */
  private enterForATurn(): void {
    const { guest } = this;
    const silicon = guest.hypervisor.cpu;
    const { cpu } = this.emulator;
    for (let n = 0; n < 6; n++) {
      vmwrite(silicon, F.GUEST_ES_SELECTOR + n * 2, 0);
      vmwrite(silicon, F.GUEST_ES_BASE + n * 2, 0);
      vmwrite(silicon, F.GUEST_ES_LIMIT + n * 2, 0xffff);
      vmwrite(silicon, F.GUEST_ES_AR_BYTES + n * 2, 0xf3);
    }
    for (const [n, access] of [
      [LDTR, 0x10000],
      [TR, 0x8b],
    ]) {
      vmwrite(silicon, F.GUEST_ES_SELECTOR + n * 2, 0);
      vmwrite(silicon, F.GUEST_ES_LIMIT + n * 2, 0x67);
      vmwrite(silicon, F.GUEST_ES_AR_BYTES + n * 2, access);
    }
    vmwrite(silicon, F.GUEST_RFLAGS, VM | IF | 2);
    vmwrite(silicon, F.GUEST_RIP, cpu.eip & 0xffff);
    vmwrite(silicon, F.GUEST_INTERRUPTIBILITY_INFO, 0);
    this.known.fill(NaN);
  }
}
