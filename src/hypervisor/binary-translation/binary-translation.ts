// Binary translation as VMware's monitors did it (Adams & Agesen 2006, §3; Bugnion et al. 2012): programs run directly, the
// guest's kernel runs as translations at ring 1. What is harmless is copied, the interrupt flag is kept in memory, what the
// monitor must do comes to it by call-outs. So nothing goes silently wrong that ring 1 gets wrong.

import type { Cpu } from '../../machine/cpu/cpu.ts';
import { isFault } from '../../machine/cpu/fault.ts';
import { getFlags, IF, IOPL, RF } from '../../machine/cpu/flags.ts';
import { EventType } from '../../machine/cpu/interrupts.ts';
import { loadSegment } from '../../machine/cpu/segmentation.ts';
import type { Board } from '../../machine/devices/board.ts';
import { CS, DS, ES, FS, GS, SS } from '../../machine/isa/instruction.ts';
import { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { deliver } from '../deprivileged/delivery.ts';
import { Deprivileged } from '../deprivileged/deprivileged.ts';
import { isGuestFault } from '../deprivileged/linear.ts';
import { believed } from '../deprivileged/rings.ts';
import { Unsupported } from '../deprivileged/segments.ts';
import { startStep } from '../deprivileged/stepping.ts';
import type { Domain, Vcpu } from '../domain.ts';
import { tellChain } from '../fault-chain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { descriptor, SELECTOR } from '../monitor.ts';
import type { Exit, MutableExit, Position, Resume } from '../technique.ts';
import { handleTranslated } from './exits.ts';
import { TranslatedGuest } from './guest.ts';
import { Interpretation } from './interpretation.ts';
import {
  CACHE_BYTES,
  CACHE_CODE,
  CACHE_START,
  CALL_OUT,
  REASON,
  STATE,
  STATE_BYTES,
  STATE_DATA,
  STATE_START,
} from './layout.ts';
import { translate } from './translator.ts';

/** Present, ring 1, code that may be read; data that may be written. */
const CODE_ACCESS = 0xbb;
const DATA_ACCESS = 0xb3;

/** CS is the cache's. */
const ONLY_STACK = [SS] as const;

export class BinaryTranslation extends Deprivileged<TranslatedGuest> {
  readonly name = 'binary-translation';
  protected override readonly takesRealMode = true;

  constructor(hypervisor: Hypervisor) {
    super(hypervisor);
    this.putDescriptor(CACHE_CODE, descriptor(CACHE_START, CACHE_BYTES - 1, CODE_ACCESS, 4));
    this.putDescriptor(STATE_DATA, descriptor(STATE_START, STATE_BYTES - 1, DATA_ACCESS, 4));
  }

  private putDescriptor(selector: number, [low, high]: [number, number]): void {
    const { memory, gdtPage } = this.hypervisor.monitor;
    const at = gdtPage + (selector & 0xfff8) - SELECTOR.firstReserved;
    memory.write32(at, low);
    memory.write32(at + 4, high);
  }

  protected newGuest(domain: Domain, board: Board, devices?: MemoryMap): TranslatedGuest {
    const map = devices ?? new MemoryMap(domain.memory.size);
    const guest = new TranslatedGuest(this.hypervisor, domain, board, map);
    if (devices) {
      guest.shadow.devices = devices;
      devices.onChange(() => guest.shadow.devicesChanged());
    }
    return guest;
  }

  protected override powerOn({ interpretation }: TranslatedGuest): void {
    interpretation.powerOn();
  }

  // ---- into the guest

  override enter(vcpu: Vcpu): number {
    const guest = this.of(vcpu.domain);
    if (guest.interpretation.parked) {
      guest.interpretation.turn();
      if (!vcpu.domain.alive) return -1;
    }
    return guest.enterable ? super.enter(vcpu) : this.standStill(guest);
  }

  protected override deliverPending(guest: TranslatedGuest): number {
    const { board, hypervisor, frame } = guest;
    if (!board.pic.pending() || !guest.interruptsOn || guest.stepping) return -1;
    if (guest.ring === 0 && (guest.shadowedEip === frame.eip >>> 0 || !guest.interruptibleHere())) {
      startStep(guest);
      return -1;
    }
    const vector = board.pic.acknowledge();
    guest.settle();
    if (deliver(guest, vector, EventType.external, -1, frame.eip)) return vector;
    hypervisor.endDomain(guest.domain, 'crashed', tellChain(guest.chain), true);
    return -1;
  }

  /** Finds, or makes, what the processor shall run. */
  protected override prepareEntry(guest: TranslatedGuest): void {
    if (guest.ring === 0) {
      if (Interpretation.stackHides(guest) && !guest.stepping && guest.resumeAt < 0)
        throw new Unsupported('the kernel’s stack lies where the monitor hides');
      guest.kernelRuns();
      guest.entry = this.entryOffset(guest);
    } else guest.descriptors.tighten();
    guest.takenExit = null;
    guest.missedLookup = false;
    guest.askingSearch = null;
    guest.continuation = null;
    guest.writeState();
  }

  private entryOffset(guest: TranslatedGuest): number {
    const { frame, cache } = guest;
    const { resumeAt, continuation } = guest;
    guest.resumeAt = -1;
    if (resumeAt >= 0 && guest.resumeEip === frame.eip) {
      const { block, part } = guest.locate(resumeAt);
      const between = part !== null && part.cache === resumeAt && part.boundary;
      // What is stepped to write into its own block comes to its end there.
      if (!between || block!.live || guest.opened.length > 0) return resumeAt;
    }
    guest.borrowedGs = null;
    if (continuation?.block.live) {
      const { parts } = continuation.block;
      const part = parts.find((p) => p.boundary && p.guest === frame.eip);
      if (part && !part.exit) return part.cache;
      if (part) guest.takenExit = part.exit;
    }
    try {
      guest.checkCodeSegment();
      this.hypervisor.charge.cacheLookup();
      const block = cache.find(frame.eip) ?? translate(guest, frame.eip);
      if (guest.takenExit?.target === frame.eip) cache.chains.chain(guest.takenExit, block);
      if (guest.askingSearch && guest.state(STATE.target) === frame.eip)
        cache.chains.learn(guest.askingSearch, block);
      if (guest.missedLookup) cache.enterTable(block);
      return block.cache;
    } catch (error) {
      if (!isGuestFault(error)) throw error;
      guest.fetchFault = { vector: error.vector, errorCode: error.errorCode, address: error.address };
      guest.setState(STATE.target, frame.eip);
      return cache.routines.nowhere;
    }
  }

  protected override entryPoint(guest: TranslatedGuest): { cs: number; eip: number } {
    if (guest.ring === 3) return super.entryPoint(guest);
    guest.ownCs = guest.frame.cs;
    guest.enteredByResume = (guest.frame.eflags & RF) !== 0;
    return { cs: CACHE_CODE, eip: guest.entry };
  }

  protected override loadDataSegments(guest: TranslatedGuest): void {
    const { cpu } = this.hypervisor;
    const { descriptors } = guest;
    guest.ownGs = guest.frame.gs;
    const plain = descriptors.isPlain;
    for (const register of DATA_SEGMENTS) {
      let selector = guest.selector(register);
      let from: number = register;
      if (register === GS && guest.ring === 0) {
        selector = STATE_DATA;
        // In the middle of an access through a segment of the guest's own, GS is that segment.
        if (guest.borrowedGs !== null) ({ selector, from } = guest.borrowedGs);
      }
      if (plain) loadOrNull(cpu, register, selector);
      else descriptors.withEntry(from, () => loadOrNull(cpu, register, selector));
    }
    guest.borrowedGs = null;
  }

  // ---- out of it

  protected override arrived(guest: TranslatedGuest, vector: number): void {
    const { frame, descriptors } = guest;
    guest.fromCache = guest.isCacheCode(frame.cs);
    guest.readState();
    guest.resumeAt = -1;
    guest.continuation = null;
    guest.resumes = false;
    if (!guest.fromCache) {
      super.arrived(guest, vector);
      return;
    }
    const at = frame.eip;
    const called = vector === CALL_OUT;
    const { block, index, part } = called ? guest.locate(at - 2, true) : guest.locate(at);
    if (frame.gs !== STATE_DATA) {
      const from = part?.instruction?.segment === CS ? CS : GS;
      guest.borrowedGs = { selector: frame.gs, from };
    }
    // A call-out that was entered itself has executed nothing before.
    guest.resumes = called && guest.enteredByResume && guest.entry === at - 2;
    frame.cs = guest.ownCs;
    frame.gs = guest.ownGs;
    frame.eip = part && !(called && part.search) ? part.guest : guest.state(STATE.target);
    descriptors.arrived(ONLY_STACK);
    descriptors.refresh();
    guest.resumeEip = frame.eip;
    if (!called) {
      guest.resumeAt = at;
      return;
    }
    if (block) {
      block.callOuts++;
      guest.continuation = { block, index };
    }
  }

  override leave(vcpu: Vcpu): MutableExit {
    const guest = this.of(vcpu.domain);
    if (guest.stoodStill) return stillThere(guest);
    const exit = super.leave(vcpu);
    if (!guest.fromCache || exit.reason !== CALL_OUT) return exit;
    const { cache, continuation, frame } = guest;
    const part = continuation?.block.parts[continuation.index];
    const known = cache.find(frame.eip) !== undefined;
    let reason: number = REASON.callOut;
    if (part?.exit) {
      guest.takenExit = part.exit;
      reason = known ? REASON.chain : REASON.translate;
    } else if ((!part || part.search) && !guest.fetchFault) {
      if (part) guest.askingSearch = part.search;
      else guest.missedLookup = true;
      reason = known ? REASON.lookup : REASON.translate;
    }
    exit.reason = reason;
    exit.qualification = part?.instruction?.form.id ?? -1;
    return exit;
  }

  position(vcpu: Vcpu): Position | null {
    const guest = this.of(vcpu.domain);
    if (guest.interpretation.parked) return guest.interpretation.position();
    const { cpu } = this.hypervisor;
    if (!guest.isCacheCode(cpu.segments[CS].selector)) return null;
    const { part, block } = guest.locate(cpu.eip >>> 0);
    const inside = part === null || part.cache !== cpu.eip || !part.boundary || part.exit !== null;
    const eip = (part ? part.guest : guest.state(STATE.target)) >>> 0;
    const linear = (eip + (block ? block.linear - block.guest : 0)) >>> 0;
    return new CachePosition(guest, eip, linear, inside);
  }

  placeBreakpoints(vcpu: Vcpu): void {
    this.of(vcpu.domain).cache.placeBreakpoints();
  }

  override registers(vcpu: Vcpu): Record<string, number> {
    const registers = super.registers(vcpu);
    const { interpretation } = this.of(vcpu.domain);
    return interpretation.parked ? { ...registers, ...interpretation.position().registers } : registers;
  }

  handle(vcpu: Vcpu, exit: Exit): Resume {
    const guest = this.of(vcpu.domain);
    if (guest.stoodStill) {
      guest.stoodStill = false;
      return guest.interpretation.takeResume();
    }
    return handleTranslated(guest, exit);
  }
}

/** Where a guest stands that is in the cache. The run loop asks at every entry, people rarely: registers are read when wanted. */
class CachePosition implements Position {
  constructor(
    private readonly guest: TranslatedGuest,
    readonly eip: number,
    readonly linear: number,
    readonly inside: boolean,
  ) {}

  get registers(): Record<string, number> {
    const { guest, eip } = this;
    const privileged = (guest.state(STATE.interruptFlag) & IF) | (guest.state(STATE.ioPrivilege) & IOPL);
    return {
      EIP: eip,
      EFLAGS: (getFlags(guest.hypervisor.cpu) & ~(IF | IOPL)) | privileged,
      CR0: guest.state(STATE.control) | 0,
      CR2: guest.state(STATE.control + 8) | 0,
      CS: believed(guest.ownCs),
      SS: believed(guest.frame.ss),
    };
  }
}

const DATA_SEGMENTS = [ES, DS, FS, GS] as const;

/** A segment that its table does not have any more leaves the register without one. */
function loadOrNull(cpu: Cpu, register: number, selector: number): void {
  try {
    loadSegment(cpu, register, selector);
  } catch (error) {
    if (!isFault(error)) throw error;
    loadSegment(cpu, register, 0);
  }
}

/** What the run loop gets instead of an exit when the guest was not entered. */
function stillThere({ exit, vcpu }: TranslatedGuest): MutableExit {
  exit.reason = REASON.interpreted;
  exit.qualification = exit.detail = 0;
  exit.eip = vcpu.eip;
  return exit;
}
