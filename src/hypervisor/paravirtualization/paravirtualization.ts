// Xen 3.0's paravirtualization: the guest's kernel runs at ring 1 and asks by hypercall; its applications at ring 3 call
// it directly. Entry and exit are the processor's own IRET and interrupt gates (Barham et al. 2003).
import type { Image } from '../../images/image.ts';
import { ImageError } from '../../images/image.ts';
import type { Instruction } from '../../machine/isa/instruction.ts';
import { Kind, Vendor } from '../../trace/events.ts';
import { type Domain, Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { HYPERCALL_VECTOR, IRQ_BASE } from '../monitor.ts';
import type { BootOptions, Exit, Resume, Technique } from '../technique.ts';
import { readArrival } from '../trap-frame.ts';
import { Console } from '../xen/console.ts';
import { EventChannels } from '../xen/event-channels.ts';
import { domidOf, xenGuests } from '../xen/guest.ts';
import { xenServices } from '../xen/services.ts';
import { HYPERCALL } from './abi.ts';
import { buildDomain } from './builder.ts';
import { Descriptors } from './descriptors.ts';
import { Exceptions } from './exceptions.ts';
import { optionalForeign, optionalPae } from './extensions.ts';
import { GuestAccess } from './guest-access.ts';
import { Hypercalls } from './hypercalls.ts';
import { type Layout, PAE, TWO_LEVELS } from './layout.ts';
import type { HypervisorArea } from './pae-area.ts';
import { PageTables } from './page-tables.ts';
import { PageTypes } from './page-types.ts';
import { PrivilegedOps } from './privileged-ops.ts';
import { PvDomain } from './pv-domain.ts';
import { pvFrames } from './pv-frames.ts';
import { RUNSTATE } from './pv-vcpu.ts';
import { PvTime } from './time.ts';
import { WorldSwitch } from './world-switch.ts';

/** #GP error code of an INT n that the gate's DPL forbade: IDT bit, vector above. */
const ERROR_IDT = 2;
/** Bytes of CALL rel32, by which guests reach the hypercall page. */
const CALL_LENGTH = 5;
const EFLAGS_IF = 0x200;

export class Paravirtualization implements Technique {
  readonly name = 'paravirtualization';
  readonly kernelRing = 1;
  readonly nonRoot = false;
  private readonly guests = new Map<Domain, PvDomain>();
  private readonly types: PageTypes;
  private readonly tables: PageTables;
  readonly access: GuestAccess;
  private readonly events: EventChannels;
  private readonly exceptions: Exceptions;
  private readonly descriptors: Descriptors;
  private readonly console: Console;
  private readonly time: PvTime;
  private readonly hypercalls: Hypercalls;
  private readonly privileged: PrivilegedOps;
  private readonly world: WorldSwitch;
  /** Made when the first guest with PAE comes. */
  private paeArea: HypervisorArea | null = null;

  constructor(private readonly hypervisor: Hypervisor) {
    this.types = new PageTypes(hypervisor);
    this.access = new GuestAccess(hypervisor);
    this.console = new Console(hypervisor, this.access);
    this.events = new EventChannels(
      hypervisor,
      this.access,
      (pv) => this.console.drain(pv),
      (pv) => xenServices(hypervisor)?.storeNotified(pv),
    );
    this.exceptions = new Exceptions(hypervisor, this.access);
    this.descriptors = new Descriptors(hypervisor, this.access, this.types);
    this.time = new PvTime(hypervisor, this.events);
    this.tables = new PageTables(hypervisor, this.types, this.access);
    this.tables.descriptors = this.descriptors;
    this.world = new WorldSwitch(hypervisor, this.tables, this.descriptors);
    this.privileged = new PrivilegedOps(hypervisor, this.access, this.descriptors, this.tables, (...asked) =>
      this.hypercalls.emulated(...asked),
    );
    this.hypercalls = new Hypercalls({
      hypervisor,
      access: this.access,
      tables: this.tables,
      descriptors: this.descriptors,
      events: this.events,
      console: this.console,
      exceptions: this.exceptions,
      time: this.time,
    });
  }

  /**
   * On bare hardware PUSHF and POPF would have read and set the guest's own interrupt flag, which here is the upcall mask.
   * A ported kernel knows that it runs at ring 1: what its selectors say is no surprise to it.
   */
  watch(vcpu: Vcpu, i: Instruction, got: number, expected: number): void {
    const pv = this.of(vcpu.domain);
    const virtualIf = pv.vcpus[vcpu.id].upcallMask ? 0 : EFLAGS_IF;
    const { operation } = i.form;
    let had = got;
    let wanted = expected;
    if (operation === 'popf') had = (got & ~EFLAGS_IF) | virtualIf;
    else if (operation === 'pushf') wanted = (expected & ~EFLAGS_IF) | virtualIf;
    if (had === wanted) return;
    const { recorder, cpu } = this.hypervisor.pc;
    recorder.record(Kind.hole, cpu.instructionStart, i.form.id, had, wanted);
  }

  /** What is kept about a domain, for people to look at. */
  guestOf(domain: Domain): { pv: PvDomain; hypervisor: Hypervisor } | null {
    const pv = this.guests.get(domain);
    return pv ? { pv, hypervisor: this.hypervisor } : null;
  }

  private of(domain: Domain): PvDomain {
    return this.guests.get(domain)!;
  }

  /** From now on the hypervisor serves this virtual processor. */
  private select({ domain, id }: Vcpu): PvDomain {
    const pv = this.of(domain);
    pv.current = pv.vcpus[id];
    return pv;
  }

  prepare(domain: Domain, image: Image, options: BootOptions): void {
    if (!image.xen && image.kind === 'linux')
      throw new ImageError(
        `${image.name}: is a bzImage, in which the kernel is compressed. Xen wants the ELF inside: unpack it (scripts/extract-vmlinux of Linux)`,
      );
    if (!image.xen)
      throw new ImageError(
        `${image.name}: is not a kernel ported to Xen (it has no Xen notes). Run it by vt-x, or on the bare machine (native)`,
      );
    const { hypervisor } = this;
    const layout = image.xen.pae ? PAE : TWO_LEVELS;
    for (let n = 1; n < (options.vcpus ?? 1); n++) domain.vcpus.push(new Vcpu(domain, n));
    const pv: PvDomain = new PvDomain(
      domain,
      hypervisor.pc.memory,
      this.access,
      pvFrames(hypervisor, this.types, () => pv),
      layout,
      () => hypervisor.now,
      (of) => optionalForeign.make?.(this.tables, of) ?? null,
    );
    this.guests.set(domain, pv);
    buildDomain(
      hypervisor,
      this.types,
      this.events,
      pv,
      image,
      image.xen,
      options,
      this.areaFor(layout, image.name),
    );
    xenGuests(this.hypervisor).set(domidOf(domain), pv);
    xenServices(this.hypervisor)?.start(pv, options);
  }

  /** What every address space of this form has of the hypervisor. */
  private areaFor({ pae }: Layout, name: string): HypervisorArea {
    const { monitor } = this.hypervisor;
    if (!pae) return { entries: monitor.sharedEntries, gdtPage: monitor.gdtPage };
    this.paeArea ??= optionalPae.makeArea?.(this.hypervisor) ?? null;
    if (!this.paeArea) throw new ImageError(`${name} is a PAE Xen kernel, and that part is not loaded`);
    return this.paeArea;
  }

  enter(vcpu: Vcpu): number {
    const pv = this.select(vcpu);
    const { current } = pv;
    const { cpu, monitor, pc } = this.hypervisor;
    this.world.use(pv);
    current.polling = null;
    this.time.start(current);
    this.time.publish(current);
    this.exceptions.upcall(vcpu, pv);
    if (!vcpu.domain.alive) return -1;

    const { frame, ldt } = current;
    pc.memory.write32(monitor.tss + 0x0c, current.kernelStack.pointer);
    pc.memory.write32(monitor.tss + 0x10, current.kernelStack.selector);
    cpu.cr0 = current.taskSwitched ? cpu.cr0 | 8 : cpu.cr0 & ~8;
    monitor.loadHypervisorSegments(cpu);
    if (ldt)
      for (const selector of [frame.cs, frame.ss, frame.ds, frame.es, frame.fs, frame.gs])
        ldt.touch(selector);
    const { world } = this;
    if (!world.loadDataSegments(current)) this.exceptions.failsafe(vcpu, pv);
    if (!world.returnTo(current) && (!this.exceptions.failsafe(vcpu, pv) || !world.returnTo(current)))
      this.hypervisor.endDomain(
        vcpu.domain,
        'crashed',
        `the guest cannot be entered: CS:EIP ${frame.cs.toString(16)}:${(frame.eip >>> 0).toString(16)}, SS:ESP ${frame.ss.toString(16)}:${(frame.esp >>> 0).toString(16)}`,
      );
    return -1;
  }

  leave(vcpu: Vcpu): Exit {
    const pv = this.select(vcpu);
    const { cpu } = this.hypervisor;
    const { frame } = pv.current;
    const { vector, error } = readArrival(this.hypervisor, frame);
    vcpu.regs.set(cpu.regs);
    vcpu.eip = vector === HYPERCALL_VECTOR ? this.caller(pv) : frame.eip >>> 0;
    vcpu.cpl = frame.cs & 3;
    vcpu.cr2 = cpu.cr2;
    return {
      vendor: Vendor.xen,
      reason: vector,
      qualification: vector === 14 ? cpu.cr2 : 0,
      detail: error,
      instructionLength: 0,
      eip: vcpu.eip,
    };
  }

  /**
   * Where a hypercall was made: every one goes through the hypercall page, which says nothing; the return address on the
   * stack does. (The slot of iret is jumped to, so it has none.)
   */
  private caller(pv: PvDomain): number {
    const { eip, esp } = pv.current.frame;
    const slot = (eip - pv.hypercallPage) >>> 5;
    if (!pv.hypercallPage || slot > 127 || slot === HYPERCALL.iret) return eip >>> 0;
    const at = this.access.peek(pv, esp);
    return at < 0 ? eip >>> 0 : (this.hypervisor.pc.memory.read32(at) - CALL_LENGTH) >>> 0;
  }

  handle(vcpu: Vcpu, exit: Exit): Resume {
    const pv = this.select(vcpu);
    const vector = exit.reason;
    const { unhooked } = pv;
    if (unhooked) {
      unhooked.reconnect();
      if (!vcpu.domain.alive) return 'ended';
      // It missed only what was unhooked: now that is there.
      const missed = ((vcpu.cr2 >>> 0) - unhooked.from) / 2 ** pv.layout.tableShift;
      if (vector === 14 && !(exit.detail & 1) && missed >= 0 && missed < 1) return 'enter';
    }
    if (vector >= IRQ_BASE && vector < IRQ_BASE + 16) {
      this.hypervisor.hardwareInterrupt(vector);
      return 'enter';
    }
    if (vector === HYPERCALL_VECTOR) {
      const resume = this.hypercalls.perform(vcpu, pv);
      if (resume === 'block') this.time.stop(pv.current);
      return resume;
    }
    // The handler finds the unit usable: it need not, and as a rule does not, clear CR0.TS itself.
    if (vector === 7) pv.current.taskSwitched = false;
    if (this.hypercalls.exceptionHandled(vcpu, pv, vector, exit.detail))
      return vcpu.domain.alive ? 'enter' : 'ended';
    if (vector === 13) this.generalProtection(vcpu, pv, exit.detail);
    else this.exceptions.reflect(vcpu, pv, vector, exit.detail, vector === 14 ? vcpu.cr2 : 0);
    return vcpu.domain.alive ? 'enter' : 'ended';
  }

  private generalProtection(vcpu: Vcpu, pv: PvDomain, error: number): void {
    // INT n whose gate only the hypervisor may use: the guest's own gate decides.
    if (error & ERROR_IDT && !(error & 1)) {
      const vector = (error >>> 3) & 0xff;
      const handler = pv.current.traps[vector];
      const length =
        handler && (pv.current.frame.cs & 3) <= handler.dpl
          ? this.privileged.softwareInterruptLength(pv, vector)
          : 0;
      if (length) {
        pv.current.frame.eip = (pv.current.frame.eip + length) | 0;
        this.exceptions.reflect(vcpu, pv, vector, -1);
        return;
      }
    } else if (error === 0 && this.privileged.emulate(vcpu, pv)) return;
    this.exceptions.reflect(vcpu, pv, 13, error);
  }

  pendingEvent(vcpu: Vcpu): boolean {
    const v = this.of(vcpu.domain).vcpus[vcpu.id];
    if (!v.up) return false;
    return v.polling ? v.polling.ready() : v.upcallPending && !v.upcallMask;
  }

  nextDeadline(domain: Domain): number {
    const pv = this.of(domain);
    if (this.console.canFeed(pv)) return this.hypervisor.now;
    let next = Infinity;
    for (const v of pv.vcpus) {
      next = Math.min(next, this.time.nextDeadline(v));
      if (v.polling) next = Math.min(next, v.polling.until);
    }
    return next;
  }

  advance(domain: Domain, now: number): void {
    const pv = this.of(domain);
    for (const v of pv.vcpus) this.time.advance(pv, v, now);
    this.console.feed(pv, this.events);
  }

  switchedAway(vcpu: Vcpu): void {
    const v = this.guests.get(vcpu.domain)?.vcpus[vcpu.id];
    if (!v || this.world.loaded !== v) return;
    const state = vcpu.state === 'blocked' ? RUNSTATE.blocked : RUNSTATE.runnable;
    v.enterRunstate(v.up ? state : RUNSTATE.offline, this.hypervisor.now);
    this.world.unload();
  }

  translate(vcpu: Vcpu, linear: number): number {
    const pv = this.of(vcpu.domain);
    const { current } = pv;
    pv.current = pv.vcpus[vcpu.id];
    const machine = pv.current.baseFrame ? this.access.peek(pv, linear) : -1;
    pv.current = current;
    return machine;
  }

  registers(vcpu: Vcpu): Record<string, number> {
    const v = this.of(vcpu.domain).vcpus[vcpu.id];
    const { regs } = vcpu;
    const { frame } = v;
    return {
      EAX: regs[0],
      EBX: regs[3],
      ECX: regs[1],
      EDX: regs[2],
      ESI: regs[6],
      EDI: regs[7],
      EBP: regs[5],
      ESP: frame.esp,
      EIP: frame.eip,
      EFLAGS: frame.eflags,
      CS: frame.cs,
      SS: frame.ss,
      DS: frame.ds,
      ES: frame.es,
      CR3: v.baseFrame * 4096,
      'virtual IF': v.upcallMask ? 0 : 1,
    };
  }

  destroy(domain: Domain): void {
    const pv = this.guests.get(domain);
    if (!pv) return;
    if (this.world.domain === pv) this.world.unload();
    if (xenGuests(this.hypervisor).get(domidOf(domain)) === pv) {
      xenServices(this.hypervisor)?.end(pv);
      this.events.closeAll(pv);
      xenGuests(this.hypervisor).delete(domidOf(domain));
    }
    // Its tables may still be under the processor, though another guest (or nobody) has it.
    const { cpu, monitor } = this.hypervisor;
    if (pv.vcpus.some((v) => cpu.cr3 === ((v.baseFrame * 4096) | 0))) {
      cpu.cr3 = monitor.pageDirectory;
      cpu.tlb.flush();
    }
    this.types.forget(domain.id);
    if (pv.perDomainTable) this.hypervisor.frames.release(pv.perDomainTable >>> 12);
    this.guests.delete(domain);
  }
}
