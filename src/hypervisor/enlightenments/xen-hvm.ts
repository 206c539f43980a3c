// Xen's interface for unmodified guests: what CPUID says, a page of hypercalls placed by an MSR, shared_info and the grant
// table put into the guest's memory, events as an interrupt of its PC; its memory and its time are in hvm-memory.ts and
// hvm-time.ts. Drivers for Xen's split devices run in such a guest as in a paravirtualized one (xen/arch/x86/hvm,
// public/hvm/params.h, public/arch-x86/cpuid.h).
import { Kind } from '../../trace/events.ts';
import type { Resume } from '../technique.ts';
import { DOMID_SELF, ERROR, SHARED_INFO } from '../xen/abi.ts';
import { Console } from '../xen/console.ts';
import { EventChannels } from '../xen/event-channels.ts';
import {
  type ArgumentAccess,
  domidOf,
  GUEST_FAULT,
  type GuestFrames,
  type Port,
  type XenGuest,
  xenGuests,
} from '../xen/guest.ts';
import { xenServices } from '../xen/services.ts';
import { HvmMemory } from './hvm-memory.ts';
import { HvmTime } from './hvm-time.ts';
import { LinearAccess } from './linear-access.ts';
import type { GuestInterface, InterfaceContext } from './seam.ts';

const HYPERCALL = {
  memoryOp: 12,
  setTimerOp: 15,
  xenVersion: 17,
  consoleIo: 18,
  grantTableOp: 20,
  iret: 23,
  vcpuOp: 24,
  schedOp: 29,
  eventChannelOp: 32,
  hvmOp: 34,
} as const;
const VERSION = 0x30000;
/** Where Xen's own numbers for MSRs begin (arch-x86/cpuid.h leaf 2). */
const PAGE_MSR = 0x40000200;
/** VCPUOP_register_vcpu_info, and bytes of struct vcpu_info. */
const REGISTER_VCPU_INFO = 10;
const VCPU_INFO_SIZE = 64;
const XENVER = { version: 0, getFeatures: 6 } as const;
/** XENFEAT_writable_page_tables, _auto_translated_physmap, _hvm_safe_pvclock (public/features.h). */
const FEATURES = (1 << 0) | (1 << 2) | (1 << 9);
const HVMOP = { setParam: 0, getParam: 1 } as const;
const PARAM = { callbackIrq: 0, storePfn: 1, storeEvtchn: 2, consolePfn: 17, consoleEvtchn: 18 } as const;
/** Pages of the toolstack's, in what the PC's memory map calls reserved. */
const STORE_FRAME = 0xee,
  CONSOLE_FRAME = 0xef;
const PAGE = 4096;

export class XenHvm implements GuestInterface, XenGuest {
  readonly access: ArgumentAccess;
  readonly frames: GuestFrames;
  readonly ports: Port[] = [{ kind: 'free' }];
  readonly grantFrames: number[] = [];
  readonly toldByInterrupt = true;
  readonly sharedInfo: number;
  /** Machine address of vcpu_info, which the guest may have moved. */
  private vcpuInfo = 0;
  readonly storeRing: number;
  readonly consoleRing: number;
  private readonly events: EventChannels;
  private readonly console: Console;
  private readonly memory: HvmMemory;
  private readonly time: HvmTime;
  /** Guest frames that somebody outside holds, and how often. */
  private readonly held = new Map<number, number>();
  /** IRQ of the guest's PC by which it hears of events; 0 = it does not. */
  private irq = 0;
  private high = false;

  constructor(private readonly c: InterfaceContext) {
    const { hypervisor } = c.guest;
    const { memory } = this.domain;
    this.access = new LinearAccess(c.guest);
    this.frames = {
      toMachine: (frame) => (frame < memory.pages ? memory.p2m[frame] : -1),
      take: (frame) => {
        this.held.set(frame, (this.held.get(frame) ?? 0) + 1);
        this.wrote(frame);
        return true;
      },
      drop: (frame) => {
        const count = (this.held.get(frame) ?? 0) - 1;
        if (count > 0) this.held.set(frame, count);
        else this.held.delete(frame);
        this.wrote(frame);
      },
    };
    this.console = new Console(hypervisor, this.access);
    this.events = new EventChannels(
      hypervisor,
      this.access,
      () => this.console.drain(this),
      () => xenServices(hypervisor)?.storeNotified(this),
    );
    this.sharedInfo = hypervisor.frames.allocate(this.domain.id) * PAGE;
    hypervisor.pc.memory.load(this.sharedInfo + SHARED_INFO.evtchnMask, new Uint8Array(128).fill(0xff));
    hypervisor.pc.memory.write32(this.sharedInfo + SHARED_INFO.wallclockSeconds, hypervisor.pc.startSeconds);
    this.storeRing = memory.p2m[STORE_FRAME] * PAGE;
    this.consoleRing = memory.p2m[CONSOLE_FRAME] * PAGE;
    this.memory = new HvmMemory(c.guest, this, (machine) => this.held.has(machine));
    this.time = new HvmTime(c.guest, this, this.events);
    this.events.bind(this, { kind: 'store' });
    this.events.bind(this, { kind: 'console' });
    xenGuests(hypervisor).set(domidOf(this.domain), this);
    xenServices(hypervisor)?.start(this, c.options);
  }

