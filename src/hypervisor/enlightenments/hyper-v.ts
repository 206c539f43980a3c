// Microsoft's interface (Hypervisor Top-Level Functional Specification): a hypercall page, a reference clock that can be read
// without leaving the guest, and hypercalls for what shadow paging makes dear: switching and flushing address spaces.
import { Kind } from '../../trace/events.ts';
import { cr3Value } from '../platform/control-registers.ts';
import type { Resume } from '../technique.ts';
import { OverlayPage } from './overlay.ts';
import type { GuestInterface, InterfaceContext } from './seam.ts';

const MSR = {
  guestOsId: 0x40000000,
  hypercall: 0x40000001,
  vpIndex: 0x40000002,
  timeRefCount: 0x40000020,
  referenceTsc: 0x40000021,
} as const;

/** CPUID 40000003h EAX: TIME_REF_COUNT, hypercall MSRs, VP_INDEX, reference TSC. */
const FEATURES = (1 << 1) | (1 << 5) | (1 << 6) | (1 << 9);
/** 40000004h EAX: hypercall for switching address spaces, for flushing this processor's. */
const RECOMMENDED = (1 << 0) | (1 << 1);
/** Spins before a guest should say so (the value that Xen's shim gives). */
const LONG_SPIN = 2047;
/** 40000006h EAX bit 3: second-level address translation. */
const NESTED = 1 << 3;

const CALL = { switchSpace: 1, flushSpace: 2, flushList: 3, longSpin: 8 } as const;
const STATUS = { success: 0, invalidCode: 2, invalidInput: 3, alignment: 4, parameter: 5 } as const;
/** Marks the calls of this interface among those of others (as Xen's page for such guests does). */
const MARK = 0x80000000;
/** More pages than this are flushed all at once. */
const MANY_PAGES = 64;
const FLUSH_HEADER = 24;
const UNITS_PER_SECOND = 10_000_000n;

export class HyperV implements GuestInterface {
  private osId = 0n;
  private hypercallMsr = 0n;
  private referenceMsr = 0n;
  private readonly callPage: OverlayPage;
  private readonly timePage: OverlayPage;
  /** Sequence number and TSC offset that the time page was written with. */
  private sequence = 0;
  private writtenOffset = Number.NaN;
  private readonly scale: bigint;

  constructor(private readonly c: InterfaceContext) {
    this.callPage = new OverlayPage(c.guest);
    this.timePage = new OverlayPage(c.guest);
    this.scale = (UNITS_PER_SECOND << 64n) / BigInt(c.guest.hypervisor.pc.cost.clockHz);
  }

  private get nested(): boolean {
    return this.c.options.paging === 'nested';
  }

  cpuid(leaf: number) {
    const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    switch (leaf) {
      case 0:
        // "Microsoft Hv"
        return { eax: 0x40000006, ebx: 0x7263694d, ecx: 0x666f736f, edx: 0x76482074 };
      case 1:
        // "Hv#1"
        return { ...none, eax: 0x31237648 };
      case 2:
        // The version of Windows Server 2008's: 6.0, build 6001.
        return { ...none, eax: 6001, ebx: 6 << 16 };
      case 3:
        return { ...none, eax: FEATURES };
      case 4:
        // With nested tables the guest's own way is the better one.
        return { ...none, eax: this.nested ? 0 : RECOMMENDED, ebx: LONG_SPIN };
      case 5:
        return { ...none, eax: 1, ebx: 1 };
      case 6:
        return { ...none, eax: this.nested ? NESTED : 0 };
      default:
        return null;
    }
  }

  readMsr(index: number): bigint | undefined {
    switch (index) {
      case MSR.guestOsId:
        return this.osId;
      case MSR.hypercall:
        return this.hypercallMsr;
      case MSR.vpIndex:
        return 0n;
      case MSR.timeRefCount:
        return this.referenceTime();
      case MSR.referenceTsc:
        return this.referenceMsr;
      default:
        return undefined;
    }
  }

  writeMsr(index: number, value: bigint): boolean | undefined {
    switch (index) {
      case MSR.guestOsId:
        this.osId = value;
        // Who takes its name back has no hypercalls any more.
        if (value === 0n) this.setHypercallPage(this.hypercallMsr & ~1n);
        return true;
      case MSR.hypercall:
        return this.setHypercallPage(this.osId ? value : value & ~1n);
      case MSR.referenceTsc:
        return this.setReferencePage(value);
      case MSR.vpIndex:
      case MSR.timeRefCount:
        return false;
      default:
        return undefined;
    }
  }

  private setHypercallPage(value: bigint): boolean {
    if (value & 1n) {
      // or eax, 80000000h; vmcall or vmmcall; ret
      const code = Uint8Array.from([0x0d, 0, 0, 0, 0x80, ...this.c.call, 0xc3]);
      if (!this.callPage.place(Number(value >> 12n), code)) return false;
    } else this.callPage.remove();
    this.hypercallMsr = value;
    return true;
  }

  private setReferencePage(value: bigint): boolean {
    if (value & 1n) {
      if (!this.timePage.place(Number(value >> 12n), this.timePageContent())) return false;
    } else this.timePage.remove();
    this.referenceMsr = value;
    return true;
  }

