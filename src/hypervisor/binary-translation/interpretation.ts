// What translation does not take is interpreted, as VMware's monitor did with real mode (Bugnion et al. 2012, §4.2): 16-bit code
// of the kernel, virtual-8086 mode, rings 1 and 2, task switches, call gates, stacks that lie where the monitor hides, accesses
// to devices in memory. The guest's state goes into the hypervisor's emulator, runs there until the processor can take it again,
// and comes back: hidden parts of segment registers and all.
import { getFlags, setFlags, VM } from '../../machine/cpu/flags.ts';
import { MSR } from '../../machine/cpu/msrs.ts';
import { Descriptor } from '../../machine/cpu/segmentation.ts';
import { CS, ESP, LDTR, SS, TR } from '../../machine/isa/instruction.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { Emulated, Kind } from '../../trace/events.ts';
import { obstacle } from '../deprivileged/convert.ts';
import { compressed } from '../deprivileged/rings.ts';
import { isNull, type PendingEvent } from '../deprivileged/segments.ts';
import { stopStep } from '../deprivileged/stepping.ts';
import { Emulator } from '../emulator/emulator.ts';
import { doWhatIsLeft, takeInterrupt } from '../emulator/left.ts';
import { type FaultLink, tellChain } from '../fault-chain.ts';
import { HYPERVISOR_START } from '../monitor.ts';
import { endWhenPoweredOff } from '../platform/pc-guest.ts';
import type { Position, Resume } from '../technique.ts';
import { identification } from './call-outs.ts';
import type { TranslatedGuest } from './guest.ts';
import { hiddenPart, type SegmentPart, wordsOf } from './hidden-parts.ts';

/** Instructions interpreted at most before others get their turn. */
const BATCH = 512;
/** After an access to a device, so many more are interpreted: the next one often follows (Agesen et al. 2012). */
const CLUSTER = 8;
/** A stack that comes so near to the monitor is as one that lies there. */
const NEAR = 64;
const PE = 1;
const PAE = 0x20;
const UNUSABLE = 0x10000;
const BIG = 0x4000;
/** TR before LTR. */
const NO_TASK = { selector: 0, base: 0, limit: 0xffff, access: 0x8b };
const SYSENTER = [
  [MSR.sysenterCs, 'cs'],
  [MSR.sysenterEsp, 'esp'],
  [MSR.sysenterEip, 'eip'],
] as const;

const d = new Descriptor();

export class Interpretation {
  private made: Emulator | null = null;
  /** The guest's state is in the emulator: the processor could not be entered with it. */
  parked = false;
  /** What the run loop is to hear at the next turn of a guest that is parked. */
  resume: Resume = 'enter';
  /** Segment registers as they were loaded, to see which have changed. */
  private readonly before: SegmentPart[] = [];

  /** @param devices of the guest, at memory addresses */
  constructor(
    private readonly guest: TranslatedGuest,
    private readonly devices: MemoryMap,
  ) {}

  /** Most guests never need it. */
  private get emulator(): Emulator {
    const { guest } = this;
    this.made ??= new Emulator(guest.hypervisor, guest.vcpu, guest.board, this.devices);
    return this.made;
  }

  /** The state after power-on: real mode, at the reset vector. */
  powerOn(): void {
    this.emulator.cpu.segments[CS].base = 0xf0000;
    this.emulator.controlWritten = true;
    this.emulator.begin();
    this.parked = true;
    this.keep();
  }

  /** From the instruction at which the guest stands, or with an event that comes first, until the processor can go on. */
  take(event: PendingEvent | null): Resume {
    this.load();
    if (event) {
      const { cpu } = this.emulator;
      cpu.eip = event.returnEip >>> 0;
      this.emulator.deliver(event.vector, event.type, event.errorCode);
      if (this.emulator.shutdown) return this.shutDown();
      if (this.mayLeave()) return this.finish('enter');
    }
    return this.run();
  }

  /** One turn of a guest that is parked, before it would be entered. */
  turn(): void {
    const { guest } = this;
    if (this.resume === 'block' && !(guest.interruptible && guest.board.pic.pending())) return;
    this.resume = 'enter';
    if (this.pendingInterrupt() && (!guest.domain.alive || this.mayLeave())) {
      if (guest.domain.alive) this.finish('enter');
      return;
    }
    this.run();
  }

  /** What the run loop is to hear, once. */
  takeResume(): Resume {
    const { resume } = this;
    if (!this.parked) this.resume = 'enter';
    return resume;
  }

