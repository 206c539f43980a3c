// The bare machine: no hypervisor, one guest, and it owns everything. The yardstick for all techniques.
import { loadFlat } from '../../images/boot.ts';
import { type Image, ImageError, needsFirmware } from '../../images/image.ts';
import { loadLinuxSetup } from '../../images/linux-setup.ts';
import { type Cpu, Stop } from '../../machine/cpu/cpu.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { Pc } from '../../machine/pc.ts';
import { Channel, Kind, Life } from '../../trace/events.ts';
import type { DomainState } from '../domain.ts';
import { type FaultLink, tellChain } from '../fault-chain.ts';
import type { GuestView } from '../guest-view.ts';
import type { LoopEnd } from '../run-loop.ts';
import type { BootOptions, TechniqueInfo } from '../technique.ts';
import { coldStart, startInRom } from './cold-start.ts';

export const NATIVE: TechniqueInfo = { name: 'native', kernelRing: 0, nonRoot: false };

class BareGuest implements GuestView {
  readonly technique = NATIVE;
  state: DomainState = 'running';
  ending = '';
  consoleOutput = '';
  readonly consoleInput: number[] = [];
  constructor(
    readonly id: number,
    readonly name: string,
    readonly board: Board,
  ) {}
}

export class NativeHost {
  readonly guest: BareGuest;
  /** Called when the machine has nothing to do until an interrupt comes. */
  onHalt: (() => void) | null = null;

  /** Boots `image` on the machine itself. Throws ImageError when it cannot be loaded. */
  constructor(
    readonly pc: Pc,
    id: number,
    name: string,
    image: Image,
    options: BootOptions,
  ) {
    this.guest = new BareGuest(id, name, pc.board);
    const { recorder, board, cpu } = pc;
    recorder.domain = id;
    board.onAccess = (device, write, port, value, size) =>
      recorder.recordFor(id, Kind.device, cpu.instructionStart, device, write ? 1 : 0, port, value, size);
    board.serial.onTransmit = (byte) => recorder.recordFor(id, Kind.output, 0, byte, Channel.serial);
    if (image.kind === 'disk') coldStart(pc, firmwareOf(image, options), image.disk.drive);
    else if (image.kind === 'rom') startInRom(pc, image.rom);
    else if (needsFirmware(image)) {
      loadLinuxSetup(pc.memory, image, options);
      coldStart(pc, firmwareOf(image, options), 'memory');
    } else loadFlat(image, options, pc.memory, pc.memory.size, cpu);
    recorder.recordFor(id, Kind.domain, cpu.eip, Life.booted);
    // Nobody enters it: it has the processor from the start.
    recorder.placeOf(id, cpu.cycles).move('kernel', cpu.cycles);
  }

  /** Runs the machine until `until` (cycles). */
  run(until: number, stopRequested: () => boolean = () => false): LoopEnd {
    const { pc, guest } = this;
    while (guest.state === 'running') {
      if (stopRequested()) return 'requested';
      if (pc.cpu.cycles >= until) return 'budget';
      const end = this.after(pc.run(until), until);
      if (end) return end;
    }
    return 'idle';
  }

  stepInstruction(): LoopEnd {
    if (this.guest.state !== 'running') return 'idle';
    return this.after(this.pc.step(), Infinity) ?? 'budget';
  }

  private after(stop: number, until: number): LoopEnd | undefined {
    const { pc } = this;
    if (pc.board.state !== 'on') return this.ended();
    switch (stop) {
      case Stop.halted:
        return this.halted(until);
      case Stop.shutdown:
        this.end('crashed', `${tellChain(faultsOf(pc.cpu))} of the processor`, Life.tripleFault);
        return 'idle';
      case Stop.requested:
        return 'requested';
      case Stop.breakpoint:
        return 'breakpoint';
      default:
        return undefined;
    }
  }

  /** HLT: time passes until a device interrupts. */
  private halted(until: number): LoopEnd | undefined {
    const { pc, guest } = this;
    if (!pc.processors.canWake()) {
      // CLI; HLT: nothing but a reset wakes it. Its devices and the clock go on.
      if (!guest.ending) pc.recorder.recordFor(guest.id, Kind.idle, pc.cpu.eip, 0);
      guest.ending = 'halted with interrupts off: it waits for ever';
      if (until === Infinity) return 'idle';
      while (pc.cpu.cycles < until) if (!pc.passTime(until)) break;
      return 'idle';
    }
    this.onHalt?.();
    pc.recorder.recordFor(guest.id, Kind.idle, pc.cpu.eip, 0);
    while (!pc.processors.interruptDue()) {
      if (pc.cpu.cycles >= until) return 'budget';
      if (!pc.passTime(until)) return 'idle';
    }
    return undefined;
  }

  private ended(): LoopEnd {
    if (this.pc.board.state === 'reset') this.end('rebooting', 'the guest reset the machine', Life.rebooted);
    else this.end('halted', 'the guest switched the machine off', Life.halted);
    return 'idle';
  }

  private end(state: DomainState, reason: string, life: number): void {
    const { guest, pc } = this;
    guest.state = state;
    guest.ending = reason;
    pc.recorder.recordFor(guest.id, Kind.domain, pc.cpu.eip, life);
  }
}

/** What the processor went through before it shut down. */
function faultsOf(cpu: Cpu): FaultLink[] {
  const links: FaultLink[] = [];
  const { faultChain: chain } = cpu;
  for (let n = 0; n < chain.length; n += 3)
    links.push({ vector: chain[n], errorCode: chain[n + 1], eip: cpu.instructionStart, cr2: chain[n + 2] });
  return links;
}

function firmwareOf(image: Image, options: BootOptions): Uint8Array {
  if (!options.firmware)
    throw new ImageError(`${image.name} is ${image.description}: the firmware that boots it is not there`);
  return options.firmware;
}