  /** {u32 sequence, u32, u64 scale, s64 offset}: time = (TSC · scale >> 64) + offset, in units of 100 ns. */
  private timePageContent(): Uint8Array {
    this.writtenOffset = this.c.guest.tscOffset;
    this.sequence = (this.sequence % 0x7fffffff) + 1;
    const view = new DataView(new ArrayBuffer(24));
    view.setUint32(0, this.sequence, true);
    view.setBigUint64(8, this.scale & 0xffffffffffffffffn, true);
    view.setBigInt64(16, this.timeOffset(), true);
    return new Uint8Array(view.buffer);
  }

  /** The clock began with the guest, whatever it has written to its time-stamp counter since. */
  private timeOffset(): bigint {
    const { guest } = this.c;
    const began = BigInt(Math.floor(guest.domain.bootTime));
    const counter = began + BigInt(Math.floor(guest.tscOffset));
    return -((counter * this.scale) >> 64n);
  }

  private referenceTime(): bigint {
    const { guest } = this.c;
    const counter = BigInt(Math.floor(guest.hypervisor.now + guest.tscOffset));
    return BigInt.asUintN(64, ((counter * this.scale) >> 64n) + this.timeOffset());
  }

  beforeEntry(): void {
    if (this.timePage.at >= 0 && this.c.guest.tscOffset !== this.writtenOffset)
      this.timePage.place(this.timePage.at, this.timePageContent());
  }

  /** 32-bit calls: input value in EDX:EAX, input parameters (or their address) in EBX:ECX, result in EDX:EAX. */
  hypercall(): Resume | null {
    const { guest } = this.c;
    const { regs } = guest.vcpu;
    if (!(regs[0] & MARK) || !(this.hypercallMsr & 1n)) return null;
    guest.hypervisor.charge.hypercallDispatch();
    const low = (regs[0] & ~MARK) >>> 0;
    const high = regs[2] >>> 0;
    const code = low & 0xffff;
    const repeats = high & 0xfff;
    const first = (high >>> 16) & 0xfff;
    const [argument, argumentHigh] = [regs[1] >>> 0, regs[3] >>> 0];
    let resume: Resume = 'enter';
    let done = 0;
    let status: number = STATUS.success;
    // Which address space it is in is the guest's own business where the processor walks its tables itself.
    if (this.nested && code === CALL.switchSpace) status = STATUS.invalidCode;
    else if (argumentHigh || (code !== CALL.flushList && repeats)) status = STATUS.invalidInput;
    else
      switch (code) {
        case CALL.switchSpace:
          status = this.switchSpace(argument, (low & 0x10000) !== 0);
          break;
        case CALL.flushSpace:
          status = low & 0x10000 ? STATUS.invalidInput : this.flushSpace(argument);
          break;
        case CALL.flushList:
          status =
            low & 0x10000 || first >= repeats
              ? STATUS.invalidInput
              : this.flushList(argument, first, repeats);
          if (status === STATUS.success) done = repeats;
          break;
        case CALL.longSpin:
          resume = 'yield';
          break;
        default:
          status = STATUS.invalidCode;
      }
    guest.hypervisor.record(guest.vcpu, Kind.hypercall, code | 0x10000, argument, repeats, 0, -status);
    regs[0] = status;
    regs[2] = done;
    return resume;
  }

  /** Machine address of parameters: aligned to 8, in one page, in the guest's memory. A status when not. */
  private parameters(physical: number, length: number): { at: number } | number {
    if (physical & 7) return STATUS.alignment;
    if ((physical & 0xfff) + length > 4096) return STATUS.parameter;
    const at = this.c.guest.domain.memory.toMachine(physical);
    return at < 0 ? STATUS.parameter : { at };
  }

  /** HvSwitchVirtualAddressSpace: {u64 CR3}, in the registers or in memory. */
  private switchSpace(argument: number, fast: boolean): number {
    const { guest } = this.c;
    let space = argument;
    if (!fast) {
      const where = this.parameters(argument, 8);
      if (typeof where === 'number') return where;
      space = guest.hypervisor.pc.memory.read32(where.at);
    }
    const { shadow } = guest;
    return shadow.loadCr3(cr3Value(space, shadow.control.cr4)) ? STATUS.success : STATUS.invalidInput;
  }

  /** HvFlushVirtualAddressSpace: {u64 space, u64 flags, u64 processors}. There is one processor, and its shadows of other spaces are never out of date. */
  private flushSpace(argument: number): number {
    const where = this.parameters(argument, FLUSH_HEADER);
    if (typeof where === 'number') return where;
    this.flushAll();
    return STATUS.success;
  }

  private flushAll(): void {
    const { shadow } = this.c.guest;
    shadow.loadCr3(shadow.control.cr3, shadow.control.pointers ?? undefined);
  }

  /** HvFlushVirtualAddressList: the same header, then u64 addresses, each with a count of further pages in its low 12 bits. */
  private flushList(argument: number, first: number, repeats: number): number {
    const { guest } = this.c;
    const where = this.parameters(argument, FLUSH_HEADER + repeats * 8);
    if (typeof where === 'number') return where;
    const pages: number[] = [];
    for (let n = first; n < repeats; n++) {
      const word = guest.hypervisor.pc.memory.read32(where.at + FLUSH_HEADER + n * 8);
      const count = (word & 0xfff) + 1;
      if (pages.length + count > MANY_PAGES) {
        this.flushAll();
        return STATUS.success;
      }
      for (let k = 0; k < count; k++) pages.push(((word & ~0xfff) + k * 4096) >>> 0);
    }
    for (const page of pages) guest.shadow.invalidatePage(page);
    return STATUS.success;
  }
}