  get domain() {
    return this.c.guest.domain;
  }

  /** The hypervisor writes to this machine frame: who shadows the guest's frame wants to know. */
  private wrote(machine: number): void {
    const { memory } = this.domain;
    const frame = memory.p2m.indexOf(machine);
    if (frame >= 0) memory.onDeviceWrite?.(frame);
  }

  cpuid(leaf: number) {
    const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    switch (leaf) {
      case 0:
        // "XenVMMXenVMM"
        return { eax: this.c.firstLeaf + 2, ebx: 0x566e6558, ecx: 0x65584d4d, edx: 0x4d4d566e };
      case 1:
        return { ...none, eax: VERSION };
      case 2:
        return { ...none, eax: 1, ebx: PAGE_MSR };
      default:
        return null;
    }
  }

  readMsr(index: number): bigint | undefined {
    return index === PAGE_MSR ? 0n : undefined;
  }

  /** The low twelve bits say which page of hypercalls: there is one. */
  writeMsr(index: number, value: bigint): boolean | undefined {
    if (index !== PAGE_MSR) return undefined;
    const { memory } = this.domain;
    const frame = Number(value >> 12n);
    if (value & 0xfffn || frame >= memory.pages || memory.p2m[frame] < 0) return false;
    memory.load(frame * PAGE, this.hypercallPage());
    memory.onDeviceWrite?.(frame);
    return true;
  }

  /** 32 bytes a slot: mov eax, n; vmcall or vmmcall; ret. Slot 23, iret, is not for such guests: ud2. */
  private hypercallPage(): Uint8Array {
    const page = new Uint8Array(PAGE);
    for (let n = 0; n < PAGE / 32; n++)
      page.set(n === HYPERCALL.iret ? [0x0f, 0x0b] : [0xb8, n, 0, 0, 0, ...this.c.call, 0xc3], n * 32);
    return page;
  }

  hypercall(): Resume | null {
    const { hypervisor, vcpu } = this.c.guest;
    const { regs } = vcpu;
    if (regs[0] < 0) return null;
    hypervisor.charge.hypercallDispatch();
    const [number, first, second, third] = [regs[0], regs[3], regs[1], regs[2]];
    let resume: Resume = 'enter';
    let result: number;
    try {
      if (number === HYPERCALL.schedOp) {
        resume = this.schedule(first, second);
        result = first > 2 ? ERROR.nosys : 0;
      } else result = this.call(number, first, second, third);
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
      result = ERROR.fault;
    }
    hypervisor.record(vcpu, Kind.hypercall, number, first, second, third, result);
    regs[0] = result;
    return vcpu.domain.alive ? resume : 'ended';
  }

  private call(number: number, first: number, second: number, third: number): number {
    const { hypervisor, vcpu } = this.c.guest;
    switch (number) {
      case HYPERCALL.memoryOp:
        return this.memory.operate(first, second);
      case HYPERCALL.setTimerOp:
        return this.time.setTimer(first, second);
      case HYPERCALL.vcpuOp:
        return first === REGISTER_VCPU_INFO
          ? this.registerVcpuInfo(second, third)
          : this.time.vcpuOp(first, second, third);
      case HYPERCALL.xenVersion:
        return this.version(first, second);
      case HYPERCALL.consoleIo:
        return this.console.operate(vcpu, this, first, second, third);
      case HYPERCALL.grantTableOp:
        return xenServices(hypervisor)?.grantTable(this, first, second, third) ?? ERROR.nosys;
      case HYPERCALL.eventChannelOp:
        return this.events.operate(vcpu, this, first, second);
      case HYPERCALL.hvmOp:
        return this.hvmOp(first, second);
      default:
        return ERROR.nosys;
    }
  }

