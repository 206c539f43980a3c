// The paravirtual console: a ring in a page that guest and hypervisor share (xen/include/public/io/console.h), and
// console_io, through which a kernel prints before it has a ring.
import { Channel, Kind } from '../../trace/events.ts';
import type { Domain, Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { CONSOLE, ERROR } from './abi.ts';
import type { EventChannels } from './event-channels.ts';
import type { ArgumentAccess, XenGuest } from './guest.ts';

/** Output that nobody has fetched is kept up to here; then the oldest goes. */
const MAX_PENDING_OUTPUT = 1 << 20;
const CONSOLEIO_WRITE = 0,
  CONSOLEIO_READ = 1;

export class Console {
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly access: ArgumentAccess,
  ) {}

  private emit(domain: Domain, vcpu: Vcpu, character: number): void {
    domain.consoleOutput += String.fromCharCode(character);
    if (domain.consoleOutput.length > MAX_PENDING_OUTPUT)
      domain.consoleOutput = domain.consoleOutput.slice(-MAX_PENDING_OUTPUT / 2);
    this.hypervisor.record(vcpu, Kind.output, character, Channel.console);
  }

  /** The guest says that it wrote to its ring: take what is there, never more than the ring holds. */
  drain(guest: XenGuest): void {
    const { memory } = this.hypervisor.pc;
    const ring = guest.consoleRing;
    const vcpu = guest.domain.vcpus[0];
    let consumer = memory.read32(ring + CONSOLE.outCons);
    const producer = memory.read32(ring + CONSOLE.outProd);
    const waiting = (producer - consumer) >>> 0;
    if (waiting > CONSOLE.outSize) return;
    for (; consumer !== producer; consumer = (consumer + 1) | 0)
      this.emit(guest.domain, vcpu, memory.read8(ring + CONSOLE.out + (consumer & (CONSOLE.outSize - 1))));
    memory.write32(ring + CONSOLE.outCons, consumer);
    this.hypervisor.charge.copyByte(waiting);
  }

  /** Characters wait and the ring has room. */
  canFeed(guest: XenGuest): boolean {
    if (!guest.domain.consoleInput.length) return false;
    const { memory } = this.hypervisor.pc;
    return (
      (memory.read32(guest.consoleRing + CONSOLE.inProd) -
        memory.read32(guest.consoleRing + CONSOLE.inCons)) >>>
        0 <
      CONSOLE.inSize
    );
  }

  /** Characters for the guest: as many as the ring takes, then its event. */
  feed(guest: XenGuest, events: EventChannels): void {
    const { domain } = guest;
    if (!domain.consoleInput.length) return;
    const { memory } = this.hypervisor.pc;
    const ring = guest.consoleRing;
    let producer = memory.read32(ring + CONSOLE.inProd);
    const consumer = memory.read32(ring + CONSOLE.inCons);
    let sent = 0;
    while (domain.consoleInput.length && (producer - consumer) >>> 0 < CONSOLE.inSize) {
      memory.write8(ring + CONSOLE.in + (producer & (CONSOLE.inSize - 1)), domain.consoleInput.shift()!);
      producer = (producer + 1) | 0;
      sent++;
    }
    memory.write32(ring + CONSOLE.inProd, producer);
    const port = guest.ports.findIndex((p) => p?.kind === 'console');
    if (sent && port > 0) events.setPending(guest, port);
  }

  /** console_io(cmd, count, buffer). */
  operate(vcpu: Vcpu, guest: XenGuest, command: number, count: number, buffer: number): number {
    const length = Math.min(count >>> 0, 4096);
    if (command === CONSOLEIO_WRITE) {
      for (let n = 0; n < length; n++) this.emit(guest.domain, vcpu, this.access.read8(guest, buffer + n));
      this.hypervisor.charge.copyByte(length);
      return 0;
    }
    if (command !== CONSOLEIO_READ) return ERROR.nosys;
    let read = 0;
    while (read < length && guest.domain.consoleInput.length)
      this.access.write8(guest, buffer + read++, guest.domain.consoleInput.shift()!);
    return read;
  }
}