  /** Where a guest stands that is parked, for people. */
  position(): Position {
    const { cpu } = this.emulator;
    const { segments } = cpu;
    const names = ['ES', 'CS', 'SS', 'DS'] as const;
    const selectors = Object.fromEntries(names.map((name, n) => [name, segments[n].selector]));
    const eip = cpu.eip >>> 0;
    const registers = { EIP: eip, EFLAGS: getFlags(cpu), ESP: cpu.regs[ESP], CR0: cpu.cr0, ...selectors };
    return { eip, linear: (segments[CS].base + eip) >>> 0, registers, inside: false };
  }

  /** Whether the stack of the guest's kernel lies where its segment had to be cut off. @param pushed bytes more on it */
  static stackHides(guest: TranslatedGuest, pushed = 0): boolean {
    const { low, high } = guest.descriptors.loaded(SS);
    d.low = low;
    d.high = high;
    return d.base + d.limit === HYPERVISOR_START - 1 && isHigh(d.base, guest.vcpu.regs[ESP] - pushed);
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
      if (emulator.left && doWhatIsLeft(guest, emulator, (leaf) => identification(guest, leaf)) === 'block') {
        resume = 'block';
        break;
      }
      if (this.mayLeave()) {
        if (since >= CLUSTER || guest.board.pic.pending()) break;
      } else if (this.pendingInterrupt() && !guest.domain.alive) return 'ended';
    }
    hypervisor.record(vcpu, Kind.emulate, Emulated.interpreted, steps, first);
    return this.finish(resume);
  }

  private finish(resume: Resume): Resume {
    this.parked = !this.mayLeave();
    this.resume = resume;
    if (this.parked) this.keep();
    else this.store();
    return endWhenPoweredOff(this.guest) ? 'ended' : resume;
  }

  private shutDown(): Resume {
    const { guest, emulator } = this;
    const { faultChain: chain } = emulator.cpu;
    const links: FaultLink[] = [];
    for (let n = 0; n < chain.length; n += 3)
      links.push({ vector: chain[n], errorCode: chain[n + 1], eip: emulator.cpu.eip, cr2: chain[n + 2] });
    guest.hypervisor.endDomain(guest.domain, 'crashed', tellChain(links), true);
    return 'ended';
  }

  /** Whether the processor and the translator take the state as it is now. */
  private mayLeave(): boolean {
    const { cpu } = this.emulator;
    const { segments, cpl } = cpu;
    if (!(cpu.cr0 & PE) || cpu.flags & VM || cpu.cr4 & PAE || cpl === 1 || cpl === 2) return false;
    if (cpl === 0 && !(segments[CS].access & BIG)) return false;
    if (cpl === 0 && isHigh(segments[SS].base, cpu.regs[ESP])) return false;
    for (let n = 0; n < 6; n++) {
      const segment = segments[n];
      if (segment.access & UNUSABLE) continue;
      // Loaded in real mode, and used since without a descriptor: no table can say that.
      if (isNull(segment.selector)) return false;
      const words = wordsOf(segment);
      if (!words || obstacle(words.low, words.high)) return false;
      d.high = words.high;
      if (n !== CS && n !== SS && !d.isConforming && (segment.selector & 3) > Math.max(d.dpl, 1))
        return false;
    }
    return true;
  }

  // ---- between guest and emulator

  private load(): void {
    const { guest, emulator } = this;
    const { hypervisor, vcpu, frame, descriptors, idtr, task } = guest;
    const { cpu } = emulator;
    stopStep(guest);
    guest.settle();
    cpu.regs.set(vcpu.regs);
    cpu.eip = frame.eip >>> 0;
    setFlags(cpu, guest.flags);
    for (let n = 0; n < 6; n++) {
      const part = hiddenPart(guest, n);
      this.before[n] = part;
      Object.assign(cpu.segments[n], part);
    }
    cpu.cpl = guest.ring;
    Object.assign(cpu.gdtr, descriptors.gdtr);
    Object.assign(cpu.idtr, idtr);
    const { ldtr } = descriptors;
    const table = ldtr.limit < 0 ? { ...ldtr, limit: 0, access: UNUSABLE } : { ...ldtr, access: 0x82 };
    Object.assign(cpu.segments[LDTR], table);
    const { selector, base, limit, wide } = task;
    Object.assign(
      cpu.segments[TR],
      limit < 0 ? NO_TASK : { selector, base, limit, access: wide ? 0x8b : 0x83 },
    );
    const { cr0, cr3, cr4 } = guest.shadow.control;
    cpu.cr0 = cr0;
    cpu.cr3 = cr3;
    cpu.cr4 = cr4;
    cpu.cr2 = vcpu.cr2;
    cpu.dr.set(guest.debug);
    for (const [index, name] of SYSENTER) cpu.msrs.set(index, BigInt(guest.sysenter[name] >>> 0));
    cpu.x87.copyFrom(hypervisor.cpu.x87);
    cpu.shadow = guest.shadowedEip === frame.eip >>> 0 ? (guest.shadowHoldsTraps ? 2 : 1) : 0;
    emulator.controlWritten = false;
    emulator.begin();
  }

  /** What people may look at, and what does not depend on who runs it. */
  private keep(): void {
    const { guest, emulator } = this;
    const { hypervisor, vcpu, frame } = guest;
    const { cpu } = emulator;
    if (emulator.controlWritten && !(cpu.cr4 & PAE)) this.storeControl();
    vcpu.regs.set(cpu.regs);
    vcpu.cr2 = cpu.cr2;
    vcpu.eip = cpu.eip >>> 0;
    vcpu.cpl = cpu.cpl;
    frame.eip = cpu.eip | 0;
    guest.flags = getFlags(cpu);
    for (const [index, name] of SYSENTER)
      guest.sysenter[name] = Number(BigInt.asIntN(32, cpu.msrs.get(index)!));
    hypervisor.cpu.x87.copyFrom(cpu.x87);
    if (guest.debug.some((value, n) => value !== cpu.dr[n])) {
      guest.debug.set(cpu.dr);
      guest.loadDebugRegisters();
    }
  }

  private store(): void {
    const { guest, emulator } = this;
    const { descriptors, task, idtr } = guest;
    const { cpu } = emulator;
    this.keep();
    Object.assign(idtr, { base: cpu.idtr.base, limit: cpu.idtr.limit });
    const ldtr = cpu.segments[LDTR];
    const table = {
      selector: ldtr.selector,
      base: ldtr.base,
      limit: ldtr.access & UNUSABLE ? -1 : Math.min(ldtr.limit, 0xffff),
    };
    const { gdtr } = cpu;
    if (
      differs(descriptors.gdtr, gdtr) ||
      differs(descriptors.ldtr, table) ||
      descriptors.ldtr.selector !== table.selector
    ) {
      Object.assign(descriptors.gdtr, { base: gdtr.base, limit: gdtr.limit });
      Object.assign(descriptors.ldtr, table);
      descriptors.stale = true;
    }
    const tr = cpu.segments[TR];
    const { selector, base, limit, access } = tr;
    const none = isNull(selector);
    Object.assign(task, { selector, base, limit: none ? -1 : limit, wide: none || (access & 8) !== 0 });
    for (let n = 0; n < 6; n++) this.storeSegment(n);
    guest.shadowedEip = cpu.shadow ? cpu.eip >>> 0 : -1;
    guest.shadowHoldsTraps = (cpu.shadow & 2) !== 0;
  }

  private storeSegment(n: number): void {
    const { guest } = this;
    const segment = this.emulator.cpu.segments[n];
    const was = this.before[n];
    const ringed = n === CS || n === SS;
    const selector = ringed ? compressed(segment.selector, this.emulator.cpu.cpl) : segment.selector;
    if (
      was &&
      selector === guest.selector(n) &&
      segment.selector === was.selector &&
      !differs(segment, was) &&
      segment.access === was.access
    )
      return;
    const words = segment.access & UNUSABLE ? null : wordsOf(segment);
    guest.setSelector(n, words ? selector : 0);
    guest.descriptors.keepInitial(n, words ? selector : 0, words?.low ?? 0, words?.high ?? 0);
    guest.descriptors.stale = true;
  }

  private storeControl(): void {
    const { guest, emulator } = this;
    const { cr0, cr3, cr4 } = emulator.cpu;
    const { shadow } = guest;
    emulator.controlWritten = false;
    if (shadow.control.cr4 !== cr4) shadow.loadCr4(cr4);
    if (shadow.control.cr0 !== cr0) shadow.loadCr0(cr0);
    shadow.loadCr3(cr3);
    guest.remapped();
  }
}

const isHigh = (base: number, esp: number): boolean => (base + (esp >>> 0)) >>> 0 >= HYPERVISOR_START - NEAR;

const differs = (a: { base: number; limit: number }, b: { base: number; limit: number }): boolean =>
  a.base >>> 0 !== b.base >>> 0 || a.limit !== b.limit;
