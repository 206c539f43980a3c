// Hardware assistance by Intel VT-x: an unmodified guest runs at ring 0 of VMX non-root operation; what the VMCS names
// leaves to the handlers in exits/. With shadow paging in the style of Xen 3.0 (2005), or on processors of 2008 with EPT.
import { type EntryState, placeImage } from '../../images/boot.ts';
import { type Image, ImageError } from '../../images/image.ts';
import { getFlags } from '../../machine/cpu/flags.ts';
import { checkControls, checkHostState } from '../../machine/cpu/vmx/entry-checks.ts';
import { settleHost } from '../../machine/cpu/vmx/exit.ts';
import { EXIT } from '../../machine/cpu/vmx/exit-reasons.ts';
import { FIELD as F, LATER_FIELD } from '../../machine/cpu/vmx/fields.ts';
import { REVISION_IDENTIFIER } from '../../machine/cpu/vmx/layout.ts';
import {
  vmclear,
  vmlaunch,
  vmptrld,
  vmread,
  vmresume,
  vmwrite,
  vmxon,
} from '../../machine/cpu/vmx/operations.ts';
import { vmxOf } from '../../machine/cpu/vmx/state.ts';
import type { Board } from '../../machine/devices/board.ts';
import { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { copyRegisters, type Domain, type Vcpu } from '../domain.ts';
import { beforeEnlightenedEntry, enlighten, releaseInterfaces, VMCALL } from '../enlightenments/seam.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import { type GuestControl, peekGuest } from '../guest-walk.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { placeFirmware, startsInRealMode } from '../platform/firmware-boot.ts';
import { populatePc } from '../platform/pc-guest.ts';
import { virtualBoard } from '../platform/virtual-board.ts';
import type { ShadowPaging } from '../shadow-paging.ts';
import type { BootOptions, Exit, Resume, Technique } from '../technique.ts';
import { keepInterruptedEvent, prepareEvents } from './events.ts';
import { ExitContext } from './exits/context.ts';
import { handleExit } from './exits/handlers.ts';
import { optional, parts } from './optional.ts';
import { guestRegisters } from './registers.ts';
import { CR4_VMXE, hasNestedPaging, hasVpid, setUpVmcs, type VtxOptions } from './vmcs.ts';
import { VtxGuest } from './vtx-guest.ts';

/** CR0 that a boot loader leaves, as the guest sees it: PE and ET. */
const BOOT_CR0 = 0x11;
/** For a guest that firmware boots: all that the VMCS must be filled with before the emulator's state after power-on goes in. */
const AFTER_POWER_ON: EntryState = {
  bits: 32,
  eip: 0,
  eax: 0,
  ebx: 0,
  edx: 0,
  esp: 0,
  esi: 0,
  codeSelector: 8,
  dataSelector: 16,
  gdt: { base: 0, limit: 0 },
};
/** Exits at which no instruction has a length, by basic reason. */
const WITHOUT_LENGTH = new Uint8Array(0x10000);
for (const reason of [
  EXIT.exceptionOrNmi,
  EXIT.externalInterrupt,
  EXIT.interruptWindow,
  EXIT.tripleFault,
  EXIT.eptViolation,
])
  WITHOUT_LENGTH[reason] = 1;

export class HardwareAssisted implements Technique {
  readonly name = 'vt-x';
  readonly kernelRing = 0;
  readonly nonRoot = true;
  private readonly guests = new Map<Domain, VtxGuest>();
  private readonly entries = new Map<VtxGuest, EntryState>();
  /** Who was asked for last. */
  private latest: VtxGuest | null = null;
  /** Whose VMCS is current and whose debug registers are in the processor. */
  private loaded: VtxGuest | null = null;
  /** Machine address of the VMXON region, 0 before the first guest. */
  private vmxonRegion = 0;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly options: VtxOptions = {},
  ) {}

  private of(domain: Domain): VtxGuest {
    if (this.latest?.domain !== domain) this.latest = this.guests.get(domain)!;
    return this.latest;
  }

  /** What is kept about a guest, for looking; null before it is built and after its end. */
  guestOf(vcpu: Vcpu): VtxGuest | null {
    return this.guests.get(vcpu.domain) ?? null;
  }

  /** The guest's control registers now: with nested paging they are the processor's while it runs. */
  controlOf(vcpu: Vcpu): Readonly<GuestControl> {
    const guest = this.of(vcpu.domain);
    const { cpu } = this.hypervisor;
    return guest.nested && this.isRunning(guest) ? cpu : guest.shadow.control;
  }

  private isRunning(guest: VtxGuest): boolean {
    return this.loaded === guest && this.hypervisor.cpu.intercepts !== null;
  }

  prepare(domain: Domain, image: Image, options: BootOptions): void {
    if (image.kind === 'xen')
      throw new ImageError(
        `${image.name}: is ported to Xen and needs its hypercalls. Run it by paravirtualization`,
      );
    const nested = options.paging === 'nested';
    if (nested && !hasNestedPaging(this.hypervisor.cpu))
      throw new ImageError(
        `${image.name}: nested paging (EPT) is not on this processor. Choose one that has it (--cpu nehalem)`,
      );
    populatePc(domain, image);
    this.vmxonRegion ||= this.hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
    const real = startsInRealMode(image);
    // Guests of the simple kind get along without the emulator where it is not there.
    const devices = nested || real ? new MemoryMap(domain.memory.size) : undefined;
    const board = virtualBoard(this.hypervisor, domain, devices);
    const guest = this.newGuest(domain, board, nested, devices);
    this.guests.set(domain, guest);
    domain.board = board;
    guest.tscOffset = -this.hypervisor.now;
    enlighten(guest, image, options, VMCALL);
    if (real) {
      placeFirmware(domain.memory, board, image, options);
      return;
    }
    const entry = placeImage(image, options, domain.memory);
    guest.shadow.loadCr0(BOOT_CR0);
    guest.vcpu.regs.set([entry.eax, 0, entry.edx, entry.ebx, entry.esp, 0, entry.esi]);
    guest.vcpu.eip = entry.eip;
    this.entries.set(guest, entry);
  }

  private newGuest(domain: Domain, board: Board, nested: boolean, devices?: MemoryMap): VtxGuest {
    const guest = new VtxGuest(
      this.hypervisor,
      domain,
      board,
      hasVpid(this.hypervisor.cpu) ? this.freeVpid() : 0,
      nested ? (self) => parts().nestedPaging(self, devices!) : null,
    );
    const map = devices ?? new MemoryMap(domain.memory.size);
    if (devices || optional.parts) guest.emulation = parts().emulation(guest, map);
    if (devices) {
      guest.devices = devices;
      if (guest.shadowTables) guest.shadowTables.devices = devices;
      devices.onChange(() => guest.shadow.devicesChanged());
    }
    return guest;
  }

  /** The lowest that no guest has; 0 is the host's. */
  private freeVpid(): number {
    let vpid = 1;
    while ([...this.guests.values()].some((guest) => guest.vpid === vpid)) vpid++;
    return vpid;
  }

  /** What a hypervisor does once on each processor: CR4.VMXE, a VMXON region, VMXON. */
  private enableVmx(): void {
    const { cpu, pc } = this.hypervisor;
    if (cpu.vmx?.operation) return;
    const region = this.vmxonRegion;
    pc.memory.write32(region, REVISION_IDENTIFIER);
    cpu.cr4 |= CR4_VMXE;
    if (vmxon(cpu, region) !== 0) throw new Error('VMXON failed');
    vmxOf(cpu).ours = true;
  }

  /** Puts this guest's state under the processor. */
  private load(guest: VtxGuest): void {
    const { cpu, monitor } = this.hypervisor;
    this.enableVmx();
    if (guest.prepared) vmptrld(cpu, guest.vmcs);
    else {
      const entry = this.entries.get(guest);
      setUpVmcs(cpu, monitor, guest, entry ?? AFTER_POWER_ON, this.options);
      // Another guest may have had the identifier before.
      guest.remembered?.forgetAll();
      if (!entry) guest.emulation!.powerOn();
      this.entries.delete(guest);
    }
    for (const n of [0, 1, 2, 3, 6]) cpu.dr[n] = guest.debugRegisters[n];
    this.loaded = guest;
  }

  enter(vcpu: Vcpu): number {
    const guest = this.of(vcpu.domain);
    const { cpu } = this.hypervisor;
    if (this.loaded !== guest) this.load(guest);
    beforeEnlightenedEntry(guest);
    const { emulation, shadowTables } = guest;
    if (emulation !== null && (emulation.real !== null || emulation.parked)) {
      emulation.beforeEntry();
      if (!vcpu.domain.alive) return -1;
    }
    if (shadowTables !== null) this.loadShadow(guest, shadowTables);
    const injected = prepareEvents(cpu, guest);
    copyRegisters(vcpu.regs, cpu.regs);
    cpu.cr2 = vcpu.cr2;
    const error = guest.launched ? vmresume(cpu) : vmlaunch(cpu);
    if (error !== 0) {
      this.refused(vcpu, guest, error);
      return -1;
    }
    guest.launched = true;
    return injected;
  }

  /** The shadow tables are ready to be walked, and what is remembered of the guest is no more than they say. */
  private loadShadow(guest: VtxGuest, shadow: ShadowPaging): void {
    const { root, reductions } = shadow;
    const switched = root !== guest.loadedRoot;
    if (switched) {
      vmwrite(this.hypervisor.cpu, F.GUEST_CR3, root);
      guest.loadedRoot = root;
    }
    if (guest.remembered === null || (!switched && reductions === guest.seenReductions)) return;
    guest.seenReductions = reductions;
    guest.remembered.forgetAll();
  }

  /** The processor would not even begin the entry: a mistake of this hypervisor, which must not cost the other guests their host. */
  private refused(vcpu: Vcpu, guest: VtxGuest, error: number): void {
    const { cpu } = this.hypervisor;
    const rule = checkControls(vmxOf(cpu)) || checkHostState(vmxOf(cpu));
    const instruction = guest.launched ? 'VMRESUME' : 'VMLAUNCH';
    const reason = `the hypervisor could not enter the guest: ${instruction} failed with VM-instruction error ${error}${rule ? ` (${rule})` : ''}`;
    this.hypervisor.endDomain(vcpu.domain, 'crashed', reason);
  }

  leave(vcpu: Vcpu): Exit {
    const guest = this.of(vcpu.domain);
    const { cpu } = this.hypervisor;
    copyRegisters(cpu.regs, vcpu.regs);
    vcpu.cr2 = cpu.cr2;
    const reason = vmread(cpu, F.VM_EXIT_REASON);
    const basic = reason & 0xffff;
    const qualification = vmread(cpu, F.EXIT_QUALIFICATION) | 0;
    vcpu.eip = vmread(cpu, F.GUEST_RIP);
    vcpu.cpl = (vmread(cpu, F.GUEST_SS_AR_BYTES) >>> 5) & 3;
    keepInterruptedEvent(cpu, guest);
    const instructionLength = WITHOUT_LENGTH[basic] ? 0 : vmread(cpu, F.VM_EXIT_INSTRUCTION_LEN);
    let detail = 0;
    if (basic === EXIT.exceptionOrNmi || basic === EXIT.externalInterrupt)
      detail = vmread(cpu, F.VM_EXIT_INTR_INFO) | 0;
    else if (basic === EXIT.eptViolation) detail = vmread(cpu, LATER_FIELD.GUEST_PHYSICAL_ADDRESS) | 0;
    else if (basic === EXIT.msrRead || basic === EXIT.msrWrite) detail = vcpu.regs[1];
    const { exit } = guest;
    exit.reason = reason | 0;
    exit.qualification = qualification;
    exit.detail = detail;
    exit.instructionLength = instructionLength;
    exit.eip = vcpu.eip;
    return exit;
  }

  handle(vcpu: Vcpu, exit: Exit): Resume {
    const guest = this.of(vcpu.domain);
    guest.context ??= new ExitContext(this.hypervisor, guest, vcpu, exit);
    return handleExit(guest.context);
  }

  pendingEvent(vcpu: Vcpu): boolean {
    const guest = this.of(vcpu.domain);
    return guest.interruptible && guest.board.pic.pending();
  }

  nextDeadline(domain: Domain): number {
    return this.of(domain).board.nextDeadline();
  }

  advance(domain: Domain, now: number): void {
    this.of(domain).board.advance(now);
  }

  settle(): void {
    settleHost(this.hypervisor.cpu);
  }

  switchedAway(vcpu: Vcpu): void {
    this.settle();
    const guest = this.guests.get(vcpu.domain);
    if (!guest || this.loaded !== guest) return;
    guest.debugRegisters.set(this.hypervisor.cpu.dr);
    this.loaded = null;
  }

  translate(vcpu: Vcpu, linear: number): number {
    const guest = this.of(vcpu.domain);
    const physical = peekGuest(guest.domain.memory, this.controlOf(vcpu), linear);
    return physical < 0 ? -1 : guest.domain.memory.toMachine(physical);
  }

  registers(vcpu: Vcpu): Record<string, number> {
    const { cpu } = this.hypervisor;
    const guest = this.of(vcpu.domain);
    const running = this.isRunning(guest);
    return guestRegisters(guest, running ? cpu : null, running ? getFlags(cpu) : 0);
  }

  destroy(domain: Domain): void {
    const guest = this.guests.get(domain);
    if (!guest) return;
    if (this.loaded === guest) this.loaded = null;
    // The silicon must forget the region before somebody else gets the frame.
    const { cpu } = this.hypervisor;
    if (cpu.vmx?.operation && cpu.intercepts === null) vmclear(cpu, guest.vmcs);
    releaseInterfaces(guest);
    guest.release();
    this.guests.delete(domain);
    this.latest = null;
    this.entries.delete(guest);
  }
}
