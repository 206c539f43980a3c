// Hardware assistance by AMD SVM (Pacifica, 2006), the mirror image of hardware-assisted/: an unmodified guest runs at ring 0 of
// guest mode, real mode included; what its VMCB intercepts leaves to the handlers in exits/. The way in and out is Xen's: CLGI,
// VMLOAD, VMRUN, and behind it VMSAVE, VMLOAD of the host's own, STGI.
import { placeImage } from '../../images/boot.ts';
import { type Image, ImageError } from '../../images/image.ts';
import { Stop } from '../../machine/cpu/cpu.ts';
import { getFlags, IF } from '../../machine/cpu/flags.ts';
import { hasNestedPaging, MSR, SVME, writeMsr } from '../../machine/cpu/msrs.ts';
import { peek } from '../../machine/cpu/paging.ts';
import { settleHost } from '../../machine/cpu/svm/exit.ts';
import { SVM_EXIT } from '../../machine/cpu/svm/exit-codes.ts';
import { V } from '../../machine/cpu/svm/layout.ts';
import { clgi, stgi, vmload, vmrun, vmsave } from '../../machine/cpu/svm/operations.ts';
import { svmOf } from '../../machine/cpu/svm/state.ts';
import { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { copyRegisters, type Domain, type Vcpu } from '../domain.ts';
import { beforeEnlightenedEntry, enlighten, releaseInterfaces, VMMCALL } from '../enlightenments/seam.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import { peekGuest } from '../guest-walk.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { VM_EXIT_ENTRY } from '../monitor.ts';
import { placeFirmware, startsInRealMode } from '../platform/firmware-boot.ts';
import { populatePc } from '../platform/pc-guest.ts';
import { virtualBoard } from '../platform/virtual-board.ts';
import type { ShadowPaging } from '../shadow-paging.ts';
import type { BootOptions, Exit, Resume, Technique } from '../technique.ts';
import { Asids } from './asids.ts';
import { keepInterruptedEvent, prepareEvents } from './events.ts';
import { ExitContext } from './exits/context.ts';
import { handleExit } from './exits/handlers.ts';
import { guestRegisters } from './registers.ts';
import { SvmGuest } from './svm-guest.ts';
import { enterAtImage, enterAtReset, loadControlRegisters, type SvmOptions, setUpControls } from './vmcb.ts';

/** CR0 that a boot loader leaves, and that RESET does, as the guest sees it. */
const BOOT_CR0 = 0x11;
const RESET_CR0 = 0x60000010;
/** TLB_CONTROL. */
const TLB_FLUSH_ALL = 1;

export class Svm implements Technique {
  readonly name = 'svm';
  readonly kernelRing = 0;
  readonly nonRoot = true;
  private readonly guests = new Map<Domain, SvmGuest>();
  /** Who was asked for last. */
  private latest: SvmGuest | null = null;
  /** Whose debug registers are in the processor. */
  private loaded: SvmGuest | null = null;
  /** Machine addresses of the host's state-save area and of the VMCB that holds the host's own FS GS TR LDTR; 0 before the first guest. */
  private saveArea = 0;
  private hostVmcb = 0;
  private enabled = false;
  private asids: Asids | null = null;
  private readonly loadCycles: number;
  private readonly saveCycles: number;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly options: SvmOptions = {},
  ) {
    this.loadCycles = hypervisor.pc.cost.charges.svmLoad.cycles;
    this.saveCycles = hypervisor.pc.cost.charges.svmSave.cycles;
  }

  /** Looked into by inspection.ts. */
  guestOf(domain: Domain): SvmGuest {
    if (this.latest?.domain !== domain) this.latest = this.guests.get(domain)!;
    return this.latest;
  }

  prepare(domain: Domain, image: Image, options: BootOptions): void {
    if (image.kind === 'xen')
      throw new ImageError(
        `${image.name}: is ported to Xen and needs its hypercalls. Run it by paravirtualization`,
      );
    const nested = options.paging === 'nested';
    if (nested && !hasNestedPaging(this.hypervisor.cpu))
      throw new ImageError(
        `${image.name}: nested paging (NPT) is not on this processor. Choose one that has it (--cpu nehalem)`,
      );
    populatePc(domain, image);
    if (!this.saveArea) {
      this.saveArea = this.hypervisor.frames.allocateContiguous(OWNER_HYPERVISOR, 2) * 4096;
      this.hostVmcb = this.saveArea + 4096;
    }
    const devices = new MemoryMap(domain.memory.size);
    const board = virtualBoard(this.hypervisor, domain, devices);
    const guest = new SvmGuest(this.hypervisor, domain, board, devices, nested);
    this.guests.set(domain, guest);
    domain.board = board;
    guest.tscOffset = -this.hypervisor.now;
    enlighten(guest, image, options, VMMCALL);
    setUpControls(guest, this.options);
    const real = startsInRealMode(image);
    if (real) {
      placeFirmware(domain.memory, board, image, options);
      enterAtReset(guest);
    } else enterAtImage(guest, placeImage(image, options, domain.memory));
    const cr0 = real ? RESET_CR0 : BOOT_CR0;
    if (nested) guest.vmcb.set(V.cr0, cr0);
    else {
      guest.shadow.loadCr0(cr0);
      loadControlRegisters(guest);
    }
  }

  /**
   * What a hypervisor does once on each processor: EFER.SVME, and a page where VMRUN puts the host's state. Only with the
   * processor in the monitor, for a guest of another technique may stand in it when a domain is built.
   */
  private enableSvm(): void {
    const { cpu } = this.hypervisor;
    if (this.enabled) return;
    this.enabled = true;
    writeMsr(cpu, MSR.efer, BigInt(SVME));
    writeMsr(cpu, MSR.vmHsavePa, BigInt(this.saveArea));
    vmsave(cpu, this.hostVmcb);
    svmOf(cpu).ours = true;
    this.asids = Asids.of(cpu);
  }

  enter(vcpu: Vcpu): number {
    const guest = this.guestOf(vcpu.domain);
    const { cpu } = this.hypervisor;
    beforeEnlightenedEntry(guest);
    const { vmcb, shadowTables } = guest;
    this.enableSvm();
    if (this.loaded !== guest) {
      for (let n = 0; n < 4; n++) cpu.dr[n] = guest.debugRegisters[n];
      this.loaded = guest;
    }
    if (shadowTables !== null) this.loadShadow(guest, shadowTables);
    this.chooseAsid(guest);
    const injected = prepareEvents(guest);
    copyRegisters(vcpu.regs, cpu.regs);
    vmcb.set(V.rax, vcpu.regs[0]);
    vmcb.set(V.rsp, vcpu.regs[4]);
    vmcb.set(V.cr2, vcpu.cr2);
    clgi(cpu);
    // With V_INTR_MASKING the host's IF says whether its interrupts end the guest's turn.
    cpu.flags |= IF;
    cpu.regs[4] = this.hypervisor.monitor.linear.stackTop | 0;
    cpu.regs[0] = vmcb.machine;
    // What is in the processor still needs no loading; it takes its time all the same.
    if (vmcb.registersChanged) {
      vmcb.registersChanged = false;
      svmOf(cpu).kept = -1;
    }
    if (svmOf(cpu).resident && svmOf(cpu).kept === vmcb.base) this.hypervisor.spend(this.loadCycles);
    else vmload(cpu, vmcb.machine);
    guest.unsaved = false;
    // VMRUN stands before the monitor's entry point, as it were: that is where the host goes on.
    cpu.eip = VM_EXIT_ENTRY;
    vmrun(cpu, vmcb.machine);
    return injected;
  }

  /** The shadow tables are ready to be walked; when they allow less than before, nothing that is remembered may be used. */
  private loadShadow(guest: SvmGuest, { root, reductions }: ShadowPaging): void {
    if (root !== guest.loadedRoot) guest.vmcb.set(V.cr3, (guest.loadedRoot = root));
    if (root === guest.enteredRoot && reductions === guest.seenReductions) return;
    guest.enteredRoot = root;
    guest.seenReductions = reductions;
    guest.asid = 0;
  }

  private chooseAsid(guest: SvmGuest): void {
    const { vmcb } = guest;
    const asids = this.asids!;
    const good = asids.isGood(guest);
    if (good && !guest.flushes) return;
    guest.flushes = !good && asids.give(guest);
    vmcb.set(V.tlbControl, guest.flushes ? TLB_FLUSH_ALL : 0);
    if (!good) vmcb.set(V.asid, guest.asid);
  }

  leave(vcpu: Vcpu): Exit {
    const guest = this.guestOf(vcpu.domain);
    const { hypervisor } = this;
    const { cpu } = hypervisor;
    const { vmcb } = guest;
    const reason = vmcb.get(V.exitCode);
    if (reason !== SVM_EXIT.invalid) {
      guest.unsaved = true;
      hypervisor.spend(this.saveCycles);
      if (!svmOf(cpu).resident || hypervisor.onExit !== null) guest.saveExtra();
      copyRegisters(cpu.regs, vcpu.regs);
      vcpu.regs[0] = vmcb.get(V.rax);
      vcpu.regs[4] = vmcb.get(V.rsp);
      vcpu.cr2 = vmcb.get(V.cr2);
    }
    // The host's own FS GS TR LDTR: as the rest of its registers, they come when somebody needs them.
    if (svmOf(cpu).resident) hypervisor.spend(this.loadCycles);
    else vmload(cpu, this.hostVmcb);
    cpu.flags &= ~IF;
    stgi(cpu);
    vcpu.eip = vmcb.get(V.rip) >>> 0;
    vcpu.cpl = vmcb.cpl;
    keepInterruptedEvent(guest);
    const next = vmcb.get(V.nextRip);
    const { exit } = guest;
    exit.reason = reason;
    exit.qualification = vmcb.get(V.exitInfo1);
    exit.detail = vmcb.get(V.exitInfo2);
    exit.instructionLength = next ? (next - vcpu.eip) & 15 : 0;
    exit.eip = vcpu.eip;
    return exit;
  }

  handle(vcpu: Vcpu, exit: Exit): Resume {
    // It is taken through the host's own gates, on the host's own stack.
    if (exit.reason === SVM_EXIT.interrupt) this.settle();
    const guest = this.guestOf(vcpu.domain);
    guest.context ??= new ExitContext(this.hypervisor, guest, vcpu, exit);
    guest.context.charged = false;
    return handleExit(guest.context);
  }

  pendingEvent(vcpu: Vcpu): boolean {
    const guest = this.guestOf(vcpu.domain);
    return guest.interruptible && guest.board.pic.pending();
  }

  nextDeadline(domain: Domain): number {
    return this.guestOf(domain).board.nextDeadline();
  }

  advance(domain: Domain, now: number): void {
    this.guestOf(domain).board.advance(now);
  }

  settle(): void {
    const { cpu } = this.hypervisor;
    if (!cpu.svm?.resident) return;
    this.loaded?.saveExtra();
    // The host has opened itself to interrupts since, and the time of all this has been charged at the exit.
    const { cycles, gif } = cpu;
    settleHost(cpu);
    vmload(cpu, this.hostVmcb);
    cpu.cycles = cycles;
    cpu.gif = gif;
  }

  switchedAway(vcpu: Vcpu): void {
    this.settle();
    const guest = this.guests.get(vcpu.domain);
    if (!guest || this.loaded !== guest) return;
    guest.debugRegisters.set(this.hypervisor.cpu.dr.subarray(0, 4));
    this.loaded = null;
  }

  translate(vcpu: Vcpu, linear: number): number {
    const { domain, control, nested } = this.guestOf(vcpu.domain);
    const { cpu } = this.hypervisor;
    if (nested && this.loaded?.domain === domain && cpu.intercepts !== null) return peek(cpu, linear);
    const physical = peekGuest(domain.memory, control, linear);
    return physical < 0 ? -1 : domain.memory.toMachine(physical);
  }

  registers(vcpu: Vcpu): Record<string, number> {
    const { cpu } = this.hypervisor;
    const guest = this.guestOf(vcpu.domain);
    const running = this.loaded === guest && cpu.intercepts !== null && cpu.stop !== Stop.monitor;
    return guestRegisters(guest, running ? cpu : null, running ? getFlags(cpu) : 0);
  }

  destroy(domain: Domain): void {
    const guest = this.guests.get(domain);
    if (!guest) return;
    if (this.loaded === guest) this.loaded = null;
    releaseInterfaces(guest);
    guest.release();
    this.guests.delete(domain);
    this.latest = null;
  }
}
