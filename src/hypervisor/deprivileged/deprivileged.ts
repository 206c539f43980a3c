// A guest whose kernel is moved out of ring 0, whatever then becomes of its kernel's instructions: memory, shadow page tables,
// shadow descriptors, the ways into it (IRET) and out of it (the monitor's own IDT). SDM vol. 3 §6.12, §6.14. What trap-and-
// emulate and binary translation share is here; each says for itself how the kernel's code runs.
import { type EntryState, placeImage } from '../../images/boot.ts';
import { type Image, ImageError } from '../../images/image.ts';
import { Stop } from '../../machine/cpu/cpu.ts';
import { isFault } from '../../machine/cpu/fault.ts';
import { getFlags, IF } from '../../machine/cpu/flags.ts';
import { EventType } from '../../machine/cpu/interrupts.ts';
import { returnFromInterrupt } from '../../machine/cpu/iret.ts';
import { MSR } from '../../machine/cpu/msrs.ts';
import { flushForCr3 } from '../../machine/cpu/paging.ts';
import { loadSegment } from '../../machine/cpu/segmentation.ts';
import type { Board } from '../../machine/devices/board.ts';
import { CS, DS, ES, ESP, FS, GS, LDTR, SS } from '../../machine/isa/instruction.ts';
import { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import type { Domain, Vcpu } from '../domain.ts';
import { tellChain } from '../fault-chain.ts';
import { peekGuest } from '../guest-walk.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PER_DOMAIN_START, SELECTOR } from '../monitor.ts';
import { placeFirmware, startsInRealMode } from '../platform/firmware-boot.ts';
import { populatePc } from '../platform/pc-guest.ts';
import { virtualBoard } from '../platform/virtual-board.ts';
import type { BootOptions, Exit, MutableExit, Resume, Technique, TechniqueName } from '../technique.ts';
import { prepareReturn, readArrival } from '../trap-frame.ts';
import { deliver } from './delivery.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { SYSENTER, SYSENTER_ENTRY } from './reasons.ts';
import { compressed } from './rings.ts';
import { isNull, Unsupported } from './segments.ts';
import { startStep } from './stepping.ts';

/** CR0 that a boot loader leaves, as the guest sees it: PE and ET. */
const BOOT_CR0 = 0x11;
/** What CR0 has while a guest runs: PE, ET, NE, WP (so that shadows protect against ring 1 too), PG; and what is the guest's: MP, EM, TS. */
const CR0_FORCED = 0x80010031 | 0;
const CR0_GUESTS = 0xe;
/** CR4: PSE and PGE are the monitor's; TSD, DE, PCE, OSFXSR, OSXMMEXCPT the guest's; VMXE stays as it is. */
const CR4_MONITOR = 0x90;
const CR4_GUESTS = 0x70c;
const CR4_TSD = 4;
const CR4_VMXE = 0x2000;
const HOST_CR0 = 0x80010033 | 0;
/** The vector whose gate another technique may have opened. */
const DIRECT_VECTOR = 0x80;
const FLAT_LOW = 0x0000ffff;
const FLAT_CODE_HIGH = 0x00cf9b00;
const FLAT_DATA_HIGH = 0x00cf9300;
const UNUSABLE = 0x10000;
/** How often in a row a guest may be taken over before others get their turn. */
const MOST_TURNS = 3;
const LDT_ACCESS = 0x82;

export abstract class Deprivileged<G extends DeprivilegedGuest> implements Technique {
  abstract readonly name: TechniqueName;
  readonly kernelRing = 1;
  readonly nonRoot = false;
  /** It can begin where there are no rings yet. */
  protected readonly takesRealMode: boolean = false;
  protected readonly guests = new Map<Domain, G>();
  /** Whose tables the processor has. */
  private loaded: G | null = null;

  constructor(protected readonly hypervisor: Hypervisor) {}

  /** What is kept about a new guest. Throws OutOfMemory. */
  protected abstract newGuest(domain: Domain, board: Board, devices?: MemoryMap): G;
  /** The guest begins at the reset vector, in real mode. */
  protected powerOn(_guest: G): void {}
  abstract handle(vcpu: Vcpu, exit: Exit): Resume;

  /** What is kept about a guest: for people to look at. */
  guestOf(domain: Domain): G | undefined {
    return this.guests.get(domain);
  }

  protected of(domain: Domain): G {
    return this.guests.get(domain)!;
  }

  prepare(domain: Domain, image: Image, options: BootOptions): void {
    if (image.kind === 'xen')
      throw new ImageError(
        `${image.name}: is ported to Xen and needs its hypercalls. Run it by paravirtualization`,
      );
    const real = startsInRealMode(image);
    if (real && !this.takesRealMode)
      throw new ImageError(
        `${image.name}: is ${image.description}, which starts in real mode, and a kernel cannot be moved out of ring 0 where there are no rings. Run it on the bare machine (native)`,
      );
    populatePc(domain, image);
    // Guests of the simple kind get along without devices at memory addresses.
    const devices = real ? new MemoryMap(domain.memory.size) : undefined;
    const guest = this.newGuest(domain, virtualBoard(this.hypervisor, domain, devices), devices);
    this.guests.set(domain, guest);
    domain.board = guest.board;
    if (real) {
      placeFirmware(domain.memory, guest.board, image, options);
      this.powerOn(guest);
      return;
    }
    const entry = placeImage(image, options, domain.memory);
    guest.shadow.loadCr0(BOOT_CR0);
    guest.vcpu.regs.set([entry.eax, 0, entry.edx, entry.ebx, entry.esp, 0, entry.esi]);
    guest.vcpu.eip = guest.frame.eip = entry.eip;
    guest.flags = 2;
    this.bootSegments(guest, entry);
  }

  /** Flat segments, as the boot loader leaves them, of which the guest's table has perhaps no descriptor. */
  protected bootSegments(guest: G, entry: EntryState): void {
    const { descriptors } = guest;
    Object.assign(descriptors.gdtr, entry.gdt);
    for (const register of [ES, CS, SS, DS, FS, GS]) {
      const code = register === CS;
      const selector = code ? entry.codeSelector : entry.dataSelector;
      guest.setSelector(register, code || register === SS ? compressed(selector, 0) : selector);
      descriptors.keepInitial(register, selector, FLAT_LOW, code ? FLAT_CODE_HIGH : FLAT_DATA_HIGH);
    }
  }

  /** Puts this guest's tables under the processor. */
  protected load(guest: G): void {
    const { cpu, monitor } = this.hypervisor;
    cpu.gdtr.base = PER_DOMAIN_START;
    cpu.gdtr.limit = 0xffff;
    monitor.writeGate(DIRECT_VECTOR, monitor.monitorGate(DIRECT_VECTOR));
    guest.writeGates(true);
    this.putSysenter(false);
    guest.directSysenter = false;
    guest.loadDebugRegisters();
    guest.loadedRoot = -1;
    this.loaded = guest;
  }

  /** SYSENTER of the guest's programs leads to the monitor, or, while the guest has given no segment for it, faults. */
  private putSysenter(on: boolean): void {
    const { cpu, monitor } = this.hypervisor;
    cpu.msrs.set(MSR.sysenterCs, on ? BigInt(SELECTOR.hypervisorCode) : 0n);
    cpu.msrs.set(MSR.sysenterEsp, on ? BigInt(monitor.linear.stackTop) : 0n);
    cpu.msrs.set(MSR.sysenterEip, on ? BigInt(SYSENTER_ENTRY) : 0n);
  }

  /** LDTR: through a descriptor of the monitor's GDT page, as LLDT would. */
  protected loadLdt(guest: G): void {
    const ldtr = this.hypervisor.cpu.segments[LDTR];
    const shadow = guest.descriptors.shadowLdt;
    ldtr.selector = shadow ? SELECTOR.ldt : 0;
    ldtr.base = shadow ? shadow.base : 0;
    ldtr.limit = shadow ? shadow.limit : 0;
    ldtr.access = shadow ? LDT_ACCESS : UNUSABLE;
  }

  enter(vcpu: Vcpu): number {
    const guest = this.of(vcpu.domain);
    if (this.loaded !== guest) this.load(guest);
    let injected = -1;
    for (let turn = 0; ; turn++) {
      try {
        const vector = this.deliverPending(guest);
        if (vector >= 0) injected = vector;
        if (vcpu.domain.alive) this.prepareEntry(guest);
        break;
      } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        if (guest.takeOver(error) === null) this.hypervisor.endDomain(vcpu.domain, 'crashed', error.message);
        if (!vcpu.domain.alive) break;
        if (turn >= MOST_TURNS || !guest.enterable) return this.standStill(guest);
      }
    }
    if (!vcpu.domain.alive) return -1;
    this.loadTables(guest);
    this.goTo(guest);
    return injected;
  }

  /** The processor does not enter the guest this time: it is at the monitor again at once. */
  protected standStill(guest: G): number {
    guest.stoodStill = true;
    this.hypervisor.cpu.stop = Stop.monitor;
    return -1;
  }

  /** What a technique has to do before its guest can be entered, now that it is known where it goes on. Throws Unsupported */
  protected prepareEntry(_guest: G): void {}

  /** CS:EIP that the processor gets. */
  protected entryPoint(guest: G): { cs: number; eip: number } {
    return { cs: guest.descriptors.selectorFor(CS), eip: guest.frame.eip };
  }

  /** The processor has come from the guest at `vector`; what it left is in the frame. */
  protected arrived(guest: G, vector: number): void {
    // Of CS and SS SYSENTER has left nothing.
    guest.descriptors.arrived(vector === SYSENTER ? [] : undefined);
  }

  /** An interrupt of the virtual board, when the guest's kernel lets it. @returns the vector, or -1 */
  protected deliverPending(guest: G): number {
    const { board, hypervisor, frame } = guest;
    if (!board.pic.pending() || !guest.interruptsOn || guest.stepping) return -1;
    if (guest.shadowedEip === frame.eip >>> 0) {
      startStep(guest);
      return -1;
    }
    const vector = board.pic.acknowledge();
    if (deliver(guest, vector, EventType.external, -1, frame.eip)) return vector;
    hypervisor.endDomain(guest.domain, 'crashed', tellChain(guest.chain), true);
    return -1;
  }

  /** Shadow descriptors, control registers, CR3: what the guest runs on must be what it believes in now. */
  protected loadTables(guest: G): void {
    const { cpu } = this.hypervisor;
    const { shadow, descriptors } = guest;
    if (descriptors.stale) descriptors.synchronize();
    this.loadLdt(guest);
    const sysenter = !isNull(guest.sysenter.cs);
    if (sysenter !== guest.directSysenter) this.putSysenter((guest.directSysenter = sysenter));
    const { cr0, cr4 } = shadow.control;
    cpu.cr0 = CR0_FORCED | (cr0 & CR0_GUESTS);
    const timeStamp = guest.tscOffset !== 0 ? CR4_TSD : 0;
    cpu.cr4 = (cpu.cr4 & CR4_VMXE) | CR4_MONITOR | (cr4 & CR4_GUESTS) | timeStamp;
    if (guest.loadedRoot !== shadow.root || guest.loadedChanges !== shadow.changes) {
      cpu.cr3 = shadow.root | 0;
      flushForCr3(cpu);
      guest.loadedRoot = shadow.root;
      guest.loadedChanges = shadow.changes;
    }
  }

  /** IRET into the guest. */
  protected goTo(guest: G): void {
    const { cpu, monitor } = this.hypervisor;
    const { frame, descriptors, vcpu } = guest;
    monitor.loadHypervisorSegments(cpu);
    this.loadDataSegments(guest);
    frame.esp = vcpu.regs[ESP];
    const { cs, eip, ss } = frame;
    const entry = this.entryPoint(guest);
    frame.cs = entry.cs;
    frame.eip = entry.eip;
    frame.ss = descriptors.selectorFor(SS);
    prepareReturn(this.hypervisor, frame, vcpu.regs);
    frame.cs = cs;
    frame.eip = eip;
    frame.ss = ss;
    try {
      returnFromInterrupt(cpu);
      descriptors.entered();
    } catch (error) {
      if (!isFault(error)) throw error;
      const at = `CS:EIP ${cs.toString(16)}:${(frame.eip >>> 0).toString(16)}, SS:ESP ${ss.toString(16)}:${(frame.esp >>> 0).toString(16)}`;
      this.hypervisor.endDomain(vcpu.domain, 'crashed', `the guest cannot be entered: ${at}`);
    }
  }

  protected loadDataSegments(guest: G): void {
    const { cpu } = this.hypervisor;
    for (const register of [ES, DS, FS, GS]) {
      guest.descriptors.withEntry(register, () => {
        try {
          loadSegment(cpu, register, guest.selector(register));
        } catch (error) {
          if (!isFault(error)) throw error;
          loadSegment(cpu, register, 0);
        }
      });
    }
  }

  leave(vcpu: Vcpu): MutableExit {
    const guest = this.of(vcpu.domain);
    const { cpu } = this.hypervisor;
    const { frame } = guest;
    const { vector, error } =
      cpu.eip >>> 0 === SYSENTER_ENTRY ? this.readSysenter(guest) : readArrival(this.hypervisor, frame);
    for (let n = 0; n < 8; n++) vcpu.regs[n] = cpu.regs[n];
    vcpu.regs[ESP] = frame.esp;
    this.arrived(guest, vector);
    if (guest.shadowedEip !== frame.eip >>> 0) guest.shadowedEip = -1;
    vcpu.eip = frame.eip >>> 0;
    vcpu.cpl = frame.cs & 3;
    const { exit } = guest;
    exit.reason = vector;
    exit.qualification = vector === 14 ? cpu.cr2 : 0;
    exit.detail = error;
    exit.eip = vcpu.eip;
    return exit;
  }

  /** The guest executed SYSENTER, which says nothing of where it came from: it stands where its own leads. */
  private readSysenter(guest: G): { vector: number; error: number } {
    const { cpu } = this.hypervisor;
    const { frame, sysenter } = guest;
    frame.eip = sysenter.eip;
    frame.esp = sysenter.esp;
    frame.eflags = getFlags(cpu) | IF;
    frame.ds = cpu.segments[DS].selector;
    frame.es = cpu.segments[ES].selector;
    frame.fs = cpu.segments[FS].selector;
    frame.gs = cpu.segments[GS].selector;
    guest.sysenterTrapped = cpu.pendingDebug !== 0;
    cpu.pendingDebug = 0;
    return { vector: SYSENTER, error: 0 };
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

  /** The processor goes back to the monitor's own state, from which every technique starts. */
  switchedAway(vcpu: Vcpu): void {
    if (!this.loaded || this.loaded !== this.guests.get(vcpu.domain)) return;
    const { cpu, monitor } = this.hypervisor;
    cpu.cr0 = HOST_CR0;
    cpu.cr4 = (cpu.cr4 & CR4_VMXE) | CR4_MONITOR;
    cpu.cr3 = monitor.pageDirectory;
    cpu.tlb.flush();
    cpu.dr[7] = 0x400;
    this.putSysenter(false);
    this.loaded.writeGates(false);
    cpu.segments[LDTR].selector = 0;
    cpu.segments[LDTR].access = UNUSABLE;
    this.loaded = null;
  }

  translate(vcpu: Vcpu, linear: number): number {
    const { domain, shadow } = this.of(vcpu.domain);
    const physical = peekGuest(domain.memory, shadow.control, linear);
    return physical < 0 ? -1 : domain.memory.toMachine(physical);
  }

  registers(vcpu: Vcpu): Record<string, number> {
    const guest = this.of(vcpu.domain);
    const { regs } = vcpu;
    const { frame } = guest;
    const { control } = guest.shadow;
    return {
      EAX: regs[0],
      EBX: regs[3],
      ECX: regs[1],
      EDX: regs[2],
      ESI: regs[6],
      EDI: regs[7],
      EBP: regs[5],
      ESP: regs[ESP],
      EIP: frame.eip,
      EFLAGS: frame.eflags,
      CS: frame.cs,
      SS: frame.ss,
      DS: frame.ds,
      ES: frame.es,
      CR0: control.cr0,
      CR2: vcpu.cr2,
      CR3: control.cr3,
      CR4: control.cr4,
      'virtual IF': guest.interruptsOn ? 1 : 0,
    };
  }

  destroy(domain: Domain): void {
    const guest = this.guests.get(domain);
    if (!guest) return;
    if (this.loaded === guest) this.switchedAway(guest.vcpu);
    guest.release();
    this.guests.delete(domain);
  }
}