  /** yield, block (a guest of a PC halts instead), shutdown {reason}. */
  private schedule(command: number, argument: number): Resume {
    const { hypervisor } = this.c.guest;
    if (command === 0 || command === 1) return 'yield';
    if (command !== 2) return 'enter';
    const reason = this.access.read32(this, argument);
    const ways = ['halted', 'rebooting', 'halted', 'crashed'] as const;
    hypervisor.endDomain(
      this.domain,
      ways[reason] ?? 'crashed',
      ['the guest shut down', 'the guest asked to be booted again'][reason] ??
        'the guest says that it crashed',
    );
    return 'ended';
  }

  vcpuInfoOf(): number {
    return this.vcpuInfo || this.sharedInfo;
  }

  /** register_vcpu_info {u64 frame, u32 offset}: vcpu_info moves there, once, and stays; the page cannot be given away then. */
  private registerVcpuInfo(processor: number, argument: number): number {
    const { access, frames } = this;
    const { memory } = this.c.guest.hypervisor.pc;
    const [frame, high, offset] = [0, 4, 8].map((at) => access.read32(this, argument + at) >>> 0);
    const machine = high ? -1 : frames.toMachine(frame);
    if (processor !== 0 || this.vcpuInfo || machine < 0 || offset > PAGE - VCPU_INFO_SIZE || offset & 3)
      return ERROR.inval;
    frames.take(machine);
    const at = machine * PAGE + offset;
    for (let n = 0; n < VCPU_INFO_SIZE; n += 4) memory.write32(at + n, memory.read32(this.sharedInfo + n));
    this.vcpuInfo = at;
    return 0;
  }

  /** xen_version(command, argument): {submap_idx, submap} of get_features are bits of XENFEAT_*. */
  private version(command: number, argument: number): number {
    if (command === XENVER.version) return VERSION;
    if (command !== XENVER.getFeatures) return ERROR.nosys;
    const submap = this.access.read32(this, argument);
    this.access.write32(this, argument + 4, submap === 0 ? FEATURES : 0);
    return 0;
  }

  /** {u16 domain, u32 index, u64 value}. */
  private hvmOp(command: number, argument: number): number {
    const { access } = this;
    if (command !== HVMOP.setParam && command !== HVMOP.getParam) return ERROR.nosys;
    const domid = access.read16(this, argument);
    if (domid !== DOMID_SELF && domid !== domidOf(this.domain)) return ERROR.perm;
    const index = access.read32(this, argument + 4) >>> 0;
    if (command === HVMOP.setParam)
      return index === PARAM.callbackIrq
        ? this.setCallback(access.read32(this, argument + 8), access.read32(this, argument + 12))
        : ERROR.inval;
    const value = this.parameter(index);
    if (value < 0) return ERROR.inval;
    access.write32(this, argument + 8, value);
    access.write32(this, argument + 12, 0);
    return 0;
  }

  private parameter(index: number): number {
    const port = (kind: Port['kind']) => this.ports.findIndex((p) => p?.kind === kind);
    switch (index) {
      case PARAM.callbackIrq:
        return this.irq;
      case PARAM.storePfn:
        return STORE_FRAME;
      case PARAM.storeEvtchn:
        return port('store');
      case PARAM.consolePfn:
        return CONSOLE_FRAME;
      case PARAM.consoleEvtchn:
        return port('console');
      default:
        return -1;
    }
  }

  /** Type 0: an input of the guest's interrupt controllers that no device of the PC has. */
  private setCallback(low: number, high: number): number {
    if (high !== 0 || low < 0 || ![0, 3, 5, 7, 9, 10, 11].includes(low)) return ERROR.inval;
    this.line(false);
    this.irq = low;
    this.onUpcall();
    return 0;
  }

  private get pending(): boolean {
    return (this.c.guest.hypervisor.pc.memory.read8(this.vcpuInfoOf() + SHARED_INFO.upcallPending) & 1) !== 0;
  }

  private line(high: boolean): void {
    if (!this.irq || this.high === high) return;
    this.high = high;
    this.c.guest.board.pic.line(this.irq)(high);
  }

  /** An event: a new edge, for the guest may have taken note of the last one without an exit. */
  onUpcall(): void {
    if (!this.pending) return;
    this.line(false);
    this.line(true);
  }

  beforeEntry(): void {
    if (!this.pending) this.line(false);
    this.time.beforeEntry();
  }

  release(): void {
    const { hypervisor } = this.c.guest;
    if (xenGuests(hypervisor).get(domidOf(this.domain)) !== this) return;
    xenServices(hypervisor)?.end(this);
    this.events.closeAll(this);
    xenGuests(hypervisor).delete(domidOf(this.domain));
    // shared_info and grant frames may stand nowhere in the map: they go with the domain's other frames, by their owner.
  }
}
