// A guest of SVM in the hypervisor's emulator, and back: its state is read from the VMCB, a few instructions are interpreted,
// and what came of it is written. For accesses to devices in memory, for addresses where there is none, and for task switches.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { MSR, SVME } from '../../machine/cpu/msrs.ts';
import { V } from '../../machine/cpu/svm/layout.ts';
import { loadExtra, loadState, saveExtra, saveState } from '../../machine/cpu/svm/save-area.ts';
import { svmOf } from '../../machine/cpu/svm/state.ts';
import { CS } from '../../machine/isa/instruction.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { Emulated, Kind } from '../../trace/events.ts';
import { Emulator } from '../emulator/emulator.ts';
import { doWhatIsLeft } from '../emulator/left.ts';
import { loadControl } from '../emulator/load-control.ts';
import { tellChain } from '../fault-chain.ts';
import { EVENT_ERROR_CODE, eventType } from '../platform/exceptions.ts';
import { endWhenPoweredOff } from '../platform/pc-guest.ts';
import type { Resume } from '../technique.ts';
import { guestIdentification } from './identification.ts';
import type { SvmGuest } from './svm-guest.ts';
import { loadControlRegisters } from './vmcb.ts';

/** Instructions interpreted at most before others get their turn. */
const BATCH = 4096;
/** After an access to a device, so many more are interpreted: the next one often follows (Agesen et al. 2012). */
const CLUSTER = 8;
/** Registers that the guest has not got. */
const HIDDEN = [MSR.efer, MSR.vmCr, MSR.vmHsavePa];

export class Emulation {
  readonly emulator: Emulator;

  constructor(
    private readonly guest: SvmGuest,
    devices: MemoryMap,
  ) {
    this.emulator = new Emulator(guest.hypervisor, guest.vcpu, guest.board, devices);
  }

  /** The instruction that left, or the delivery of an event that met something: done here, and what follows until the silicon can go on. */
  go(): Resume {
    const { guest, emulator } = this;
    const { event, hypervisor } = guest;
    this.load();
    guest.event = 0;
    guest.chain.clear();
    if (!event) return this.run();
    hypervisor.charge.injectEvent();
    emulator.deliver(event & 0xff, eventType(event), event & EVENT_ERROR_CODE ? guest.eventErrorCode : -1);
    if (emulator.shutdown) return this.shutDown();
    this.store();
    return 'enter';
  }

  private run(): Resume {
    const { guest, emulator } = this;
    const { hypervisor, vcpu, board } = guest;
    const { cpu } = emulator;
    const first = (cpu.segments[CS].base + cpu.eip) | 0;
    let resume: Resume = 'enter';
    let steps = 0;
    for (let since = CLUSTER; steps < BATCH && resume === 'enter'; ) {
      emulator.deviceAccess = false;
      emulator.step();
      steps++;
      hypervisor.charge.emulateInstruction();
      since = emulator.deviceAccess ? 0 : since + 1;
      if (emulator.shutdown) return this.shutDown();
      if (board.state !== 'on') break;
      if (emulator.left) resume = doWhatIsLeft(guest, emulator, (leaf) => guestIdentification(guest, leaf));
      else if (since >= CLUSTER || board.pic.pending() || hypervisor.now >= hypervisor.sliceEnd) break;
    }
    hypervisor.record(vcpu, Kind.emulate, Emulated.interpreted, steps, first);
    this.store();
    return endWhenPoweredOff(guest) ? 'ended' : resume;
  }

  private shutDown(): Resume {
    const { guest, emulator } = this;
    const { faultChain: chain, eip } = emulator.cpu;
    const links = [];
    for (let n = 0; n < chain.length; n += 3)
      links.push({ vector: chain[n], errorCode: chain[n + 1], eip, cr2: chain[n + 2] });
    guest.hypervisor.endDomain(guest.domain, 'crashed', tellChain(links), true);
    return 'ended';
  }

  private load(): void {
    const { guest, emulator } = this;
    const { hypervisor, vcpu, vmcb } = guest;
    const { cpu } = emulator;
    const { words, base } = vmcb;
    const svm = svmOf(cpu);
    guest.saveExtra();
    loadState(cpu, svm, words, base);
    loadExtra(cpu, svm, words, base);
    for (const index of HIDDEN) cpu.msrs.delete(index);
    cpu.regs.set(vcpu.regs);
    const { cr3, cr4 } = guest.control;
    cpu.cr0 = guest.cr0;
    cpu.cr3 = cr3;
    cpu.cr4 = cr4;
    cpu.cr2 = vcpu.cr2;
    cpu.cpl = vmcb.cpl;
    cpu.shadow = vmcb.get(V.interruptShadow) & 1;
    cpu.dr.set(hypervisor.cpu.dr.subarray(0, 4));
    cpu.dr[6] = vmcb.get(V.dr6);
    cpu.dr[7] = vmcb.get(V.dr7);
    cpu.x87.copyFrom(hypervisor.cpu.x87);
    emulator.controlWritten = false;
    emulator.begin(guest.control.pointers);
  }

  private store(): void {
    const { guest, emulator } = this;
    const { hypervisor, vcpu, vmcb } = guest;
    const { cpu } = emulator;
    const { words, base } = vmcb;
    const svm = svmOf(cpu);
    saveState(cpu, svm, words, base, cpu.eip);
    saveExtra(cpu, svm, words, base);
    vmcb.set(V.efer, SVME);
    vmcb.registersChanged = true;
    vmcb.set(V.cplWord, (vmcb.get(V.cplWord) & 0xffffff) | (cpu.cpl << 24));
    vmcb.set(V.interruptShadow, cpu.shadow ? 1 : 0);
    vmcb.set(V.dr6, cpu.dr[6]);
    vmcb.set(V.dr7, cpu.dr[7]);
    vcpu.regs.set(cpu.regs);
    vcpu.cr2 = cpu.cr2;
    vcpu.eip = cpu.eip >>> 0;
    vcpu.cpl = cpu.cpl;
    hypervisor.cpu.dr.set(cpu.dr.subarray(0, 4));
    hypervisor.cpu.x87.copyFrom(cpu.x87);
    if (!guest.nested) this.storeControl(cpu);
    // Whatever it was, the processor would have forgotten no more.
    else if (emulator.controlWritten) guest.nested.remembered.forgetAll();
  }

  private storeControl(cpu: Cpu): void {
    if (this.emulator.controlWritten) loadControl(this.guest.shadow, cpu);
    loadControlRegisters(this.guest);
    this.guest.loadedRoot = -1;
    // MP and TS are the guest's to change without asking.
    this.guest.vmcb.set(V.cr0, (this.guest.vmcb.get(V.cr0) & ~0xa) | (cpu.cr0 & 0xa));
  }
}
